from __future__ import annotations

import gc

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import contingency_tables, multitest, proportion

from hifibench.errors import UsageError
from metrics.resampling import cluster_weights
from metrics.statistics import (
    cluster_bootstrap,
    holm,
    mcnemar,
    mean,
    paired_difference,
    paired_differences,
    wilson,
)


def clustered(rng, n_clusters, per_cluster, between, within, columns=None):
    """Values of mean 0 whose clusters share a part, and their clusters' names."""
    shape = () if columns is None else (columns,)
    shared = between * rng.standard_normal((n_clusters, 1, *shape))
    own = within * rng.standard_normal((n_clusters, per_cluster, *shape))
    names = np.repeat([f"video{i:03d}" for i in range(n_clusters)], per_cluster)
    return (shared + own).reshape(-1, *shape), names


def test_agrees_with_scipy_where_every_cluster_has_one_member():
    values = np.random.default_rng(1).gamma(2.0, size=120)
    low, high = cluster_bootstrap(values, np.arange(120), seed=0, draws=20_000)
    other = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    # The Monte Carlo error of a 2.5 % quantile over 20,000 draws is 0.02 standard errors.
    tolerance = 0.1 * values.std() / np.sqrt(120)
    assert low == pytest.approx(other.low, abs=tolerance)
    assert high == pytest.approx(other.high, abs=tolerance)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_agrees_with_the_normal_interval_of_cluster_means(level):
    values, names = clustered(np.random.default_rng(3), 400, 5, between=1.0, within=1.0)
    low, high = cluster_bootstrap(values, names, seed=0, draws=10_000, level=level)
    means = values.reshape(400, 5).mean(axis=1)
    error = means.std() / np.sqrt(400)
    half = scipy.stats.norm.ppf((1 + level) / 2) * error
    assert low == pytest.approx(means.mean() - half, abs=0.08 * error)
    assert high == pytest.approx(means.mean() + half, abs=0.08 * error)


def test_covers_the_truth_as_often_as_it_says_where_ignoring_clusters_does_not():
    values, names = clustered(np.random.default_rng(4), 50, 8, between=1.0, within=0.7, columns=500)

    def coverage(clusters):
        low, high = cluster_bootstrap(values, clusters, seed=0, draws=600)
        return np.mean((low <= 0) & (high >= 0))

    assert 0.90 <= coverage(names) <= 0.98
    assert coverage(np.arange(len(values))) < 0.75


def test_clusters_of_unequal_size_weigh_by_their_rows():
    # One of two clusters is drawn twice, or both once: the means are then 0, 1 or 9/12.
    values = np.array([0.0] * 3 + [1.0] * 9)
    names = ["a"] * 3 + ["b"] * 9
    low, high = cluster_bootstrap(values, names, seed=0, draws=400, level=0.1)
    assert (low, high) == (0.75, 0.75)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_changes_no_bit(seed):
    rng = np.random.default_rng(seed)
    values, names = clustered(rng, 12, 5, between=1.0, within=1.0, columns=3)
    values[rng.random(values.shape) < 0.2] = np.nan
    order = rng.permutation(len(values))
    straight = cluster_bootstrap(values, names, seed=7, draws=200)
    shuffled = cluster_bootstrap(values[order], names[order], seed=7, draws=200)
    np.testing.assert_array_equal(straight, shuffled)
    assert mean(values[:, 0]) == mean(values[order, 0])


def test_a_column_is_the_same_alone_and_beside_others():
    values, names = clustered(np.random.default_rng(5), 30, 4, between=1.0, within=1.0, columns=7)
    together = cluster_bootstrap(values, names, seed=1)
    for column in range(7):
        alone = cluster_bootstrap(values[:, column], names, seed=1)
        assert (together.low[column], together.high[column]) == alone


def test_many_clusters_are_drawn_in_blocks_that_follow_one_another(monkeypatch):
    values, names = clustered(np.random.default_rng(6), 40, 2, between=1.0, within=1.0)
    whole = cluster_bootstrap(values, names, seed=1, draws=100)
    monkeypatch.setattr("metrics.resampling._HELD", 40 * 8)
    cluster_weights.cache_clear()
    assert cluster_bootstrap(values, names, seed=1, draws=100) == whole


def test_rows_without_a_value_do_not_count():
    values, names = clustered(np.random.default_rng(7), 20, 6, between=1.0, within=1.0)
    values[::6] = np.nan
    known = np.isfinite(values)
    assert cluster_bootstrap(values, names, seed=1) == cluster_bootstrap(values[known], names[known], seed=1)


def test_seeds_give_other_draws_of_nearly_the_same_interval():
    values, names = clustered(np.random.default_rng(8), 60, 4, between=1.0, within=1.0)
    one, two = (cluster_bootstrap(values, names, seed=seed, draws=4000) for seed in (1, 2))
    assert one != two
    np.testing.assert_allclose(one, two, atol=0.15 * (one.high - one.low))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([], []),
        ([1.0], ["a"]),
        ([1.0, 2.0, 3.0], ["a", "a", "a"]),
        ([1.0, 2.0, np.nan], ["a", "a", "b"]),
        ([np.nan, np.nan], ["a", "b"]),
    ],
)
def test_there_is_no_interval_from_fewer_than_two_clusters(values, names):
    assert np.isnan(cluster_bootstrap(np.array(values), np.array(names, str), seed=0)).all()


def test_a_draw_without_any_value_is_left_out():
    # Two of three clusters have a value: one draw in 27 has none.
    low, high = cluster_bootstrap(np.array([5.0, 5.0, np.nan]), ["a", "b", "c"], seed=0)
    assert (low, high) == (5.0, 5.0)


