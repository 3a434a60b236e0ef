from __future__ import annotations

from pathlib import Path

import numpy as np
import parsing_weights
import pytest
import torch
from torch import Tensor

from hifibench import assets
from hifibench.contracts import Crop
from hifibench.data.segment import make_segmenter
from hifibench.errors import MissingError, UsageError
from hifibench.faces import bisenet, hrnet
from hifibench.faces.parsing import FACE, LABELS, ParsingSegmenter
from hifibench.faces.segment import dilate

HERE = Path("file.pth")


def image(height: int = 64, width: int = 96) -> Tensor:
    return torch.randn((1, 3, height, width), generator=torch.Generator().manual_seed(0))


def agree(got: Tensor, expected: Tensor) -> None:
    assert got.shape == expected.shape
    scale = float(expected.std())
    assert scale > 1e-3
    np.testing.assert_allclose(got.numpy() / scale, expected.numpy() / scale, atol=1e-4)


@torch.inference_mode()
def test_bisenet_computes_what_its_layout_says() -> None:
    state = parsing_weights.bisenet_state()
    agree(bisenet.build(state, HERE)(image()), parsing_weights.bisenet(state, image()))


@torch.inference_mode()
@pytest.mark.parametrize(("width", "classes", "kernel"), [(18, 19, 1), (18, 11, 3)])
def test_hrnet_computes_what_its_layout_says(width: int, classes: int, kernel: int) -> None:
    state = parsing_weights.hrnet_state(width, classes, kernel)
    agree(hrnet.build(state, HERE)(image()), parsing_weights.hrnet(state, image()))


@torch.inference_mode()
def test_hrnet_can_interpolate_from_corner_to_corner() -> None:
    state = parsing_weights.hrnet_state()
    network = hrnet.HrNet(align_corners=True)
    network.load_state_dict(hrnet.build(state, HERE).state_dict())
    agree(network(image()), parsing_weights.hrnet(state, image(), align_corners=True))
    plain = hrnet.build(state, HERE)(image())
    assert (network(image()) - plain).abs().max() > 1e-2 * plain.std()


@pytest.mark.slow
@torch.inference_mode()
def test_hrnet_is_known_in_its_largest_common_width() -> None:
    state = parsing_weights.hrnet_state(48)
    agree(hrnet.build(state, HERE)(image(32, 64)), parsing_weights.hrnet(state, image(32, 64)))


def test_the_training_of_hrnet_wraps_its_names() -> None:
    state = parsing_weights.hrnet_state(classes=11)
    wrapped = {f"model.{name}": value for name, value in state.items()} | {"loss.criterion.weight": torch.ones(11)}
    assert hrnet.fits(wrapped)
    built = hrnet.build(wrapped, HERE).state_dict()
    torch.testing.assert_close(built["last_layer.3.weight"], state["last_layer.3.weight"])


def test_each_network_knows_its_own_names_only() -> None:
    states = {bisenet: parsing_weights.bisenet_state(), hrnet: parsing_weights.hrnet_state()}
    assert [[kind.fits(state) for state in states.values()] for kind in states] == [[True, False], [False, True]]


@pytest.mark.parametrize(
    ("kind", "broken", "message"),
    [
        (bisenet, {"cp.conv_avg.conv.weight": torch.zeros(128, 512, 3, 3)}, r"conv_avg.conv.weight has shape .*79999"),
        (bisenet, {"sp.conv1.conv.weight": torch.zeros(1)}, r"sp.conv1.conv.weight is unknown"),
        (bisenet, {"conv_out.conv_out.weight": torch.zeros(19)}, r"its last layer has shape \(19,\)"),
        (hrnet, {"stage4.0.branches.0.0.conv1.weight": torch.zeros(20, 20, 3, 3)}, r"20 channels, expected one of 18"),
        (hrnet, {"aux_head.0.weight": torch.zeros(1)}, r"aux_head.0.weight is unknown.*HRNetV2 without OCR"),
    ],
)
def test_other_networks_are_refused_by_name(kind, broken: dict[str, Tensor], message: str) -> None:
    state = parsing_weights.bisenet_state() if kind is bisenet else parsing_weights.hrnet_state()
    with pytest.raises(UsageError, match=message):
        kind.build(state | broken, HERE)


def test_an_unknown_width_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no HRNet of width 17. Choose one of 18, 30"):
        hrnet.HrNet(17)


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize(("kind", "classes"), [("bisenet", 19), ("hrnet", 11)])
@pytest.mark.parametrize("older", [False, True])
def test_a_file_of_weights_segments_faces(kind: str, classes: int, older: bool, tmp_path: Path) -> None:
    state = getattr(parsing_weights, f"{kind}_state")(classes=classes)
    blobs = np.random.default_rng(5).integers(0, 256, (16, 16, 3), np.uint8).repeat(32, 0).repeat(32, 1)
    standard = (blobs / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    seen = torch.from_numpy(standard.transpose(2, 0, 1)[None].astype(np.float32))
    scores = getattr(parsing_weights, kind)(state, seen)[0]
    if kind == "hrnet":  # or nearly every pixel would be of one class
        shift = -scores.mean((1, 2)) + scores.std() * (torch.arange(classes) == 0)
        state["last_layer.3.bias"] += shift
        scores = scores + shift[:, None, None]
    labels = scores.argmax(0).numpy()
    path = tmp_path / "79999_iter.pth"
    torch.save(state, path, _use_new_zipfile_serialization=not older)
    expected = dilate(np.isin(labels, [LABELS[classes][name] for name in FACE if name in LABELS[classes]]))
    mask = ParsingSegmenter(path, Crop("ffhq", 512)).segment(blobs)
    assert 0.02 < expected.mean() < 0.98
    assert (mask ^ expected).mean() < 1e-4


def test_the_files_are_among_those_that_users_bring() -> None:
    assert {"bisenet-celebamask", "hrnet-face-parsing"} <= set(assets.brought())


def test_a_parser_may_be_named_as_an_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match=r"79999_iter\.pth"):
        make_segmenter(Crop("ffhq", 128), Path("bisenet-celebamask"))
