from __future__ import annotations

import numpy as np
import pytest
import studied
import torch

from hifibench.hififace.analysis.faces import AlignedPair
from hifibench.hififace.analysis.fusion import difference, study


def test_a_target_swapped_with_itself_differs_nowhere() -> None:
    target = studied.side(1)
    made = study(studied.swapper(), [AlignedPair("same", target, target)], studied.Segmenter())
    for level in range(4):
        assert made.arrays[f"sff_{level}"].max() == 0
    assert (made.table[["mean", "largest", "in_face", "off_face"]] == 0).all(axis=None)
    assert (made.table["scale"] > 0).all()


def test_maps_are_means_over_channels_in_units_of_the_features() -> None:
    without = torch.full((1, 2, 3, 3), -2.0)
    changed = without.clone()
    changed[0, 0, 1, 2] += 4
    relative, scale = difference(changed, without)
    expected = np.zeros((3, 3))
    expected[1, 2] = (4 + 0) / 2 / 2
    np.testing.assert_allclose(relative, expected)
    assert scale == 2


def test_units_of_the_features_cancel() -> None:
    made = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1, 5, 4, 4, generator=made)
    np.testing.assert_allclose(difference(7 * a, 7 * b).relative, difference(a, b).relative, rtol=1e-5)


def test_features_that_are_zero_differ_nowhere() -> None:
    assert difference(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)).relative.max() == 0


@pytest.mark.parametrize("variant", ["full", "bare", "concat"])
def test_every_variant_has_four_levels(variant) -> None:
    made = study(studied.swapper(variant), studied.pairs(2), studied.Segmenter())
    assert list(made.table["level"]) == [0, 1, 2, 3] * 2
    assert list(made.table["side_px"][:4]) == [32, 32, 64, 128]
    for level in range(4):
        maps = made.arrays[f"sff_{level}"]
        side = made.table["side_px"][level]
        assert maps.shape == (2, side, side) and maps.dtype == np.float32
        row = made.table[(made.table["pair"] == "pair_1") & (made.table["level"] == level)].iloc[0]
        assert row["mean"] == pytest.approx(maps[1].mean()) and row["largest"] == pytest.approx(maps[1].max())
        share = studied.Segmenter().segment(made.arrays["target"][1]).mean()
        assert share * row["in_face"] + (1 - share) * row["off_face"] == pytest.approx(row["mean"], rel=1e-5)
