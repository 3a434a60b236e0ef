"""Where the time went, as tables: by stage, by part and by method, of one process or of all that shared a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hifibench.profiling import Totals

if TYPE_CHECKING:
    from rich.console import Console

STAGES = ("plan", "images", "swap", "observe", "score", "report")
"""The order of rows; other stages follow."""

ELSEWHERE = "elsewhere"
"""The row of the time that nobody claims: loading libraries, fetching files, looking what is done already."""

REST, WHOLE = "(rest)", "(whole)"
"""Time of a stage in which no part was at work: beside its parts, or all of it where it names none."""


@dataclass(frozen=True)
class Record:
    """The numbers of one process.

    Attributes:
        host: its machine.
        pid: its number there.
        share: index and count of the shares, from 1.
        began: seconds since 1970.
        workers: threads that it may keep busy.
        totals: where its time went.
    """

    host: str
    pid: int
    share: tuple[int, int]
    began: float
    workers: int
    totals: Totals


class StageRow(NamedTuple):
    """A stage: seconds by the clock of the slowest process, of work, and how busy the threads were (0 to 1)."""

    stage: str
    wall: float
    work: float
    busy: float


class PartRow(NamedTuple):
    """A part: spans, items, seconds of work of all threads, share of all work (0 to 1)."""

    stage: str
    part: str
    calls: int | None
    items: int | None
    seconds: float
    share: float = 0.0

    @property
    def ms_per_item(self) -> float | None:
        """Milliseconds of work on each item; ``None`` where nothing was counted."""
        return self.seconds / self.items * 1000 if self.items else None


class MethodRow(NamedTuple):
    """A method in a stage: seconds by the clock, of its parts, and which of these takes most, with its share of them.

    ``wall`` is 0 where the stage names no whole of a method.
    """

    method: str
    stage: str
    wall: float
    work: float
    mostly: str
    share: float


class Tables(NamedTuple):
    """All rows as they are shown; the last of ``stages`` and of ``parts`` is the sum of all before it."""

    processes: int
    stages: list[StageRow]
    parts: list[PartRow]
    methods: list[MethodRow]
    left_out: int
    shorter_than_s: float


def build(records: Sequence[Record]) -> Tables:
    """The tables of some processes of one run, at least one: work is added up, of walls the longest is told.

    What no part claims (`REST`, `ELSEWHERE`) counts as the work of one thread.
    """
    totals = [record.totals for record in records]
    begun = list(dict.fromkeys(stage.stage for total in totals for stage in total.stages))
    order = sorted(begun, key=lambda name: STAGES.index(name) if name in STAGES else len(STAGES))
    rows = [row for name in order for row in _parts(totals, name)]
    rows.append(PartRow(ELSEWHERE, "", None, None, sum(total.elsewhere for total in totals)))
    rows.append(PartRow("all", "", None, None, sum(row.seconds for row in rows)))
    everything = rows[-1].seconds
    return Tables(
        processes=len(records),
        stages=[_stage(records, rows, name) for name in (*order, ELSEWHERE, "all")],
        parts=[row._replace(share=row.seconds / everything if everything else 0.0) for row in rows],
        methods=_methods(totals, order),
        left_out=sum(total.left_out for total in totals),
        shorter_than_s=max(total.shorter_than_s for total in totals),
    )


def _parts(totals: Sequence[Totals], stage: str) -> list[PartRow]:
    """The parts of a stage, the longest first, and what is left of it."""
    sums: dict[str, PartRow] = {}
    for one in (one for total in totals for one in total.work if one.stage == stage and one.part):
        _, _, calls, items, seconds, _ = sums.get(one.part, PartRow(stage, one.part, 0, 0, 0.0))
        sums[one.part] = PartRow(
            stage, one.part, (calls or 0) + one.calls, (items or 0) + one.items, seconds + one.seconds
        )
    rest = sum(one.rest for total in totals for one in total.stages if one.stage == stage)
    named = sorted(sums.values(), key=lambda row: (-row.seconds, row.part))
    return [*named, PartRow(stage, REST if named else WHOLE, None, None, rest)] if rest or not named else named


def _stage(records: Sequence[Record], rows: Sequence[PartRow], name: str) -> StageRow:
    walls = [_wall(record.totals, name) for record in records]
    work = sum(row.seconds for row in rows if row.stage == name)
    room = sum(wall * record.workers for wall, record in zip(walls, records, strict=True))
    return StageRow(name, max(walls), work, work / room if room else 0.0)


def _wall(totals: Totals, stage: str) -> float:
    if stage == ELSEWHERE:
        return totals.elsewhere
    return totals.seconds if stage == "all" else sum(one.wall for one in totals.stages if one.stage == stage)


def _methods(totals: Sequence[Totals], order: Sequence[str]) -> list[MethodRow]:
    """Methods in the order of their names, each with its stages."""
    work = [one for total in totals for one in total.work if one.method]
    rows = []
    for method in sorted({one.method for one in work}):
        for stage in order:
            own = [one for one in work if (one.method, one.stage) == (method, stage)]
            parts = {name: sum(one.seconds for one in own if one.part == name) for name in {o.part for o in own}}
            parts.pop("", None)
            walls = (
                sum(one.seconds for one in total.work if (one.stage, one.part, one.method) == (stage, "", method))
                for total in totals
            )
            seconds = sum(parts.values())
            mostly = max(sorted(parts), key=lambda name: parts[name], default="")
            share = parts[mostly] / seconds if seconds else 0.0
            if own:
                rows.append(MethodRow(method, stage, max(walls), seconds, mostly, share))
    return rows


class _Text(NamedTuple):
    """A table as words: a title, heads, rows; the first ``words`` columns are text, the others numbers."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    words: int = 1


