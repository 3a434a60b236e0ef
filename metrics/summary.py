"""From one value per pair to a row of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum, nan
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import Score
from metrics.resampling import SUMMED, percentiles
from metrics.statistics import Interval, cluster_bootstrap, mean, wilson


def summarise(
    metric: Metric,
    values: NDArray[np.floating],
    clusters: NDArray[Any] | Sequence[str],
    seed: int,
    draws: int = 1000,
    worst: float = nan,
) -> Score:
    """Mean, 95 % interval, failures and worst case of one metric of one method.

    Args:
        metric: the metric that gave the values.
        values: ``(n,)`` one value per pair, NaN where the pair could not be scored; infinite where there was nothing to
            score, such pairs count nowhere.
        clusters: ``(n,)`` the video of each pair.
        seed: of the bootstrap.
        draws: of the bootstrap.
        worst: what a failed pair counts in the worst case where the metric is an error without a bound: the run's
            largest value. Not looked at where the metric has a bound, or nothing failed, or where higher is better:
            there the largest value is the best one.

    Returns:
        The score. Its worst case is NaN where pairs failed and no worst value is known.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> from metrics.pose import pose
        >>> score = summarise(pose("mediapipe"), np.array([1.0, 3.0, np.nan]), ["u", "v", "w"], seed=0, worst=8.0)
        >>> score.value, score.n, score.n_failed, score.worst_case
        (2.0, 3, 1, 4.0)
    """
    return summarise_all([metric], np.asarray(values)[:, None], clusters, seed, draws, [worst])[0]


def summarise_all(
    metrics: Sequence[Metric],
    values: NDArray[np.floating],
    clusters: NDArray[Any] | Sequence[str],
    seed: int,
    draws: int = 1000,
    worst: Sequence[float] | None = None,
) -> list[Score]:
    """`summarise` for m columns over the same pairs; the same numbers, made much faster.

    Args:
        metrics: ``m`` metrics, one per column; the same one again for each of several methods.
        values: ``(n, m)``.
        clusters: ``(n,)`` the video of each pair.
        seed: of the bootstrap.
        draws: of the bootstrap.
        worst: ``m`` values as in `summarise`; NaN for all where left out.

    Raises:
        ValueError: the shapes do not fit.
    """
    values = np.asarray(values, np.float64)
    worst = [nan] * len(metrics) if worst is None else worst
    if values.ndim != 2 or not values.shape[1] == len(metrics) == len(worst):
        raise ValueError(f"values {values.shape}, {len(metrics)} metrics, {len(worst)} worst values: one per column")
    low, high = cluster_bootstrap(values, clusters, seed=seed, draws=draws)
    names = np.asarray(clusters)
    scores = []
    for i, (metric, column) in enumerate(zip(metrics, values.T, strict=True)):
        ends = Interval(float(low[i]), float(high[i]))
        if metric.rate:
            ends = _rate_interval(column, names, ends)
        unbounded = worst[i] if metric.direction == "down" else nan
        scores.append(_score(metric, column, *ends, unbounded if metric.worst is None else metric.worst))
    return scores


def _rate_interval(values: NDArray[np.float64], clusters: NDArray[Any], bootstrap: Interval) -> Interval:
    """The interval of a rate in %: Wilson's where no two pairs share a video, else the bootstrap's.

    At 0 and 100 % all draws are equal, and a bootstrap has no width whatever the number of videos: there Wilson's
    interval stands in, with the videos as trials, as if the pairs of one video always fell alike.
    """
    scored = np.isfinite(values)
    successes, videos = int((values[scored] == 100).sum()), len(np.unique(clusters[scored]))
    if videos == scored.sum():
        rate = wilson(successes, videos)
    elif successes in (0, scored.sum()):
        rate = wilson(videos if successes else 0, videos)
    else:
        return bootstrap
    return Interval(100 * rate.low, 100 * rate.high)


def _score(metric: Metric, values: NDArray[np.float64], low: float, high: float, worst: float) -> Score:
    scored = values[np.isfinite(values)]
    n_failed = int(np.isnan(values).sum())
    n = len(scored) + n_failed
    value = worst_case = mean(values)
    if n_failed:
        worst_case = fsum([*scored.tolist(), *[worst] * n_failed]) / n
    return Score(metric.name, value, low, high, n, n_failed, worst_case)


def leader(
    rows: Mapping[str, NDArray[np.float64]],
    clusters: NDArray[Any] | Sequence[str],
    direction: Literal["up", "down"],
    seed: int,
    draws: int = 1000,
) -> str | None:
    """The method that is better than every other one, pair by pair: each paired interval lies on its side of 0.

    Pairs that either of two methods failed in do not enter their comparison.

    Args:
        rows: method -> ``(n,)`` values, NaN where a pair failed.
        clusters: ``(n,)`` the video of each pair.
        direction: whether higher or lower is better.
        seed: of the bootstrap.
        draws: of the bootstrap.

    Returns:
        Its name; ``None`` if there is none, or nobody to compare it with.
    """
    scored = [name for name, row in rows.items() if np.isfinite(row).any()]
    if len(scored) < 2:
        return None
    one, other = np.triu_indices(len(scored), 1)
    beats = np.zeros((len(scored), len(scored)), bool)
    # Some pairs of methods at a time: there are many more of them than methods.
    step = max(1, SUMMED // len(clusters))
    for some in (slice(start, start + step) for start in range(0, len(one), step)):
        apart = np.stack(
            [_apart(rows[scored[i]], rows[scored[j]]) for i, j in zip(one[some], other[some], strict=True)], axis=1
        )
        low, high = cluster_bootstrap(apart, clusters, seed=seed, draws=draws)
        above, below = (low > 0, high < 0) if direction == "up" else (high < 0, low > 0)
        beats[one[some], other[some]], beats[other[some], one[some]] = above, below
    leaders = [name for name, row in zip(scored, beats, strict=True) if row.sum() == len(scored) - 1]
    return leaders[0] if leaders else None


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences of two methods; not finite for pairs that either has no value for."""
    with np.errstate(invalid="ignore"):
        return one - other


def leader_of_draws(
    draws: Mapping[str, NDArray[np.float64]], direction: Literal["up", "down"], level: float = 0.95
) -> str | None:
    """`leader` for numbers that belong to a set of swaps as a whole: of paired draws instead of pairs.

    Args:
        draws: method -> ``(d,)`` its number over the same d resamples; none where it has no interval.
        direction: whether higher or lower is better.
        level: of the intervals.

    Returns:
        Its name; ``None`` if there is none, nobody to compare it with, or no draws.

    Example:
        >>> leader_of_draws({"a": np.array([1.0, 2, 3]), "b": np.array([2.0, 3, 4])}, "down")
        'a'
    """
    scored = {name: row for name, row in draws.items() if np.isfinite(row).any()}

    def beats(one: str, other: str) -> bool:
        if draws[one].shape != draws[other].shape:
            return False
        low, high = percentiles(draws[one] - draws[other], level)
        return bool(low > 0 if direction == "up" else high < 0)

    leaders = [one for one in scored if all(beats(one, other) for other in scored if other != one)]
    return leaders[0] if len(scored) > 1 and leaders else None
