"""Intervals and tests for numbers that come in clusters, in double precision and without global random state.

Frames of one video are not independent, so videos are drawn, not frames (Field and Welsh, Bootstrapping clustered
data, JRSS B 2007). Every result is the same, bit by bit, in whatever order the rows stand and however many threads
there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, nan, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_WEIGHTS = 2**22
"""Bootstrap weights held at once: 32 MiB."""


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
    count in neither. The draws depend on the seed and on the number of clusters alone, so that columns, methods and
    metrics over the same rows share them.

    Args:
        values: ``(n,)``, or ``(n, m)`` for m columns at once; NaN (and ±inf) where there is no value.
        clusters: ``(n,)`` the cluster of each row, such as its video.
        seed: of the draws.
        draws: bootstrap samples.
        level: of the interval, in (0, 1).

    Returns:
        Arrays of shape ``()`` or ``(m,)``, NaN for columns with values in fewer than two clusters.

    Raises:
        ValueError: the shapes do not fit, or ``draws`` or ``level`` is out of range.

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
    names = np.asarray(clusters)
    if table.ndim != 2 or names.shape != table.shape[:1]:
        raise ValueError(f"values {np.shape(values)}, clusters {names.shape}: expected (n,) or (n, m), and (n,)")
    if draws < 1 or not 0 < level < 1:
        raise ValueError(f"draws = {draws}, level = {level}: expected at least 1 draw and a level between 0 and 1")
    bounds = np.full((2, table.shape[1]), np.nan)
    if table.size:
        sums, counts = _cluster_sums(table, names)
        known = np.count_nonzero(counts, axis=1) >= 2
        if known.any():
            means = _drawn_means(sums[known], counts[known], seed, draws)
            bounds[:, known] = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    low, high = bounds.reshape(2, *columns)
    return Bounds(np.asarray(low), np.asarray(high))


def _cluster_sums(table: NDArray[np.float64], names: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values per column and cluster, ``(m, clusters)`` each, clusters in the order of names."""
    _, cluster, sizes = np.unique(names, return_inverse=True, return_counts=True)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    finite = np.isfinite(table)
    filled = np.where(finite, table, 0.0)
    sums = np.empty((table.shape[1], len(sizes)))
    for column, one in enumerate(filled.T):
        # A floating-point sum depends on the order of its terms; by size, it is the same for any order of the rows.
        sums[column] = np.add.reduceat(one[np.lexsort((one, cluster))], starts)
    counts = np.add.reduceat(finite[np.argsort(cluster, kind="stable")].astype(np.float64), starts, axis=0)
    return sums, np.ascontiguousarray(counts.T)


def _drawn_means(sums: NDArray[np.float64], counts: NDArray[np.float64], seed: int, draws: int) -> NDArray[np.float64]:
    """Means of the bootstrap samples, ``(draws, m)``; NaN for a sample in which no drawn cluster has a value."""
    rng = np.random.default_rng(seed)
    n_clusters = sums.shape[1]
    means = np.empty((draws, len(sums)))
    step = max(1, _WEIGHTS // n_clusters)
    for start in range(0, draws, step):
        drawn = rng.integers(n_clusters, size=(min(step, draws - start), n_clusters))
        weights = np.stack([np.bincount(row, minlength=n_clusters) for row in drawn]).astype(np.float64)
        # `einsum` sums every entry by itself; a matrix product may sum in another order beside other columns.
        total = np.einsum("dc,mc->dm", weights, sums)
        number = np.einsum("dc,mc->dm", weights, counts)
        with np.errstate(invalid="ignore"):
            means[start : start + step] = total / number
    return means


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
        ValueError: the shapes do not fit.

    Example:
        >>> paired_difference(np.array([2.0, 3, 4]), np.array([1.0, 2, 3]), ["u", "v", "w"], seed=0)
        Difference(difference=1.0, low=1.0, high=1.0)
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a {a.shape}, b {b.shape}: expected one value per pair in both")
    difference = a - b
    low, high = cluster_bootstrap(difference, clusters, seed=seed, draws=draws, level=level)
    return Difference(mean(difference), float(low), float(high))


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
        ValueError: not 0 <= successes <= n.

    Source:
        Wilson, JASA 1927.

    Example:
        >>> low, high = wilson(0, 10)
        >>> low, round(high, 3)
        (0.0, 0.278)
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: expected 0 <= successes <= n")
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
        ValueError: a count is negative.

    Source:
        McNemar, Psychometrika 1947; the exact binomial form.

    Example:
        >>> mcnemar(0, 5)
        0.0625
    """
    if b < 0 or c < 0:
        raise ValueError(f"b = {b}, c = {c}: expected counts, 0 or more")
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
        ValueError: a p-value is outside [0, 1] or NaN.

    Source:
        Holm, Scandinavian Journal of Statistics 1979.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p = np.asarray(pvalues, np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"pvalues {pvalues}: expected a list of numbers in [0, 1]")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    adjusted = np.empty_like(p)
    adjusted[order] = stepped
    return adjusted
