"""The table as text files: Markdown for reading, LaTeX for a paper, CSV for other programs."""

from __future__ import annotations

import csv
import io
import re

from reports.records import Run
from reports.tables import MISSING, Cell, Column, Lead, Row, Table

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # A bracket at the start of a row would be read as the optional argument of the line break before it.
    "[": "{[}",
    "]": "{]}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "°": r"$^\circ$",
    "±": r"$\pm$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "§": r"\S{}",
    "ρ": r"$\rho$",
    MISSING: "---",
}

CSV_FIELDS = (
    "method", "kind", "metric", "title", "unit", "direction", "value", "low", "high", "n", "n_failed",
    "worst_case", "leader",
)  # fmt: skip
"""Columns of the CSV file."""


def markdown(table: Table) -> str:
    """GitHub-flavoured Markdown: tables with a row per method, then a row per metric, then the footnotes."""
    lines = [f"# {markdown_escape(table.caption)}", ""]
    lines += [f"> **{markdown_escape(note.text)}**\n" for note in table.notes if note.alarm]
    for index, lead in enumerate(table.leads):
        lines += ["", f"## {markdown_escape(lead.title)}", ""] if index else []
        lines.append(markdown_row(["method", *(markdown_heading(column) for column in lead.columns)]))
        lines.append(markdown_row([":--", *("--:" for _ in lead.columns)]))
        lines += [
            markdown_row([_md_name(row), *(_md_cell(table.cell(row, column)) for column in lead.columns)])
            for row in table.rows
        ]
    for section in table.sections:
        lines += ["", f"## {markdown_escape(section.title.capitalize())}", ""]
        lines.append(markdown_row(["measured", *(_md_name(row) for row in table.rows)]))
        lines.append(markdown_row([":--", *("--:" for _ in table.rows)]))
        for column in section.columns:
            cells = [_md_cell(table.cell(row, column)) for row in table.rows]
            known = f" ({markdown_escape(column.calibration)})" if column.calibration else ""
            lines.append(markdown_row([markdown_heading(column) + known, *cells]))
    lines.append("")
    lines += [f"- {markdown_escape(note.text)}" for note in table.notes if not note.alarm]
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    r"""``table*`` environments that need the package ``booktabs``: the tables that lead, and all metrics."""
    notes = " ".join(
        rf"\textbf{{{latex_escape(note.text)}}}" if note.alarm else latex_escape(note.text) for note in table.notes
    )
    everything = [latex_row(["", *(_tex_name(row) for row in table.rows)])]
    for section in table.sections:
        everything.append(r"\midrule")
        for column in section.columns:
            cells = [_tex_cell(table.cell(row, column)) for row in table.rows]
            everything.append(latex_row([_tex_heading(column), *cells]))
    return "% Needs \\usepackage{booktabs}.\n" + "\n".join(
        [
            *(line for lead in table.leads for line in (*_tex_lead(table, lead, notes), "")),
            *latex_float("All measurements.", len(table.rows), everything, ""),
            "",
        ]
    )


def _tex_lead(table: Table, lead: Lead, notes: str) -> list[str]:
    """One of the tables that lead; the footnotes stand below the first."""
    body = [latex_row(["Method", *(latex_stacked(column) for column in lead.columns)]), r"\midrule"]
    for row, after in zip(table.rows, [*table.rows[1:], None], strict=True):
        body.append(latex_row([_tex_name(row), *(_tex_cell(table.cell(row, column)) for column in lead.columns)]))
        if row.reference and after is not None and not after.reference:
            body.append(r"\midrule")
    below = notes if lead is table.leads[0] else ""
    return latex_float(latex_escape(lead.title) + ".", len(lead.columns), body, below)


def tidy_csv(run: Run) -> str:
    """One row per method and metric with all digits; costs and latencies are rows of their own; empty where missing.

    The columns are `CSV_FIELDS`; ``leader`` is 1 where the method beats every other one.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    kinds = {method.name: method.kind for method in run.results.methods}
    metrics = {metric.name: metric for metric in run.results.metrics}
    for score in run.results.scores:
        metric = metrics[score.metric]
        writer.writerow(
            [score.method, kinds[score.method], metric.name, metric.title, metric.unit, metric.direction, score.value,
             score.low, score.high, score.n, score.n_failed, score.worst_case, int(metric.leader == score.method)]
        )  # fmt: skip
    for method in run.results.methods:
        costs: list[tuple[str, str, str, float | None, int | None]] = []
        timed = run.timing.methods.get(method.name)
        if timed is not None:
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
            writer.writerow(
                [method.name, method.kind, name, title, unit, "down", value, None, None, n, None, None, None]
            )
    return out.getvalue()


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def markdown_escape(text: str) -> str:
    """Text in one line that Markdown prints as it stands."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


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


def _md_cell(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.leader else cell.text
    return f"{text} {cell.interval}" if cell.interval else text


def latex_row(cells: list[str]) -> str:
    """One row of a LaTeX table."""
    return " & ".join(cells) + r" \\"


def _tex_heading(column: Column) -> str:
    if column.worst_of is not None:
        return "worst case"
    words = rf" {{\scriptsize {latex_escape(', '.join(column.words))}}}" if column.words else ""
    return latex_escape(column.heading) + words


def latex_stacked(column: Column) -> str:
    """A heading in lines, so that it is no wider than the numbers below it."""
    if column.worst_of is not None:
        return r"\shortstack[r]{worst\\case}"
    lines = [column.title, column.measure] if column.unit else [column.heading]
    lines = [latex_escape(line) for line in lines] + [rf"\scriptsize {latex_escape(word)}" for word in column.words]
    return r"\shortstack[r]{" + r"\\".join(lines) + "}"


def _tex_name(row: Row) -> str:
    return rf"\textit{{{latex_escape(row.name)}}}" if row.reference else latex_escape(row.name)


def _tex_cell(cell: Cell) -> str:
    text = rf"\textbf{{{latex_escape(cell.text)}}}" if cell.leader else latex_escape(cell.text)
    return rf"{text} {{\scriptsize {latex_escape(cell.interval)}}}" if cell.interval else text


def latex_float(caption: str, columns: int, body: list[str], notes: str) -> list[str]:
    """The lines of a ``table*`` with one column of labels and ``columns`` of numbers."""
    return [
        r"\begin{table*}",
        r"\centering",
        # Four methods with their intervals are wider than a page at the text's own size.
        r"\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{l{'r' * columns}}}",
        r"\toprule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *([rf"\par\smallskip\footnotesize {notes}"] if notes else []),
        r"\end{table*}",
    ]
