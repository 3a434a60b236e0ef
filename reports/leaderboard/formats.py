"""The leaderboard as Markdown, LaTeX, CSV and JSON, and in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from reports.latex import PREAMBLE, TexRow, Words, latex_floats, latex_notes
from reports.latex import Block as TexBlock
from reports.leaderboard.records import BY_INTERVAL, TITLE, Block, Entry, Leaderboard, Placed
from reports.printed import stacked, width
from reports.results.problems import printable
from reports.tables import Column

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

SCHEMA = 1
"""Version of ``leaderboard.json``."""

NAME = "leaderboard"
"""Of the files."""

CSV_FIELDS = (
    "manifest", "method", "runs", "kind", "metric", "title", "unit", "direction", "value", "low", "high", "n",
    "n_failed", "worst_case", "rank", "tied", "leader", "basis",
)  # fmt: skip
"""Columns of the CSV file: ``runs``, the labels of those with this number, separated by ``; ``."""


def files(board: Leaderboard) -> dict[str, str]:
    """File name -> content in all formats."""
    return {
        f"{NAME}.md": markdown(board),
        f"{NAME}.csv": csv_text(CSV_FIELDS, _records(board)),
        f"{NAME}.json": as_json(board),
        f"{NAME}.tex": latex(board),
    }


def heading(block: Block) -> str:
    """``Generated portraits (100 pairs): a, b``."""
    return f"{block.title} ({block.n_pairs} pairs): {', '.join(block.runs)}"


def markdown(board: Leaderboard) -> str:
    """GitHub-flavoured Markdown: for each block a table per group of metrics, then the footnotes."""
    lines = [f"# {TITLE}", ""]
    for block in board.blocks:
        lines += [f"## {markdown_escape(heading(block))}", ""]
        lines += [f"> **{markdown_escape(note.text)}**\n" for note in block.notes if note.alarm]
        for title, places in _groups(block):
            lines += [f"### {markdown_escape(title.capitalize())}", ""]
            lines.append(markdown_row(["method", *(markdown_heading(_column(block, at)) for at in places)]))
            lines.append(markdown_row([":--", *("--:" for _ in places)]))
            for row, cells in zip(block.rows, block.cells, strict=True):
                name = f"*{markdown_escape(row.title)}*" if row.reference else markdown_escape(row.title)
                lines.append(markdown_row([name, *(_md_cell(cells[at]) for at in places)]))
            lines.append("")
        lines += [f"- Manifest {block.manifest[:12]}."]
        lines += [f"- {markdown_escape(note.text)}" for note in block.notes if not note.alarm]
        lines.append("")
    lines += ["## Notes", "", *(f"- {markdown_escape(note.text)}" for note in board.notes)]
    return "\n".join(lines) + "\n"


def latex(board: Leaderboard) -> str:
    r"""``table*`` environments that need the package ``booktabs``, and below them the footnotes as running text."""
    lines: list[str] = []
    for block in board.blocks:
        usual = notes.usual_n((one.cell.n, one.cell.n_failed) for row in block.cells for one in row)
        for title, places in _groups(block):
            rows = [
                TexRow(
                    [Words(row.title, "italic" if row.reference else "")],
                    tuple(_tex_cell(cells[at], usual) for at in places),
                    rule=index > 0 and block.rows[index - 1].reference and not row.reference,
                )
                for index, (row, cells) in enumerate(zip(block.rows, block.cells, strict=True))
            ]
            columns = [TexBlock((latex_heading(_column(block, at)),)) for at in places]
            lines += latex_floats(f"{heading(block)}. {title.capitalize()}", "Method", columns, rows)
        said = [] if usual is None else [notes.counted(usual)]
        lines += latex_notes([*said, *block.notes])
    lines += latex_notes(board.notes)
    return PREAMBLE + "\n".join(lines) + "\n"


def as_json(board: Leaderboard) -> str:
    """The rows of the CSV file by block under ``cells``, with its runs, metrics and footnotes."""
    content = {
        "schema": SCHEMA,
        "blocks": [
            {
                "manifest": block.manifest,
                "title": block.title,
                "n_pairs": block.n_pairs,
                "runs": {label: str(folder) for label, folder in block.runs.items()},
                "rows": [{"method": row.method, "runs": list(row.runs)} for row in block.rows],
                "columns": [column.name for column in block.columns],
                "cells": list(_block_records(block)),
                "notes": [note.text for note in block.notes],
            }
            for block in board.blocks
        ],
        "notes": [note.text for note in board.notes],
    }
    return json_text(content)


def show(board: Leaderboard, console: Console) -> None:
    """Print the key metrics of each block, and the footnotes; what is too wide is cut and stacked."""
    from rich.text import Text

    for block in board.blocks:
        for grid in _grids(block, console.width):
            console.print(grid)
            console.print()
        for note in block.notes:
            console.print(Text(printable(note.text), style="bold white on red" if note.alarm else "dim"))
        console.print()
    for note in board.notes:
        console.print(Text(printable(note.text), style="dim"))
    if any(len(block.key) < len(block.columns) for block in board.blocks):
        console.print(Text("All metrics stand in the files.", style="dim"))


def _groups(block: Block) -> Iterator[tuple[str, list[int]]]:
    """The key metrics, then all others by group."""
    yield "Key metrics", list(block.key)
    groups: dict[str, list[int]] = {}
    for at, column in enumerate(block.columns):
        if at not in block.key:
            groups.setdefault(column.group or "other", []).append(at)
    yield from groups.items()


def _column(block: Block, at: int) -> Column:
    column = block.columns[at]
    return replace(column, title=f"{column.title} {BY_INTERVAL}") if block.bases[at] == "interval" else column


def _md_cell(one: Placed) -> str:
    worst = f"worst case {_worst(one)}" if _worst(one) else ""
    rank = f"rank {one.rank}" if one.rank else ""
    return "<br>".join(filter(None, (markdown_cell(one.cell), ", ".join(filter(None, (worst, rank))))))


def _tex_cell(one: Placed, usual: int | None) -> list[Words]:
    worst = f"worst case {_worst(one)}" if _worst(one) else ""
    rank = f"rank {one.rank}" if one.rank else ""
    return [*tex_cell(one.cell, usual), *(Words(line, small=True) for line in (worst, rank) if line)]


def _worst(one: Placed) -> str:
    """The worst case, where pairs failed and it is known, with as many digits as the number."""
    if not one.cell.n_failed or one.worst_case is None or one.cell.value is None:
        return ""
    decimals = len(one.cell.text.split()[0].partition(".")[2])
    return f"{one.worst_case:.{decimals}f}"


def _records(board: Leaderboard) -> Iterator[dict[str, object]]:
    for block in board.blocks:
        yield from _block_records(block)


def _block_records(block: Block) -> Iterator[dict[str, object]]:
    for row, cells in zip(block.rows, block.cells, strict=True):
        for column, basis, one in zip(block.columns, block.bases, cells, strict=True):
            cell, standing = one.cell, one.standing
            yield {
                "manifest": block.manifest, "method": row.method, "runs": "; ".join(row.runs),
                "kind": "reference" if row.reference else "method", "metric": column.name, "title": column.title,
                "unit": column.unit, "direction": column.direction, "value": cell.value, "low": cell.low,
                "high": cell.high, "n": cell.n, "n_failed": cell.n_failed, "worst_case": one.worst_case,
                "rank": standing.rank, "tied": None if standing.rank is None else int(standing.tied),
                "leader": int(standing.leader), "basis": None if standing.rank is None else basis,
            }  # fmt: skip


def _grids(block: Block, wide: int) -> Iterator[Grid]:
    room = max(_label_width(row) for row in block.rows)
    columns = [_column(block, at) for at in block.key]
    texts = [[_text(cells[at]) for at in block.key] for cells in block.cells]
    widths = [width(column, (row[at].plain for row in texts)) for at, column in enumerate(columns)]
    for grid, shown in stacked(printable(heading(block)), columns, widths, room, wide):
        for place, (row, cells) in enumerate(zip(block.rows, texts, strict=True)):
            after = block.rows[place + 1] if place + 1 < len(block.rows) else None
            ends = row.reference and after is not None and not after.reference
            grid.add_row(_label(row), *(cells[at] for at in shown), end_section=ends)
        yield grid


def _label(row: Entry) -> Text:
    from rich.text import Text

    text = Text(printable(row.method), style="italic" if row.reference else "bold")
    for run in row.runs if row.labelled else ():
        text.append(f"\n  {printable(run)}", style="not bold dim")
    return text


def _label_width(row: Entry) -> int:
    return max(map(len, _label(row).plain.split("\n")))


def _lines(one: Placed) -> Sequence[str]:
    failed = one.cell.counts if one.cell.n_failed else ""
    worst = f"worst case {_worst(one)}" if _worst(one) else ""
    return [line for line in (one.cell.interval, failed, worst) if line]


def _text(one: Placed) -> Text:
    from rich.text import Text

    text = Text(style="bold green" if one.cell.leader else "")
    text.append(f"{one.rank}  " if one.rank else "", style="not bold cyan").append(one.cell.text)
    for line in _lines(one):
        text.append(f"\n{line}", style="not bold dim default")
    return text
