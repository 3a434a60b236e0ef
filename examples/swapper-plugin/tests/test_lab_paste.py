"""What the swapper promises, by closed forms; 'hifibench selftest lab-paste' does the rest on faces."""

from __future__ import annotations

import tomllib
from pathlib import Path

import lab_paste
import numpy as np
import pytest
import torch
from lab_paste.swapper import ellipse, recoloured, to_lab

from hifibench.contracts import Swapper
from hifibench.records import Status

SIZE = lab_paste.CARD.target.size


@pytest.fixture
def swapper() -> Swapper:
    """The swapper as the harness loads it."""
    return lab_paste.lab_paste.load("cpu")


@pytest.fixture
def crops() -> tuple[torch.Tensor, torch.Tensor]:
    """Three sources and three targets: smooth, of different colours, within what RGB can show."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(noise.flatten(0, 1), size=(SIZE, SIZE), mode="bicubic").unflatten(
        0, (2, 3)
    )
    colours = torch.tensor([[0.6, 0.45, 0.4], [0.4, 0.35, 0.3]])[:, None, :, None, None]
    source, target = (0.2 * (smooth - 0.5) + colours).clamp(0, 1)
    return source, target


def test_it_is_registered_under_the_name_on_its_card() -> None:
    """The harness refuses a plugin whose two names differ."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    points = tomllib.loads(text)["project"]["entry-points"]["hifibench.swappers"]
    assert points == {lab_paste.CARD.name: "lab_paste:lab_paste"}


def test_it_keeps_the_contract(swapper: Swapper, crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Shapes, types, ranges and statuses."""
    assert isinstance(swapper, Swapper) and swapper.card == lab_paste.lab_paste.card
    swap = swapper.swap(*crops)
    assert swap.image.shape == (3, 3, SIZE, SIZE) and swap.mask is not None and swap.mask.shape == (3, 1, SIZE, SIZE)
    for values in (swap.image, swap.mask):
        assert values.dtype is torch.float32
        assert values.min() >= 0 and values.max() <= 1
    assert swap.status == (Status.OK,) * 3


def test_the_colours_within_the_mask_are_the_targets(crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Mean and spread of L, a and b, computed here with NumPy's own functions."""
    mask = ellipse(SIZE)
    for source, target in zip(*(one.numpy() for one in crops), strict=True):
        made = to_lab(recoloured(source, target, mask)).reshape(-1, 3)
        wanted = to_lab(target).reshape(-1, 3)
        before = to_lab(source).reshape(-1, 3)
        for channel in range(3):
            moments = [
                (np.average(one[:, channel], weights=mask.ravel()), np.cov(one[:, channel], aweights=mask.ravel()))
                for one in (made, wanted, before)
            ]
            assert moments[0][0] == pytest.approx(moments[1][0], abs=0.1)
            assert moments[0][1] == pytest.approx(moments[1][1], rel=0.02)
        assert abs(before[:, 0].mean() - wanted[:, 0].mean()) > 5


def test_what_the_source_shows_is_kept() -> None:
    """A target of the same colours changes nothing, and red stays the first channel."""
    source = np.stack([np.full((SIZE, SIZE), level, np.float32) for level in (0.7, 0.5, 0.3)])
    source += np.linspace(-0.1, 0.1, SIZE, dtype=np.float32)
    np.testing.assert_allclose(recoloured(source, source, ellipse(SIZE)), source, atol=2e-3)


def test_flat_colours_are_no_division_by_nothing() -> None:
    """A crop of one colour takes the target's mean colour."""
    grey, blue = (
        np.stack([np.full((SIZE, SIZE), v, np.float32) for v in rgb]) for rgb in ((0.5,) * 3, (0.2, 0.3, 0.7))
    )
    np.testing.assert_allclose(recoloured(grey, blue, ellipse(SIZE)), blue, atol=5e-3)


def test_the_mask_is_full_in_the_middle_of_the_face_and_empty_at_the_rim() -> None:
    """Between the eyes and at the mouth 1, at the crop's edge 0; no smaller crop moves it."""
    for size in (SIZE, SIZE // 2):
        mask = ellipse(size)
        assert mask[int(0.5 * size), int(0.5 * size)] == 1
        assert not mask[0].any() and not mask[-1].any() and not mask[:, 0].any() and not mask[:, -1].any()
    np.testing.assert_allclose(ellipse(SIZE)[::2, ::2], ellipse(SIZE // 2), atol=1e-6)


def test_rows_do_not_know_of_each_other(swapper: Swapper, crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    """A pair swapped alone gives the same bits as in a batch."""
    source, target = crops
    together = swapper.swap(source, target).image
    for row in range(len(source)):
        assert torch.equal(swapper.swap(source[row : row + 1], target[row : row + 1]).image[0], together[row])
