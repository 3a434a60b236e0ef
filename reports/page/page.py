"""The report as a page that a reader explores: one HTML file without any network and, but for large runs, other files.

All numbers stand in it as text and can be read without JavaScript; sorting, choosing and looking at pairs take it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hifibench.files import atomic_write
from reports import glossary, grid, parts, provenance, speeds
from reports.figures import six as figure_six
from reports.figures.six import FigureSix
from reports.html import template
from reports.page import assets as page_assets
from reports.page import pairs as page_pairs
from reports.page.pairs import Explored
from reports.paper.formats import ELSEWHERE
from reports.paper.table_one import PaperTable
from reports.parts import Parted
from reports.records import Example, Metric, Run
from reports.tables import Cell, Column, Row, Table

EXAMPLES_BYTES = 2_400_000
"""What all thumbnails of a page may take; with many methods they become smaller."""

_SIDES_PX = (256, 192, 128, 96)


@dataclass(frozen=True)
class Whisker:
    """A number and its interval as positions on a scale that all methods share, 0 (left) to 100 (right)."""

    dot: float
    low: float
    high: float


@dataclass(frozen=True)
class Explained:
    """One family of metrics: what it says, and under which protocols it was measured."""

    title: str
    text: str
    names: tuple[str, ...]


def render(
    run: Run,
    table: Table,
    paper: PaperTable | None = None,
    six: FigureSix | None = None,
    parted: Sequence[Parted] = (),
    explored: Explored | None = None,
) -> str:
    """The page.

    Args:
        run: the finished run.
        table: its numbers.
        paper: the same laid out like the paper's Table 1, for runs that fit it.
        six: the paper's Fig. 6, for runs of its suite.
        parted: the key metrics by part, for runs with splits.
        explored: the pairs; ``None`` makes a page that needs nothing beside it, without pictures of too many pairs.

    Raises:
        UsageError: an example image or a file of the run cannot be read.
    """
    methods = [row.name for row in table.rows]
    pairs = page_pairs.within(run, table) if explored is None else explored
    metrics: dict[str, list[Mapping[str, Any]]] = {}
    for index, metric in enumerate(pairs.json["metrics"]):
        metrics.setdefault(metric["group"], []).append({**metric, "index": index})
    return template("page.html.j2").render(
        run=run,
        results=run.results,
        table=table,
        paper=paper,
        elsewhere=ELSEWHERE,
        six=six,
        six_title=figure_six.TITLE,
        parted=parted,
        parts_title=parts.TITLE,
        parts_notes=parts.NOTES,
        whiskers=whiskers(table),
        explained=explain(run.results.metrics),
        methods=sorted(run.results.methods, key=lambda method: methods.index(method.name)),
        examples=_thumbnails(run.examples, methods),
        provenance=provenance.describe(run.provenance),
        created=str(run.provenance.get("created", ""))[: len("2000-12-31")],
        hardware=provenance.hardware(speeds.hardware(run)),
        pairs=pairs,
        pairs_script=page_pairs.SCRIPT,
        pair_metrics=metrics,
        opened={*pairs.data.pairs},
        pair_data=None if pairs.beside else page_assets.data(pairs.json),
        pair_sheets=None if pairs.beside else page_assets.data(_sheets(pairs)),
        policy=page_assets.policy(pairs.beside),
        style=page_assets.style(),
        script=page_assets.script(),
    )


def write(
    run: Run,
    table: Table,
    paper: PaperTable | None,
    six: FigureSix | None,
    parted: Sequence[Parted],
    folder: Path,
) -> list[Path]:
    """Write the page as ``index.html`` into a folder, and, of a large run, what it reads beside it.

    The files beside it are there before the page is.

    Returns:
        The files, ``index.html`` last.

    Raises:
        MissingError: the folder cannot be written to.
        UsageError: an example image or a file of the run cannot be read.
    """
    explored, written = page_pairs.write(run, table, folder)
    atomic_write(folder / "index.html", render(run, table, paper, six, parted, explored))
    return [*written, folder / "index.html"]


def whiskers(table: Table) -> dict[tuple[str, str], Whisker]:
    """(method, metric) -> where to draw it, for every metric of the table that has intervals."""
    drawn: dict[tuple[str, str], Whisker] = {}
    for section in table.sections:
        for column in section.columns:
            drawn |= _on_one_scale(column, {row: table.cell(row, column) for row in table.rows})
    return drawn


def explain(metrics: Iterable[Metric]) -> list[Explained]:
    """What the metrics say, those that differ in protocol alone together."""
    families: dict[tuple[str, str], list[Metric]] = {}
    for metric in metrics:
        families.setdefault((glossary.base(metric.name), metric.direction), []).append(metric)
    return [
        Explained(
            " / ".join(dict.fromkeys(metric.title for metric in family)),
            glossary.explain(family[0]),
            tuple(metric.name for metric in family),
        )
        for family in families.values()
    ]


def _on_one_scale(column: Column, cells: Mapping[Row, Cell]) -> dict[tuple[str, str], Whisker]:
    whole = {
        row: (cell.value, cell.low, cell.high)
        for row, cell in cells.items()
        if cell.value is not None and cell.low is not None and cell.high is not None
    }
    if not whole:
        return {}
    left = min(min(triple) for triple in whole.values())
    # Where all methods agree to the last digit there is no scale, and every dot stands at the left end.
    width = (max(max(triple) for triple in whole.values()) - left) or 1.0
    return {
        (row.name, column.name): Whisker(*(round(100 * (number - left) / width, 2) for number in triple))
        for row, triple in whole.items()
    }


def _thumbnails(examples: Sequence[Example], methods: Sequence[str]) -> list[tuple[str, list[str | None]]]:
    """Column name -> a ``data:`` address per pair, as large as `EXAMPLES_BYTES` allows."""
    if not examples:
        return []
    listed = grid.columns(examples, methods)
    for side_px in _SIDES_PX:
        made = [(name, [grid.thumbnail(p, side_px) if p else None for p in paths]) for name, paths in listed]
        if sum(len(uri or "") for _, uris in made for uri in uris) <= EXAMPLES_BYTES:
            break
    return made


def _sheets(pairs: Explored) -> list[str]:
    """A JPEG per pair in base64; none where there are no pictures."""
    images = () if pairs.sheets is None else pairs.sheets.images
    return [base64.b64encode(image).decode("ascii") for image in images]