@pytest.mark.parametrize(
    ("values", "names", "more", "message"),
    [
        (np.zeros(3), ["a", "b"], {}, r"values \(3,\), clusters \(2,\)"),
        (np.zeros((2, 2, 2)), ["a", "b"], {}, r"expected \(n,\) or \(n, m\)"),
        (np.zeros(2), ["a", "b"], {"draws": 0}, "draws = 0"),
        (np.zeros(2), ["a", "b"], {"level": 95}, "level = 95"),
        (np.zeros(2), ["a", None], {}, r"1 of 2 rows has no cluster \(the first is row 1\): every row needs the name"),
        (np.zeros(2), None, {}, "No clusters were given"),
    ],
)
@pytest.mark.parametrize("kind", [ValueError, UsageError])
def test_bad_input_to_the_bootstrap_is_refused(values, names, more, message, kind):
    with pytest.raises(kind, match=message):
        cluster_bootstrap(values, names, seed=0, **more)


def test_pairing_takes_out_what_both_methods_share():
    rng = np.random.default_rng(9)
    hard, names = clustered(rng, 60, 4, between=5.0, within=5.0)
    a, b = hard + 0.5 + 0.3 * rng.standard_normal(240), hard + 0.3 * rng.standard_normal(240)
    difference, low, high = paired_difference(a, b, names, seed=0)
    assert difference == pytest.approx(np.mean(a - b))
    assert 0.3 < low < difference < high < 0.7
    apart = [cluster_bootstrap(values, names, seed=0) for values in (a, b)]
    assert apart[0].low < apart[1].high and apart[1].low < apart[0].high


def test_a_paired_difference_takes_only_pairs_that_both_scored():
    a, b = np.array([1.0, 2.0, np.nan, 9.0]), np.array([0.0, 1.0, 5.0, np.nan])
    assert paired_difference(a, b, ["a", "b", "c", "d"], seed=0) == (1.0, 1.0, 1.0)


def test_swapping_the_methods_turns_the_difference_round():
    values, names = clustered(np.random.default_rng(10), 30, 3, between=1.0, within=1.0, columns=2)
    there = paired_difference(values[:, 0], values[:, 1], names, seed=0)
    back = paired_difference(values[:, 1], values[:, 0], names, seed=0)
    np.testing.assert_allclose(there, (-back.difference, -back.high, -back.low))


def test_a_paired_difference_refuses_unpaired_values():
    with pytest.raises(ValueError, match=r"a \(2,\), b \(3,\)"):
        paired_difference(np.zeros(2), np.zeros(3), ["a", "b"], seed=0)


def test_all_paired_differences_at_once_are_those_of_every_two():
    values, names = clustered(np.random.default_rng(11), 20, 3, between=1.0, within=1.0, columns=4)
    values[np.random.default_rng(12).random(values.shape) < 0.2] = np.nan
    found = paired_differences(values, names, seed=3, draws=200)
    for one in range(4):
        assert found.difference[one, one] == found.low[one, one] == found.high[one, one] == 0
        for other in range(one + 1, 4):
            alone = paired_difference(values[:, one], values[:, other], names, seed=3, draws=200)
            assert tuple(array[one, other] for array in found) == alone
            there_and_back = (found.difference[other, one], found.high[other, one], found.low[other, one])
            assert there_and_back == tuple(-number for number in alone)


def test_methods_that_share_no_pair_have_no_difference():
    found = paired_differences(np.array([[1.0, np.nan], [1.0, np.nan], [np.nan, 2.0]]), ["a", "b", "c"], seed=0)
    assert np.isnan(found.difference[0, 1]) and np.isnan(found.low[1, 0])
    with pytest.raises(ValueError, match=r"values \(3,\): expected \(n, m\)"):
        paired_differences(np.zeros(3), ["a", "b", "c"], seed=0)


@settings(deadline=None)
@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95]))
def test_wilson_agrees_with_statsmodels(counts, level):
    successes, n = counts
    expected = proportion.proportion_confint(successes, n, alpha=1 - level, method="wilson")
    interval = wilson(successes, n, level)
    np.testing.assert_allclose(interval, expected, atol=1e-12)
    assert 0 <= interval.low <= successes / n <= interval.high <= 1


def test_wilson_of_nothing_is_unknown_and_of_nonsense_refused():
    assert np.isnan(wilson(0, 0)).all()
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)
    with pytest.raises(ValueError, match="level = 95"):
        wilson(1, 2, level=95)


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_agrees_with_statsmodels(b, c):
    if b + c == 0:
        assert mcnemar(b, c) == 1.0
    else:
        expected = contingency_tables.mcnemar([[7, b], [c, 9]], exact=True).pvalue
        assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_holds_far_out_in_the_tail_and_refuses_nonsense():
    assert mcnemar(0, 1000) == 2.0**-999
    assert mcnemar(5000, 5000) == 1.0
    with pytest.raises(ValueError, match="b = -1"):
        mcnemar(-1, 2)


def test_holm_agrees_with_statsmodels(monkeypatch):
    # Theirs collects garbage at every call, which takes long beside large libraries.
    monkeypatch.setattr(gc, "collect", lambda: 0)

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
    def agrees(pvalues):
        np.testing.assert_allclose(holm(pvalues), multitest.multipletests(pvalues, method="holm")[1], atol=1e-12)

    agrees()


def test_holm_of_nothing_is_nothing_and_of_nonsense_refused():
    assert holm([]).shape == (0,)
    for bad in ([0.5, 1.5], [0.5, float("nan")], [-0.1]):
        with pytest.raises(ValueError, match=r"numbers in \[0, 1\]"):
            holm(bad)
