"""Which of several methods are told to be better than which, and the ranks that follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports.comparison.pairs import is_mean
from reports.comparison.records import Verdict
from reports.paired_scores import PairScores, shifts
from reports.records import Metric, Result
from reports.tables import finite

Basis = Literal["paired", "interval"]
"""What ranks rest on: paired differences of the same pairs, or whether the intervals of two numbers meet."""


@dataclass(frozen=True)
class Standing:
    """Where a method stands in one metric.

    Attributes:
        rank: 1 and the number of methods that are told to be better; ``None`` for what does not compete.
        tied: another method has the same rank.
        leader: it is told to be better than every other method, of which there is one at least.
        place: how many methods have a better value, whatever the intervals say; for the order of rows alone.
    """

    rank: int | None = None
    tied: bool = False
    leader: bool = False
    place: int = 0


def standings(
    metric: Metric, results: Sequence[Result | None], pairs: Sequence[PairScores | None], seed: int, draws: int
) -> tuple[list[Standing], Basis]:
    """Where each row stands in one metric.

    Args:
        metric: what was measured.
        results: of each row; ``None`` for what does not compete.
        pairs: scores pair by pair of the run that each row is of; ``None`` where they are gone.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    competing = [at for at, one in enumerate(results) if one is not None and finite(one.value) is not None]
    paired = _paired(metric, results, pairs, competing, seed, draws)
    beats = _by_interval(metric, results, competing) if paired is None else paired
    ranks = {at: 1 + int(beats[:, index].sum()) for index, at in enumerate(competing)}
    standing = [Standing() for _ in results]
    sign = -1 if metric.direction == "up" else 1
    values = {at: sign * _value(results[at]) for at in competing}
    for index, at in enumerate(competing):
        standing[at] = Standing(
            ranks[at],
            list(ranks.values()).count(ranks[at]) > 1,
            len(competing) > 1 and int(beats[index].sum()) == len(competing) - 1,
            sum(other < values[at] for other in values.values()),
        )
    return standing, "interval" if paired is None else "paired"


def _paired(
    metric: Metric,
    results: Sequence[Result | None],
    pairs: Sequence[PairScores | None],
    competing: Sequence[int],
    seed: int,
    draws: int,
) -> NDArray[np.bool_] | None:
    """``(m, m)`` whether row i is told to be better than row j; ``None`` where pairs do not tell."""
    rows = []
    for at in competing:
        one, scored = results[at], pairs[at]
        if one is None or scored is None or (one.method, metric.name) not in scored.values:
            return None
        row = scored.values[one.method, metric.name]
        if metric.whole and not is_mean(row, metric, one):
            return None
        rows.append(row)
    beats = np.zeros((len(rows), len(rows)), bool)
    if len(rows) < 2:
        return beats
    first, second = np.triu_indices(len(rows), 1)
    scored = pairs[competing[0]]
    assert scored is not None
    found = shifts(
        [rows[i] for i in first],
        [rows[j] for j in second],
        [metric] * len(first),
        scored.videos,
        seed,
        draws,
    )
    for i, j, shift in zip(first, second, found, strict=True):
        beats[i, j], beats[j, i] = shift.verdict is Verdict.BETTER, shift.verdict is Verdict.WORSE
    return beats


def _by_interval(metric: Metric, results: Sequence[Result | None], competing: Sequence[int]) -> NDArray[np.bool_]:
    """``(m, m)`` whether the interval of row i lies wholly on the better side of that of row j."""
    ends = np.array([_ends(results[at]) for at in competing], np.float64).reshape(-1, 2)
    low, high = ends.T
    with np.errstate(invalid="ignore"):
        return low[:, None] > high[None, :] if metric.direction == "up" else high[:, None] < low[None, :]


def _value(one: Result | None) -> float:
    return math.nan if one is None or one.value is None else one.value


def _ends(one: Result | None) -> tuple[float, float]:
    low, high = (None, None) if one is None else (finite(one.low), finite(one.high))
    return math.nan if low is None else low, math.nan if high is None else high
