"""What a comparison of two runs is: frozen records that the files, the page and the terminal are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from reports.records import Metric

MOST_MOVED = 6
"""How many of the pairs that moved most are told of each comparison."""
LEVEL = 0.95
"""Of the intervals; what lies beyond it is the level of the tests."""


class Verdict(StrEnum):
    """What may be said of one metric of one method, the second run against the first."""

    BETTER = "better"
    WORSE = "worse"
    UNTOLD = "no difference told"
    UNCHANGED = "unchanged"
    INCOMPARABLE = "not comparable"

    @property
    def told(self) -> bool:
        """Whether it says that there is a difference."""
        return self in (Verdict.BETTER, Verdict.WORSE)


Pairing = Literal["same manifest", "common pairs", "unpaired"]
"""``common pairs``: those of two manifests that have the same name, source and target."""


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Attributes:
        folder: as it was named.
        title: what was run.
        suite: the suite's name.
        manifest: hash of the images and pairs.
        n_pairs: of the run.
        seed: of the run.
        run_id: who it is.
        created: when it was begun.
        hifibench: version that made it.
        commit: of the working tree; a ``+`` at its end: with changes besides.
    """

    folder: str
    title: str
    suite: str
    manifest: str
    n_pairs: int
    seed: int
    run_id: str = ""
    created: str = ""
    hifibench: str = ""
    commit: str = ""


@dataclass(frozen=True)
class MethodPair:
    """A method of the first run and the one of the second that it is held against, with the hashes of their cards."""

    a: str
    b: str
    card_a: str = ""
    card_b: str = ""

    @property
    def label(self) -> str:
        """``hififace``, or ``simswap → hififace``."""
        return self.a if self.a == self.b else f"{self.a} → {self.b}"

    @property
    def same_card(self) -> bool:
        """Whether both ran under one card, so that weights and code that it vouches for are the same."""
        return self.card_a == self.card_b


class McNemar(NamedTuple):
    """Of a rate: pairs that succeed in the first run alone (``b``), in the second alone (``c``), and the p-value."""

    b: int
    c: int
    p: float


class PairMove(NamedTuple):
    """One pair: its value in the first and in the second run, and the difference, second minus first."""

    pair: str
    a: float
    b: float
    difference: float


@dataclass(frozen=True)
class Comparison:
    """One metric of one method; ``None`` for what cannot be given.

    Attributes:
        method: both names of the method.
        metric: printed name.
        a: number of the first run, over all pairs that it scored.
        b: number of the second.
        difference: of means over pairs the mean of B - A over the pairs scored both times; unpaired, or of numbers that
            belong to a set, the difference of both.
        low: lower end of its 95 % interval.
        high: upper end of it.
        n_a: pairs that the first run scored.
        n_b: pairs that the second scored.
        n_both: pairs scored both times; ``None`` where runs are not paired.
        newly_failed: pairs scored in the first run alone; ``None`` where runs are not paired.
        newly_scored: pairs scored in the second alone; as above.
        p: two-sided p-value of no difference.
        p_holm: the same, adjusted for the number of comparisons (Holm).
        mcnemar: of rates, where paired.
        verdict: what may be said.
        reason: why it is no more than that.
        of_set: the number belongs to the set of swaps, is no mean over pairs, and its difference has no interval.
        moved: the pairs that moved most, the worst first; of numbers of a set those of the largest change.
        lost: names of the first newly failed pairs.
    """

    method: MethodPair
    metric: str
    a: float | None
    b: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n_a: int = 0
    n_b: int = 0
    n_both: int | None = None
    newly_failed: int | None = None
    newly_scored: int | None = None
    p: float | None = None
    p_holm: float | None = None
    mcnemar: McNemar | None = None
    verdict: Verdict = Verdict.UNTOLD
    reason: str = ""
    of_set: bool = False
    moved: tuple[PairMove, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def same_pairs(self) -> bool:
        """Whether both runs scored the same pairs; not where they are not paired."""
        return self.n_a == self.n_b == self.n_both

    @property
    def survives(self) -> bool:
        """Whether the difference is told after Holm's correction, too."""
        return self.verdict.told and self.p_holm is not None and self.p_holm <= 1 - LEVEL


class Differs(NamedTuple):
    """Something besides the numbers in which the runs differ, in words: what, and how it is in each of them."""

    what: str
    a: str
    b: str


@dataclass(frozen=True)
class Compared:
    """Two runs held against each other.

    Attributes:
        a: the run to start from.
        b: the run that is better or worse.
        pairing: how their pairs were brought together.
        n_common: pairs that are in both; 0 where they are not paired.
        seed: of the bootstrap.
        draws: of the bootstrap.
        methods: in the first run's order, or the user's.
        metrics: of both runs, in the first one's order, as it describes them.
        comparisons: methods by metrics.
        differs: what else differs.
        cautions: what must be known before a number is believed.
        left_out: methods and metrics that one run alone has, in words.
    """

    a: Side
    b: Side
    pairing: Pairing
    n_common: int
    seed: int
    draws: int
    methods: tuple[MethodPair, ...]
    metrics: tuple[Metric, ...]
    comparisons: tuple[Comparison, ...]
    differs: tuple[Differs, ...] = ()
    cautions: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def of(self, method: MethodPair) -> list[Comparison]:
        """All metrics of one method."""
        return [one for one in self.comparisons if one.method == method]

    def metric(self, one: Comparison) -> Metric:
        """What was measured."""
        return next(metric for metric in self.metrics if metric.name == one.metric)

    @property
    def family(self) -> int:
        """How many comparisons Holm's correction is for."""
        return sum(one.p_holm is not None for one in self.comparisons)


def count(comparisons: Sequence[Comparison]) -> dict[Verdict, int]:
    """How many comparisons have which verdict, in the order of the verdicts."""
    return {verdict: sum(one.verdict is verdict for one in comparisons) for verdict in Verdict}
