"""The table as text files: Markdown for reading, LaTeX for a paper, CSV and JSON for other programs."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from reports import speeds
from reports.latex import PREAMBLE, Block, Lines, TexRow, Words, latex_floats, latex_notes
from reports.latex_letters import latex_escape as latex_escape
from reports.notes import Note, counted, usual_n
from reports.records import Run
from reports.tables import Cell, Column, Lead, Row, Table, finite

SCHEMA = 1
"""Version of ``table.json``."""

CSV_FIELDS = (
    "method", "kind", "metric", "title", "unit", "direction", "value", "low", "high", "n", "n_failed",
    "worst_case", "leader",
)  # fmt: skip
"""Columns of the CSV file."""

# A number sign begins a heading, a dollar sign a formula, an ampersand a character by its name.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_LIST = re.compile(r"^(\d*)([-+.)=])(?=\s|[-=]*$)")


def markdown(table: Table) -> str:
    """GitHub-flavoured Markdown: tables with a row per method, then a row per metric, then the footnotes."""
    lines = [f"# {markdown_escape(table.caption)}", ""]
    lines += [f"> **{markdown_escape(note.text)}**\n" for note in table.notes if note.alarm]
    for index, lead in enumerate(table.leads):
        lines += ["", f"## {markdown_escape(lead.title)}", ""] if index else []
        lines.append(markdown_row(["method", *(markdown_heading(column) for column in lead.columns)]))
        lines.append(markdown_row([":--", *("--:" for _ in lead.columns)]))
        lines += [
            markdown_row([_md_name(row), *(markdown_cell(table.cell(row, column)) for column in lead.columns)])
            for row in table.rows
        ]
    for section in table.sections:
        lines += ["", f"## {markdown_escape(section.title.capitalize())}", ""]
        lines.append(markdown_row(["measured", *(_md_name(row) for row in table.rows)]))
        lines.append(markdown_row([":--", *("--:" for _ in table.rows)]))
        for column in section.columns:
            cells = [markdown_cell(table.cell(row, column)) for row in table.rows]
            known = f" ({markdown_escape(column.calibration)})" if column.calibration else ""
            lines.append(markdown_row([markdown_heading(column) + known, *cells]))
    lines.append("")
    lines += [f"- {markdown_escape(note.text)}" for note in table.notes if not note.alarm]
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    r"""``table*`` environments that need the package ``booktabs``: the tables that lead, then every metric by group.

    How many pairs a number is of stands in a cell only where it is another number than in most, or pairs failed.
    """
    usual = usual_n((cell.n, cell.n_failed) for cell in table.cells.values())
    signs = [note for note in table.notes if note.alarm or note.sign]
    if usual is not None:
        signs.insert(0, counted(usual))
    lines: list[str] = []
    for index, lead in enumerate(table.leads):
        lines += _tex_lead(table, lead, usual, () if index else signs)
    for section in table.sections:
        rows = [
            TexRow(_tex_label(column), tuple(tex_cell(table.cell(row, column), usual) for row in table.rows))
            for column in section.columns
        ]
        lines += latex_floats(f"{table.caption}: {section.title}", "Measured", _tex_methods(table.rows), rows)
    lines += latex_notes([note for note in table.notes if note not in signs])
    return PREAMBLE + "\n".join(lines) + "\n"


def _tex_lead(table: Table, lead: Lead, usual: int | None, below: Sequence[Note]) -> list[str]:
    """One of the tables that lead, each metric beside its worst case."""
    groups = [
        [one for one in lead.columns if column.name in (one.name, one.worst_of)]
        for column in lead.columns
        if column.worst_of is None
    ]
    columns = [column for group in groups for column in group]
    blocks = [Block(tuple(map(latex_heading, group))) for group in groups]
    rows = [
        TexRow(
            [_tex_name(row)],
            tuple(tex_cell(table.cell(row, column), usual) for column in columns),
            rule=not row.reference and index > 0 and table.rows[index - 1].reference,
        )
        for index, row in enumerate(table.rows)
    ]
    return latex_floats(lead.title, "Method", blocks, rows, below)


def tidy_csv(run: Run) -> str:
    """One row per method and metric with all digits; costs and latencies are rows of their own; empty where missing.

    The columns are `CSV_FIELDS`; ``leader`` is 1 where the method beats every other one.
    """
    return csv_text(CSV_FIELDS, _records(run))


def as_json(table: Table, run: Run) -> str:
    """The rows of `tidy_csv` under ``cells``, with ``schema``, ``caption``, ``rows``, ``columns`` and ``notes``.

    ``null`` where missing. ``columns`` says of every metric what its printed name cannot: protocol, group, calibration.
    """
    content = {
        "schema": SCHEMA,
        "caption": table.caption,
        "rows": [{"method": row.name, "kind": "reference" if row.reference else "method"} for row in table.rows],
        "columns": [
            {"metric": column.name, "title": column.title, "unit": column.unit, "direction": column.direction,
             "words": list(column.words), "group": column.group, "poor": column.poor,
             "calibration": column.calibration or None}
            for section in table.sections
            for column in section.columns
            if column.worst_of is None
        ],
        "cells": list(_records(run)),
        "notes": [{"text": note.text, "alarm": note.alarm} for note in table.notes],
    }  # fmt: skip
    return json_text(content)


def _records(run: Run) -> Iterator[dict[str, object]]:
    kinds = {method.name: method.kind for method in run.results.methods}
    metrics = {metric.name: metric for metric in run.results.metrics}

    measured = speeds.measures(run)

    def record(*values: object) -> dict[str, object]:
        return dict(zip(CSV_FIELDS, values, strict=True))

    for score in run.results.scores:
        metric = metrics[score.metric]
        numbers = (finite(score.value), finite(score.low), finite(score.high))
        leads = int(metric.leader == score.method and numbers[0] is not None)
        yield record(score.method, kinds[score.method], metric.name, metric.title, metric.unit, metric.direction,
                     *numbers, score.n, score.n_failed, finite(score.worst_case), leads)  # fmt: skip
    for method in run.results.methods:
        costs: list[tuple[str, str, str, float | None, int | None]] = []
        timed = run.timing.methods.get(method.name)
        if timed is not None and not measured:
            costs += [
                (f"latency_p50[{timed.scope}]", "Latency, median", "ms", timed.ms_p50, timed.n),
                (f"latency_p90[{timed.scope}]", "Latency, p90", "ms", timed.ms_p90, timed.n),
            ]
        if method.cost is not None:
            costs += [
                ("params_trainable", "Trainable parameters", "", method.cost.params_trainable, None),
                ("params_frozen", "Frozen parameters", "", method.cost.params_frozen, None),
                ("macs", "Multiply-accumulates", "", method.cost.macs, None),
            ]
        for name, title, unit, value, n in costs:
            yield record(method.name, method.kind, name, title, unit, "down", finite(value), None, None, n,
                         None, None, None)  # fmt: skip
        for one in measured:
            if (speed := one.values.get(method.name)) is not None:
                yield record(method.name, method.kind, one.name, one.title, one.unit, one.direction, speed.value,
                             speed.low, speed.high, speed.n, None, None, None)  # fmt: skip


def csv_text(fields: Sequence[str], records: Iterator[Mapping[str, object]]) -> str:
    """Records as CSV with a heading; ``None`` is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def json_text(content: Mapping[str, object]) -> str:
    """Indented JSON with a line break at its end; what is no number is an error, since JSON has none such."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def markdown_escape(text: str) -> str:
    """Text in one line that Markdown prints as it stands."""
    return _LIST.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", " ".join(text.split())))


def markdown_row(cells: list[str]) -> str:
    """One row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def markdown_heading(column: Column) -> str:
    """What a column means, in one line of Markdown."""
    if column.worst_of is not None:
        return "worst case"
    return markdown_escape(column.heading + (f", {' '.join(column.words)}" if column.words else ""))


