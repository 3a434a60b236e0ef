"""The paper's table as text files: Markdown for reading, LaTeX for a paper, CSV and JSON for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from reports import published
from reports.comparable import ESTIMATORS
from reports.formats import (
    latex_escape,
    latex_float,
    latex_row,
    latex_stacked,
    markdown_escape,
    markdown_heading,
    markdown_row,
)
from reports.paper_table import Line, PaperCell, PaperTable

ELSEWHERE = "Published only"
"""Stands above the figures of methods that the run does not have."""

CSV_FIELDS = (
    "method", "kind", "name", "column", "metric", "unit", "value", "low", "high", "n", "n_failed", "worst_case",
    "mark", "key", "block", "source",
)  # fmt: skip
"""Columns of the CSV file."""

_COLUMNS = ("id_retrieval", "pose", "shape", "params", "latency")
"""What the columns are called in the files for programs, whatever the estimator."""


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
    r"""One ``table*`` environment that needs the package ``booktabs``."""
    body = [latex_row(["Method", *(latex_stacked(column) for column in table.columns)])]
    for group in (table.references, *table.methods):
        if group:
            body += [r"\midrule", *(_latex_line(line, below=line is not group[0]) for line in group)]
    if table.elsewhere:
        heading = rf"\multicolumn{{{1 + len(table.columns)}}}{{l}}{{\textit{{{ELSEWHERE}}}}} \\"
        body += [r"\midrule", heading, *(_latex_line(line, below=False) for line in table.elsewhere)]
    notes = " ".join(
        rf"\textbf{{{latex_escape(note.text)}}}" if note.alarm else latex_escape(note.text) for note in table.notes
    )
    lines = latex_float(latex_escape(table.caption) + ".", len(table.columns), body, notes)
    return "% Needs \\usepackage{booktabs}.\n" + "\n".join(lines) + "\n"


def tidy_csv(table: PaperTable) -> str:
    """One row per cell with all digits; empty where missing. The columns are `CSV_FIELDS`."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_records(table))
    return out.getvalue()


def as_json(table: PaperTable) -> str:
    """The rows of `tidy_csv`, with the caption, the sources and the footnotes; ``null`` where missing."""
    sources = [
        {"key": source.key, "block": source.block, "source": source.source}
        for source in published.sources(published.read())
    ]
    content = {
        "schema": 1,
        "caption": table.caption,
        "columns": dict(zip(_COLUMNS, (column.name for column in table.columns), strict=True)),
        "cells": list(_records(table)),
        "sources": sources,
        "notes": [note.text for note in table.notes],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _records(table: PaperTable) -> Iterator[dict[str, object]]:
    known = {source.key: source for source in published.sources(published.read())}
    for line in table.lines:
        source = known.get(line.key)
        for name, column, cell in zip(_COLUMNS, table.columns, line.cells, strict=True):
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
    return " ".join([text, *cell.under])


def _latex_line(line: Line, below: bool) -> str:
    r"""One row; ``below`` another of the same method it is indented and does not repeat the name."""
    if line.kind == "reference":
        name = rf"\textit{{{latex_escape(line.title)}}}"
    elif below:
        name = rf"\quad {latex_escape(line.label)}"
    else:
        name = latex_escape(line.title) + (rf" {{\scriptsize {latex_escape(line.label)}}}" if line.label else "")
    return latex_row([name, *(_latex_cell(cell) for cell in line.cells)])


def _latex_cell(cell: PaperCell) -> str:
    text = rf"\textbf{{{latex_escape(cell.marked)}}}" if cell.leader else latex_escape(cell.marked)
    return " ".join([text, *(rf"{{\scriptsize {latex_escape(words)}}}" for words in cell.under)])
