"""Bootstrap samples of clusters: which videos a sample holds, and the means over it, quick and the same bit by bit.

A sample draws as many clusters as there are, with replacement; a cluster brings all its rows each time it is drawn
(Field and Welsh, Bootstrapping clustered data, JRSS B 2007).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import UsageError

FEWEST_CLUSTERS = 2
"""With fewer, all samples are alike, and there is no interval."""

_HELD = 2**22
"""Weights held at once in double precision: 32 MiB."""
_CACHED = 2**17
"""Numbers of a caller who passes over them many times: 1 MiB."""
SUMMED = 2**20
"""Values that are summed by cluster at once: 8 MiB, and some five times that on the way."""
_EXACT_BITS = 52
"""Whole numbers up to twice this power of two are exact in double precision, and so are their sums."""
_KEPT_BITS = 60
"""Bits of the largest value of a column that its sums keep: more than a double has."""


class StatisticError(UsageError, ValueError):
    """What a statistic was given does not make sense: shapes, ranges, too few pairs or clusters, clusters without name.

    Outside the command line it is the ``ValueError`` that one expects of a function of numbers.
    """


def cluster_names(clusters: NDArray[Any] | Sequence[Any] | None) -> NDArray[Any]:
    """The cluster of every row as an array that can be sorted.

    Args:
        clusters: ``(n,)`` names (text) or whole numbers.

    Raises:
        StatisticError: there are none, or a row is without one (``None``, NaN or empty text).

    Example:
        >>> cluster_names(["a", None])
        Traceback (most recent call last):
        metrics.resampling.StatisticError: 1 of 2 rows has no cluster (the first is row 1): every row needs the name ...
    """
    if clusters is None:
        raise StatisticError("No clusters were given: every row needs the name of its video, a still that of its own.")
    if isinstance(clusters, np.ndarray) and clusters.dtype.kind != "O":
        array = clusters
        bare = np.isnan(array) if array.dtype.kind == "f" else array == ""
    else:
        # A NaN beside texts would become the text "nan".
        rows = list(clusters)
        bare = np.array([row is None or row != row or row == "" for row in rows], bool)
        array = np.array([str(row) for row in rows] if any(isinstance(row, str) for row in rows) else rows)
    if bare.any():
        count = int(bare.sum())
        raise StatisticError(
            f"{count} of {len(bare)} rows {'has' if count == 1 else 'have'} no cluster (the first is row "
            f"{int(bare.argmax())}): every row needs the name of its video, a still that of its own."
        )
    return array


@lru_cache(maxsize=2)
def cluster_weights(n_clusters: int, seed: int, draws: int) -> NDArray[np.uint8]:
    """How often each bootstrap sample holds each cluster.

    Args:
        n_clusters: c, at least 1.
        seed: of the draws; nothing else than these three numbers decides what is drawn.
        draws: d, at least 1.

    Returns:
        ``(d, c)``, read-only; every row sums to c. A byte is enough: a cluster that is drawn once on average is not
        drawn 256 times before the end of all days.

    Raises:
        StatisticError: a number is too small.

    Example:
        >>> cluster_weights(4, seed=0, draws=2).sum(axis=1)
        array([4, 4], dtype=uint64)
    """
    if n_clusters < 1 or draws < 1:
        raise StatisticError(f"{n_clusters} clusters, draws = {draws}: expected at least 1 of each.")
    rng = np.random.default_rng(seed)
    weights = np.empty((draws, n_clusters), np.uint8)
    step = max(1, _HELD // n_clusters)
    for start in range(0, draws, step):
        drawn = rng.integers(n_clusters, size=(min(step, draws - start), n_clusters))
        for row, one in enumerate(drawn, start):
            weights[row] = np.bincount(one, minlength=n_clusters)
    weights.flags.writeable = False
    return weights


@dataclass(frozen=True, eq=False)
class Resampler:
    """The bootstrap samples that all columns, methods and metrics over the same clusters share.

    Attributes:
        names: ``(c,)`` the clusters, sorted, each once.
        seed: of the draws, which depend on it and on ``names`` alone.
        draws: samples.
    """

    names: NDArray[Any]
    seed: int
    draws: int

    @classmethod
    def over(cls, clusters: NDArray[Any] | Sequence[Any], *, seed: int, draws: int = 1000) -> Resampler:
        """Samples of the clusters that these rows come from.

        Raises:
            StatisticError: fewer than `FEWEST_CLUSTERS`, a row without a cluster, or ``draws`` below 1.

        Example:
            >>> Resampler.over(["v2", "v1", "v2"], seed=0).names.tolist()
            ['v1', 'v2']
            >>> Resampler.over(["v1", "v1"], seed=0)
            Traceback (most recent call last):
            metrics.resampling.StatisticError: 1 cluster in 2 rows: a bootstrap of clusters needs at least 2, ...
        """
        given = cluster_names(clusters)
        names = np.unique(given)
        if len(names) < FEWEST_CLUSTERS:
            raise StatisticError(
                f"{len(names)} cluster{'s' * (len(names) != 1)} in {len(given)} rows: a bootstrap of clusters needs at "
                f"least {FEWEST_CLUSTERS}, such as pairs with targets from {FEWEST_CLUSTERS} videos."
            )
        if draws < 1:
            raise StatisticError(f"draws = {draws}: expected at least 1 draw.")
        return cls(names, seed, draws)

    def index(self, clusters: NDArray[Any] | Sequence[Any]) -> NDArray[np.intp]:
        """Where the cluster of each row stands in `names`, ``(n,)``.

        Raises:
            StatisticError: a cluster that is not drawn from.
        """
        given = cluster_names(clusters)
        place = np.searchsorted(self.names, given).clip(max=len(self.names) - 1)
        strange = self.names[place] != given
        if strange.any():
            raise StatisticError(
                f"Cluster {str(given[strange][0])!r} is not among the {len(self.names)} that are drawn from."
            )
        return place

    def blocks(self, rows: int = 0) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """The weights of all samples, some samples at a time: which ones, and ``(b, c)`` how often each cluster is in.

        Args:
            rows: numbers per sample that the caller makes of them, several times over; blocks are then so small that
                those stay in the processor's cache.
        """
        weights = cluster_weights(len(self.names), self.seed, self.draws)
        step = max(1, min(_HELD // len(self.names), _CACHED // rows if rows else self.draws))
        for start in range(0, self.draws, step):
            block = slice(start, min(start + step, self.draws))
            yield block, weights[block].astype(np.float64)

    def means(self, values: NDArray[np.floating], clusters: NDArray[Any] | Sequence[Any]) -> NDArray[np.float64]:
        """The mean over each sample: the sum over all rows of the drawn clusters divided by their number.

        Rows are summed as whole multiples of one small power of two per column, exactly, so that neither the order of
        the rows nor other columns nor the number of threads changes a bit.

        Args:
            values: ``(n, m)``; NaN (and ±inf) where there is no value: such rows count in neither sum nor number.
            clusters: ``(n,)``.

        Returns:
            ``(draws, m)`` float64; NaN for a sample in which no drawn cluster has a value.

        Raises:
            StatisticError: a cluster that is not drawn from.
        """
        table, place = np.asarray(values, np.float64), self.index(clusters)
        means = np.empty((self.draws, table.shape[1]))
        # Some columns at a time: on their way to sums they are there several times over.
        step = max(1, SUMMED // max(1, len(table)))
        for start in range(0, table.shape[1], step):
            columns = slice(start, start + step)
            sums, counts, exponents = _cluster_sums(table[:, columns], place, len(self.names))
            for block, weights in self.blocks():
                number = weights @ counts
                total = np.zeros_like(number)
                for piece, exponent in zip(reversed(sums), reversed(exponents), strict=True):
                    total += np.ldexp(weights @ piece, exponent)
                with np.errstate(invalid="ignore"):
                    means[block, columns] = total / number
        return means


def percentiles(draws: NDArray[np.float64], level: float = 0.95) -> NDArray[np.float64]:
    """Ends of the percentile interval of bootstrap draws; draws without a value are left out.

    Args:
        draws: ``(d, …)``, NaN where a draw has no value.
        level: of the interval, in (0, 1).

    Returns:
        ``(2, …)``: lower and upper end, NaN where no draw has a value.

    Example:
        >>> percentiles(np.array([1.0, 2.0, np.nan, 3.0]), level=0.5)
        array([1.5, 2.5])
    """
    ends = [(1 - level) / 2, (1 + level) / 2]
    known = np.isfinite(draws)
    if len(draws) and known.all():
        return np.quantile(draws, ends, axis=0)
    result = np.full((2, *draws.shape[1:]), np.nan)
    for column in np.ndindex(draws.shape[1:]):
        if (finite := known[:, *column]).any():
            result[:, *column] = np.quantile(draws[:, *column][finite], ends)
    return result


def _cluster_sums(
    table: NDArray[np.float64], place: NDArray[np.intp], n_clusters: int
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64], list[NDArray[np.intc]]]:
    """Sums and number of the values per cluster and column, ``(c, m)`` each.

    The sums come in pieces, the coarsest first: whole numbers, and the powers of two ``(m,)`` that they are multiples
    of. The pieces are so small that products with weights of samples, and sums of those, are exact.
    """
    order = np.argsort(place, kind="stable")
    present, starts, sizes = np.unique(place[order], return_index=True, return_counts=True)

    def summed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.zeros((n_clusters, rows.shape[1]))
        if len(starts):
            sums[present] = np.add.reduceat(rows, starts, axis=0)
        return sums

    table = table[order]
    finite = np.isfinite(table)
    rest = np.where(finite, table, 0.0)
    # No sample sums more rows than this; one bit more is left for rounding.
    most = n_clusters * int(sizes.max(initial=1))
    bits = _EXACT_BITS - ceil(np.log2(most)) - 1
    exponent = np.frexp(np.abs(rest).max(axis=0, initial=0.0))[1]
    pieces, exponents = [], []
    for _ in range(ceil(_KEPT_BITS / bits)):
        exponent = exponent - bits
        whole = np.rint(np.ldexp(rest, -exponent))
        rest -= np.ldexp(whole, exponent)
        pieces.append(summed(whole))
        exponents.append(exponent)
    return pieces, summed(finite.astype(np.float64)), exponents
