"""How a metric's values answer to doses of known damage, and what change they can resolve.

Everything here is within pairs: the change of a pair's value from that of its undamaged swap (dose 0), and the order of
one pair's values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.power import smallest_difference
from metrics.resampling import FEWEST_CLUSTERS, Resampler, percentiles
from metrics.statistics import cluster_bootstrap, mean

LEVEL, POWER = 0.95, 0.8
"""Of the resolution: a two-sided test at this level finds the change with this probability."""

PAIRS = (100, 1000)
"""Numbers of pairs that the resolution is told for."""


@dataclass(frozen=True)
class Smallest:
    """The smallest change that a number of pairs can tell from none.

    Attributes:
        metric: in the metric's unit.
        dose: in the unit of the dose; ``None`` where even the largest dose is not enough.
    """

    metric: float | None
    dose: float | None


@dataclass(frozen=True)
class Response:
    """How the values of one metric change with k doses of one property.

    Attributes:
        amounts: ``(k,)`` mean amount at each dose.
        means: ``(k,)`` mean change, with the ends of its interval in ``low`` and ``high``.
        low: NaN where values stand in fewer than two clusters; so is ``high``.
        high: upper end.
        n: ``(k,)`` pairs with a value.
        rho: Spearman's correlation of amount and value within a pair, averaged over the pairs; see `respond`. Its
            interval is NaN where none was asked for.
        rho_low: lower end.
        rho_high: upper end.
        slope: mean change per unit of the dose, at the smallest dose.
        smallest: number of pairs -> what they resolve.
    """

    amounts: NDArray[np.float64]
    means: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]
    rho: float
    rho_low: float
    rho_high: float
    slope: float
    smallest: Mapping[int, Smallest]


def respond(
    values: NDArray[np.floating],
    undamaged: NDArray[np.floating],
    amounts: NDArray[np.floating],
    clusters: NDArray[Any] | Sequence[str],
    *,
    sign: int,
    seed: int,
    draws: int = 1000,
    rate: bool = False,
    pairs: Sequence[int] = PAIRS,
) -> Response:
    """How a metric's values answer to the doses of one series.

    Spearman's correlation of amount and value is taken within each pair, dose 0 included, and averaged over the pairs:
    1 where every pair puts all its doses in order. Over all (pair, dose) at once it would be lower for a metric that
    follows the dose in every pair, but further in one than in the other, and higher for one that tells pairs apart. A
    metric that rises with any disturbance, whatever the dose, reaches 0.5 with four doses. A pair that does not
    move counts 0, one with fewer than three values not at all. For a rate, whose pairs are 0 or 100, the
    correlation is that of the shares at the doses. Intervals are bootstraps over clusters.

    Args:
        values: ``(n, k)``: n pairs at k rising doses; NaN or infinite where a pair could not be scored.
        undamaged: ``(n,)`` the same pairs at dose 0.
        amounts: ``(n, k)`` how much of the property was moved, in the unit of the series.
        clusters: ``(n,)`` video of each pair.
        sign: +1 where the value should rise, -1 where it should fall; 0 where it should do neither: then no interval
            of the correlation is made, and the way it goes decides what is resolved.
        seed: of the draws.
        draws: of the bootstrap.
        rate: every value is 0 or 100.
        pairs: numbers of pairs to tell the resolution for.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> doses = np.tile([1.0, 2, 4], (3, 1))
        >>> made = respond(2 * doses + [[0], [5], [9]], np.array([0.0, 5, 9]), doses, list("abc"), sign=1, seed=0)
        >>> made.means.tolist(), made.slope, round(made.rho, 3)
        ([2.0, 4.0, 8.0], 2.0, 1.0)
    """
    table: NDArray[np.float64] = np.asarray(values, np.float64)
    given: NDArray[np.float64] = np.asarray(amounts, np.float64)
    at_zero: NDArray[np.float64] = np.asarray(undamaged, np.float64)
    names = np.asarray(clusters)
    if table.ndim != 2 or given.shape != table.shape or not at_zero.shape == names.shape == table.shape[:1]:
        raise ValueError(
            f"values {table.shape}, amounts {given.shape}, undamaged {at_zero.shape}, clusters {names.shape}: "
            "expected (n, k) twice and (n,) twice"
        )
    # Infinity is a metric's word for a pair that it does not concern.
    table, at_zero = (np.where(np.isfinite(one), one, nan) for one in (table, at_zero))
    changes = table - at_zero[:, None]
    scored = np.isfinite(changes)
    counts = scored.sum(axis=0)
    # Pairs without a value do not count in the dose either, else mean change and mean amount were of other pairs.
    means = _column_means(changes)
    doses = _column_means(np.where(scored, given, np.nan))
    low, high = cluster_bootstrap(changes, names, seed=seed, draws=draws)
    rho, rho_low, rho_high = _correlation(given, table, at_zero, names, seed, draws, rate, bool(sign))
    spread = np.array(
        [one[np.isfinite(one)].std(ddof=1) if n > 1 else nan for one, n in zip(changes.T, counts, strict=True)]
    )
    way = sign or (1 if not means.size or not means[-1] < 0 else -1)
    return Response(
        amounts=doses,
        means=means,
        low=low,
        high=high,
        n=counts.astype(np.int64),
        rho=rho,
        rho_low=rho_low,
        rho_high=rho_high,
        slope=float(means[0] / doses[0]) if means.size and doses[0] else nan,
        smallest={n: smallest(doses, way * means, spread, n) for n in pairs},
    )


def smallest(
    amounts: NDArray[np.floating], means: NDArray[np.floating], spread: NDArray[np.floating], n: int
) -> Smallest:
    """What n independent pairs resolve, in a paired comparison.

    In the metric's unit: ``(z_.975 + z_.8) s / sqrt(n)`` with s the standard deviation of the pairs' changes at the
    smallest dose, the normal approximation of the paired test. In the dose's unit: where the curve of mean changes,
    straight between the doses and from (0, 0), first reaches that bound, s taken from the same place. As long as the
    smallest dose suffices, this is the bound divided by the slope there.

    Args:
        amounts: ``(k,)`` rising mean amounts.
        means: ``(k,)`` mean changes, positive where they go the way they should.
        spread: ``(k,)`` standard deviations of the changes.
        n: pairs, at least 2.

    Example:
        >>> found = smallest(np.array([1.0, 2]), np.array([2.0, 4]), np.array([1.0, 1]), 100)
        >>> round(found.metric, 4), round(found.dose, 4)
        (0.2802, 0.1401)
    """
    known = np.isfinite(means) & np.isfinite(spread) & np.isfinite(amounts)
    if not known.any():
        return Smallest(None, None)
    x, y, s = (np.asarray(one, np.float64)[known] for one in (amounts, means, spread))
    factor = smallest_difference(n, 1.0, level=LEVEL, power=POWER)
    x, surplus = np.concatenate(([0.0], x)), np.concatenate(([0.0], y)) - factor * np.concatenate((s[:1], s))
    reached = np.flatnonzero((surplus[1:] >= 0) & (np.concatenate(([0.0], y))[1:] > 0))
    if not reached.size:
        return Smallest(float(factor * s[0]), None)
    i = int(reached[0])
    rise = surplus[i + 1] - surplus[i]
    part = 1.0 if rise <= 0 else min(1.0, max(0.0, -surplus[i] / rise))
    return Smallest(float(factor * s[0]), float(x[i] + part * (x[i + 1] - x[i])))


def spearman(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Spearman's rank correlation, ties by their mean rank; NaN where either does not vary.

    Source:
        Spearman, American Journal of Psychology 1904.

    Example:
        >>> spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 4, 9, 16]))
        1.0
    """
    a, b = (_ranks(np.asarray(one, np.float64)) for one in (x, y))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else nan


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean ranks, less their mean."""
    _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    ranks: NDArray[np.float64] = (ends - (sizes - 1) / 2)[place]
    return ranks - (len(values) + 1) / 2


def _correlation(
    amounts: NDArray[np.float64],
    values: NDArray[np.float64],
    undamaged: NDArray[np.float64],
    names: NDArray[Any],
    seed: int,
    draws: int,
    rate: bool,
    bounded: bool,
) -> tuple[float, float, float]:
    """Correlation and the ends of its interval, which are NaN unless ``bounded``."""
    low = high = nan
    if not rate:
        each = np.array([_within(*row) for row in zip(amounts, values, undamaged, strict=True)])
        if bounded:
            ends = cluster_bootstrap(each, names, seed=seed, draws=draws)
            low, high = float(ends.low), float(ends.high)
        return mean(each), low, high
    scored = np.where(np.isfinite(values), amounts, np.nan)
    table = np.concatenate((undamaged[:, None], values, scored), axis=1)
    rho = _of_shares(_column_means(table))
    if bounded and isfinite(rho) and len(np.unique(names)) >= FEWEST_CLUSTERS:
        samples = Resampler.over(names, seed=seed, draws=draws).means(table, names)
        low, high = (float(end) for end in percentiles(np.array([_of_shares(row) for row in samples]), LEVEL))
    return rho, low, high


def _within(amounts: NDArray[np.float64], values: NDArray[np.float64], undamaged: float) -> float:
    """The correlation within one pair."""
    doses, answers = np.concatenate(([0.0], amounts)), np.concatenate(([undamaged], values))
    known = np.isfinite(answers)
    if known.sum() < 3 or np.ptp(doses[known]) == 0:
        return nan
    return 0.0 if np.ptp(answers[known]) == 0 else spearman(doses[known], answers[known])


def _of_shares(means: NDArray[np.float64]) -> float:
    """The correlation of k + 1 shares, that at dose 0 first, with the k mean amounts that stand behind them."""
    shares, amounts = np.split(means, [len(means) // 2 + 1])
    doses = np.concatenate(([0.0], amounts))
    both = np.isfinite(shares) & np.isfinite(doses)
    if both.sum() < 3:
        return nan
    return spearman(doses[both], shares[both]) if np.ptp(shares[both]) else 0.0


def _column_means(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of the finite values of each column; NaN where there are none."""
    known = np.isfinite(table)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = np.where(known, table, 0.0).sum(axis=0) / known.sum(axis=0)
    return means
