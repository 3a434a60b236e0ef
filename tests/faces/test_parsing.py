import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.faces.parsing import CELEBAMASK_LABELS, FACE, LAPA_LABELS, ParsingSegmenter
from hifibench.faces.segment import dilate

CROP = Crop("ffhq", 256)
SKIN = CELEBAMASK_LABELS["skin"]
Save = Callable[..., Path]


def pointwise(channel: int, label: int, threshold: float, classes: int = 19) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias by which a pixel is ``label`` where its standardised ``channel`` exceeds ``threshold``.

    All other pixels are of class 0, or of class 1 where ``label`` is 0.
    """
    weight, bias = np.zeros((classes, 3, 1, 1), np.float32), np.full(classes, -100, np.float32)
    weight[label, channel], bias[label] = 1, -threshold
    bias[0 if label else 1] = 0
    return weight, bias


def write_onnx(path: Path, weight: np.ndarray, bias: np.ndarray, side: int = 512, extra: bool = False) -> Path:
    """The pointwise network as ONNX; ``extra`` adds an output that is not the scores."""
    names = ["scores", "extra"] if extra else ["scores"]
    nodes = [helper.make_node("Conv", ["image", "weight", "bias"], ["scores"])]
    if extra:
        nodes.append(helper.make_node("Neg", ["scores"], ["extra"]))
    graph = helper.make_graph(
        nodes,
        "parser",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, side, side))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)
    return path


def write_torchscript(path: Path, weight: np.ndarray, bias: np.ndarray, extra: bool = False) -> Path:
    class Parser(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = torch.nn.Parameter(torch.tensor(weight)), torch.nn.Parameter(torch.tensor(bias))

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...] | torch.Tensor:
            scores = torch.nn.functional.conv2d(image, self.weight, self.bias)
            return (scores, -scores) if extra else scores

    torch.jit.trace(Parser(), torch.zeros(1, 3, 512, 512)).save(str(path))
    return path


def uniform(value: int, channel: int) -> np.ndarray:
    """A black crop but for one channel."""
    image = np.zeros((256, 256, 3), np.uint8)
    image[..., channel] = value
    return image


def red_disc(size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """A bright red disc, and where it is."""
    y, x = np.mgrid[:size, :size]
    where = np.hypot(x - 0.45 * size, y - 0.6 * size) <= 0.25 * size
    image = np.zeros((size, size, 3), np.uint8)
    image[where, 0] = 255
    return image, where


def test_the_first_channels_are_those_of_the_bisenet_release() -> None:
    assert list(CELEBAMASK_LABELS.values()) == list(range(19))
    assert [CELEBAMASK_LABELS[name] for name in FACE] == [1, 2, 3, 4, 5, 6, 10, 11, 12, 13]


@pytest.mark.parametrize("label", range(19))
def test_a_pixel_is_face_by_its_label(label: int, tmp_path: Path) -> None:
    image, where = red_disc()
    if label == 0:  # skin all around the disc of background
        expected = dilate(~where)
    else:
        is_face = list(CELEBAMASK_LABELS)[label] in FACE
        expected = dilate(where) if is_face else np.zeros_like(where)
    segmenter = ParsingSegmenter(write_onnx(tmp_path / "n.onnx", *pointwise(0, label, 0.5)), CROP)
    assert (segmenter.segment(image) ^ expected).mean() < 0.005


@pytest.mark.parametrize("label", range(11))
def test_eleven_classes_are_those_of_lapa(label: int, tmp_path: Path) -> None:
    image, where = red_disc()
    expected = dilate(~where if label == 0 else where if 1 <= label <= 9 else np.zeros_like(where))
    segmenter = ParsingSegmenter(write_onnx(tmp_path / "n.onnx", *pointwise(0, label, 0.5, classes=11)), CROP)
    assert (segmenter.segment(image) ^ expected).mean() < 0.005
    assert list(LAPA_LABELS.values()) == list(range(11))


@pytest.mark.parametrize(("channel", "mean", "std"), [(0, 0.485, 0.229), (1, 0.456, 0.224), (2, 0.406, 0.225)])
@pytest.mark.parametrize("deviations", [0, 1, -1])
def test_pixels_are_standardised_as_imagenet_networks_expect(
    channel: int, mean: float, std: float, deviations: int, tmp_path: Path
) -> None:
    segmenter = ParsingSegmenter(write_onnx(tmp_path / "n.onnx", *pointwise(channel, SKIN, deviations)), CROP)
    threshold = 255 * (mean + deviations * std)
    assert segmenter.segment(uniform(int(np.ceil(threshold)), channel)).all()
    assert not segmenter.segment(uniform(int(np.floor(threshold)), channel)).any()


@pytest.mark.parametrize("size", [128, 256, 512, 700])
def test_resizing_to_the_network_and_back_moves_nothing(size: int, tmp_path: Path) -> None:
    image, where = red_disc(size)
    path = write_onnx(tmp_path / "n.onnx", *pointwise(0, SKIN, 0.05))
    mask = ParsingSegmenter(path, Crop("ffhq", size)).segment(image)
    assert mask.sum() == pytest.approx(dilate(where).sum(), rel=0.01)
    np.testing.assert_allclose(np.argwhere(mask).mean(0), np.argwhere(where).mean(0), atol=0.1)


@pytest.mark.parametrize("extra", [False, True])
def test_onnx_and_torchscript_agree_and_further_outputs_are_not_looked_at(extra: bool, tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    weight, bias = generator.normal(size=(19, 3, 1, 1)), generator.normal(size=19)
    network = weight.astype(np.float32), bias.astype(np.float32)
    blobs = generator.integers(0, 256, (8, 8, 3), np.uint8).repeat(32, 0).repeat(32, 1)
    by_onnx = ParsingSegmenter(write_onnx(tmp_path / "n.onnx", *network, extra=extra), CROP).segment(blobs)
    by_torch = ParsingSegmenter(write_torchscript(tmp_path / "n.pt", *network, extra=extra), CROP).segment(blobs)
    np.testing.assert_array_equal(by_onnx, by_torch)
    assert 0.05 < by_onnx.mean() < 0.95


def test_another_order_of_labels_can_be_given(tmp_path: Path) -> None:
    image, where = red_disc()
    labels = {"background": 0, **{name: channel for channel, name in enumerate(FACE, 2)}, "hair": 1}
    hair = write_onnx(tmp_path / "hair.onnx", *pointwise(0, 1, 0.5, classes=12))
    skin = write_onnx(tmp_path / "skin.onnx", *pointwise(0, 2, 0.5, classes=12))
    assert not ParsingSegmenter(hair, CROP, labels).segment(image).any()
    assert (ParsingSegmenter(skin, CROP, labels).segment(image) ^ dilate(where)).mean() < 0.005


def test_fingerprint_follows_network_crop_and_labels(tmp_path: Path) -> None:
    first = write_onnx(tmp_path / "a.onnx", *pointwise(0, SKIN, 0.5))
    other = write_onnx(tmp_path / "b.onnx", *pointwise(0, SKIN, 0.6))
    swapped = dict(CELEBAMASK_LABELS, skin=17, hair=1)
    same = write_onnx(tmp_path / "c.onnx", *pointwise(0, SKIN, 0.5))
    prints = [
        ParsingSegmenter(first, CROP).fingerprint,
        ParsingSegmenter(other, CROP).fingerprint,
        ParsingSegmenter(first, Crop("ffhq", 128)).fingerprint,
        ParsingSegmenter(first, CROP, swapped).fingerprint,
    ]
    assert len(set(prints)) == 4
    assert ParsingSegmenter(same, CROP).fingerprint == prints[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.onnx", None, r"There is no face-parsing network .*absent\.onnx"),
        ("net.h5", b"", r"suffix '\.h5'; a face-parsing network is an \.onnx file, or TorchScript or weights"),
        ("net.onnx", b"no network", r"cannot be opened as an ONNX network"),
        (
            "net.pt",
            b"no network",
            r"net\.pt is no whole PyTorch checkpoint .* Give TorchScript, or a state dict of BiSeNet",
        ),
    ],
)
def test_a_file_that_is_no_network_is_refused(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        ParsingSegmenter(path, CROP)


def test_a_damaged_torchscript_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/code/__torch__.py", "def")
    with pytest.raises(UsageError, match=r"cannot be opened as TorchScript"):
        ParsingSegmenter(tmp_path / "net.pt", CROP)


def test_weights_of_an_unknown_network_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"known here \(weight, …\).*weights alone holds no network: export any other"):
        ParsingSegmenter(tmp_path / "weights.pth", CROP)


def test_a_network_of_other_classes_is_refused_before_the_first_image(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "n.onnx", *pointwise(0, SKIN, 0.5, classes=12))
    expected = r"shape \(1, 12, 512, 512\); expected \(1, 19, 512, 512\) or \(1, 11, 512, 512\)"
    with pytest.raises(UsageError, match=expected):
        ParsingSegmenter(path, CROP)


def test_a_network_of_another_input_is_refused_before_the_first_image(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "n.onnx", *pointwise(0, SKIN, 0.5), side=256)
    with pytest.raises(UsageError, match=r"does not run on an image \(1, 3, 512, 512\)"):
        ParsingSegmenter(path, CROP)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({name: channel for name, channel in CELEBAMASK_LABELS.items() if channel < 13}, "must name lower lip; given"),
        (dict(CELEBAMASK_LABELS, hat=19), "count from 0; given"),
        ({}, "given none"),
    ],
)
def test_labels_that_do_not_name_a_face_are_refused(labels: dict[str, int], message: str, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "n.onnx", *pointwise(0, SKIN, 0.5))
    with pytest.raises(UsageError, match=message):
        ParsingSegmenter(path, CROP, labels)
