"""How far scores move when all images of a run are compressed, and whether the methods keep their order."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hifibench.errors import UsageError
from reports.paired_scores import pairwise
from reports.records import Metric, Result, Run

if TYPE_CHECKING:
    from hifibench.compression import Compression

_Key = tuple[str, str]
"""Method and metric."""


class Change(NamedTuple):
    """How much higher a number is than without the compression; ``None`` for what is not known.

    Attributes:
        value: of means over pairs the mean difference over the pairs that were scored both times; of numbers that
            belong to a set the difference of the two.
        low: lower end of the paired 95 % interval, by video; none for numbers of a set.
        high: upper end of it.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


UNKNOWN = Change()


@dataclass(frozen=True)
class Shift:
    """One metric of one method after one compression; ``None`` for what could not be computed.

    Attributes:
        method: the row's name.
        through: name of the compression; empty as it is.
        value: as of `reports.records.Result`; so are ``low``, ``high``, ``n`` and ``n_failed``.
        change: from what it is as it is.
    """

    method: str
    through: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    n_failed: int
    change: Change


@dataclass(frozen=True)
class Ranking:
    """Whether the competing methods keep their order under one metric.

    Attributes:
        through: name of the compression.
        tau: Kendall's rank correlation (tau-b) of the values with and without it: 1 where every two methods keep their
            order, -1 where all change it; ``None`` with fewer than two methods, or where all are equal.
        n_methods: that were scored both times; reference rows are none.
    """

    through: str
    tau: float | None
    n_methods: int


@dataclass(frozen=True)
class Moved:
    """One metric: what every method scores as it is and after each compression, and the rankings."""

    metric: Metric
    shifts: tuple[Shift, ...]
    rankings: tuple[Ranking, ...]

    def of(self, method: str, through: str) -> Shift:
        """A method after a compression, ``""`` for as it is."""
        return next(one for one in self.shifts if (one.method, one.through) == (method, through))


@dataclass(frozen=True)
class Robustness:
    """All metrics of a run.

    Attributes:
        title: of the run.
        manifest: its hash.
        n_pairs: of the run.
        methods: rows, with their kind, reference rows first.
        through: name of each compression -> what it does.
        metrics: in the run's order.
    """

    title: str
    manifest: str
    n_pairs: int
    methods: Mapping[str, str]
    through: Mapping[str, str]
    metrics: tuple[Moved, ...]


def build(
    run: Run, compressed: Mapping[Compression, Run], wholes: Collection[str] = (), draws: int = 1000
) -> Robustness:
    """Compare a run with itself, compressed.

    Args:
        run: as it is.
        compressed: the same methods, pairs and metrics with all images compressed.
        wholes: metrics whose number belongs to the set of swaps, and is no mean over pairs.
        draws: of the bootstrap.

    Raises:
        UsageError: a run is of other images, methods or metrics, or its single scores are damaged.
        MissingError: they are gone.
    """
    results = run.results
    for how, other in compressed.items():
        same = [results.manifest, [m.name for m in results.methods], [m.name for m in results.metrics]]
        theirs = other.results
        if same != [theirs.manifest, [m.name for m in theirs.methods], [m.name for m in theirs.metrics]]:
            raise UsageError(
                f"{other.folder} is of other images, methods or metrics than {run.folder}: remove it, and run the same "
                f"command again, which makes {how.name} anew."
            )
    methods = sorted(results.methods, key=lambda method: method.kind != "reference")
    changes = {how: _changes(run, other, set(wholes), draws) for how, other in compressed.items()}
    moved = []
    for metric in results.metrics:
        before = _scores(run, metric.name)
        shifts = [_shift(before[method.name], "") for method in methods]
        rankings = []
        for how, other in compressed.items():
            after = _scores(other, metric.name)
            shifts += [_shift(after[m.name], how.name, changes[how][m.name, metric.name]) for m in methods]
            competing = [m.name for m in methods if m.kind == "method"]
            rankings.append(_ranking(how.name, [(before[name].value, after[name].value) for name in competing]))
        moved.append(Moved(metric, tuple(shifts), tuple(rankings)))
    return Robustness(
        results.title,
        results.manifest,
        results.n_pairs,
        {method.name: method.kind for method in methods},
        {how.name: how.words for how in compressed},
        tuple(moved),
    )


def _scores(run: Run, metric: str) -> dict[str, Result]:
    return {score.method: score for score in run.results.scores if score.metric == metric}


def _shift(score: Result, through: str, change: Change = UNKNOWN) -> Shift:
    return Shift(score.method, through, score.value, score.low, score.high, score.n, score.n_failed, change)


def _changes(run: Run, other: Run, wholes: Collection[str], draws: int) -> dict[_Key, Change]:
    """(method, metric) -> change and its interval."""
    from metrics.statistics import cluster_bootstrap, mean

    scored = pairwise(run)
    before, after, clusters = scored.values, pairwise(other).values, scored.videos
    values = {(s.method, s.metric): s.value for s in run.results.scores}
    later = {(s.method, s.metric): s.value for s in other.results.scores}
    keys = [key for key in values if key[1] not in wholes]
    # A pair in which there is nothing to score is infinite both times, and has no difference.
    with np.errstate(invalid="ignore"):
        table = np.stack([after[key] - before[key] for key in keys], axis=1) if keys else np.empty((len(clusters), 0))
    low, high = cluster_bootstrap(table, clusters, seed=run.results.seed, draws=draws)
    made: dict[_Key, Change] = {}
    for key, one in values.items():
        two = later[key]
        made[key] = UNKNOWN if one is None or two is None else Change(two - one)
    for index, key in enumerate(keys):
        if made[key].value is not None:
            made[key] = Change(_known(mean(table[:, index])), _known(low[index]), _known(high[index]))
    return made


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _ranking(through: str, values: list[tuple[float | None, float | None]]) -> Ranking:
    from scipy.stats import kendalltau

    known = [pair for pair in values if None not in pair]
    if len(known) < 2:
        return Ranking(through, None, len(known))
    return Ranking(through, _known(kendalltau(*zip(*known, strict=True)).statistic), len(known))
