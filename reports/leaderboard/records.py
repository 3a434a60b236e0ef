"""What a table over several runs is: frozen records that the files and the terminal are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reports.glossary import KEY_METRICS, base
from reports.leaderboard.ranks import Basis, Standing
from reports.notes import Note
from reports.tables import Cell, Column

TITLE = "Leaderboard"
"""Of the table."""

KEY = (*KEY_METRICS, "forgery_auc")
"""What a terminal shows of a block, the first of each; files hold every metric."""

BY_INTERVAL = "\u2225"
"""Marks a metric whose ranks rest on no paired differences."""


@dataclass(frozen=True)
class Entry:
    """One row: a method as one run had it, or several runs alike.

    Attributes:
        method: its name.
        runs: labels of the runs that have it so.
        reference: it bounds the scale and does not compete.
        labelled: the method has other rows too, so that the runs must be named.
    """

    method: str
    runs: tuple[str, ...]
    reference: bool
    labelled: bool

    @property
    def title(self) -> str:
        """The method, with its runs where it has other rows too."""
        return f"{self.method} ({', '.join(self.runs)})" if self.labelled else self.method


@dataclass(frozen=True)
class Placed:
    """One number and its place.

    Attributes:
        cell: the number.
        worst_case: what it is when each pair that was not scored counts as the worst value; ``None`` where not known.
        standing: rank, whether it is shared, whether the method beats every other one.
    """

    cell: Cell = field(default_factory=Cell)
    worst_case: float | None = None
    standing: Standing = field(default_factory=Standing)

    @property
    def rank(self) -> str:
        """``1``, or ``1=`` where another method has the same rank; empty for what does not compete."""
        if self.standing.rank is None:
            return ""
        return f"{self.standing.rank}{'=' if self.standing.tied else ''}"


@dataclass(frozen=True)
class Block:
    """Runs of the same images and pairs.

    Attributes:
        manifest: hash of the images and pairs.
        title: what was run.
        n_pairs: of each run.
        runs: label -> folder.
        columns: metrics that most of the runs have under the same estimators; the name is unique in the block.
        bases: per column what its ranks rest on.
        rows: reference rows first, then the methods by the first column.
        cells: one tuple per row.
        notes: what does not compare, and why.
    """

    manifest: str
    title: str
    n_pairs: int
    runs: Mapping[str, Path]
    columns: tuple[Column, ...]
    bases: tuple[Basis, ...]
    rows: tuple[Entry, ...]
    cells: tuple[tuple[Placed, ...], ...]
    notes: tuple[Note, ...]

    @property
    def key(self) -> tuple[int, ...]:
        """Places of the columns that a terminal shows; the first ones where none is of `KEY`."""
        first = {base(column.name): at for at, column in reversed(list(enumerate(self.columns)))}
        return tuple(first[name] for name in KEY if name in first) or tuple(range(len(self.columns)))[:4]


@dataclass(frozen=True)
class Leaderboard:
    """Blocks in the order of the runs, and the footnotes of all."""

    blocks: tuple[Block, ...]
    notes: tuple[Note, ...]
