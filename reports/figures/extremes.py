"""Worst, median and best pair of every method by one metric: what a mean hides, without a choice of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hifibench.pipeline.pictures import Pictures
from reports.figures import drawing as words
from reports.figures import looks as figure_looks
from reports.figures import metrics as figure_metrics
from reports.figures import pictures as figure_pictures
from reports.figures import shape_study
from reports.figures.drawing import Drawing, said
from reports.figures.figure import SMALL, Sheet
from reports.figures.looks import Look
from reports.figures.pictures import GROUP_GAP, MOST_HEIGHT_IN, Board, Column
from reports.glossary import base
from reports.records import Example, Metric, Run
from reports.tables import number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAME = "extremes"
BY = ("id_cosine", "pose")
"""Metrics (without their protocol) that choose; shares of pairs cannot, as many pairs are alike by them."""
RANKS = ("worst", "median", "best")
LEAST = 3
"""Pairs that a method needs, so that the three are not one."""


class Case(NamedTuple):
    """A pair that a rule chose, its value, and its pictures."""

    pair: str
    value: float
    pictures: Example


class Cases(NamedTuple):
    """The `RANKS` of a method, of so many pairs with a value and with pictures."""

    look: Look
    chosen: tuple[Case, ...]
    scored: int
    seen: int


def draw(run: Run) -> Iterator[Drawing]:
    """A figure for each metric of `BY`; none where the run keeps no pictures, as an older one.

    Raises:
        MissingError: the scores of single pairs are gone.
        UsageError: they are damaged.
    """
    if not Pictures(run.folder).swaps.is_dir():
        return
    for metric in figure_metrics.chosen(run, BY):
        table = shape_study.values(run.folder, metric.name)
        looks = [look for look in figure_looks.of(run).values() if not look.reference and look.name in table]
        cases = [one for look in looks if (one := choose(run, metric, look, table)) is not None]
        share = max(1, int(MOST_HEIGHT_IN / _sheet(1).step))
        count = -(-len(cases) // share)
        for index in range(count):
            place = f", page {index + 1} of {count}" if count > 1 else ""
            listed = cases[index * share : (index + 1) * share]
            name = f"{NAME}-{base(metric.name).replace('_', '-')}" + (f"-{index + 1}" if count > 1 else "")
            title = f"Worst, median and best by {metric.title}{place}"
            yield Drawing(name, title, _caption(run, metric, listed), _figure(metric, listed), True)


def choose(run: Run, metric: Metric, look: Look, table: pd.DataFrame) -> Cases | None:
    """The worst, the lower middle and the best of a method's pairs that have a value and all three pictures.

    Among pairs with the same value the first by name comes first. ``None`` where fewer than `LEAST` are left.
    """
    values = table[look.name]
    scored: Mapping[str, float] = values[np.isfinite(values)].to_dict()
    at = Pictures(run.folder)
    # A folder is read once: of a large run, looking for single files would take longer than all the rest.
    there = set.intersection(*map(_files, (at.sources, at.targets, at.swaps / look.name)))
    kept = [pair for pair in scored if f"{pair}.jpg" in there]
    if len(kept) < LEAST:
        return None
    sign = 1 if metric.direction == "up" else -1
    ordered = sorted(kept, key=lambda pair: (sign * scored[pair], pair))
    picked = (ordered[0], ordered[(len(ordered) - 1) // 2], ordered[-1])
    return Cases(
        look,
        tuple(Case(pair, scored[pair], figure_pictures.crop(run, pair, (look.name,))) for pair in picked),
        len(scored),
        len(kept),
    )


def _files(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


def _sheet(rows: int) -> Sheet:
    return Sheet(3 * len(RANKS) + (len(RANKS) - 1) * GROUP_GAP, rows, top=0.38, left=0.26, below=0.14)


def _figure(metric: Metric, cases: Sequence[Cases]) -> Figure:
    board = Board(_sheet(len(cases)))
    board.sheet.name_rows(board.figure, [one.look.title for one in cases])
    unit = f" {metric.unit}" if metric.unit else ""
    for rank, name in enumerate(RANKS):
        at = rank * (3 + GROUP_GAP)
        board.sheet.title(board.figure, at + 1, name, above=0.19, fontsize=SMALL, fontweight="bold")
        chosen = [one.chosen[rank] for one in cases]
        columns = (
            Column("source", tuple(case.pictures.source for case in chosen)),
            Column("target", tuple(case.pictures.target for case in chosen)),
            Column(
                "swap",
                tuple(case.pictures.swaps[one.look.name] for one, case in zip(cases, chosen, strict=True)),
                tuple(f"{number(case.value, metric.decimals)}{unit}" for case in chosen),
            ),
        )
        for index, column in enumerate(columns):
            board.title(at + index, column.title)
            for row in range(len(cases)):
                board.show(row, at + index, column, row)
    return board.done()


def _caption(run: Run, metric: Metric, cases: Sequence[Cases]) -> str:
    sizes = sorted({one.seen for one in cases})
    many = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    lacking = max(one.scored - one.seen for one in cases)
    pairs = "; ".join(f"{said(one.look.title)}: {', '.join(said(case.pair) for case in one.chosen)}" for one in cases)
    return words.paragraph(
        f"For each method, the pair with its worst, its median and its best {words.measured(metric)}; the value stands "
        "below the swap; pictures show the square around the face.",
        f"The rule chose, nobody else: the pairs of a method ({many} with a value and pictures) sorted by value, of "
        "equal ones the first by name; the first, the lower middle and the last of them.",
        f"Up to {lacking} scored pairs have lost their pictures and could not be chosen." if lacking else "",
        words.poor([metric]),
        words.dagger(
            run,
            [
                m.name
                for m in run.results.methods
                if m.name in {one.look.name for one in cases} and words.flattered(m, [metric])
            ],
        ),
        f"Pairs, worst to best: {pairs}.",
        words.meant(one.look for one in cases),
        words.origin(run),
    )
