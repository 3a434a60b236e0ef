"""Which metric stands for identity, pose or shape in a figure, and what its axis says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from reports import notes
from reports.figures.figure import plain, shorten
from reports.glossary import base, words
from reports.records import Metric, Result, Run
from reports.tables import POOR

IDENTITY = ("id_retrieval", "id_cosine")
ATTRIBUTES = ("pose", "expression")

_TITLE_LETTERS = 40


def finite(value: float | None) -> bool:
    """Whether there is a number that can be drawn."""
    return value is not None and math.isfinite(value)


def scores(run: Run, metric: Metric) -> Mapping[str, Result]:
    """Method -> its number, for the methods that have one."""
    listed = [one for one in run.results.scores if one.metric == metric.name and finite(one.value)]
    return {one.method: one for one in listed}


def choose(run: Run, name: str) -> Metric | None:
    """The metric of a name (without brackets) that a figure shows: the first of those that judge the most methods.

    A number by an expert that took part in a method's training does not count as one.
    """
    flattered = notes.partial(run)

    def judged(metric: Metric) -> int:
        return sum(not flattered.get(one, set()) & {*metric.needs} for one in scores(run, metric))

    listed = [metric for metric in run.results.metrics if base(metric.name) == name and scores(run, metric)]
    return max(listed, key=judged, default=None)


def chosen(run: Run, names: Iterable[str]) -> list[Metric]:
    """`choose` for several names, without those that the run lacks."""
    return [metric for name in names if (metric := choose(run, name)) is not None]


def heading(metric: Metric) -> str:
    """What an axis is called, in one line or two: ``← better · Pose error (deg)``, ``mediapipe``.

    Arrows point to better values along the axis; § marks a metric that does not follow what it is to measure.
    """
    unit = f" ({metric.unit})" if metric.unit else ""
    poor = f" {POOR}" if metric.calibration is not None and metric.calibration.poor else ""
    title = shorten(f"{metric.title}{unit}", _TITLE_LETTERS) + poor
    line = f"{title} · better →" if metric.direction == "up" else f"← better · {title}"
    return plain("\n".join(filter(None, (line, shorten(", ".join(words(metric.name)), _TITLE_LETTERS)))))


def ends(score: Result) -> tuple[float, float] | None:
    """The interval of a number that has one."""
    if score.low is None or score.high is None or not finite(score.low) or not finite(score.high):
        return None
    return score.low, score.high
