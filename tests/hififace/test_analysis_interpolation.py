from __future__ import annotations

import numpy as np
import pytest
import studied
import torch

from hifibench.hififace.analysis.faces import picture
from hifibench.hififace.analysis.interpolation import COLUMNS, STEPS, Weights, between, study


@pytest.fixture(scope="module")
def swapper():
    return studied.swapper()


@pytest.fixture(scope="module")
def pair():
    return studied.pairs(1)[0]


def test_all_of_the_source_is_the_plain_swap(swapper, pair) -> None:
    made, norm = between(swapper, pair, Weights(1, 0, 1, 0))
    plain, _ = swapper.generate(pair.source.batch, pair.target.batch)
    torch.testing.assert_close(made.i_r, plain.i_r, rtol=0, atol=0)
    assert norm == pytest.approx(1)


def test_all_of_the_target_is_the_target_swapped_with_itself(swapper, pair) -> None:
    made, _ = between(swapper, pair, Weights(0, 1, 0, 1))
    itself, _ = swapper.generate(pair.target.batch, pair.target.batch)
    torch.testing.assert_close(made.i_r, itself.i_r, rtol=0, atol=0)
    other, _ = swapper.generate(pair.source.batch, pair.target.batch)
    assert float((made.i_out - other.i_out).abs().max()) > 1e-3


def test_each_part_moves_the_swap_by_itself(swapper, pair) -> None:
    start, middle, end = (between(swapper, pair, STEPS[k])[0].i_out for k in (0, 3, 6))
    assert float((start - middle).abs().max()) > 1e-4
    assert float((middle - end).abs().max()) > 1e-4


def test_without_a_3d_identity_the_first_columns_are_alike(pair) -> None:
    swapper = studied.swapper("n3d")
    start, middle, end = (between(swapper, pair, STEPS[k])[0].i_out for k in (0, 3, 6))
    torch.testing.assert_close(start, middle, rtol=0, atol=0)
    assert float((middle - end).abs().max()) > 1e-4


def test_v_in_is_the_sum_and_keeps_its_length(swapper, pair) -> None:
    v_s, v_t = (swapper.extractor.identity(side.batch, studied.CROP) for side in (pair.source, pair.target))
    _, norm = between(swapper, pair, Weights(1, 0, 0.5, 0.5))
    assert norm == pytest.approx(float((0.5 * v_s + 0.5 * v_t).norm()), rel=1e-6)
    assert norm < 0.99


def test_the_columns_are_the_papers() -> None:
    assert len(STEPS) == 7
    assert STEPS[0] == (0, 1, 0, 1) and STEPS[3] == (1, 0, 0, 1) and STEPS[6] == (1, 0, 1, 0)
    for weights in STEPS:
        assert weights.a + weights.b == pytest.approx(1) and weights.c + weights.d == pytest.approx(1)
    assert all((w.c, w.d) == (0, 1) for w in STEPS[:4]) and all((w.a, w.b) == (1, 0) for w in STEPS[3:])


def test_rows_pictures_and_scores_belong_together(swapper) -> None:
    pairs, counted = studied.pairs(2), []
    made = study(swapper, pairs, studied.counting(list(COLUMNS)), lambda: counted.append(1))
    assert list(made.table.columns) == ["pair", "column", "a", "b", "c", "d", "v_in_norm", *COLUMNS]
    assert len(counted) == 2 and len(made.table) == 14
    assert list(made.table["pair"]) == ["pair_0"] * 7 + ["pair_1"] * 7
    assert made.arrays["swaps"].shape == (2, 7, 128, 128, 3)
    last, _ = between(swapper, pairs[1], STEPS[6])
    np.testing.assert_array_equal(made.arrays["swaps"][1, 6], picture(last.i_r))
    assert made.table["cosine_source"].iloc[13] == pytest.approx(pairs[1].paste(last.i_r, last.m_r).mean())
