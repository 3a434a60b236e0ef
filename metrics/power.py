"""How many pairs resolve a difference, and which difference a number of pairs resolves.

Everything is about paired comparisons, two methods on the same pairs, tested on two sides by the normal approximation:
what a run needs before its intervals can tell two methods apart. A difference is resolved if it is found with
probability ``power`` by a test whose intervals have the confidence ``level``.

Source: Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd edition 1988; Kish, Survey Sampling 1965
(design effect); Connor, Biometrics 1987 (McNemar's test).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.resampling import StatisticError, cluster_names

_NORMAL = NormalDist()
_ROUNDING = 1e-9
"""A count that exceeds a whole number by this share of it is that number, rounded badly."""


def pairs_needed(
    difference: float, sd: float, *, level: float = 0.95, power: float = 0.8, design_effect: float = 1.0
) -> int:
    """Pairs that resolve a mean difference: ``((z_level + z_power) sd / difference)² · design_effect``, rounded up.

    Args:
        difference: between two methods, in the metric's unit, not 0; its sign does not matter.
        sd: standard deviation of the pairs' differences, in the same unit.
        level: confidence of the two-sided interval, in (0, 1).
        power: probability that the interval leaves 0 out, in (0, 1).
        design_effect: how much pairs of one video repeat each other, at least 1 for such: `design_effect`.

    Returns:
        At least 2. With few pairs (under 30) the t distribution would ask for two or three more.

    Raises:
        StatisticError: a number is out of range.

    Example:
        >>> pairs_needed(0.5, sd=1.0)
        32
    """
    _ranges(sd=sd, level=level, power=power, effect=design_effect)
    if not isfinite(difference) or difference == 0:
        raise StatisticError(
            f"difference = {difference}: no number of pairs resolves it; name the smallest one that would matter."
        )
    return _whole((_reach(level, power) * sd / difference) ** 2 * design_effect)


def smallest_difference(
    pairs: int, sd: float, *, level: float = 0.95, power: float = 0.8, design_effect: float = 1.0
) -> float:
    """The mean difference that so many pairs resolve: the inverse of `pairs_needed`.

    Args:
        pairs: n, at least 2.
        sd: standard deviation of the pairs' differences.
        level: as there.
        power: as there.
        design_effect: as there.

    Returns:
        In the unit of ``sd``.

    Raises:
        StatisticError: a number is out of range.

    Example:
        >>> round(smallest_difference(100, sd=1.0), 3)
        0.28
    """
    _ranges(sd=sd, level=level, power=power, effect=design_effect, pairs=pairs)
    return _reach(level, power) * sd * sqrt(design_effect / pairs)


def power_of(difference: float, sd: float, pairs: int, *, level: float = 0.95, design_effect: float = 1.0) -> float:
    """Probability that so many pairs find a mean difference, on either side.

    Args:
        difference: in the metric's unit; for 0 it is ``1 - level``.
        sd: standard deviation of the pairs' differences, more than 0.
        pairs: n, at least 2.
        level: confidence of the two-sided interval.
        design_effect: as in `pairs_needed`.

    Raises:
        StatisticError: a number is out of range.

    Example:
        >>> round(power_of(0.5, sd=1.0, pairs=32), 3)
        0.807
    """
    _ranges(sd=sd, level=level, effect=design_effect, pairs=pairs)
    if sd == 0 or not isfinite(difference):
        raise StatisticError(f"difference = {difference}, sd = {sd}: expected finite numbers, sd more than 0.")
    shift = abs(difference) / sd * sqrt(pairs / design_effect)
    z = _NORMAL.inv_cdf((1 + level) / 2)
    return _NORMAL.cdf(shift - z) + _NORMAL.cdf(-shift - z)


def clusters_needed(
    difference: float, sd: float, cluster_size: float, icc: float, *, level: float = 0.95, power: float = 0.8
) -> int:
    """Clusters (videos) of a given size that resolve a mean difference.

    Args:
        difference: as in `pairs_needed`.
        sd: standard deviation of single pairs' differences.
        cluster_size: pairs per cluster, at least 1.
        icc: `intraclass_correlation` of the differences. With 1, every cluster counts as one pair.
        level: as there.
        power: as there.

    Returns:
        At least 2.

    Raises:
        StatisticError: a number is out of range.

    Example:
        >>> clusters_needed(0.5, sd=1.0, cluster_size=10, icc=0.5)
        18
    """
    effect = design_effect(cluster_size, icc)
    _ranges(sd=sd, level=level, power=power, effect=effect)
    if not isfinite(difference) or difference == 0:
        raise StatisticError(f"difference = {difference}: no number of clusters resolves it; name one that matters.")
    return _whole((_reach(level, power) * sd / difference) ** 2 * effect / cluster_size)


def design_effect(cluster_size: float, icc: float) -> float:
    """How many times more pairs it takes when they come in clusters: ``1 + (cluster_size - 1) icc`` (Kish).

    Args:
        cluster_size: m, pairs per cluster, at least 1. Of clusters that differ in size: ``Σ m² / Σ m``.
        icc: `intraclass_correlation`, in [-1, 1].

    Raises:
        StatisticError: a number is out of range, or ``icc`` is lower than clusters of that size can have.

    Example:
        >>> design_effect(10, 0.5)
        5.5
    """
    if not (cluster_size >= 1 and isfinite(cluster_size) and -1 <= icc <= 1):
        raise StatisticError(
            f"cluster_size = {cluster_size}, icc = {icc}: expected at least 1 pair per cluster, and an ICC in [-1, 1]."
        )
    effect = 1 + (cluster_size - 1) * icc
    if effect <= 0:
        raise StatisticError(
            f"icc = {icc}: clusters of {cluster_size} pairs cannot be as unlike within themselves; it is more than "
            f"{-1 / (cluster_size - 1):.3g}. Take 0 where an estimate came out so low by chance."
        )
    return effect


def intraclass_correlation(values: NDArray[np.floating], clusters: NDArray[Any] | Sequence[str]) -> float:
    """How alike the rows of one cluster are: the ANOVA estimator of the share of variance between clusters, ICC(1).

    Args:
        values: ``(n,)``; rows without a value (NaN) are left out. For a comparison, the pairs' differences.
        clusters: ``(n,)`` the cluster of each row.

    Returns:
        Up to 1; 0 where clusters mean nothing, and a little below by chance; NaN where all values are equal.

    Raises:
        StatisticError: the shapes do not fit, a row has no cluster, values in fewer than 2 clusters, or none with 2.

    Source:
        Donner, International Statistical Review 1986, with Fisher's ``n0`` for clusters that differ in size.

    Example:
        >>> round(intraclass_correlation(np.array([1.0, 2, 5, 6]), ["u", "u", "v", "v"]), 3)
        0.939
    """
    values, names = np.asarray(values, np.float64), cluster_names(clusters)
    if values.ndim != 1 or names.shape != values.shape:
        raise StatisticError(f"values {values.shape}, clusters {names.shape}: expected (n,) of both.")
    known = np.isfinite(values)
    _, place, sizes = np.unique(names[known], return_inverse=True, return_counts=True)
    k, n = len(sizes), int(known.sum())
    if k < 2 or n == k:
        raise StatisticError(
            f"{n} values in {k} clusters: how alike clusters are within needs at least 2 of them, one with 2 values."
        )
    # By size, so that sums do not depend on the order of rows.
    order = np.lexsort((values[known], place))
    x, place = values[known][order], place[order]
    means = np.bincount(place, x) / sizes
    between = float((sizes * (means - np.dot(sizes, means) / n) ** 2).sum()) / (k - 1)
    within = float(((x - means[place]) ** 2).sum()) / (n - k)
    n0 = (n - float((sizes**2).sum()) / n) / (k - 1)
    total = between + (n0 - 1) * within
    return (between - within) / total if total else float("nan")


def mcnemar_pairs_needed(only_first: float, only_second: float, *, level: float = 0.95, power: float = 0.8) -> int:
    """Pairs that resolve a difference of two rates on the same pairs by McNemar's test, one pair per cluster.

    Args:
        only_first: probability that only the first method succeeds on a pair.
        only_second: that only the second does. The difference of the rates is that of these two.
        level: confidence, two-sided.
        power: probability of finding it.

    Returns:
        At least 2. The exact test (`metrics.statistics.mcnemar`) is more cautious and takes up to a tenth more.

    Raises:
        StatisticError: no probabilities, or they are equal.

    Source:
        Connor, Biometrics 1987, equation 3.

    Example:
        >>> mcnemar_pairs_needed(0.2, 0.1)
        234
    """
    discordant, difference = _discordant(only_first, only_second)
    _ranges(level=level, power=power)
    if difference == 0:
        raise StatisticError("Both methods succeed equally often: no number of pairs resolves a difference of 0.")
    z, z_power = _NORMAL.inv_cdf((1 + level) / 2), _NORMAL.inv_cdf(power)
    return _whole(((z * sqrt(discordant) + z_power * sqrt(discordant - difference**2)) / difference) ** 2)


def mcnemar_power(only_first: float, only_second: float, pairs: int, *, level: float = 0.95) -> float:
    """Probability that McNemar's test finds a difference of two rates: the inverse of `mcnemar_pairs_needed`.

    Args:
        only_first: as there.
        only_second: as there.
        pairs: n, at least 2.
        level: confidence, two-sided.

    Raises:
        StatisticError: a number is out of range.

    Example:
        >>> round(mcnemar_power(0.2, 0.1, 234), 2)
        0.8
    """
    discordant, difference = _discordant(only_first, only_second)
    _ranges(level=level, pairs=pairs)
    spread = sqrt(discordant - difference**2)
    reach = abs(difference) * sqrt(pairs) - _NORMAL.inv_cdf((1 + level) / 2) * sqrt(discordant)
    if spread == 0:  # one method always succeeds where the other fails
        return float(reach > 0)
    return _NORMAL.cdf(reach / spread)


def _discordant(only_first: float, only_second: float) -> tuple[float, float]:
    total = only_first + only_second
    if not (only_first >= 0 and only_second >= 0 and 0 < total <= 1):
        raise StatisticError(
            f"only_first = {only_first}, only_second = {only_second}: expected shares of all pairs, one of them more "
            "than 0, 1 at most together."
        )
    return total, only_first - only_second


def _reach(level: float, power: float) -> float:
    return _NORMAL.inv_cdf((1 + level) / 2) + _NORMAL.inv_cdf(power)


def _whole(count: float) -> int:
    return max(2, ceil(count * (1 - _ROUNDING)))


def _ranges(sd: float = 1.0, level: float = 0.95, power: float = 0.8, effect: float = 1.0, pairs: float = 2) -> None:
    for name, value in (("level", level), ("power", power)):
        if not 0 < value < 1:
            raise StatisticError(f"{name} = {value}: expected a number between 0 and 1, such as 0.95.")
    if not (sd >= 0 and isfinite(sd)):
        raise StatisticError(f"sd = {sd}: expected a standard deviation, 0 or more.")
    if not (effect > 0 and isfinite(effect)):
        raise StatisticError(f"design_effect = {effect}: expected a number more than 0.")
    if pairs < 2:
        raise StatisticError(f"pairs = {pairs}: a mean difference has no interval with fewer than 2 pairs.")
