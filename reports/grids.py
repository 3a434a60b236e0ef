"""What the tables in a terminal share: their look, their headings, and how they are cut to fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich import box
from rich.table import Table as Grid
from rich.text import Text

from reports.results.problems import printable
from reports.tables import Column

T = TypeVar("T")

GAP = 2
"""Blanks before each column but the first."""


def empty(title: str) -> Grid:
    """An empty table in the house style."""
    return Grid(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        # One blank of padding beside the one that the box puts between columns.
        padding=(0, 0, 0, GAP - 1),
        pad_edge=False,
        title=Text(printable(title), style="bold") if title else None,
        title_justify="left",
    )


def fit(items: Sequence[T], widths: Sequence[float], room: float) -> Iterator[Sequence[T]]:
    """Cut ``items`` into runs whose widths fit into ``room``; every run has at least one."""
    start, used = 0, 0.0
    for index, width in enumerate(widths):
        if index > start and used + width > room:
            yield items[start:index]
            start, used = index, 0.0
        used += width
    yield items[start:]


def header(column: Column) -> Text:
    """Title, unit and arrow, and the protocol below."""
    if column.worst_of is not None:
        return Text("worst case", style="not bold dim")
    text = Text(printable(column.heading), justify="right")
    for word in column.words:
        text.append(f"\n{word}", style="not bold dim")
    return text
