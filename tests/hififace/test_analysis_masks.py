from __future__ import annotations

import numpy as np
import pytest
import studied
from hypothesis import given
from hypothesis import strategies as st

from hifibench.errors import UsageError
from hifibench.hififace.analysis.masks import study
from hifibench.hififace.analysis.regions import overlap, shrunk, split_mean


@pytest.mark.parametrize(("variant", "masks"), [("full", {"m_low", "m_r"}), ("blend", {"m_r"}), ("concat", {"m_r"})])
def test_only_masks_that_the_variant_has_are_shown(variant, masks) -> None:
    made = study(studied.swapper(variant), studied.pairs(1), studied.Segmenter())
    assert set(made.table["mask"]) == masks
    assert {name for name in made.arrays if name in ("m_low", "m_r")} == masks


def test_a_variant_without_masks_is_refused() -> None:
    with pytest.raises(UsageError, match="'bare', which has no masks"):
        study(studied.swapper("bare"), studied.pairs(1), studied.Segmenter())


def test_numbers_are_those_of_the_masks_written() -> None:
    made = study(studied.swapper(), studied.pairs(2), studied.Segmenter())
    face = made.arrays["m_tar"][1] == 1
    row = made.table.set_index(["pair", "mask"]).loc[("pair_1", "m_r")]
    mask = made.arrays["m_r"][1]
    assert row["in_face"] == pytest.approx(mask[face].mean(), rel=1e-5)
    assert row["off_face"] == pytest.approx(mask[~face].mean(), rel=1e-5)
    on = mask >= 0.5
    assert row["iou"] == pytest.approx((on & face).sum() / (on | face).sum())


def test_swap_is_i_out_in_m_r() -> None:
    made = study(studied.swapper(), studied.pairs(1), studied.Segmenter())
    mask = made.arrays["m_r"][..., None]
    expected = mask * made.arrays["i_out"] + (1 - mask) * made.arrays["target"]
    assert np.abs(expected - made.arrays["swap"]).max() <= 1


def test_a_perfect_mask() -> None:
    face = studied.Segmenter().segment(np.zeros((128, 128, 3), np.uint8)).astype(np.float32)
    assert split_mean(face, face) == (1, 0) and overlap(face, face) == 1
    assert split_mean(1 - face, face) == (0, 1) and overlap(1 - face, face) == 0
    low = shrunk(face, 32)
    assert low.shape == (32, 32) and overlap(low, low) == 1
    np.testing.assert_array_equal(np.kron(low, np.ones((4, 4))), face)  # its edges lie between blocks of 4 pixels


def test_nothing_to_compare_is_no_number() -> None:
    empty, full = np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)
    assert np.isnan(overlap(empty, empty))
    assert np.isnan(split_mean(full, empty).in_face) and split_mean(full, empty).off_face == 1


@given(st.integers(0, 2**32 - 1))
def test_overlap_is_symmetric_and_shrinking_keeps_the_mean(seed) -> None:
    a, b = np.random.default_rng(seed).random((2, 16, 16), dtype=np.float32)
    assert overlap(a, b) == overlap(b, a)
    assert shrunk(a, 4).mean() == pytest.approx(a.mean(), rel=1e-5)
