"""What may be said of a difference: better, worse, not told, unchanged, or not comparable, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from metrics.trained_detector import NAME as TRAINED_ON_OTHERS
from reports.comparison.records import LEVEL, Comparison, Verdict
from reports.glossary import words
from reports.records import Metric, Result, Run


class Entry(NamedTuple):
    """One side of a comparison: a run, its method, and how that scored on a metric as this run describes it."""

    run: Run
    method: str
    metric: Metric
    score: Result


def incomparable(a: Entry, b: Entry) -> str:
    """Why a number of one run cannot be held against that of the other; empty where it can."""
    if (a.metric.unit, a.metric.direction) != (b.metric.unit, b.metric.direction):
        told = [f"{one.metric.unit or 'pure numbers'}, better {one.metric.direction}" for one in (a, b)]
        return f"the metric is not the same: {told[0]} in A; {told[1]} in B"
    first, second = judges(a.run, a.metric), judges(b.run, b.metric)
    if changed := [name for name in dict.fromkeys([*first, *second]) if first.get(name) != second.get(name)]:
        return "; ".join(
            f"the expert {name} is not the same: {_card(first.get(name))} in A, {_card(second.get(name))} in B"
            for name in changed
        )
    if taught(a.metric) and (moved := teachers(a.run, a.method) ^ teachers(b.run, b.method)):
        names = ", ".join(sorted({name for name, _ in moved}))
        return f"its detector was trained on the other methods, which are not the same: {names}"
    said = ["" if one.score.value is not None else one.score.reason or _nothing(one.score) for one in (a, b)]
    if said[0] == said[1]:
        return f"{said[0]} in both" if said[0] else ""
    return "; ".join(f"{why} in {run}" for run, why in zip("AB", said, strict=True) if why)


def of_pairs(made: Comparison, metric: Metric, exact: float) -> Comparison:
    """The verdict on a mean over pairs.

    Args:
        made: the numbers.
        metric: what was measured.
        exact: the smallest p-value that an exact test allows.
    """
    if made.n_both is not None and not made.moved:
        if not made.same_pairs:
            why = "the same wherever scored both times, but other pairs were scored"
            return replace(made, p=None, reason=why)
        return replace(made, p=None, verdict=Verdict.UNCHANGED)
    if made.difference is None or made.low is None or made.high is None:
        return replace(made, reason="no interval: the pairs are of fewer than two target videos")
    verdict = told(made.low, made.high, exact, metric)
    if verdict is Verdict.UNTOLD and not made.low <= 0 <= made.high:
        return replace(made, reason=f"too few pairs moved to tell it from chance (exact test: p = {exact:.2g})")
    return replace(made, verdict=verdict)


def told(low: float, high: float, exact: float, metric: Metric) -> Verdict:
    """What may be said of a difference with an interval.

    Args:
        low: lower end of the interval.
        high: upper end of it.
        exact: the smallest p-value that an exact test allows.
        metric: what was measured.
    """
    if low <= 0 <= high or exact > 1 - LEVEL:
        return Verdict.UNTOLD
    return _direction(low, metric)


def of_sets(made: Comparison, a: Entry, b: Entry) -> Comparison:
    """The verdict on a number that belongs to the set of swaps: there is one only where the intervals do not meet.

    Args:
        made: the numbers.
        a: the first run's.
        b: the second's; both have a value.
    """
    one, other = a.score, b.score
    assert one.value is not None and other.value is not None
    made = replace(made, difference=other.value - one.value)
    if made.same_pairs and not made.moved and one.value == other.value:
        return replace(made, verdict=Verdict.UNCHANGED)
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return replace(made, reason="a number of the set, and without an interval")
    if one.high < other.low or other.high < one.low:
        why = "a number of the set: the intervals of the runs do not meet"
        return replace(made, verdict=_direction(other.value - one.value, a.metric), reason=why)
    return replace(made, reason="a number of the set: the intervals of the runs meet")


def _direction(difference: float, metric: Metric) -> Verdict:
    return Verdict.BETTER if (difference > 0) == (metric.direction == "up") else Verdict.WORSE


def judges(run: Run, metric: Metric) -> dict[str, str]:
    """Experts whose word a metric takes, and the detector, which shows them the face: name -> hash of the card."""
    cards = {expert.name: expert.card for expert in run.results.experts}
    detector = run.results.protocol.get("detector", "")
    return {name: cards[name] for name in (detector, *metric.needs) if name in cards}


def taught(metric: Metric) -> bool:
    """Whether a forgery detector gives it that was trained on the swaps of the other methods."""
    return TRAINED_ON_OTHERS in words(metric.name)


def teachers(run: Run, but: str = "") -> set[tuple[str, str]]:
    """Names and cards of the methods that compete in a run, without the one named ``but``."""
    return {(one.name, one.card) for one in run.results.methods if one.kind == "method" and one.name != but}


def _nothing(score: Result) -> str:
    return "no pair was scored" if score.n_failed else "not measured"


def _card(card: str | None) -> str:
    return "none" if card is None else f"card {card[:12]}" if card else "no card"
