"""Speed against quality: what a swap costs in time and parameters, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from reports import speeds
from reports.figures import drawing as words
from reports.figures import figure as page
from reports.figures import looks as figure_looks
from reports.figures import metrics as figure_metrics
from reports.figures import scatter as figure_scatter
from reports.figures.drawing import Drawing, said
from reports.figures.figure import NEUTRAL, TINY
from reports.figures.looks import Look
from reports.figures.metrics import ends, finite
from reports.figures.scatter import Spot
from reports.provenance import hardware
from reports.records import Method, Run
from reports.tables import PARTIAL, quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "speed"
QUALITY = ("id_retrieval", "pose")
LARGEST_PT2, SMALLEST_PT2 = 150.0, 9.0
"""Areas of the marks of the method with the most parameters and of one with next to none."""

_LEFT_IN, _RIGHT_IN, _UNDER_IN, _OVER_IN, _BETWEEN_IN = 0.62, 0.16, 0.66, 0.1, 0.68
_HEIGHT_IN, _WIDEST_IN = 2.2, 4.2
_MILLION = 1_000_000


def draw(run: Run) -> Iterator[Drawing]:
    """One page with a panel for each of `QUALITY`; none where no method was timed and scored."""
    looks = figure_looks.of(run)
    metrics = figure_metrics.chosen(run, QUALITY)
    scores = {metric.name: figure_metrics.scores(run, metric) for metric in metrics}
    methods = {method.name: method for method in run.results.methods}
    times = {name: ms for name, ms in _times(run).items() if name in methods}
    shown = [
        name
        for name, look in looks.items()
        if not look.reference
        and finite(times.get(name))
        and times[name] > 0
        and any(name in scores[metric.name] for metric in metrics)
    ]
    if not shown:
        return
    most = max((parameters(methods[name]) or 0 for name in shown), default=0)
    height = _OVER_IN + _HEIGHT_IN + _UNDER_IN
    figure = page.empty(height)
    width = min(_WIDEST_IN, (page.WIDTH_IN - _LEFT_IN - _RIGHT_IN - (len(metrics) - 1) * _BETWEEN_IN) / len(metrics))
    low, high = min(times[name] for name in shown), max(times[name] for name in shown)
    for column, metric in enumerate(metrics):
        left = _LEFT_IN + column * (width + _BETWEEN_IN)
        axes = figure.add_axes((left / page.WIDTH_IN, _UNDER_IN / height, width / page.WIDTH_IN, _HEIGHT_IN / height))
        axes.set_xscale("log")
        axes.set_xlim(low / 1.6, high * 1.6)
        axes.set_xticks(_ticks(low / 1.6, high * 1.6))
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        spots = []
        for name in shown:
            score = scores[metric.name].get(name)
            if score is None or score.value is None:
                continue
            look, count = looks[name], parameters(methods[name])
            text = look.label + (f" {PARTIAL}" if words.flattered(methods[name], (metric,)) else "")
            spots.append(
                Spot(look, times[name], score.value, None, ends(score), text, area(count, most), hollow=count is None)
            )
        figure_scatter.draw(axes, spots)
        axes.set_xlabel("← better · Time per swap, median (ms)")
        axes.set_ylabel(figure_metrics.heading(metric))
    _key(figure, height, most, any(parameters(methods[name]) is None for name in shown))
    counts = [scores[metric.name][name] for metric in metrics for name in shown if name in scores[metric.name]]
    marked = [name for name in shown if words.flattered(methods[name], metrics)]
    on = hardware(speeds.hardware(run))
    caption = words.paragraph(
        f"{' and '.join(words.measured(metric) for metric in metrics)} against the median time of one swap, measured "
        f"{_measured(run, shown)}, on a logarithmic axis; lines: 95 % intervals.",
        f"Timed on: {said(', '.join(f'{key} {value}' for key, value in on))}." if on else "",
        "The area of a mark grows with all parameters that a swap takes, frozen networks included; rings: nobody has "
        "counted them.",
        words.counted(counts),
        words.intervals(run),
        words.CHOICE,
        words.dagger(run, marked),
        words.poor(metrics),
        _untimed(looks, shown),
        words.meant(looks[name] for name in shown),
        words.origin(run),
    )
    yield Drawing(NAME, "Speed against quality", caption, figure, False)


def _times(run: Run) -> Mapping[str, float]:
    """Milliseconds a swap, as ``hifibench throughput`` measured them, else as the run did."""
    if first := speeds.first(run):
        return {name: one.value for name, one in first[0].values.items()}
    return {name: timed.ms_p50 for name, timed in run.timing.methods.items()}


def _measured(run: Run, shown: Sequence[str]) -> str:
    """What was timed, in words."""
    if not speeds.known(run):
        scopes = ", ".join(dict.fromkeys(run.timing.methods[name].scope for name in shown))
        return f"inside the method alone ({said(scopes)})"
    return f"one pair after the other ({said(', '.join(speeds.first(run)[0].words))}, by hifibench throughput)"


def parameters(method: Method) -> int | None:
    """All that a swap takes; ``None`` where nobody has counted them."""
    cost = method.cost
    if cost is None or (cost.params_trainable is None and cost.params_frozen is None):
        return None
    return (cost.params_trainable or 0) + (cost.params_frozen or 0)


def area(count: int | None, most: int) -> float:
    """Area of a mark in square points: in proportion to the parameters, but never too small to be seen."""
    return SMALLEST_PT2 if not count or not most else max(SMALLEST_PT2, LARGEST_PT2 * count / most)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20 … within the limits, fewer where there are many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps: Sequence[int] = (1, 2, 5) if len(decades) <= 4 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]


def _key(figure: Figure, height: float, most: int, uncounted: bool) -> None:
    """What the areas of the marks mean, below the panels."""
    from matplotlib.lines import Line2D

    known = [most, most / 4] if most >= 4 * _MILLION else [most] if most else []
    entries = [(area(round(count), most), quantity(count)) for count in known]
    if not entries and not uncounted:
        return
    y, x = 0.15 / height, _LEFT_IN / page.WIDTH_IN
    figure.text(x, y, "parameters", va="center", fontsize=TINY, color=NEUTRAL)
    x += 0.62 / page.WIDTH_IN
    marks = [(size, "0.8", said_) for size, said_ in entries]
    marks += [(SMALLEST_PT2, "none", "not counted")] if uncounted else []
    for size, face, text in marks:
        radius = size**0.5 / 2 / 72
        x += radius / page.WIDTH_IN
        figure.add_artist(
            Line2D([x], [y], marker="o", markersize=size**0.5, markerfacecolor=face, markeredgecolor=NEUTRAL)
        )
        x += (radius + 0.05) / page.WIDTH_IN
        figure.text(x, y, text, va="center", fontsize=TINY, color=NEUTRAL)
        x += 0.55 / page.WIDTH_IN


def _untimed(looks: Mapping[str, Look], shown: Sequence[str]) -> str:
    absent = [said(look.title) for name, look in looks.items() if name not in shown and not look.reference]
    return f"Not shown, for want of a time or a number: {', '.join(absent)}." if absent else ""
