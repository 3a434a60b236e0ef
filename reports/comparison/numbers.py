"""Differences of two runs with intervals and p-values, of all methods and metrics at once.

Paired: the bootstrap draws target videos, and with them the differences of their pairs. p-values rest on the spread of
the same draws, since a thousand of them cannot tell 0.002 from less, and Holm's correction of a hundred comparisons
asks for 0.0005: Student's t of the difference over the draws' standard deviation, with one degree of freedom less than
there are videos. Where few videos moved at all, the exact sign test bounds it from below, for rates McNemar's test too.
"""

from __future__ import annotations

from math import ceil, exp, lgamma, log, log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.resampling import FEWEST_CLUSTERS, Resampler, percentiles
from metrics.statistics import mcnemar, mean
from reports.comparison.records import LEVEL, McNemar

Values = NDArray[np.float64]
Counts = NDArray[np.intp]

EQUAL = 1e-9
"""Values that are nearer to each other, in parts of the larger one, are the same: results keep nine digits."""
FEWEST_MOVED = 1 + ceil(log2(1 / (1 - LEVEL)))
"""Videos that must differ before a difference is told: if all of five go one way, chance does that in 1 of 16 cases."""
SUCCESS = 100.0
"""What a pair counts in a rate if it succeeds; 0 if not."""


class Numbers(NamedTuple):
    """One entry per column, ``(m,)``; NaN for what cannot be given.

    Attributes:
        difference: mean of B - A.
        low: lower end of its interval.
        high: upper end of it.
        p: two-sided p-value of no difference.
        exact: the smallest p-value that an exact test allows, whatever the interval says: small where many moved.
        n_a: rows scored in the first run.
        n_b: rows scored in the second.
        n_both: rows scored in both; 0 where unpaired.
        lost: rows scored in the first alone.
        won: rows scored in the second alone.
        n_moved: rows scored in both that differ.
        rates: McNemar's test of the columns that are rates, ``None`` for others.
        apart: ``(n, m)`` the differences, NaN where not scored both times; ``(0, m)`` where unpaired.
    """

    difference: Values
    low: Values
    high: Values
    p: Values
    exact: Values
    n_a: Counts
    n_b: Counts
    n_both: Counts
    lost: Counts
    won: Counts
    n_moved: Counts
    rates: tuple[McNemar | None, ...]
    apart: Values


