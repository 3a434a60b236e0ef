"""The scores of single pairs of a run, and the paired difference of two rows over the pairs that both have.

Numbers and verdicts are those of ``hifibench compare``: `reports.comparison.numbers`, `reports.comparison.verdict`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import UsageError
from reports.comparison.numbers import paired
from reports.comparison.pairs import contradicts, pairs_of, values
from reports.comparison.records import Verdict
from reports.comparison.verdict import told
from reports.records import Metric, Run

FEW_VIDEOS = 20
"""From fewer videos percentile intervals are clearly too narrow (docs/statistics.md)."""


class Shift(NamedTuple):
    """How much higher a row is than another one; ``None`` for what is not known.

    Attributes:
        value: mean difference over the pairs that both scored.
        low: lower end of its 95 % interval, clusters drawn by video.
        high: upper end of it.
        n: pairs that both scored.
        verdict: `Verdict.BETTER`, ``WORSE`` or ``UNTOLD``; empty where no interval can be given.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    verdict: Verdict | Literal[""] = ""


UNKNOWN = Shift()


@dataclass(frozen=True)
class PairScores:
    """The scores of a run pair by pair.

    Attributes:
        pairs: their names, in the order of the manifest, which is one for all runs of it.
        videos: of their targets, in the same order.
        values: (method, metric) -> ``(n,)`` float64; NaN where a pair was not scored, infinite where there was nothing
            to score.
    """

    pairs: tuple[str, ...]
    videos: NDArray[np.str_]
    values: Mapping[tuple[str, str], NDArray[np.float64]]


def pairwise(run: Run) -> PairScores:
    """Read ``scores.parquet`` of a run.

    Raises:
        MissingError: it is gone, or the manifest is, which tells the videos of the pairs.
        UsageError: it is damaged, or of other pairs, methods or metrics than the run, or contradicts its numbers.
    """
    pairs, videos = pairs_of(run)
    methods, metrics = ([one.name for one in of] for of in (run.results.methods, run.results.metrics))
    table = values(run, methods, metrics, pairs)
    columns = dict(zip(product(methods, metrics), table.T, strict=True))
    scores = {(score.method, score.metric): score for score in run.results.scores}
    for method, metric in product(methods, run.results.metrics):
        if contradicts(columns[method, metric.name], metric, scores.get((method, metric.name)), run.schema):
            raise UsageError(
                f"{run.folder / 'scores.parquet'} contradicts results.json: the number of {method!r} on "
                f"{metric.name!r} is not the mean of its pairs. Delete both and run the same suite again, which writes "
                "them anew."
            )
    return PairScores(tuple(map(str, pairs)), videos, columns)


def shifts(
    ones: Sequence[NDArray[np.float64]],
    others: Sequence[NDArray[np.float64]],
    metrics: Sequence[Metric],
    videos: NDArray[np.str_],
    seed: int,
    draws: int,
) -> list[Shift]:
    """How much higher each row is than another one over the same pairs.

    Args:
        ones: ``(n,)`` values of each row, as in `PairScores`.
        others: ``(n,)`` values of what it is held against.
        metrics: what was measured in each.
        videos: ``(n,)`` of the pairs' targets.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    if not ones:
        return []
    rate = np.array([metric.rate for metric in metrics], np.bool_)
    found = paired(np.stack(others, axis=1), np.stack(ones, axis=1), videos, rate, seed, draws)
    made = []
    for at, metric in enumerate(metrics):
        difference, low, high = (float(column[at]) for column in (found.difference, found.low, found.high))
        n = int(found.n_both[at])
        if not n:
            made.append(Shift(n=n))
        elif not (math.isfinite(low) and math.isfinite(high)):
            made.append(Shift(difference, n=n))
        else:
            made.append(Shift(difference, low, high, n, told(low, high, float(found.exact[at]), metric)))
    return made
