from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hifibench.experts import background_lpips
from hifibench.experts.background_lpips import CARD, lpips
from hifibench.faces.masks import FACE_OVAL, face_mask
from hifibench.records import Floats, Frame

SHAPE = (110, 130)


@pytest.fixture(scope="module")
def expert() -> Any:
    return lpips.load("cpu")


def noise(seed: int) -> Frame:
    coarse = np.random.default_rng(seed).integers(40, 200, (11, 13, 3), np.uint8)
    return coarse.repeat(10, 0).repeat(10, 1)


def seen(centre: tuple[float, float] = (60, 50), radius: float = 20.0) -> dict[str, dict[str, Floats]]:
    """A round face as MediaPipe reports it from a crop at half the resolution."""
    landmarks = np.tile(np.float32([*centre, 0]), (478, 1))
    turn = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    landmarks[list(FACE_OVAL), :2] += radius * np.stack([np.sin(turn), -np.cos(turn)], 1).astype(np.float32)
    landmarks[:, :2] *= 0.5
    return {"mediapipe": {"landmarks": landmarks, "matrix": np.float32([[0.5, 0, 0], [0, 0.5, 0]])}}


def mask() -> np.ndarray:
    return face_mask(seen()["mediapipe"]["landmarks"][:, :2] * 2, SHAPE)


@torch.inference_mode()
def by_hand(network: Any, one: Frame, other: Frame) -> np.ndarray:
    """Eq. 1 of the paper at every pixel: unit features of AlexNet's five stages, squared differences, weighted."""
    inner = network.network
    shift, scale = (torch.tensor(v)[:, None, None] for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))

    def features(frame: Frame) -> list[Tensor]:
        x = torch.from_numpy(frame.transpose(2, 0, 1)[None] / np.float32(255))
        x, kept = ((2 * x - 1) - shift) / scale, []
        convolutions = [module for module in inner.net.modules() if isinstance(module, torch.nn.Conv2d)]
        for number, (layer, stride, padding) in enumerate(
            zip(convolutions, (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), strict=True)
        ):
            x = F.max_pool2d(x, 3, 2) if number in (1, 2) else x
            x = F.conv2d(x, layer.weight, layer.bias, stride, padding).relu()
            kept.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return kept

    total = torch.zeros(1, 1, *SHAPE)
    for a, b, linear in zip(features(one), features(other), inner.lins, strict=True):
        weights = next(module.weight for module in linear.modules() if isinstance(module, torch.nn.Conv2d))
        stage = ((a - b).square() * weights[0]).sum(1, keepdim=True)
        total += F.interpolate(stage, SHAPE, mode="bilinear", align_corners=False)
    return total[0, 0].numpy()


def test_an_unchanged_frame_has_no_distance(expert) -> None:
    assert expert.compare(noise(0), noise(0), seen()) == {"background_lpips": 0}


def test_a_change_inside_the_face_counts_nowhere(expert) -> None:
    swap = noise(0)
    swap[mask()] = 255 - swap[mask()]
    assert expert.compare(swap, noise(0), seen())["background_lpips"] == 0


def test_the_value_is_the_mean_of_the_definition_outside_the_face(expert) -> None:
    swap, target = noise(1), noise(2)
    expected = by_hand(expert._network, np.where(mask()[..., None], target, swap), target)
    got = expert.compare(swap, target, seen())["background_lpips"]
    assert expected[mask()].mean() < 0.9 * expected[~mask()].mean()
    assert got.shape == ()
    assert got.dtype == np.float32
    assert got == pytest.approx(expected[~mask()].mean(), rel=1e-4)


def test_a_larger_change_is_a_larger_distance(expert) -> None:
    target = noise(0)
    wobble = np.random.default_rng(3).normal(size=target.shape)
    swaps = [np.clip(target + scale * wobble, 0, 255).astype(np.uint8) for scale in (5, 20, 60)]
    values = [float(expert.compare(swap, target, seen())["background_lpips"]) for swap in swaps]
    assert values == sorted(values)
    assert values[0] > 1e-4


def test_large_frames_are_shrunk_together_with_their_mask(expert, monkeypatch: pytest.MonkeyPatch) -> None:
    swap, target = noise(1), noise(2)
    whole = expert.compare(swap, target, seen())["background_lpips"]
    inside = target.copy()
    inside[mask()] = 255 - inside[mask()]
    monkeypatch.setattr(background_lpips, "MOST_PIXELS", SHAPE[0] * SHAPE[1] // 2)
    assert expert.compare(swap, target, seen())["background_lpips"] == pytest.approx(whole, rel=0.5)
    assert expert.compare(inside, target, seen())["background_lpips"] == 0


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"mediapipe": {"landmarks": np.full((478, 3), np.nan, np.float32), "matrix": np.eye(2, 3, dtype=np.float32)}},
        seen(radius=900.0),
    ],
)
def test_without_a_known_background_there_is_no_value(expert, view: dict) -> None:
    assert np.isnan(expert.compare(noise(0), noise(1), view)["background_lpips"])


def test_frames_of_different_size_are_refused(expert) -> None:
    with pytest.raises(ValueError, match=r"frames of one size; given \(110, 130, 3\) and \(50, 60, 3\)"):
        expert.compare(noise(0), noise(0)[:50, :60], seen())


def test_the_card_says_what_it_compares() -> None:
    assert (CARD.role, CARD.crop.template, CARD.needs) == ("comparison", "frame", ("mediapipe",))
