"""Enhancement by small networks whose effect is known, made with onnx."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from hifibench.contracts import Crop
from hifibench.data import images, segment
from hifibench.data.enhance import Enhancer, least_side
from hifibench.data.face_crops import Cropper, Cropping, Done
from hifibench.data.originals import FolderSource
from hifibench.data.prepare import prepare
from hifibench.data.prepared import PreparedFaces
from hifibench.errors import UsageError
from hifibench.records import Frame

SIZE = 64


def network(
    path: Path,
    nodes: list[onnx.NodeProto],
    *,
    size: int = SIZE,
    inputs: tuple[str, ...] = ("image",),
    dtype: int = TensorProto.FLOAT,
    constants: dict[str, np.ndarray] | None = None,
) -> Path:
    """A network from ``image`` (1, 3, size, size) to ``made``."""
    given = [helper.make_tensor_value_info(name, dtype, [1, 3, size, size]) for name in inputs]
    made = helper.make_tensor_value_info("made", dtype, None)
    weights = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "graph", given, [made], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def scaling(path: Path, factors: tuple[float, float, float], shift: float = 0.0, **options: int) -> Path:
    """Multiplies the three channels as they come, and adds."""
    constants = {
        "factors": np.array(factors, np.float32).reshape(1, 3, 1, 1),
        "shift": np.array(shift, np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["image", "factors"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["made"]),
    ]
    return network(path, nodes, constants=constants, **options)  # type: ignore[arg-type]


def doubling(path: Path, times: int = 2) -> Path:
    """Repeats every pixel."""
    nodes = [helper.make_node("Resize", ["image", "", "scales"], ["made"], mode="nearest")]
    return network(path, nodes, constants={"scales": np.array([1, 1, times, times], np.float32)})


@pytest.fixture
def crop() -> Frame:
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def test_channels_are_red_green_blue_from_minus_one_to_one(tmp_path: Path, crop: Frame) -> None:
    made = Enhancer(scaling(tmp_path / "net.onnx", (1, 0.5, -1)), SIZE, "-1..1").enhance(crop)
    x = crop / 127.5 - 1
    expected = (x * [1, 0.5, -1] + 1) * 127.5
    assert np.abs(made - expected).max() < 0.51
    assert np.array_equal(made[..., 0], crop[..., 0])


def test_from_zero_to_one_where_that_is_said(tmp_path: Path, crop: Frame) -> None:
    path = scaling(tmp_path / "net.onnx", (1, 0.5, 0.25))
    assert np.abs(Enhancer(path, SIZE, "0..1").enhance(crop) - crop * [1, 0.5, 0.25]).max() < 0.51
    assert np.abs(Enhancer(path, SIZE, "-1..1").enhance(crop) - crop * [1, 0.5, 0.25]).max() > 50


@pytest.mark.parametrize(("shift", "expected"), [(3.0, 255), (-3.0, 0)])
def test_numbers_outside_the_range_are_clipped(tmp_path: Path, crop: Frame, shift: float, expected: int) -> None:
    made = Enhancer(scaling(tmp_path / "net.onnx", (1, 1, 1), shift), SIZE, "-1..1").enhance(crop)
    assert (made == expected).all()


@pytest.mark.parametrize("times", [2, 3])
def test_a_larger_output_is_averaged(tmp_path: Path, crop: Frame, times: int) -> None:
    assert np.array_equal(Enhancer(doubling(tmp_path / "net.onnx", times), SIZE, "-1..1").enhance(crop), crop)


def test_settings_name_the_file_and_the_range(tmp_path: Path) -> None:
    path = scaling(tmp_path / "net.onnx", (1, 1, 1))
    assert Enhancer(path, SIZE, "0..1").settings == {
        "network": hashlib.sha256(path.read_bytes()).hexdigest(),
        "range": "0..1",
    }


def halving(path: Path) -> Path:
    return network(path, [helper.make_node("MaxPool", ["image"], ["made"], kernel_shape=[2, 2], strides=[2, 2])])


def wide(path: Path) -> Path:
    nodes = [helper.make_node("Concat", ["image", "image"], ["made"], axis=3)]
    return network(path, nodes)


def odd(path: Path) -> Path:
    nodes = [helper.make_node("Pad", ["image", "pads"], ["made"])]
    return network(path, nodes, constants={"pads": np.array([0, 0, 0, 0, 0, 0, 1, 1], np.int64)})


def two_inputs(path: Path) -> Path:
    return network(path, [helper.make_node("Add", ["image", "weight"], ["made"])], inputs=("image", "weight"))


def infinite(path: Path) -> Path:
    return scaling(path, (1, 1, 1), float("inf"))


def no_network(path: Path) -> Path:
    path.write_bytes(b"PK\3\4")
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (halving, r"output of shape \(1, 3, 32, 32\); expected \(1, 3, 64, 64\), or whole multiples"),
        (wide, r"output of shape \(1, 3, 64, 128\)"),
        (odd, r"output of shape \(1, 3, 65, 65\)"),
        (two_inputs, r"takes the inputs image, weight; expected one input"),
        (infinite, "not finite"),
        (no_network, "cannot be opened as an ONNX network"),
        (lambda path: scaling(path, (1, 1, 1), size=32), r"takes \[1, 3, 32, 32\] of .* another --size"),
        (lambda path: path, "There is no enhancement network"),
    ],
)
def test_networks_that_do_not_enhance_are_refused(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Enhancer(make(tmp_path / "net.onnx"), SIZE, "-1..1")


def test_a_range_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no value range '0\.\.255'; expected -1\.\.1 or 0\.\.1"):
        Enhancer(scaling(tmp_path / "net.onnx", (1, 1, 1)), SIZE, "0..255")


def test_a_crop_of_another_size_is_an_error(tmp_path: Path, crop: Frame) -> None:
    with pytest.raises(ValueError, match="crops of 64 pixels"):
        Enhancer(scaling(tmp_path / "net.onnx", (1, 1, 1)), SIZE, "-1..1").enhance(crop[1:])


def test_the_least_side_is_the_paper_s() -> None:
    assert (least_side(512), least_side(256), least_side(128)) == (256, 256, 128)


@pytest.fixture
def photos(tmp_path: Path, portrait: Callable[..., Frame]) -> Path:
    images.save_png(tmp_path / "photos/ann/1.png", portrait(17))
    return tmp_path / "photos"


def cropped(photos: Path, out: Path, cropping: Cropping) -> tuple[Done, np.ndarray]:
    source = FolderSource(photos)
    [person] = source.people()
    done = Cropper(source, cropping, out).person(person)
    return done, np.array(Image.open(out / done.kept[0].file))


def test_crops_are_enhanced_and_their_masks_are_those_of_the_enhanced(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Frame] = []

    class Ellipse:
        fingerprint = "ellipse"

        def segment(self, crop: Frame) -> np.ndarray:
            seen.append(crop)
            y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
            return x**2 + y**2 < (0.4 * SIZE) ** 2

    monkeypatch.setattr(segment, "make_segmenter", lambda crop, parser: Ellipse())
    path = scaling(tmp_path / "net.onnx", (1, 0.5, -1))
    plain, before = cropped(photos, tmp_path / "plain", Cropping(Crop("ffhq", SIZE), 0.0))
    made, after = cropped(photos, tmp_path / "made", Cropping(Crop("ffhq", SIZE), 0.0, None, path))
    assert np.abs(after[..., 2].astype(int) + before[..., 2] - 255).max() <= 1
    assert np.array_equal(seen[1], after[..., :3])
    assert made.kept == plain.kept
    words = Image.open(tmp_path / "made" / made.kept[0].file).info
    assert words["enhanced by"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert words["original"] == "ann/1.png"
    assert images.DIGITAL_SOURCE_TYPE in words["XML:com.adobe.xmp"]
    assert Image.open(tmp_path / "plain" / plain.kept[0].file).info == {}


def test_numbers_that_are_not_finite_drop_an_image(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cropping = Cropping(Crop("ffhq", SIZE), 0.0, None, scaling(tmp_path / "net.onnx", (1, 1, 1)))
    source = FolderSource(photos)
    cropper = Cropper(source, cropping, tmp_path / "out")
    monkeypatch.setattr(Enhancer, "_run", lambda self, crop: np.full((1, 3, SIZE, SIZE), np.nan, np.float32))
    [dropped] = cropper.person(source.people()[0]).dropped
    assert (dropped.reason, dropped.detail) == (
        "unreadable",
        "the enhancement network gives numbers that are not finite",
    )


def test_enhanced_and_other_images_are_not_mixed(photos: Path, tmp_path: Path) -> None:
    one, other = scaling(tmp_path / "1.onnx", (1, 1, 1)), scaling(tmp_path / "2.onnx", (1, 1, 0.9))
    crop = Crop("ffhq", SIZE)
    prepare(FolderSource(photos), Cropping(crop, 0.0, None, one), tmp_path / "out")
    assert prepare(FolderSource(photos), Cropping(crop, 0.0, None, one), tmp_path / "out").prepared == 0
    faces = PreparedFaces(tmp_path / "out")
    assert faces.description["settings"]["enhancer"]["network"] == hashlib.sha256(one.read_bytes()).hexdigest()
    for cropping, words in (
        (Cropping(crop, 0.0, None, other), r"enhancer\.network "),
        (Cropping(crop, 0.0, None, one, "0..1"), r"enhancer\.range -1\.\.1 there, 0\.\.1 here"),
        (Cropping(crop, 0.0), "enhancer"),
    ):
        with pytest.raises(UsageError, match=rf"other settings: {words}"):
            prepare(FolderSource(photos), cropping, tmp_path / "out")
    prepare(FolderSource(photos), Cropping(crop, 0.0), tmp_path / "plain")
    assert PreparedFaces(tmp_path / "plain").fingerprint != faces.fingerprint
