"""Intervals and tests for numbers that come in clusters, in double precision and without global random state.

Frames of one video are not independent, so videos are drawn, not frames (Field and Welsh, Bootstrapping clustered
data, JRSS B 2007). Every result is the same, bit by bit, in whatever order the rows stand and however many threads
there are. What each function assumes, and how many pairs it takes: docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, nan, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.resampling import FEWEST_CLUSTERS, Resampler, StatisticError, cluster_names, percentiles


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


class Bounds(NamedTuple):
    """Lower and upper ends of one interval per column, float64; NaN where none can be given."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Difference(NamedTuple):
    """A mean difference with its interval; NaN where it cannot be given."""

    difference: float
    low: float
    high: float


class Differences(NamedTuple):
    """Mean differences of every method to every other one, ``(m, m)`` float64: row minus column.

    NaN where none can be given; 0 on the diagonal.
    """

    difference: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def cluster_bootstrap(
    values: NDArray[np.floating],
    clusters: NDArray[Any] | Sequence[str],
    *,
    seed: int,
    draws: int = 1000,
    level: float = 0.95,
) -> Bounds:
    """Percentile intervals of means, clusters drawn with replacement.

    The mean of a draw is the sum over all rows of the drawn clusters divided by their number; rows without a value
    count in neither. The draws depend on the seed and on the clusters alone, so that columns, methods and metrics over
    the same rows share them (`metrics.resampling`).

    Args:
        values: ``(n,)``, or ``(n, m)`` for m columns at once; NaN (and ±inf) where there is no value.
        clusters: ``(n,)`` the cluster of each row, such as its video.
        seed: of the draws.
        draws: bootstrap samples.
        level: of the interval, in (0, 1).

    Returns:
        Arrays of shape ``()`` or ``(m,)``, NaN for columns with values in fewer than two clusters.

    Raises:
        StatisticError: the shapes do not fit, a row has no cluster, or ``draws`` or ``level`` is out of range.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.

    Example:
        >>> low, high = cluster_bootstrap(np.array([1.0, 1, 3, 3]), ["a", "a", "b", "b"], seed=0)
        >>> float(low), float(high)
        (1.0, 3.0)
    """
    table: NDArray[np.float64] = np.asarray(values, np.float64)
    columns = table.shape[1:]
    table = table[:, None] if table.ndim == 1 else table
    names = cluster_names(clusters)
    if table.ndim != 2 or names.shape != table.shape[:1]:
        raise StatisticError(f"values {np.shape(values)}, clusters {names.shape}: expected (n,) or (n, m), and (n,).")
    if draws < 1 or not 0 < level < 1:
        raise StatisticError(
            f"draws = {draws}, level = {level}: expected at least 1 draw and a level between 0 and 1, such as 0.95."
        )
    bounds = np.full((2, table.shape[1]), np.nan)
    videos, place = np.unique(names, return_inverse=True)
    known = _clusters_with_values(table, place) >= FEWEST_CLUSTERS
    if known.any():
        means = Resampler(videos, seed, draws).means(table[:, known], names)
        bounds[:, known] = percentiles(means, level)
    low, high = bounds.reshape(2, *columns)
    return Bounds(np.asarray(low), np.asarray(high))


def _clusters_with_values(table: NDArray[np.float64], place: NDArray[np.intp]) -> NDArray[np.intp]:
    """In how many clusters each column has a value, ``(m,)``."""
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    if not len(starts):
        return np.zeros(table.shape[1], np.intp)
    seen: NDArray[np.bool_] = np.logical_or.reduceat(np.isfinite(table)[order], starts, axis=0)
    counts: NDArray[np.intp] = seen.sum(axis=0)
    return counts


