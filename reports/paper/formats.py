"""The paper's table as text files: Markdown for reading, LaTeX for a paper, CSV and JSON for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reports import notes
from reports.formats import csv_text, json_text, latex_heading, markdown_escape, markdown_heading, markdown_row
from reports.latex import PREAMBLE, Block, TexRow, Words, latex_floats, latex_notes
from reports.paper import published
from reports.paper.comparable import ESTIMATORS
from reports.paper.records import Line, PaperCell, PaperTable

ELSEWHERE = "Published only"
"""Stands above the figures of methods that the run does not have."""

CSV_FIELDS = (
    "method", "kind", "name", "column", "metric", "unit", "value", "low", "high", "n", "n_failed", "worst_case",
    "mark", "key", "block", "source",
)  # fmt: skip
"""Columns of the CSV file."""


def files(table: PaperTable, name: str) -> dict[str, str]:
    """File name -> content of a table in all formats.

    Args:
        table: what to write.
        name: of the files without their endings.
    """
    return {
        f"{name}.md": markdown(table),
        f"{name}.csv": tidy_csv(table),
        f"{name}.json": as_json(table),
        f"{name}.tex": latex(table),
    }


def markdown(table: PaperTable) -> str:
    """GitHub-flavoured Markdown: one table, a row per method and source, then the footnotes."""
    lines = [f"# {markdown_escape(table.caption)}", ""]
    lines += [f"> **{markdown_escape(note.text)}**\n" for note in table.notes if note.alarm]
    lines.append(markdown_row(["method", *(markdown_heading(column) for column in table.columns)]))
    lines.append(markdown_row([":--", *("--:" for _ in table.columns)]))
    empty = [""] * len(table.columns)
    lines += [_markdown_line(line) for line in table.lines if line not in table.elsewhere]
    if table.elsewhere:
        lines.append(markdown_row([f"**{ELSEWHERE}**", *empty]))
        lines += [_markdown_line(line) for line in table.elsewhere]
    lines.append("")
    lines += [f"- {markdown_escape(note.text)}" for note in table.notes if not note.alarm]
    return "\n".join(lines) + "\n"


def latex(table: PaperTable) -> str:
    r"""``table*`` environments that need the package ``booktabs``, and below them the footnotes as running text.

    How many pairs a number is of stands in a cell only where pairs failed, or it is another number than in most.
    """
    blocks: list[Block] = []
    for column, span in zip(table.columns, table.spans or ("",) * len(table.columns), strict=True):
        heading = latex_heading(replace(column, words=()) if span else column)
        if span and blocks and blocks[-1].title == span:
            blocks[-1] = Block((*blocks[-1].headings, heading), span)
        else:
            blocks.append(Block((heading,), span))
    usual = notes.usual_n((cell.n, cell.n_failed) for line in table.lines for cell in line.cells)
    rows = [
        TexRow(_latex_name(line, below=line is not group[0]), tuple(_latex_cell(cell, usual) for cell in line.cells),
               rule=line is group[0])
        for group in (table.references, *table.methods)
        for line in group
    ]  # fmt: skip
    if table.elsewhere:
        rows.append(TexRow([Words(ELSEWHERE, "italic")], rule=True, spans=True))
        rows += [
            TexRow([Words(f"{line.name} ({line.key})")], tuple(_latex_cell(cell, usual) for cell in line.cells))
            for line in table.elsewhere
        ]
    lines = [*latex_floats(table.caption, "Method", blocks, rows), *latex_notes(table.notes)]
    return PREAMBLE + "\n".join(lines) + "\n"


def tidy_csv(table: PaperTable) -> str:
    """One row per cell with all digits; empty where missing. The columns are `CSV_FIELDS`."""
    return csv_text(CSV_FIELDS, _records(table))


def as_json(table: PaperTable) -> str:
    """The rows of `tidy_csv`, with the caption, the sources and the footnotes; ``null`` where missing."""
    content = {
        "schema": 1,
        "caption": table.caption,
        "columns": dict(zip(table.keys, (column.name for column in table.columns), strict=True)),
        "cells": list(_records(table)),
        "sources": [{"key": one.key, "block": one.block, "source": one.source} for one in table.sources],
        "notes": [note.text for note in table.notes],
    }
    return json_text(content)


def _records(table: PaperTable) -> Iterator[dict[str, object]]:
    known = {source.key: source for source in table.sources}
    for line in table.lines:
        source = known.get(line.key)
        for name, column, cell in zip(table.keys, table.columns, line.cells, strict=True):
            # A published figure is of the source's metric, not of ours, whose unit may be another.
            foreign = line.kind == "published"
            metric = None if foreign else column.name
            unit = published.UNITS[name] if foreign and name in ESTIMATORS else column.unit
            yield {
                "method": line.title, "kind": line.kind, "name": line.name or None, "column": name, "metric": metric,
                "unit": unit, "value": cell.value, "low": cell.low, "high": cell.high, "n": cell.n,
                "n_failed": cell.n_failed, "worst_case": cell.worst_case, "mark": cell.mark or None,
                "key": line.key or None, "block": source and source.block, "source": source and source.source,
            }  # fmt: skip


def _markdown_line(line: Line) -> str:
    if line.kind == "reference":
        name = f"*{markdown_escape(line.title)}*"
    else:
        name = markdown_escape(f"{line.title}, {line.label}" if line.label else line.title)
    return markdown_row([name, *(_markdown_cell(cell) for cell in line.cells)])


def _markdown_cell(cell: PaperCell) -> str:
    text = f"**{cell.marked}**" if cell.leader else cell.marked
    counts = f"({cell.counts})" if cell.counts and not cell.n_failed else ""
    return " ".join(filter(None, [text, *cell.under, counts]))


def _latex_name(line: Line, below: bool) -> list[Words]:
    r"""One row; ``below`` another of the same method it does not repeat the name."""
    if line.kind == "reference":
        return [Words(line.title, "italic")]
    label = [Words(line.label, small=True)] if line.label else []
    return label if below and label else [Words(line.title), *label]


def _latex_cell(cell: PaperCell, usual: int | None) -> list[Words]:
    said = [cell.counts] if cell.counts and not cell.n_failed and cell.n != usual else []
    text = Words(cell.marked, "bold" if cell.leader else "")
    return [text, *(Words(words, small=True) for words in (*cell.under, *said))]
