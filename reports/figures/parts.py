"""Bars of each part of a split, side by side for every method: who stumbles where pairs are hard."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reports import parts
from reports.figures import drawing as words
from reports.figures import figure as page
from reports.figures import looks as figure_looks
from reports.figures import metrics as figure_metrics
from reports.figures.drawing import Drawing, said
from reports.figures.figure import NEUTRAL, SMALL, TINY, plain, shorten
from reports.figures.looks import EDGE, Look
from reports.figures.metrics import ends, finite
from reports.records import Metric, Part, Result, Run
from reports.tables import MISSING, PARTIAL, Table, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "parts"
MANY, CROWD = 48, 12
"""Bars, and methods, from which on a panel takes the whole width of the page."""

FEW = 5
"""Parts of fewer pairs are left out where two others are left: a mean of one or two pairs says nothing."""
FAR = 1.5
"""Bars of reference rows end at this many times the highest of the methods, with their number on them."""

_LEFT_IN, _RIGHT_IN, _UNDER_IN, _OVER_IN, _BETWEEN_IN = 0.62, 0.05, 0.52, 0.3, 0.66
_PANEL_IN = 1.25
_TICK_LETTERS = 16
_LEVEL_LETTERS = 24
_SLANT = 28
_PALEST = 0.25

Scores = Sequence[Mapping[tuple[str, str], Result]]


def draw(run: Run, table: Table) -> Iterator[Drawing]:
    """One page a split, with a panel for each metric of the tables by part; none for splits without a number."""
    looks = figure_looks.of(run)
    metrics = {metric.name: metric for metric in run.results.metrics}
    taken: set[str] = set()
    splits: dict[str, list[Part]] = {}
    for part in run.results.splits:
        splits.setdefault(part.split, []).append(part)
    for (split, every), parted in zip(splits.items(), parts.build(run, table), strict=True):
        large = [level for level in every if level.n >= FEW]
        levels = large if len(large) > 1 else every
        listed = [metrics[block.column.name] for block in parted.blocks]
        scores = [{(one.method, one.metric): one for one in level.scores if finite(one.value)} for level in levels]
        listed = [metric for metric in listed if any(key[1] == metric.name for level in scores for key in level)]
        shown = [name for name in looks if any((name, one.name) in level for one in listed for level in scores)]
        if not listed or not shown:
            continue
        figure = _figure(run, listed, levels, scores, [looks[name] for name in shown], parted.heading)
        small = [level for level in every if level not in levels]
        caption = _caption(run, listed, (levels, small), scores, [looks[name] for name in shown], parted.heading)
        yield Drawing(_file(split, taken), f"By part: {parted.heading}", caption, figure, False)


def _file(split: str, taken: set[str]) -> str:
    """``yaw[mediapipe]`` -> ``parts-yaw-mediapipe``, each name once."""
    name = f"{NAME}-{re.sub(r'[^a-z0-9]+', '-', split.lower()).strip('-')[:60]}".rstrip("-")
    while name in taken:
        name += "-2"
    taken.add(name)
    return name


def _figure(
    run: Run, metrics: Sequence[Metric], levels: Sequence[Part], scores: Scores, looks: Sequence[Look], heading: str
) -> Figure:
    columns = 1 if len(metrics) == 1 or len(levels) * len(looks) > MANY or len(looks) > CROWD else 2
    rows = -(-len(metrics) // columns)
    step = _PANEL_IN + _UNDER_IN + 0.06
    height = _OVER_IN + rows * step
    figure = page.empty(height)
    width = (page.WIDTH_IN - _LEFT_IN - _RIGHT_IN - (columns - 1) * _BETWEEN_IN) / columns
    methods = {method.name: method for method in run.results.methods}
    for index, metric in enumerate(metrics):
        row, column = divmod(index, columns)
        left, bottom = _LEFT_IN + column * (width + _BETWEEN_IN), height - _OVER_IN - row * step - _PANEL_IN
        axes = figure.add_axes((left / page.WIDTH_IN, bottom / height, width / page.WIDTH_IN, _PANEL_IN / height))
        _bars(axes, metric, scores, looks)
        names = [
            plain(shorten(look.title, _TICK_LETTERS))
            + (f" {PARTIAL}" if words.flattered(methods[look.name], (metric,)) else "")
            for look in looks
        ]
        # Slanted names need room for their letters' height; where there is none they stand upright.
        slant = _SLANT if 72 * width / len(looks) * math.sin(math.radians(_SLANT)) > TINY else 90
        align: Any = {"ha": "right", "va": "center" if slant == 90 else "baseline", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(looks)), names, rotation=slant, fontsize=TINY, **align)
        axes.tick_params(axis="x", length=0, pad=2)
        axes.set_ylabel(figure_metrics.heading(metric), fontsize=SMALL)
        axes.spines[["top", "right"]].set_visible(False)
    _key(figure, height, levels, heading)
    return figure


def _bars(axes: Axes, metric: Metric, scores: Scores, looks: Sequence[Look]) -> None:
    """A group for each method, in it a bar for each level, the first the palest; lines are intervals."""
    width = 0.8 / len(scores)
    top = _top(metric, scores, looks)
    for place, look in enumerate(looks):
        found = 0
        for index, level in enumerate(scores):
            score = level.get((look.name, metric.name))
            if score is None or score.value is None:
                continue
            found += 1
            x = place - 0.4 + (index + 0.5) * width
            tint = _tint(look.colour, index, len(scores))
            fill, edge = ("white", NEUTRAL) if look.reference else (tint, EDGE)
            axes.bar(
                x, score.value, 0.9 * width, color=fill, edgecolor=edge, linewidth=0.5, label=f"{look.name} {index}"
            )
            if top is not None and score.value > top:
                words_ = number(score.value, min(metric.decimals, 1))
                axes.text(x, 0.97 * top, words_, rotation=90, ha="center", va="top", fontsize=TINY - 1, color=NEUTRAL)
            elif (end := ends(score)) is not None:
                axes.plot([x, x], end, color="black", linewidth=0.7, label=f"y {look.name} {index}")
        if not found:
            axes.text(
                place, 0.02, MISSING, transform=axes.get_xaxis_transform(), ha="center", va="bottom", color=NEUTRAL
            )
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xlim(-0.6, len(looks) - 0.4)
    if top is not None:
        axes.set_ylim(top=top)


def _top(metric: Metric, scores: Scores, looks: Sequence[Look]) -> float | None:
    """Where bars are cut: only those of reference rows that are far worse than all methods; ``None`` for none."""
    if metric.direction == "up":
        return None
    reached: dict[bool, list[float]] = {True: [], False: []}
    for level in scores:
        for look in looks:
            score = level.get((look.name, metric.name))
            if score is not None and score.value is not None:
                reached[look.reference] += [score.value, *(ends(score) or ())]
    own = max(reached[False], default=0.0)
    return FAR * own if own > 0 and max(reached[True], default=0.0) > FAR * own else None


def _tint(colour: str, index: int, count: int) -> tuple[float, float, float]:
    """The colour of a level: pale for the first, full for the last."""
    from matplotlib.colors import to_rgb

    share = 1.0 if count == 1 else _PALEST + (1 - _PALEST) * index / (count - 1)
    red, green, blue = (1 - share * (1 - part) for part in to_rgb(colour))
    return red, green, blue


def _key(figure: Figure, height: float, levels: Sequence[Part], heading: str) -> None:
    """What divides, and its levels from pale to full with how many pairs they have, on the first line."""
    from matplotlib.patches import Rectangle

    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    y, x = 1 - 0.12 / height, _LEFT_IN / page.WIDTH_IN
    entries: list[tuple[int | None, str]] = [(None, f"{shorten(heading, 60)}:")]
    entries += [(index, f"{shorten(one.level, _LEVEL_LETTERS)} (n = {one.n})") for index, one in enumerate(levels)]
    for index, text in entries:
        side = 0.09 / page.WIDTH_IN
        written = figure.text(x, y, plain(text), va="center", fontsize=TINY)
        wide = written.get_window_extent(renderer).width / figure.bbox.width
        if index is not None and x + side + wide > 1 - _RIGHT_IN / page.WIDTH_IN:
            # The next line has room for it.
            x, y = _LEFT_IN / page.WIDTH_IN, y - 0.11 / height
        if index is not None:
            colour = _tint(NEUTRAL, index, len(levels))
            figure.add_artist(
                Rectangle((x, y - 0.04 / height), side, 0.08 / height, facecolor=colour, edgecolor=EDGE, linewidth=0.4)
            )
            x += side + 0.04 / page.WIDTH_IN
        written.set_position((x, y))
        x += wide + 0.12 / page.WIDTH_IN


def _caption(
    run: Run,
    metrics: Sequence[Metric],
    sorted_levels: tuple[Sequence[Part], Sequence[Part]],
    scores: Scores,
    looks: Sequence[Look],
    heading: str,
) -> str:
    levels, small = sorted_levels
    sizes = ", ".join(f"{said(level.level)} {level.n}" for level in levels)
    counts = [one for level in scores for one in level.values() if one.metric in {metric.name for metric in metrics}]
    failed = max((one.n_failed for one in counts), default=0)
    names = {look.name for look in looks}
    flattered = [one.name for one in run.results.methods if one.name in names and words.flattered(one, metrics)]
    return words.paragraph(
        f"The pairs divided by {said(heading)}, which source and target alone decide, so that all methods meet the "
        f"same pairs; n: {sizes} pairs.",
        f"Left out, with fewer than {FEW} pairs: {', '.join(said(level.level) for level in small)}." if small else "",
        f"Up to {failed} of the pairs of a part could not be scored." if failed else "",
        f"Bars, pale to full in the order of the parts: {'; '.join(words.measured(metric) for metric in metrics)}.",
        "Lines: 95 % intervals; from pairs of one target video there is none, but for rates. White bars: reference "
        "rows, which bound the scale; where they go far beyond the methods they are cut, with their number. A dash: no "
        "number.",
        words.intervals(run),
        words.dagger(run, flattered),
        words.poor(metrics),
        words.meant(looks),
        words.origin(run),
    )