def paired_difference(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    clusters: NDArray[Any] | Sequence[str],
    *,
    seed: int,
    draws: int = 1000,
    level: float = 0.95,
) -> Difference:
    """Mean of ``a - b`` over the pairs that both scored, with its cluster bootstrap interval.

    Args:
        a: ``(n,)`` values of one method, NaN where it failed.
        b: ``(n,)`` values of the other on the same pairs.
        clusters: ``(n,)`` as in `cluster_bootstrap`; so are ``seed``, ``draws`` and ``level``.
        seed: of the draws.
        draws: bootstrap samples.
        level: of the interval.

    Returns:
        The difference and its interval. The methods differ where the interval leaves 0 out.

    Raises:
        StatisticError: the shapes do not fit.

    Example:
        >>> paired_difference(np.array([2.0, 3, 4]), np.array([1.0, 2, 3]), ["u", "v", "w"], seed=0)
        Difference(difference=1.0, low=1.0, high=1.0)
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise StatisticError(f"a {a.shape}, b {b.shape}: expected one value per pair in both.")
    difference = a - b
    low, high = cluster_bootstrap(difference, clusters, seed=seed, draws=draws, level=level)
    return Difference(mean(difference), float(low), float(high))


def paired_differences(
    values: NDArray[np.floating],
    clusters: NDArray[Any] | Sequence[str],
    *,
    seed: int,
    draws: int = 1000,
    level: float = 0.95,
) -> Differences:
    """`paired_difference` of every two of m methods: the same numbers, made much faster.

    Args:
        values: ``(n, m)``, one column per method, NaN where it failed.
        clusters: ``(n,)`` as in `cluster_bootstrap`; so are ``seed``, ``draws`` and ``level``.
        seed: of the draws.
        draws: bootstrap samples.
        level: of the intervals.

    Raises:
        StatisticError: the shapes do not fit, or a row has no cluster.

    Example:
        >>> found = paired_differences(np.array([[2.0, 1], [3, 2], [4, 3]]), ["u", "v", "w"], seed=0)
        >>> found.low.tolist(), found.high.tolist()
        ([[0.0, 1.0], [-1.0, 0.0]], [[0.0, 1.0], [-1.0, 0.0]])
    """
    table: NDArray[np.float64] = np.asarray(values, np.float64)
    if table.ndim != 2:
        raise StatisticError(f"values {table.shape}: expected (n, m), one column per method.")
    found = Differences(*np.zeros((3, table.shape[1], table.shape[1])))
    one, other = np.triu_indices(table.shape[1], 1)
    apart = table[:, one] - table[:, other]
    low, high = cluster_bootstrap(apart, clusters, seed=seed, draws=draws, level=level)
    means = np.array([mean(column) for column in apart.T], np.float64)
    for array, above, below in zip(found, (means, low, high), (-means, -high, -low), strict=True):
        array[one, other], array[other, one] = above, below
    return found


def mean(values: NDArray[np.floating]) -> float:
    """Mean of the finite values, correctly summed and so independent of their order; NaN where there are none."""
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    return fsum(finite.tolist()) / len(finite) if len(finite) else nan


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Score interval of a rate without clusters; NaN for n = 0.

    Args:
        successes: how many of n, 0 to n.
        n: trials.
        level: of the interval, in (0, 1).

    Raises:
        StatisticError: not 0 <= successes <= n, or ``level`` is out of range.

    Source:
        Wilson, JASA 1927.

    Example:
        >>> low, high = wilson(0, 10)
        >>> low, round(high, 3)
        (0.0, 0.278)
    """
    if not 0 <= successes <= n:
        raise StatisticError(f"{successes} successes of {n}: expected 0 <= successes <= n.")
    if not 0 < level < 1:
        raise StatisticError(f"level = {level}: expected a number between 0 and 1, such as 0.95.")
    if n == 0:
        return Interval(nan, nan)
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # At either end the formula is exact and its rounding is not.
    return Interval(0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def mcnemar(b: int, c: int) -> float:
    """Two-sided exact p-value that two methods succeed equally often on the same pairs.

    Args:
        b: pairs on which only the first succeeds.
        c: pairs on which only the second does.

    Raises:
        StatisticError: a count is negative.

    Source:
        McNemar, Psychometrika 1947; the exact binomial form.

    Example:
        >>> mcnemar(0, 5)
        0.0625
    """
    if b < 0 or c < 0:
        raise StatisticError(f"b = {b}, c = {c}: expected counts, 0 or more.")
    n = b + c
    term = tail = 1
    for i in range(min(b, c)):
        term = term * (n - i) // (i + 1)
        tail += term
    # Integers are exact; so is the quotient, to the last bit.
    return min(1.0, 2 * tail / (1 << n))


def holm(pvalues: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    """p-values adjusted for their number, in the order given: ``adjusted <= alpha`` keeps the family-wise error.

    Args:
        pvalues: ``(k,)`` in [0, 1].

    Returns:
        ``(k,)`` float64 in [0, 1].

    Raises:
        StatisticError: a p-value is outside [0, 1] or NaN.

    Source:
        Holm, Scandinavian Journal of Statistics 1979.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p = np.asarray(pvalues, np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise StatisticError(f"pvalues {pvalues}: expected a list of numbers in [0, 1].")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    adjusted = np.empty_like(p)
    adjusted[order] = stepped
    return adjusted
