"""The network read from dlib's own file, against the library itself."""

from __future__ import annotations

from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from hifibench import assets
from hifibench.errors import UsageError
from hifibench.experts.dlib_resnet import network
from hifibench.onnx_session import session


@pytest.fixture(scope="module")
def file() -> Path:
    return assets.path("dlib-resnet")


def chips() -> list[NDArray[np.uint8]]:
    """Noise, smooth noise of one colour cast, a ramp: pictures that differ in all that a network could mistake."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (150, 150, 3)).astype(np.uint8)
    cast = cv2.GaussianBlur(noise, (0, 0), 8) * np.array([1.0, 0.6, 0.2])
    ramp = np.add.outer(np.arange(150), 0.5 * np.arange(150))[..., None] * np.array([1.0, 0.3, 0.8])
    return [noise, cast.astype(np.uint8), ramp.astype(np.uint8)]


def test_descriptors_are_those_of_the_library(file: Path) -> None:
    library = dlib.face_recognition_model_v1(str(file))
    ours = session(network(file).SerializeToString())
    for chip in chips():
        theirs = np.array(library.compute_face_descriptor(chip))
        (found,) = ours.run(None, {"image": chip.transpose(2, 0, 1)[None].astype(np.float32)})
        np.testing.assert_allclose(found[0], theirs, atol=2e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[: len(content) // 2], "holds another network"),
        (lambda content: b"", "no more layers where 4,736 were expected"),
        (lambda content: content.replace(b"\x01\x05con_4", b"\x01\x05con_9", 1), "a layer of 64 numbers where 4,736"),
        (lambda content: content + content[300:30000], "more layers than it should have"),
    ],
)
def test_another_file_is_refused(file: Path, tmp_path: Path, change, message: str) -> None:
    other = tmp_path / "other.dat"
    other.write_bytes(change(file.read_bytes()))
    with pytest.raises(UsageError, match=message):
        network(other)
