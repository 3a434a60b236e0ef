"""Bootstrap samples: what they depend on, and that their means are exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hifibench.errors import UsageError
from metrics.resampling import Resampler, StatisticError, cluster_names, cluster_weights, percentiles


def slow_means(values, clusters, resampler):
    """The same in fractions, one sample after another."""
    weights = cluster_weights(len(resampler.names), resampler.seed, resampler.draws)
    names = resampler.names.tolist()
    result = []
    for sample in weights.tolist():
        rows = [(sample[names.index(c)], Fraction(v)) for c, v in zip(clusters, values, strict=True) if np.isfinite(v)]
        number = sum(times for times, _ in rows)
        result.append(float(sum(times * value for times, value in rows) / number) if number else np.nan)
    return np.array(result)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcde"),
            st.one_of(st.floats(-1e6, 1e6), st.floats(-1e-6, 1e-6), st.just(np.nan), st.just(np.inf)),
        ),
        min_size=2,
        max_size=25,
    ).filter(lambda rows: len({name for name, _ in rows}) > 1)
)
def test_means_are_those_of_exact_arithmetic(rows):
    clusters, values = [name for name, _ in rows], np.array([value for _, value in rows])
    resampler = Resampler.over(clusters, seed=3, draws=20)
    means = resampler.means(values[:, None], clusters)[:, 0]
    expected = slow_means(values, clusters, resampler)
    np.testing.assert_array_equal(np.isnan(means), np.isnan(expected))
    # Sums are exact to 60 bits of the largest value, so that even what cancels out is known to its last bits.
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    np.testing.assert_allclose(means, expected, rtol=1e-15, atol=largest * 2.0**-55)


def test_equal_values_have_equal_means():
    resampler = Resampler.over(np.arange(9), seed=0, draws=50)
    for value in (5.0, 0.1, 1e300, 5e-324, 0.0):
        means = resampler.means(np.full((9, 1), value), np.arange(9))
        np.testing.assert_allclose(means, value, rtol=2e-16)


def test_a_sample_holds_as_many_clusters_as_there_are_with_replacement():
    weights = cluster_weights(50, seed=0, draws=4000)
    assert (weights.sum(axis=1) == 50).all()
    # Binomial(50, 1/50).
    assert weights.mean() == 1.0
    assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.02)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=5 / np.sqrt(4000))
    np.testing.assert_allclose(np.corrcoef(weights[:, :2].T)[0, 1], -1 / 49, atol=0.06)


def test_draws_depend_on_the_seed_and_the_set_of_clusters_alone():
    one = Resampler.over(["b", "a", "b", "c"], seed=5, draws=10)
    other = Resampler.over(np.array(["c", "b", "a"]), seed=5, draws=10)
    for (_, first), (_, second) in zip(one.blocks(), other.blocks(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert (cluster_weights(3, 5, 10) != cluster_weights(3, 6, 10)).any()
    np.testing.assert_array_equal(cluster_weights(3, 5, 10), cluster_weights(3, 5, 20)[:10])
    with pytest.raises(ValueError, match="read-only"):
        cluster_weights(3, 5, 10)[0, 0] = 1


def test_rows_are_found_in_their_clusters():
    resampler = Resampler.over(["b", "a", "c"], seed=0)
    assert resampler.index(["c", "a", "c"]).tolist() == [2, 0, 2]
    for strange in ("bb", "z"):
        with pytest.raises(StatisticError, match=f"Cluster '{strange}' is not among the 3"):
            resampler.index(["a", strange])


def test_blocks_hold_every_sample_once(monkeypatch):
    monkeypatch.setattr("metrics.resampling._HELD", 30)
    monkeypatch.setattr("metrics.resampling._CACHED", 30)
    resampler = Resampler.over(np.arange(10), seed=0, draws=11)
    weights = cluster_weights(10, 0, 11)
    for rows, most in ((0, 3), (15, 2), (1000, 1)):
        seen = np.zeros(11, int)
        for block, part in resampler.blocks(rows):
            assert len(part) <= most
            np.testing.assert_array_equal(part, weights[block])
            seen[block] += 1
        assert (seen == 1).all()


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        ([], "0 clusters in 0 rows: a bootstrap of clusters needs at least 2"),
        (["v", "v", "v"], "1 cluster in 3 rows: a bootstrap of clusters needs at least 2, such as pairs with targets"),
        (None, "No clusters were given"),
        (["a", None, None], r"2 of 3 rows have no cluster \(the first is row 1\)"),
        (["a", float("nan")], "1 of 2 rows has no cluster"),
        (["", "b"], r"1 of 2 rows has no cluster \(the first is row 0\)"),
        (np.array(["a", ""]), "1 of 2 rows has no cluster"),
        (np.array([1.0, np.nan]), "1 of 2 rows has no cluster"),
        (np.array(["a", None], object), "1 of 2 rows has no cluster"),
    ],
)
def test_too_few_clusters_or_none_are_told(clusters, message):
    with pytest.raises(UsageError, match=message):
        Resampler.over(clusters, seed=0)


def test_a_video_called_nan_is_a_video():
    assert cluster_names(["nan", "b"]).tolist() == ["nan", "b"]
    assert cluster_names(np.array(["nan", "b"])).tolist() == ["nan", "b"]


def test_nonsense_is_refused():
    with pytest.raises(StatisticError, match="draws = 0"):
        Resampler.over(["a", "b"], seed=0, draws=0)
    with pytest.raises(StatisticError, match="0 clusters"):
        cluster_weights(0, 0, 10)


def test_percentiles_leave_out_draws_without_a_value():
    rng = np.random.default_rng(0)
    draws = rng.random((200, 3))
    np.testing.assert_allclose(percentiles(draws, 0.9), np.quantile(draws, [0.05, 0.95], axis=0), rtol=1e-12)
    draws[::3, 1], draws[:, 2] = np.nan, np.nan
    ends = percentiles(draws)
    np.testing.assert_allclose(ends[:, 1], np.nanquantile(draws[:, 1], [0.025, 0.975]))
    assert np.isnan(ends[:, 2]).all()
    assert np.isnan(percentiles(np.empty(0))).all()
