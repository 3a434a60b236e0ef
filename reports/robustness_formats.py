"""The comparison of a run with itself, compressed, as JSON, Markdown and in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.files import atomic_write
from reports.formats import markdown_escape, markdown_row
from reports.glossary import words
from reports.grids import GAP, empty, fit
from reports.records import Metric
from reports.robustness import Moved, Ranking, Robustness
from reports.tables import MISSING, Column, number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid

SCHEMA = 1
"""Version of ``robustness.json``."""
AS_IT_IS = "as it is"


def as_json(made: Robustness) -> str:
    """All numbers with all digits, as documented in ``docs/robustness.md``."""
    raw: dict[str, Any] = asdict(made)
    raw["metrics"] = [
        {
            **{name: getattr(one.metric, name) for name in ("name", "title", "unit", "direction", "decimals")},
            "scores": [{**asdict(shift), "change": shift.change._asdict()} for shift in one.shifts],
            "rankings": [asdict(ranking) for ranking in one.rankings],
        }
        for one in made.metrics
    ]
    encoders = {"pillow": version("pillow"), "av": version("av")}
    return json.dumps({"schema": SCHEMA, "encoders": encoders, **raw}, indent=1, ensure_ascii=False) + "\n"


def heading(metric: Metric) -> str:
    """``Pose error (deg) ↓ mediapipe``."""
    column = Column(metric.name, metric.title, metric.unit, words(metric.name), metric.direction)
    return " ".join([column.heading, ", ".join(column.words)]).strip()


def cell(one: Moved, method: str, through: str) -> tuple[str, str, str]:
    """A method's value after a compression (``""``: as it is), its change, and the interval of that."""
    shift, decimals = one.of(method, through), one.metric.decimals
    value = number(shift.value, decimals)
    if shift.n_failed and shift.value is not None:
        value += f" ({shift.n_failed}/{shift.n} not scored)"
    if shift.change.value is None or not through:
        return value, "", ""
    change, *ends = (number(bound, decimals) for bound in shift.change)
    interval = "" if MISSING in ends else f"[{ends[0]}, {ends[1]}]"
    return value, change if change.startswith("-") else f"+{change}", interval


def tau(ranking: Ranking) -> str:
    """Kendall's tau with two digits; `MISSING` where there is none."""
    return number(ranking.tau, 2)


NOTES = (
    "All images are compressed alike, originals, galleries and true swaps too: swap and target went the same way.",
    "Below each number: how much it is higher than as it is, over the pairs scored both times, with the paired 95 % "
    "interval by video.",
    "τ: Kendall's rank correlation of the competing methods' values with those as they are; 1 keeps every order.",
)
"""What a reader must know."""


def markdown(made: Robustness) -> str:
    """GitHub-flavoured Markdown: the rankings, then a table per metric, then the notes."""
    lines = [f"# {markdown_escape(made.title)}: compressed ({made.n_pairs} pairs)", ""]
    lines += [f"- **{markdown_escape(name)}**: {markdown_escape(said)}" for name, said in made.through.items()]
    lines += [f"- {note}" for note in NOTES]
    lines += ["", "## Do the methods keep their order? (τ)", "", markdown_row(["measured", *made.through])]
    lines.append(markdown_row([":--", *("--:" for _ in made.through)]))
    lines += [markdown_row([markdown_escape(heading(one.metric)), *map(tau, one.rankings)]) for one in made.metrics]
    for one in made.metrics:
        lines += ["", f"## {markdown_escape(heading(one.metric))}", ""]
        lines.append(markdown_row(["method", AS_IT_IS, *made.through]))
        lines.append(markdown_row([":--", *("--:" for _ in ("", *made.through))]))
        for method, kind in made.methods.items():
            name = f"*{markdown_escape(method)}*" if kind == "reference" else markdown_escape(method)
            lines.append(markdown_row([name, *(_md_cell(one, method, how) for how in ("", *made.through))]))
    return "\n".join(lines) + "\n"


def _md_cell(one: Moved, method: str, through: str) -> str:
    value, *change = cell(one, method, through)
    return "<br>".join(filter(None, [value, " ".join(filter(None, change))]))


def write(made: Robustness, folder: Path) -> list[Path]:
    """Write ``robustness.json`` and ``robustness.md`` into a folder; the files."""
    files = {folder / "robustness.json": as_json(made), folder / "robustness.md": markdown(made)}
    for path, text in files.items():
        atomic_write(path, text)
    return list(files)


def show(made: Robustness, console: Console) -> None:
    """Print a table per metric, then the rankings, then the notes."""
    from rich.text import Text

    grids = [grid for one in made.metrics for grid in _metric(one, made, console.width)]
    for grid in (*grids, _rankings(made)):
        console.print(grid)
        console.print()
    for note in (*(f"{name}: {said}." for name, said in made.through.items()), *NOTES):
        console.print(Text(note, style="dim"))


def _metric(one: Moved, made: Robustness, width: int) -> Iterator[Grid]:
    """Methods down, compressions across; what is wider than the terminal is cut and stacked."""
    from rich.text import Text

    labels, through = max(map(len, made.methods)), ["", *made.through]
    widths = [
        GAP + max(len(how or AS_IT_IS), *(len(text) for method in made.methods for text in cell(one, method, how)))
        for how in through
    ]
    for index, part in enumerate(fit(through, widths, width - labels)):
        grid = empty(heading(one.metric) if index == 0 else "")
        grid.add_column(width=labels)
        for how in part:
            grid.add_column(how or AS_IT_IS, justify="right", no_wrap=True)
        for method, kind in made.methods.items():
            row = [Text(method, style="italic" if kind == "reference" else "bold")]
            for value, *change in (cell(one, method, how) for how in part):
                row.append(Text("\n".join([value, *filter(None, change)])))
            grid.add_row(*row)
        yield grid


def _rankings(made: Robustness) -> Grid:
    grid = empty("Do the methods keep their order? (τ)")
    for column in ("", *made.through):
        grid.add_column(column, justify="right" if column else "left")
    for one in made.metrics:
        grid.add_row(heading(one.metric), *map(tau, one.rankings))
    return grid
