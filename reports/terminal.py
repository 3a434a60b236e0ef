"""The table in a terminal, cut and stacked so that it reads from 80 columns on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from reports import tables
from reports.figures import six as figure_six
from reports.grids import GAP, empty, fit, header
from reports.paper import ablation as ablation_table
from reports.paper import ablation_formats, table_two
from reports.paper import table_one as paper_table
from reports.paper import terminal as paper_terminal
from reports.records import Run
from reports.results.problems import printable
from reports.tables import Cell, Column, Lead, Row, Section, Table

_LABEL = 28
"""Width of the row labels of the details; a longer one is folded."""
_INDENT = "  "
"""Before what is said below a label."""


def show(run: Run, console: Console, details: bool = True) -> None:
    """Print the paper's tables where the run fits them, the key table, with ``details`` every metric, the footnotes.

    What is wider than the console is cut between columns and stacked, with the labels repeated. Worst cases stand
    in the key table; those of the other metrics are left to the files. AUC and AP of forgery detectors stand in the
    paper's Table 2, with ``details`` also among all metrics, their error rates there alone.
    """
    table = tables.build(run)
    for paper in (paper_table.build(run), table_two.build(run)):
        if paper is not None:
            paper_terminal.show(paper, console)
    if (ablation := ablation_table.build(run)) is not None:
        ablation_formats.show(ablation, console)
    study = figure_six.of(run)
    if study is not None:
        console.print(Text(figure_six.TITLE, style="bold"))
        for sentence in study.sentences:
            console.print(Text(printable(sentence)))
        console.print()
    leads = [lead for lead in table.leads if lead.title != tables.TABLE_2]
    grids = [grid for lead in leads for grid in _lead(table, lead, console.width)]
    if details:
        grids += _details(table, console.width)
    for grid in grids:
        console.print(grid)
        console.print()
    # An alarm stands last, next to the prompt, where it is seen.
    for note in sorted(table.notes, key=lambda note: note.alarm):
        console.print(Text(printable(note.text), style="bold white on red" if note.alarm else "dim"))


def _lead(table: Table, lead: Lead, width: int) -> Iterator[Grid]:
    """Methods down, a few metrics across."""
    labels = max(len(row.name) for row in table.rows)
    blocks = [_with_worst(lead.columns, column) for column in lead.columns if column.worst_of is None]
    widths = [sum(_width(table, column) + GAP for column in block) for block in blocks]
    for index, part in enumerate(fit(blocks, widths, width - labels)):
        grid = empty(lead.title if index == 0 else "")
        grid.add_column(width=labels)
        columns = [column for block in part for column in block]
        for column in columns:
            grid.add_column(header(column), justify="right", width=_width(table, column))
        for row, after in zip(table.rows, [*table.rows[1:], None], strict=True):
            last_reference = row.reference and after is not None and not after.reference
            grid.add_row(_name(row), *(_cell(table.cell(row, c)) for c in columns), end_section=last_reference)
        yield grid


def _details(table: Table, width: int) -> Iterator[Grid]:
    """Metrics down, methods across: protocol names are long, and read well only at the left of a row."""
    sections = [
        Section(section.title, tuple(column for column in section.columns if column.worst_of is None))
        for section in table.sections
    ]
    columns = [column for section in sections for column in section.columns]
    widths = [max(len(row.name), *(_cell_width(table.cell(row, column)) for column in columns)) for row in table.rows]
    cut = fit(list(zip(table.rows, widths, strict=True)), [w + GAP for w in widths], width - _LABEL)
    for index, part in enumerate(cut):
        grid = empty("All measurements" if index == 0 else "")
        grid.add_column(width=_LABEL)
        for row, row_width in part:
            grid.add_column(_name(row), justify="right", width=row_width)
        for section in sections:
            grid.add_row(Text(printable(section.title.upper()), style="bold cyan"))
            for column in section.columns:
                cells = (_cell(table.cell(row, column)) for row, _ in part)
                grid.add_row(_label(column), *cells, end_section=column is section.columns[-1])
        yield grid


def _with_worst(columns: Sequence[Column], column: Column) -> tuple[Column, ...]:
    """A column and the worst-case column that belongs to it, which are not to be parted."""
    return (column, *(other for other in columns if other.worst_of == column.name))


def _width(table: Table, column: Column) -> int:
    headings = [word for line in header(column).plain.split("\n") for word in line.split()]
    return max(*map(len, headings), *(_cell_width(table.cell(row, column)) for row in table.rows))


def _cell_width(cell: Cell) -> int:
    return max(len(cell.text), len(cell.interval))


def _label(column: Column) -> Text:
    text = Text(printable(column.heading))
    for said in (", ".join(column.words), column.calibration):
        for line in wrap(printable(said), _LABEL - len(_INDENT)):
            text.append(f"\n{_INDENT}{line}", style="dim")
    return text


def _name(row: Row) -> Text:
    return Text(printable(row.name), style="italic" if row.reference else "bold")


def _cell(cell: Cell) -> Text:
    """The number, and its interval on a line of its own, so that the numbers stand apart."""
    text = Text(cell.text, style="bold green" if cell.leader else "")
    return text.append(f"\n{cell.interval}", style="not bold dim default") if cell.interval else text
