"""The key metrics over parts of the pairs, easy and hard ones: a table for each split of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports import notes
from reports.formats import markdown_escape, markdown_heading, markdown_row
from reports.glossary import words
from reports.records import Metric, Part, Result, Run
from reports.tables import KEY_COUNT, MISSING, Column, Row, Table, marked, number

TITLE = "By part"
"""Of the section."""

NOTES = (
    "A part is chosen by source and target alone, so all methods meet the same pairs in it.",
    "The fewer pairs a part has, the wider the interval; from pairs of one target video there is none, but for rates.",
)
"""What a reader must know."""


@dataclass(frozen=True)
class Level:
    """A part of the pairs, such as ``hard``, and how many it holds."""

    name: str
    n: int

    @property
    def words(self) -> str:
        """``hard, 33 pairs``."""
        return f"{self.name}, {self.n} {'pair' if self.n == 1 else 'pairs'}"


@dataclass(frozen=True)
class PartCell:
    """One number as printed.

    Attributes:
        text: the number, or `MISSING`.
        interval: ``[low, high]``, empty where none can be given.
        failed: how many of its pairs were not scored, in words; empty where none.
    """

    text: str = MISSING
    interval: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Block:
    """One metric: a line for each method, a cell for each level."""

    column: Column
    lines: tuple[tuple[Row, tuple[PartCell, ...]], ...]


@dataclass(frozen=True)
class Parted:
    """One split.

    Attributes:
        title: what divides.
        unit: of that.
        words: the protocol: who estimates it.
        levels: the parts, in order.
        blocks: the metrics.
    """

    title: str
    unit: str
    words: tuple[str, ...]
    levels: tuple[Level, ...]
    blocks: tuple[Block, ...]

    @property
    def heading(self) -> str:
        """``Yaw of the target (deg), mediapipe``."""
        unit = f" ({self.unit})" if self.unit else ""
        return ", ".join([f"{self.title}{unit}", *self.words])


def build(run: Run, table: Table) -> tuple[Parted, ...]:
    """The splits of a run, in its order; none where it has none.

    Shown are the metrics of the first table that have numbers by part; where none of them has, the first of the run
    that have.

    Args:
        run: the finished run.
        table: its numbers, for the order of methods and the choice of metrics.
    """
    refused, partial = notes.refused(run), notes.partial(run)
    metrics = {metric.name: metric for metric in run.results.metrics}
    columns = {column.name: column for section in table.sections for column in section.columns}
    splits: dict[str, list[Part]] = {}
    for part in run.results.splits:
        splits.setdefault(part.split, []).append(part)

    def cell(metric: Metric, score: Result | None) -> PartCell:
        if score is None:
            return PartCell()
        text, left_out = number(score.value, metric.decimals), (score.method, score.metric) in refused
        if partial.get(score.method, set()) & {*metric.needs}:
            text = marked(text, score.value, left_out)
        ends = [number(end, metric.decimals) for end in (score.low, score.high)]
        return PartCell(
            text,
            "" if MISSING in ends else f"[{ends[0]}, {ends[1]}]",
            f"{score.n_failed}/{score.n} not scored" if score.n_failed and not left_out else "",
        )

    def block(name: str, scores: Sequence[Mapping[tuple[str, str], Result]]) -> Block:
        def line(row: Row) -> tuple[PartCell, ...]:
            return tuple(cell(metrics[name], level.get((row.name, name))) for level in scores)

        return Block(columns[name], tuple((row, line(row)) for row in table.rows))

    made = []
    for split, parts in splits.items():
        scores = [{(score.method, score.metric): score for score in part.scores} for part in parts]
        made.append(
            Parted(
                parts[0].title,
                parts[0].unit,
                words(split),
                tuple(Level(part.level, part.n) for part in parts),
                tuple(block(name, scores) for name in _shown(table, parts, columns)),
            )
        )
    return tuple(made)


def _shown(table: Table, parts: Sequence[Part], columns: Mapping[str, Column]) -> list[str]:
    """Names of the metrics to show."""
    known = {score.metric for part in parts for score in part.scores if score.metric in columns}
    leading = [column.name for column in table.leads[0].columns if column.name in known]
    return leading or [name for name in columns if name in known][:KEY_COUNT]


def markdown(parted: Sequence[Parted]) -> str:
    """The section as GitHub-flavoured Markdown; empty where there is no split."""
    if not parted:
        return ""
    return "\n".join(["", f"## {TITLE}", "", *(f"- {note}" for note in NOTES), *_markdown(parted), ""])


def _markdown(parted: Sequence[Parted]) -> Iterator[str]:
    for split in parted:
        yield from ("", f"### {markdown_escape(split.heading)}")
        for block in split.blocks:
            yield ""
            yield markdown_row([markdown_heading(block.column), *(markdown_escape(one.words) for one in split.levels)])
            yield markdown_row([":--", *("--:" for _ in split.levels)])
            for row, cells in block.lines:
                name = markdown_escape(row.name)
                yield markdown_row([f"*{name}*" if row.reference else name, *map(_md_cell, cells)])


def _md_cell(cell: PartCell) -> str:
    failed = f"({cell.failed})" if cell.failed else ""
    return " ".join(filter(None, (cell.text, cell.interval, failed)))
