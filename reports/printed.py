"""What tables print alike: a metric as a column, an interval, and in a terminal columns that are cut and stacked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table as Grid

from reports.glossary import words
from reports.grids import GAP, empty, fit, header
from reports.records import Metric
from reports.tables import MISSING, Column, number


def column(metric: Metric) -> Column:
    """What the numbers of a metric mean."""
    poor = metric.calibration is not None and metric.calibration.poor
    said = words(metric.name)
    return Column(metric.name, metric.title, metric.unit, said, metric.direction, group=metric.group, poor=poor)


def interval(low: float | None, high: float | None, decimals: int) -> str:
    """``[low, high]``; empty where an end is missing."""
    ends = [number(end, decimals) for end in (low, high)]
    return "" if MISSING in ends else f"[{ends[0]}, {ends[1]}]"


def width(column: Column, texts: Iterable[str]) -> int:
    """Letters that a column needs in a terminal: its longest word of the heading, or line of a text."""
    words = (word for line in header(column).plain.split("\n") for word in line.split())
    return max(len(line) for text in (*words, *texts) for line in text.split("\n"))


def stacked(
    title: str, columns: Sequence[Column], widths: Sequence[int], room: int, wide: int
) -> Iterator[tuple[Grid, Sequence[int]]]:
    """Tables without rows yet, each of as many columns as fit beside the labels, and the places of these columns.

    Args:
        title: of the first.
        columns: of all.
        widths: of the columns.
        room: letters of the labels.
        wide: letters of the terminal.
    """
    for index, part in enumerate(fit(list(enumerate(columns)), [one + GAP for one in widths], wide - room)):
        grid = empty(title if index == 0 else "")
        grid.add_column(width=room)
        for at, column in part:
            grid.add_column(header(column), justify="right", width=widths[at])
        yield grid, [at for at, _ in part]