def _texts(tables: Tables) -> Iterator[_Text]:
    stages = [(row.stage, _seconds(row.wall), _seconds(row.work), _percent(row.busy)) for row in tables.stages]
    yield _Text("Stages", ("stage", "wall s", "work s", "busy"), stages)
    parts = [
        [
            row.stage,
            row.part,
            _count(row.calls),
            _count(row.items),
            _seconds(row.seconds),
            _percent(row.share),
            _milliseconds(row.ms_per_item),
        ]
        for row in tables.parts
    ]
    yield _Text("Parts", ("stage", "part", "calls", "items", "work s", "share", "ms/item"), parts, 2)
    methods = [
        (
            row.method,
            row.stage,
            f"{row.mostly} {_percent(row.share)}" if row.mostly else "—",
            _seconds(row.wall) if row.wall else "—",
            _seconds(row.work),
        )
        for row in tables.methods
    ]
    if methods:
        yield _Text("Methods", ("method", "stage", "mostly", "wall s", "work s"), methods, 3)


def _notes(tables: Tables) -> Iterator[str]:
    if tables.processes > 1:
        yield f"{tables.processes} processes: work is added up, the wall time is that of the slowest."
    if tables.left_out:
        yield (
            f"The traces leave out {tables.left_out:,} spans of {tables.shorter_than_s * 1000:.3g} ms and less; "
            "these tables count them."
        )


def markdown(tables: Tables) -> str:
    """The tables as a document."""
    lines = ["# Where the time went", ""]
    for text in _texts(tables):
        rule = ["---"] * text.words + ["---:"] * (len(text.heads) - text.words)
        rows = [[cell.replace("|", "\\|") for cell in row] for row in text.rows]
        lines += [f"## {text.title}", "", *(f"| {' | '.join(row)} |" for row in (text.heads, rule, *rows)), ""]
    return "\n".join([*lines, *(f"{note}\n" for note in _notes(tables))])


def show(tables: Tables, console: Console) -> None:
    """Print the tables; they fit into 80 columns."""
    from rich.table import Table
    from rich.text import Text

    for text in _texts(tables):
        grid = Table(box=None, pad_edge=False, title=f"Where the time went: {text.title.lower()}", title_justify="left")
        for number, head in enumerate(text.heads):
            grid.add_column(head, justify="left" if number < text.words else "right", overflow="fold")
        before = ""
        for row in text.rows:
            grid.add_row(*(Text(cell) for cell in ("" if row[0] == before else row[0], *row[1:])))
            before = row[0]
        console.print(grid, "")
    for note in _notes(tables):
        console.print(Text(note))


def _count(number: int | None) -> str:
    return "—" if number is None else f"{number:,}"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _milliseconds(value: float | None) -> str:
    return "—" if value is None else f"{value:,.3f}" if value < 10 else f"{value:,.1f}"
