"""Identity against attributes: what a method pays in pose and expression for looking like the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reports.figures import drawing as words
from reports.figures import figure as page
from reports.figures import looks as figure_looks
from reports.figures import metrics as figure_metrics
from reports.figures import scatter as figure_scatter
from reports.figures.drawing import Drawing, said
from reports.figures.looks import Look
from reports.figures.metrics import ATTRIBUTES, IDENTITY, ends
from reports.figures.scatter import Spot
from reports.records import Method, Metric, Result, Run
from reports.tables import PARTIAL, number

NAME = "tradeoff"
FAR = 1.5
"""Reference rows that are worse than this many times the methods' range stand at the edge, with their number."""

_LEFT_IN, _RIGHT_IN, _UNDER_IN, _OVER_IN, _BETWEEN_IN = 0.62, 0.08, 0.5, 0.08, 0.22
_HEIGHT_IN, _WIDEST_IN, _GAP_IN = 2.35, 4.2, 0.12


class _Axis(NamedTuple):
    """A metric, its numbers by method, and where its axis ends."""

    metric: Metric
    scores: Mapping[str, Result]
    low: float
    high: float


def draw(run: Run) -> Iterator[Drawing]:
    """One page: a row for each measure of identity, a column for each attribute; none where the run lacks either."""
    looks = figure_looks.of(run)
    down, across = (
        [_axis(metric, figure_metrics.scores(run, metric), looks) for metric in figure_metrics.chosen(run, names)]
        for names in (IDENTITY, ATTRIBUTES)
    )
    shown = [name for name in looks if any(name in x.scores and name in y.scores for x in across for y in down)]
    if not shown:
        return
    methods = {method.name: method for method in run.results.methods}
    height = _OVER_IN + len(down) * _HEIGHT_IN + _UNDER_IN
    figure = page.empty(height)
    room = page.WIDTH_IN - _LEFT_IN - _RIGHT_IN - (len(across) - 1) * _BETWEEN_IN
    width = min(_WIDEST_IN, room / len(across))
    for row, y in enumerate(down):
        for column, x in enumerate(across):
            left = _LEFT_IN + column * (width + _BETWEEN_IN)
            bottom = _UNDER_IN + (len(down) - 1 - row) * _HEIGHT_IN + _GAP_IN
            box = (left / page.WIDTH_IN, bottom / height, width / page.WIDTH_IN, (_HEIGHT_IN - _GAP_IN) / height)
            axes = figure.add_axes(box)
            axes.set_xlim(x.low, x.high)
            names = [name for name in shown if name in x.scores and name in y.scores]
            figure_scatter.draw(axes, [_spot(looks[name], x, y, methods[name]) for name in names])
            axes.tick_params(labelbottom=row == len(down) - 1, labelleft=column == 0)
            axes.set_xlabel(figure_metrics.heading(x.metric) if row == len(down) - 1 else "")
            axes.set_ylabel(figure_metrics.heading(y.metric) if column == 0 else "")
    yield Drawing(NAME, "Identity against attributes", _caption(run, down, across, shown, looks), figure, False)


def _axis(metric: Metric, scores: Mapping[str, Result], looks: Mapping[str, Look]) -> _Axis:
    """All numbers and intervals fit on the axis, but for reference rows that are much worse than all methods."""
    down = metric.direction == "down"
    reached = {name: [one.value or 0.0, *(ends(one) or ())] for name, one in scores.items()}
    own = [end for name, listed in reached.items() if not looks[name].reference for end in listed]
    everything = [end for listed in reached.values() for end in listed]
    best = min(everything) if down else max(everything)
    worst = max(own or everything) if down else min(own or everything)
    limit = best + FAR * (worst - best)
    near = [end for end in everything if (end <= limit if down else end >= limit)] or [best]
    low, high = min(best, worst, *near), max(best, worst, *near)
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 0.5
    return _Axis(metric, scores, low - margin, high + margin)


def _outside(axis: _Axis, name: str) -> bool:
    return name in axis.scores and not axis.low <= (axis.scores[name].value or 0.0) <= axis.high


def _spot(look: Look, x: _Axis, y: _Axis, method: Method) -> Spot:
    across, down = x.scores[look.name], y.scores[look.name]
    at, up = across.value or 0.0, down.value or 0.0
    text = look.label + (f" {PARTIAL}" if words.flattered(method, (x.metric, y.metric)) else "")
    if not _outside(x, look.name):
        return Spot(look, at, up, ends(across), ends(down), text)
    edge, mark = (x.high, ">") if at > x.high else (x.low, "<")
    return Spot(look, edge, up, None, ends(down), f"{text} ({number(at, x.metric.decimals)})", mark=mark)


def _caption(run: Run, down: list[_Axis], across: list[_Axis], shown: list[str], looks: Mapping[str, Look]) -> str:
    axes = (*down, *across)
    metrics = [axis.metric for axis in axes]
    absent = [said(looks[name].title) for name in looks if name not in shown]
    flattered = [one.name for one in run.results.methods if one.name in shown and words.flattered(one, metrics)]
    return words.paragraph(
        f"{' and '.join(words.measured(axis.metric) for axis in down)} against "
        f"{' and '.join(words.measured(axis.metric) for axis in across)}.",
        "Filled: methods; hollow: reference rows, which bound the scale. Lines: 95 % intervals.",
        "Reference rows far beyond all methods stand at the edge, with their number."
        if any(_outside(axis, name) for axis in across for name in shown)
        else "",
        words.counted(axis.scores[name] for axis in axes for name in shown if name in axis.scores),
        words.intervals(run),
        words.CHOICE,
        words.dagger(run, flattered),
        words.poor(metrics),
        f"Not shown, for want of a number: {', '.join(absent)}." if absent else "",
        words.meant(looks[name] for name in shown),
        words.origin(run),
    )
