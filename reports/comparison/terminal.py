"""The comparison of two runs in a terminal, from 80 columns on: what moved, and how much did not."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from reports import printed
from reports.comparison import formats as said
from reports.comparison.records import Compared, Comparison, Verdict, count
from reports.grids import empty
from reports.records import Metric
from reports.results.problems import printable
from reports.tables import number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

_LABEL = 28
"""Width of a metric's name; a longer one is folded."""
_INDENT = "  "
_STYLES = {Verdict.BETTER: "bold green", Verdict.WORSE: "bold red"}


def show(made: Compared, console: Console) -> None:
    """Print both runs, per method what moved and how many metrics did not, what else differs, and the notes."""
    from rich.text import Text

    for name, one in (("A", made.a), ("B", made.b)):
        console.print(Text.assemble((f"{name}  ", "bold"), printable(said.side(one))))
    console.print(Text(said.paired(made)))
    for text in made.cautions:
        console.print(Text(text, style="bold yellow"))
    for text in made.left_out:
        console.print(Text(f"Left out: {printable(text)}", style="dim"))
    for method in made.methods:
        comparisons = made.of(method)
        console.print()
        title = Text.assemble((printable(method.label), "bold"), f"  {said.card(method)}: ", _counts(comparisons))
        console.print(title)
        compared = [one for one in comparisons if one.verdict is not Verdict.INCOMPARABLE]
        if moved := [one for one in compared if one.verdict.told or said.lost_and_won(one)]:
            console.print(_grid(made, moved))
    _incomparable(made, console)
    if made.differs:
        console.print()
        grid = empty("What else differs")
        for column in ("", "A", "B"):
            grid.add_column(column, overflow="fold")
        for other in made.differs:
            grid.add_row(*(Text(printable(text)) for text in (other.what, *said.short(other))))
        console.print(grid)
    console.print()
    for note in said.notes(made):
        console.print(Text(note, style="dim"))


def _counts(comparisons: Sequence[Comparison]) -> Text:
    """``2 better, 1 worse, 20 no difference told``."""
    from rich.text import Text

    told = [Text(f"{n} {verdict}", style=_STYLES.get(verdict, "")) for verdict, n in count(comparisons).items() if n]
    return Text(", ").join(told)


def _grid(made: Compared, moved: Sequence[Comparison]) -> Grid:
    from rich.text import Text

    grid = empty("")
    grid.add_column("", width=_LABEL)
    for column in ("A", "B", "B - A"):
        grid.add_column(column, justify="right")
    grid.add_column("")
    for one in moved:
        metric = made.metric(one)
        change = Text(said.signed(one.difference, metric.decimals), justify="right")
        if ends := said.interval(one, metric.decimals):
            change.append(f"\n{ends}", style="dim")
        grid.add_row(
            _label(one, metric),
            *(Text(number(value, metric.decimals)) for value in (one.a, one.b)),
            change,
            Text(said.verdict(one) if one.verdict.told else "", style=_STYLES.get(one.verdict, "")),
        )
    return grid


def _label(one: Comparison, metric: Metric) -> Text:
    from rich.text import Text

    column = printed.column(metric)
    text = Text(printable(column.heading))
    for part in (", ".join(column.words), said.lost_and_won(one)):
        for line in wrap(printable(part), _LABEL - len(_INDENT)):
            text.append(f"\n{_INDENT}{line}", style="dim")
    return text


def _incomparable(made: Compared, console: Console) -> None:
    """Why numbers are not comparable, each reason once, and which they are."""
    from rich.text import Text

    found = said.incomparable(made)
    if found:
        console.print()
        console.print(Text("Not comparable", style="bold"))
    for reason, of in found.items():
        for depth, text in ((1, reason), *((2, who) for who in of)):
            for line in wrap(printable(text), console.width - depth * len(_INDENT)):
                console.print(Text(depth * _INDENT + line))
