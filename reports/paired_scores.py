"""The scores of single pairs of a run, and the paired difference of two rows over the pairs that both have."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import MissingError
from reports import read
from reports.records import Run

Direction = Literal["up", "down"]
Verdict = Literal["better", "worse", "no difference told", ""]
"""Whether a row differs from another one; empty where no interval can be given."""

FEW_VIDEOS = 20
"""From fewer videos percentile intervals are clearly too narrow (docs/statistics.md)."""

FEWEST_MOVED = 6
"""In fewer videos that differ no difference is told: if all of five differ one way, chance does so in 1 of 16 cases."""


class Shift(NamedTuple):
    """How much higher a row is than another one; ``None`` for what is not known.

    Attributes:
        value: mean difference over the pairs that both scored.
        low: lower end of its 95 % interval, clusters drawn by video.
        high: upper end of it.
        n: pairs that both scored.
        verdict: whether higher, where the interval excludes 0, is better.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    verdict: Verdict = ""


UNKNOWN = Shift()


@dataclass(frozen=True)
class PairScores:
    """The scores of a run pair by pair.

    Attributes:
        pairs: their names, sorted.
        videos: of their targets, in the same order.
        values: (method, metric) -> ``(n,)`` float64, NaN where a pair was not scored or had nothing to score.
    """

    pairs: tuple[str, ...]
    videos: NDArray[np.str_]
    values: Mapping[tuple[str, str], NDArray[np.float64]]


def pairwise(run: Run) -> PairScores:
    """Read ``scores.parquet`` of a run.

    Raises:
        MissingError: it is gone, or the manifest is, which tells the videos of the pairs.
        UsageError: it is damaged.
    """
    rows = read.scores(run.folder)
    pairs = tuple(sorted(run.videos))
    if not pairs:
        raise MissingError(f"{run.folder / 'manifest.json'} is gone: it tells which pairs share a video.")
    found = {}
    for (method, metric), part in rows.groupby(["method", "metric"], sort=False):
        column = part.drop_duplicates("pair").set_index("pair")["value"].reindex(list(pairs)).to_numpy(np.float64)
        found[str(method), str(metric)] = np.where(np.isfinite(column), column, np.nan)
    return PairScores(pairs, np.array([run.videos[pair] for pair in pairs], np.str_), found)


def shifts(
    ones: Sequence[NDArray[np.float64]],
    others: Sequence[NDArray[np.float64]],
    directions: Iterable[Direction],
    videos: NDArray[np.str_],
    seed: int,
    draws: int = 1000,
) -> list[Shift]:
    """How much higher each row is than another one over the same pairs.

    Args:
        ones: ``(n,)`` values of each row, NaN where a pair was not scored.
        others: ``(n,)`` values of what it is held against.
        directions: which way is better in each.
        videos: ``(n,)`` of the pairs' targets.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    from metrics.statistics import cluster_bootstrap, mean

    if not ones:
        return []
    table = np.stack([one - other for one, other in zip(ones, others, strict=True)], axis=1)
    low, high = cluster_bootstrap(table, videos, seed=seed, draws=draws)
    made = []
    for at, (column, direction) in enumerate(zip(table.T, directions, strict=True)):
        difference, n = mean(column), int(np.isfinite(column).sum())
        if not math.isfinite(difference):
            made.append(Shift(n=n))
        elif not (math.isfinite(low[at]) and math.isfinite(high[at])):
            made.append(Shift(difference, n=n))
        else:
            moved = len(np.unique(videos[np.isfinite(column) & (column != 0)]))
            told = _verdict(float(low[at]), float(high[at]), moved, direction)
            made.append(Shift(difference, float(low[at]), float(high[at]), n, told))
    return made


def _verdict(low: float, high: float, moved: int, direction: Direction) -> Verdict:
    if low <= 0 <= high or moved < FEWEST_MOVED:
        return "no difference told"
    return "better" if (low > 0) == (direction == "up") else "worse"
