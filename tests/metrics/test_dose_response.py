from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.power import NormalIndPower

from metrics.dose_response import respond, smallest, spearman
from metrics.resampling import cluster_weights

RNG = np.random.default_rng(1)
N, K = 20, 4
DOSES = np.tile([1.0, 2.0, 3.0, 4.0], (N, 1))
NAMES = [f"v{i:02d}" for i in range(N)]
LEVELS = st.integers(0, 3).map(float)


@given(arrays(float, 12, elements=LEVELS), arrays(float, 12, elements=LEVELS))
def test_spearman_is_scipys_with_ties(x: np.ndarray, y: np.ndarray) -> None:
    ours = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_what_a_pair_starts_from_does_not_count() -> None:
    start = RNG.integers(-200, 200, size=N).astype(float)
    made = respond(start[:, None] + 2 * DOSES, start, DOSES, NAMES, sign=1, seed=0, draws=50)
    plain = respond(2 * DOSES, np.zeros(N), DOSES, NAMES, sign=1, seed=0, draws=50)
    assert made.rho == pytest.approx(1.0) and made.slope == pytest.approx(2.0)
    np.testing.assert_allclose(made.means, plain.means)
    # Values in place of changes would find next to nothing.
    assert abs(spearman(DOSES.ravel(), (start[:, None] + 2 * DOSES).ravel())) < 0.3


def test_rho_is_the_mean_over_pairs_of_scipys() -> None:
    noise = RNG.normal(size=DOSES.shape) * 3
    start = RNG.normal(size=N)
    made = respond(DOSES + noise, start, DOSES, NAMES, sign=1, seed=0, draws=200)
    each = [stats.spearmanr([0, 1, 2, 3, 4], [s, *row]).statistic for s, row in zip(start, DOSES + noise, strict=True)]
    assert made.rho == pytest.approx(np.mean(each)) and made.rho_low < made.rho < made.rho_high
    np.testing.assert_allclose(made.means, (DOSES + noise - start[:, None]).mean(axis=0))


def test_how_far_a_pair_moves_does_not_count() -> None:
    reach = RNG.uniform(0.1, 10, size=N)[:, None]
    made = respond(DOSES * reach, np.zeros(N), DOSES, NAMES, sign=1, seed=0, draws=20)
    assert made.rho == pytest.approx(1.0)
    assert spearman(DOSES.ravel(), (DOSES * reach).ravel()) < 0.8


def test_rising_with_any_disturbance_is_not_following() -> None:
    many = np.tile([1.0, 2, 3, 4], (2000, 1))
    made = respond(10 + RNG.normal(size=many.shape), np.zeros(2000), many, np.arange(2000), sign=1, seed=0, draws=20)
    assert made.rho == pytest.approx(0.5, abs=0.03)


def test_pairs_that_do_not_move_count_and_pairs_that_cannot_be_seen_do_not() -> None:
    values = DOSES.copy()
    values[:5] = 0
    values[5:10, 1:] = np.nan
    made = respond(values, np.zeros(N), DOSES, NAMES, sign=1, seed=0, draws=20)
    assert made.rho == pytest.approx(10 / 15)
    assert respond(0 * DOSES, np.zeros(N), DOSES, NAMES, sign=1, seed=0, draws=20).rho == 0.0