def _md_name(row: Row) -> str:
    return f"*{markdown_escape(row.name)}*" if row.reference else markdown_escape(row.name)


def markdown_cell(cell: Cell) -> str:
    """A number, its interval, and how many pairs it is of."""
    text = markdown_escape(cell.text)
    return " ".join(filter(None, (
        f"**{text}**" if cell.leader else text, cell.interval, f"({cell.counts})" if cell.counts else "",
    )))  # fmt: skip


def latex_heading(column: Column) -> Lines:
    """A heading in lines, so that it is no wider than the numbers below it."""
    if column.worst_of is not None:
        return [Words("worst case")]
    lines = [column.title, column.measure] if column.unit else [column.heading]
    if column.unit and column.poor:
        lines[0] = column.heading.removesuffix(column.measure).strip()
    return [*map(Words, lines), *(Words(word, small=True) for word in column.words)]


def tex_cell(cell: Cell, usual: int | None) -> Lines:
    """A number, and below it in small letters its interval and how many pairs it is of; what is empty takes no line.

    Args:
        cell: the number.
        usual: the number of pairs that need not be said where none failed.
    """
    said = cell.counts if cell.n_failed or cell.n != usual else ""
    return [
        Words(cell.text, "bold" if cell.leader else ""),
        *(Words(line, small=True) for line in (cell.interval, said) if line),
    ]


def _tex_label(column: Column) -> Lines:
    if column.worst_of is not None:
        return [Words("worst case", small=True)]
    words = ", ".join(column.words)
    return [Words(column.heading), *([Words(words, small=True)] if words else [])]


def _tex_name(row: Row) -> Words:
    return Words(row.name, "italic" if row.reference else "")


def _tex_methods(rows: Sequence[Row]) -> list[Block]:
    return [Block(([_tex_name(row)],)) for row in rows]
