from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import graphs
import numpy as np
import pytest
import torch
from test_iresnet import Malicious
from torch import Tensor

from hifibench.contracts import Crop
from hifibench.errors import MissingError, UsageError
from hifibench.experts import sphereface
from hifibench.faces import templates
from hifibench.records import Face

SPHEREFACE = [(30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041)]
"""The five points of SphereFace's preprocessing, in 112 rows and 96 columns."""


class Python2Pickler(pickle._Pickler):
    """Writes strings as the Python 2.7 of the authors does."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str) -> None:
        self.write(pickle.SHORT_BINSTRING + bytes([len(value)]) + value.encode())
        self.memoize(value)

    dispatch[str] = save_string


def python2_dump(value: Any, file: Any, protocol: int) -> None:
    Python2Pickler(file, protocol).dump(value)


@pytest.fixture(scope="module")
def state() -> graphs.State:
    return graphs.sphere20()


@pytest.fixture(scope="module")
def file(state: graphs.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sphere") / "ACC99.28.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def graph(state: graphs.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graphs.sphere20_graph(state, tmp_path_factory.mktemp("sphere") / "sphere20.onnx")


def crops(rows: int = 2) -> Tensor:
    return torch.rand(rows, 3, 112, 112, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_agrees_with_the_graph_of_the_public_names_on_face_and_mirror_image(file: Path, graph: Path) -> None:
    network, images = sphereface.load(file), crops()
    narrow = images[..., 8:104]
    expected = np.concatenate([graphs.run(graph, narrow), graphs.run(graph, narrow.flip(-1))], axis=1)
    np.testing.assert_allclose(network(images), expected, atol=1e-4, rtol=1e-4)
    assert expected.shape == (2, 1024) and np.abs(expected).mean() > 0.1
    for other in (images.flip(1), images * 128 / 127.5, images.flip(-1)):
        assert (network(other) - network(images)).abs().max() > 1e-3


def test_eight_columns_on_either_side_are_not_seen(file: Path) -> None:
    network, images = sphereface.load(file), crops(1)
    seen = network(images)
    for column, changes in ((7, False), (8, True), (103, True), (104, False)):
        other = images.clone()
        other[..., column] = 1
        assert (network(other) != seen).any().item() is changes


def test_the_arcface_crop_without_them_is_that_of_sphereface() -> None:
    points = np.array(SPHEREFACE, np.float32) + np.float32((sphereface.LEFT, 0))
    face = Face(np.array([0, 0, 112, 112], np.float32), points, 1.0)
    np.testing.assert_allclose(templates.matrix(face, Crop("arcface", 112), (112, 112)), np.eye(2, 3), atol=1e-4)


def test_names_and_number_of_weights_are_those_of_the_public_code(state: graphs.State) -> None:
    with torch.device("meta"):
        network = sphereface.Sphere20()
    assert {name: value.shape for name, value in network.state_dict().items()} == {
        name: value.shape for name, value in state.items()
    }
    assert sum(parameter.numel() for parameter in network.parameters()) == 22_666_944


def test_a_file_of_python_2_and_the_old_format_loads(file: Path, state: graphs.State, tmp_path: Path) -> None:
    old = tmp_path / "old.pth"
    python2 = SimpleNamespace(__name__="python2", Pickler=Python2Pickler, dump=python2_dump)
    torch.save(state, old, pickle_module=python2, _use_new_zipfile_serialization=False)
    assert b"U\x0flayer1.0.weight" in old.read_bytes()[:10_000]
    expected = sphereface.load(file).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in sphereface.load(old).state_dict().items())


def test_is_frozen(file: Path) -> None:
    assert not any(parameter.requires_grad for parameter in sphereface.load(file).parameters())


def saved(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda path: path, MissingError, r"There is no checkpoint .*c\.pth\. Give the ACC99\.28\.pth"),
        (
            lambda path: saved(path, {"conv1.weight": torch.zeros(1)}),
            UsageError,
            r"another network: layer1\.0\.weight is missing; .* and \d+ more\. Give the ACC99\.28\.pth",
        ),
        (lambda path: saved(path, {"x": Malicious("false")}), UsageError, r"asks for \w+\.system; expected the ACC99"),
    ],
)
def test_other_files_are_refused(
    make: Callable[[Path], Path], kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        sphereface.load(make(tmp_path / "c.pth"))


def test_the_network_for_crops_of_112_by_112_is_told_apart(state: graphs.State, tmp_path: Path) -> None:
    wide = saved(tmp_path / "wide.pth", {**state, "fc.weight": torch.zeros(512, 512 * 7 * 7)})
    message = r"fc\.weight has shape \(512, 25088\), expected \(512, 21504\)\. Give .* crops of 112x96"
    with pytest.raises(UsageError, match=message):
        sphereface.load(wide)


def test_half_a_file_is_refused(file: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.pth"
    half.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(UsageError, match=r"half\.pth is no whole PyTorch checkpoint"):
        sphereface.load(half)
