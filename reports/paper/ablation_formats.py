"""The table of ablations as Markdown, LaTeX, CSV and JSON, and in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reports import notes
from reports.formats import (
    csv_text,
    json_text,
    latex_heading,
    markdown_cell,
    markdown_escape,
    markdown_heading,
    markdown_row,
    tex_cell,
)
from reports.latex import PREAMBLE, Block, Lines, TexRow, Words, latex_floats, latex_notes
from reports.notes import Note
from reports.paper.ablation import AblationCell, AblationRow, AblationTable
from reports.printed import stacked, width
from reports.results.problems import printable
from reports.tables import Column

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SCHEMA = 1
"""Version of ``ablation.json``."""

CSV_FIELDS = (
    "method", "name", "metric", "title", "unit", "direction", "value", "low", "high", "n", "n_failed", "leader",
    "difference", "difference_low", "difference_high", "difference_n", "verdict", "shown",
)  # fmt: skip
"""Columns of the CSV file: ``method`` is the paper's name, ``name`` ours."""

CHANGES = "What each is"
"""Stands above the list of models."""


def files(table: AblationTable, name: str) -> dict[str, str]:
    """File name -> content in all formats; ``name`` is that of the files without their endings."""
    return {
        f"{name}.md": markdown(table),
        f"{name}.csv": csv_text(CSV_FIELDS, _records(table)),
        f"{name}.json": as_json(table),
        f"{name}.tex": latex(table),
    }


def markdown(table: AblationTable) -> str:
    """GitHub-flavoured Markdown: the table, what each model is, the footnotes."""
    columns = _columns(table)
    lines = [f"# {markdown_escape(table.caption)}", ""]
    lines += [f"> **{markdown_escape(note.text)}**\n" for note in table.notes if note.alarm]
    lines.append(markdown_row(["model", *(markdown_heading(column) for column in columns)]))
    lines.append(markdown_row([":--", *("--:" for _ in columns)]))
    for row in table.rows:
        cells = ("<br>".join(filter(None, (markdown_cell(one.cell), one.said))) for one in _cells(table, row))
        lines.append(markdown_row([markdown_escape(f"{row.title}, {row.name}"), *cells]))
    lines += ["", f"## {CHANGES}", ""]
    lines += [f"- **{markdown_escape(row.title)}**: {markdown_escape(row.changes)}" for row in table.rows]
    lines.append("")
    lines += [f"- {markdown_escape(note.text)}" for note in table.notes if not note.alarm]
    return "\n".join(lines) + "\n"


def latex(table: AblationTable) -> str:
    r"""``table*`` environments that need the package ``booktabs``, and below them the footnotes as running text."""
    usual = notes.usual_n((one.cell.n, one.cell.n_failed) for row in table.rows for one in row.cells)

    def cell(one: AblationCell) -> Lines:
        below = [f"Δ {one.difference}", one.interval, one.shift.verdict] if one.difference else []
        return [*tex_cell(one.cell, usual), *(Words(line, small=True) for line in below if line)]

    rows = [
        TexRow(
            [Words(row.title), Words(row.name, small=True)],
            tuple(cell(one) for one in _cells(table, row)),
            rule=index == 1,
        )
        for index, row in enumerate(table.rows)
    ]
    said = [Note(f"{row.title}: {row.changes}.") for row in table.rows]
    blocks = [Block((latex_heading(column),)) for column in _columns(table)]
    lines = [*latex_floats(table.caption, "Model", blocks, rows), *latex_notes([*table.notes, *said])]
    return PREAMBLE + "\n".join(lines) + "\n"


def as_json(table: AblationTable) -> str:
    """The rows of the CSV file under ``cells``, and the models, the caption and the footnotes."""
    content = {
        "schema": SCHEMA,
        "caption": table.caption,
        "rows": [{"method": row.title, "name": row.name, "changes": row.changes} for row in table.rows],
        "columns": [column.name for column in table.columns],
        "cells": list(_records(table)),
        "notes": [note.text for note in table.notes],
    }
    return json_text(content)


def show(table: AblationTable, console: Console) -> None:
    """Print the table, what each model is, and the footnotes, but no alarm; what is too wide is cut and stacked."""
    from rich.text import Text

    room = max(max(len(row.title), len(row.name) + 2) for row in table.rows)
    columns = _columns(table)
    widths = [
        width(column, (line for row in table.rows for line in _lines(row.cells[at])))
        for at, column in zip(table.shown, columns, strict=True)
    ]
    for grid, shown in stacked(printable(table.caption), columns, widths, room, console.width):
        for row in table.rows:
            label = Text(row.title, style="bold").append(f"\n  {row.name}", style="not bold")
            grid.add_row(label, *(_text(row.cells[table.shown[at]]) for at in shown), end_section=True)
        console.print(grid)
        console.print()
    for row in table.rows:
        console.print(Text(printable(f"{row.title}: {row.changes}")))
    for note in table.notes:
        if not note.alarm:
            console.print(Text(printable(note.text), style="dim"))
    console.print()


def _columns(table: AblationTable) -> list[Column]:
    return [table.columns[at] for at in table.shown]


def _cells(table: AblationTable, row: AblationRow) -> list[AblationCell]:
    return [row.cells[at] for at in table.shown]


def _records(table: AblationTable) -> Iterator[dict[str, object]]:
    for row in table.rows:
        for at, (column, one) in enumerate(zip(table.columns, row.cells, strict=True)):
            cell, shift = one.cell, one.shift
            yield {
                "method": row.title, "name": row.name, "metric": column.name, "title": column.title,
                "unit": column.unit, "direction": column.direction, "value": cell.value, "low": cell.low,
                "high": cell.high, "n": cell.n, "n_failed": cell.n_failed, "leader": int(cell.leader),
                "difference": shift.value, "difference_low": shift.low, "difference_high": shift.high,
                "difference_n": shift.n, "verdict": shift.verdict or None, "shown": int(at in table.shown),
            }  # fmt: skip


def _lines(one: AblationCell) -> list[str]:
    said = [f"Δ {one.difference}", one.interval, one.shift.verdict] if one.difference else []
    failed = one.cell.counts if one.cell.n_failed else ""
    return [line for line in (one.cell.text, one.cell.interval, failed, *said) if line]


def _text(one: AblationCell) -> Text:
    from rich.text import Text

    colours = {"better": "green", "worse": "red", "no difference told": "dim", "": "dim"}
    text = Text(one.cell.text, style="bold green" if one.cell.leader else "")
    for line in _lines(one)[1:]:
        told = one.difference and line in (f"Δ {one.difference}", one.shift.verdict)
        text.append(f"\n{line}", style=f"not bold {colours[one.shift.verdict]}" if told else "not bold dim default")
    return text