def paired(a: Values, b: Values, videos: NDArray[np.str_], rate: NDArray[np.bool_], seed: int, draws: int) -> Numbers:
    """Differences of the same pairs in two runs.

    Args:
        a: ``(n, m)`` of the first run, a column per method and metric; NaN: not scored, infinite: nothing to score.
        b: ``(n, m)`` of the second.
        videos: ``(n,)`` the cluster of each pair.
        rate: ``(m,)`` whether a column is a share of pairs, 0 or 100 each.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    apart = differences(a, b)
    drawn = _means(apart, videos, seed, draws)
    low, high = percentiles(drawn, LEVEL)
    difference = _column_means(apart)
    place = np.unique(videos, return_inverse=True)[1].reshape(-1)
    moved = np.isfinite(apart) & (apart != 0)
    exact = np.array([min(1.0, 2.0 ** (1 - _clusters(place, column))) for column in moved.T], np.float64)
    freedom = np.array([_clusters(place, column) - 1 for column in np.isfinite(apart).T], np.float64)
    rates = tuple(_mcnemar(a[:, i], b[:, i]) if rate[i] else None for i in range(a.shape[1]))
    exact = np.maximum(exact, [0.0 if one is None else one.p for one in rates])
    p = np.maximum(_student(difference, drawn, freedom), exact)
    p[~np.isfinite(low)] = np.nan
    return Numbers(
        difference, low, high, p, exact,
        np.isfinite(a).sum(0), np.isfinite(b).sum(0), np.isfinite(apart).sum(0),
        (np.isfinite(a) & np.isnan(b)).sum(0), (np.isnan(a) & np.isfinite(b)).sum(0), moved.sum(0),
        rates, apart,
    )  # fmt: skip


def unpaired(
    a: Values, b: Values, videos_a: NDArray[np.str_], videos_b: NDArray[np.str_], seed: int, draws: int
) -> Numbers:
    """Differences of the means of two runs that share no pair: each is drawn by itself.

    Args:
        a: ``(n, m)`` of the first run, as in `paired`.
        b: ``(k, m)`` of the second.
        videos_a: ``(n,)`` the cluster of each pair of the first.
        videos_b: ``(k,)`` the same of the second.
        seed: of both bootstraps, which draw nothing in common.
        draws: of each.
    """
    apart = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    drawn = _means(b, videos_b, int(apart[1]), draws) - _means(a, videos_a, int(apart[0]), draws)
    low, high = percentiles(drawn, LEVEL)
    difference = _column_means(b) - _column_means(a)
    sizes = []
    for table, videos in ((a, videos_a), (b, videos_b)):
        place = np.unique(videos, return_inverse=True)[1].reshape(-1)
        sizes.append([_clusters(place, column) for column in np.isfinite(table).T])
    # No permutation of the videos over the runs is rarer than the one at hand.
    exact = np.array([_rarest(*both) for both in zip(*sizes, strict=True)], np.float64)
    freedom = np.min(np.array(sizes, np.float64), axis=0) - 1
    p = np.maximum(_student(difference, drawn, freedom), exact)
    p[~np.isfinite(low)] = np.nan
    none = np.zeros(a.shape[1], np.intp)
    return Numbers(
        difference, low, high, p, exact, np.isfinite(a).sum(0), np.isfinite(b).sum(0), none, none, none, none,
        (None,) * a.shape[1], np.empty((0, a.shape[1])),
    )  # fmt: skip


def differences(a: Values, b: Values) -> Values:
    """B - A, NaN where a pair was not scored both times, 0 where they agree to nine digits."""
    both = np.isfinite(a) & np.isfinite(b)
    one, other = np.where(both, a, 0.0), np.where(both, b, 0.0)
    apart = other - one
    apart[np.abs(apart) <= EQUAL * np.maximum(np.abs(one), np.abs(other))] = 0.0
    apart[~both] = np.nan
    return apart


def _column_means(table: Values) -> Values:
    return np.array([mean(column) for column in table.T], np.float64)


def _clusters(place: NDArray[np.intp], rows: NDArray[np.bool_]) -> int:
    """In how many clusters a row is marked."""
    return int(np.count_nonzero(np.bincount(place[rows])))


def _rarest(one: int, other: int) -> float:
    """Two-sided p-value of the rarest way to choose ``one`` of all clusters."""
    ways = lgamma(one + other + 1) - lgamma(one + 1) - lgamma(other + 1)
    return min(1.0, exp(log(2) - ways))


def _means(table: Values, videos: NDArray[np.str_], seed: int, draws: int) -> Values:
    """Means over bootstrap samples, ``(draws, m)``: those of `metrics.statistics.cluster_bootstrap`."""
    means = np.full((draws, table.shape[1]), np.nan)
    names, place = np.unique(videos, return_inverse=True)
    known = [_clusters(place.reshape(-1), column) >= FEWEST_CLUSTERS for column in np.isfinite(table).T]
    if any(known):
        means[:, known] = Resampler(names, seed, draws).means(table[:, known], videos)
    return means


def _student(difference: Values, drawn: Values, freedom: Values) -> Values:
    """Two-sided p-values of Student's t."""
    from scipy.special import stdtr

    known = np.isfinite(drawn)
    n = known.sum(0)
    centred = np.where(known, drawn - np.where(known, drawn, 0).sum(0) / np.maximum(n, 1), 0)
    spread = np.sqrt(np.square(centred).sum(0) / np.maximum(n - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(difference == 0, 0.0, np.abs(difference) / spread)
    return np.asarray(2 * stdtr(np.maximum(freedom, 1), -t), np.float64)


def _mcnemar(a: Values, b: Values) -> McNemar:
    both = np.isfinite(a) & np.isfinite(b)
    first, second = a[both] == SUCCESS, b[both] == SUCCESS
    only_a, only_b = int((first & ~second).sum()), int((second & ~first).sum())
    return McNemar(only_a, only_b, mcnemar(only_a, only_b))
