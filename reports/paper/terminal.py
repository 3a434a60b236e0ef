"""The paper's table in a terminal, cut and stacked so that it reads from 80 columns on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from reports.paper.formats import ELSEWHERE
from reports.paper.records import Line, PaperCell, PaperTable
from reports.printed import stacked, width
from reports.results.problems import printable


def show(table: PaperTable, console: Console) -> None:
    """Print the table and its footnotes, but no alarm: `reports.terminal.show` prints those at its end.

    What is wider than the console is cut between columns and stacked, with the labels repeated; of published figures
    each part then has the rows that have a number in it.
    """
    room = max(len(text) for line, below in _rows(table) for text in _label(line, below).plain.split("\n"))
    widths = [
        width(column, (text for line in table.lines for text in _texts(line.cells[at])))
        for at, column in enumerate(table.columns)
    ]
    for grid, shown in stacked(printable(table.caption), table.columns, widths, room, console.width):
        _fill(grid, table, shown)
        console.print(grid)
        console.print()
    for note in table.notes:
        if not note.alarm:
            console.print(Text(printable(note.text), style="dim"))
    console.print()


def _fill(grid: Grid, table: PaperTable, shown: Sequence[int]) -> None:
    """Add the rows, as far as they have anything in these columns."""
    whole = len(shown) == len(table.columns)
    for group in (table.references, *table.methods, table.elsewhere):
        listed = [line for line in group if whole or not line.key or any(line.cells[at].known for at in shown)]
        if listed and group is table.elsewhere:
            grid.add_row(Text(ELSEWHERE, style="bold cyan"))
        for line in listed:
            cells = (_cell(line.cells[at], line.kind == "published") for at in shown)
            grid.add_row(_label(line, _below(table, line, group)), *cells, end_section=line is listed[-1])


def _rows(table: PaperTable) -> Iterator[tuple[Line, bool]]:
    """Every line, and whether it stands below another one of its method."""
    for group in (table.references, *table.methods, table.elsewhere):
        for line in group:
            yield line, _below(table, line, group)


def _below(table: PaperTable, line: Line, group: tuple[Line, ...]) -> bool:
    return group in table.methods and line is not group[0]


def _label(line: Line, below: bool) -> Text:
    if line.kind == "reference":
        return Text(printable(line.title), style="italic")
    # What a source calls the method is told in the files; a terminal has no room for it.
    words = f"published ({line.key})" if line.key else printable(line.label)
    if below:
        return Text(f"  {words}", style="dim" if line.kind == "published" else "")
    if line.kind == "published":
        return Text(printable(f"{line.name} ({line.key})"), style="dim")
    text = Text(printable(line.title), style="bold")
    return text.append(f"\n  {words}", style="not bold") if words else text


def _texts(cell: PaperCell) -> tuple[str, ...]:
    return (cell.marked, *cell.under)


def _cell(cell: PaperCell, published: bool) -> Text:
    text = Text(cell.marked, style="dim" if published else "bold green" if cell.leader else "")
    for words in cell.under:
        text.append(f"\n{words}", style="not bold dim default")
    return text