def test_failed_pairs_count_neither_in_the_change_nor_in_the_dose() -> None:
    amounts = DOSES * np.arange(1, N + 1)[:, None]
    values = 2 * amounts
    values[10:, 0] = np.nan
    made = respond(values, np.zeros(N), amounts, NAMES, sign=1, seed=0, draws=20)
    assert made.n.tolist() == [10, N, N, N]
    assert made.amounts[0] == pytest.approx(np.mean(np.arange(1, 11)))
    assert made.slope == pytest.approx(2.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_nothing_scored_is_no_error(nothing: float) -> None:
    made = respond(np.full((N, K), nothing), np.full(N, nothing), DOSES, NAMES, sign=1, seed=0, draws=20)
    assert np.isnan(made.rho) and np.isnan(made.means).all() and made.smallest[100].dose is None


def test_a_rate_is_judged_by_its_shares() -> None:
    hits = np.array([[100.0 * (i >= 5 * k) for k in range(K)] for i in range(N)])  # 100, 75, 50, 25 %
    made = respond(hits, np.full(N, 100.0), DOSES, NAMES, sign=-1, seed=0, draws=100, rate=True)
    # The shares at 0 and at the smallest dose are equal, all others fall.
    assert made.rho == pytest.approx(stats.spearmanr([0, 1, 2, 3, 4], [100, 100, 75, 50, 25]).statistic)
    single = respond(hits, np.full(N, 100.0), DOSES, NAMES, sign=-1, seed=0, draws=100)
    assert abs(single.rho) < 0.8 < abs(made.rho) and made.rho_low <= made.rho <= made.rho_high
    constant = respond(np.full((N, K), 100.0), np.full(N, 100.0), DOSES, NAMES, sign=-1, seed=0, draws=10, rate=True)
    assert constant.rho == 0.0


def test_the_interval_of_a_rate_is_of_the_samples_that_all_intervals_share() -> None:
    videos = [f"v{i // 2}" for i in range(N)]
    hits, start = 100.0 * (RNG.random((N, K)) < [0.8, 0.6, 0.5, 0.2]), np.full(N, 100.0)
    amounts = DOSES * np.where(np.arange(N) < 6, 10.0, 0.5)[:, None]
    # Of the smallest dose only the largest amounts are known, which are more than the next dose has in the mean.
    hits[6:, 0] = hits[3, 1] = np.nan
    made = respond(hits, start, amounts, videos, sign=-1, seed=5, draws=200, rate=True)
    rows = np.unique(videos, return_inverse=True)[1]
    drawn = []
    for weights in cluster_weights(N // 2, 5, 200):
        i = np.repeat(np.arange(N), weights[rows])
        known = [not np.isnan(hits[i, k]).all() for k in range(K)]
        dose = [0.0, *np.nanmean(np.where(np.isnan(hits), np.nan, amounts)[i][:, known], axis=0)]
        drawn.append(stats.spearmanr(dose, [100.0, *np.nanmean(hits[i][:, known], axis=0)]).statistic)
    np.testing.assert_allclose([made.rho_low, made.rho_high], np.quantile(drawn, [0.025, 0.975]), atol=1e-12)


def test_pairs_of_one_video_count_as_one_draw() -> None:
    noise = RNG.normal(size=(N // 4, 1, K))
    values = (DOSES.reshape(N // 4, 4, K) + 3 * noise).reshape(N, K)
    apart = respond(values, np.zeros(N), DOSES, NAMES, sign=1, seed=0, draws=300)
    together = respond(values, np.zeros(N), DOSES, [f"v{i // 4}" for i in range(N)], sign=1, seed=0, draws=300)
    assert together.rho == apart.rho
    assert together.rho_high - together.rho_low > 1.3 * (apart.rho_high - apart.rho_low)


def test_the_interval_does_not_depend_on_the_order_of_the_pairs() -> None:
    values = DOSES + RNG.normal(size=DOSES.shape)
    order = RNG.permutation(N)
    one = respond(values, np.zeros(N), DOSES, NAMES, sign=1, seed=3, draws=50)
    other = respond(values[order], np.zeros(N), DOSES, np.array(NAMES)[order], sign=1, seed=3, draws=50)
    np.testing.assert_allclose([one.rho_low, one.rho_high], [other.rho_low, other.rho_high])
    np.testing.assert_allclose(one.low, other.low)


def test_resolution_is_the_normal_power_of_a_paired_test() -> None:
    spread = 3.0
    found = smallest(np.array([1.0, 2]), np.array([5.0, 10]), np.array([spread, spread]), 50)
    effect = NormalIndPower(ddof=0).solve_power(nobs1=50, alpha=0.05, power=0.8, ratio=0)
    assert found.metric == pytest.approx(effect * spread, rel=1e-4)
    assert found.dose == pytest.approx(found.metric / 5.0)


def test_four_times_the_pairs_resolve_half_as_much() -> None:
    words = np.array([1.0, 2]), np.array([5.0, 10]), np.array([1.0, 1])
    assert smallest(*words, 400).dose == pytest.approx(smallest(*words, 100).dose / 2)


def test_a_slow_start_is_followed_from_dose_to_dose() -> None:
    # No answer up to 2, then 10 a unit: the bound of 2.8016 / sqrt(4) is met at 2 + 0.14008.
    found = smallest(np.array([1.0, 2, 3]), np.array([0.0, 0, 10]), np.ones(3), 4)
    assert found.dose == pytest.approx(2.140079, abs=1e-5)


def test_a_change_the_wrong_way_resolves_nothing() -> None:
    found = smallest(np.array([1.0, 2]), np.array([-5.0, -9]), np.ones(2), 100)
    assert found.dose is None and found.metric is not None
    assert smallest(np.array([1.0, 2]), np.array([0.0, 0]), np.zeros(2), 100).dose is None


@pytest.mark.parametrize("shape", [(N, K + 1), (N + 1, K)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"expected \(n, k\) twice"):
        respond(np.zeros((N, K)), np.zeros(N), np.zeros(shape), NAMES, sign=1, seed=0)
