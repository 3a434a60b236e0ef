"""What the tables that follow the paper share: cells, rows, and what these and the footnotes are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reports import notes, printed
from reports.notes import Note
from reports.paper import published
from reports.paper.published import Named, Source
from reports.records import Metric, Result, Run
from reports.tables import MISSING, PARTIAL, POOR, REFUSED, Column, counts, finite, number

ELSEWHERE = "‡"
"""Marks a method that is not its authors' own weights or videos."""


@dataclass(frozen=True)
class PaperCell:
    """One number of the table.

    Attributes:
        text: as printed, or `MISSING`.
        under: what stands below it: the interval, pairs that were not scored, frozen parameters.
        leader: whether it beats every other method; printed bold.
        mark: of a published figure, as `reports.paper.comparable.mark` gives it.
        value: the number itself; ``None`` where missing.
        low: lower end of the 95 % interval.
        high: upper end of it.
        n: pairs.
        n_failed: pairs that were not scored.
        worst_case: the mean when those count as the worst value.
    """

    text: str = MISSING
    under: tuple[str, ...] = ()
    leader: bool = False
    mark: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    n_failed: int | None = None
    worst_case: float | None = None

    @property
    def counts(self) -> str:
        """``n 100``, or ``n 100, 2 failed``; empty where there is no number, or none that is of pairs."""
        return counts(self.n, self.n_failed) if self.known else ""

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return self.value is not None

    @property
    def marked(self) -> str:
        """Number and mark."""
        return f"{self.text} {self.mark}".strip()


@dataclass(frozen=True)
class Line:
    """One row: a method, measured by this run or by a source.

    Attributes:
        title: of the method, as in the paper.
        kind: whose numbers these are; ``reference`` rows bound the scale.
        name: our method, or what the source calls it; empty where no figure is known.
        key: letter of the source.
        elsewhere: our method is not its authors' own weights or videos.
        cells: one per column.
    """

    title: str
    kind: Literal["reference", "measured", "published"]
    name: str
    cells: tuple[PaperCell, ...]
    key: str = ""
    elsewhere: bool = False

    @property
    def label(self) -> str:
        """What stands beside the title: our method unless it is called so, or ``published (a)``."""
        if self.kind != "published":
            if self.name == self.title and not self.elsewhere:
                return ""
            return f"{self.name} {ELSEWHERE}" if self.elsewhere else self.name
        other = f", {self.name}" if self.name and self.name != self.title else ""
        return f"published ({self.key}{other})" if self.key else "published"


@dataclass(frozen=True)
class PaperTable:
    """The table.

    Attributes:
        caption: what was run.
        keys: what the columns are called in the files for programs, whatever the estimator.
        columns: of all numbers.
        references: rows that bound the scale.
        methods: measured rows, each followed by what is published of its method; one group per method.
        elsewhere: figures of methods that the run does not have.
        notes: alarms first.
        sources: of the published figures.
        spans: what stands above each column together with its neighbours that have the same; may be left out.
    """

    caption: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    references: tuple[Line, ...]
    methods: tuple[tuple[Line, ...], ...]
    elsewhere: tuple[Line, ...]
    notes: tuple[Note, ...] = ()
    sources: tuple[Source, ...] = ()
    spans: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """All rows from top to bottom."""
        return (*self.references, *(line for group in self.methods for line in group), *self.elsewhere)


def measured(metric: Metric, score: Result, flattered: set[str], refused: set[tuple[str, str]]) -> PaperCell:
    """The cell of a number of this run.

    Args:
        metric: that was measured.
        score: of the method.
        flattered: experts that took part in the method's training.
        refused: (method, metric) without a number for that reason.
    """
    if (value := finite(score.value)) is None:
        text = f"{REFUSED} {PARTIAL}" if (score.method, score.metric) in refused else MISSING
        return PaperCell(text, n=score.n, n_failed=score.n_failed, worst_case=finite(score.worst_case))
    text = number(value, metric.decimals)
    interval = printed.interval(score.low, score.high, metric.decimals)
    under = [interval] if interval else []
    if score.n_failed:
        under.append(f"{score.n_failed}/{score.n} failed")
    return PaperCell(
        f"{text} {PARTIAL}" if flattered & {*metric.needs} else text,
        tuple(under),
        metric.leader == score.method,
        value=value,
        low=finite(score.low),
        high=finite(score.high),
        n=score.n,
        n_failed=score.n_failed,
        worst_case=finite(score.worst_case),
    )


def arranged(methods: Sequence[str]) -> Iterator[tuple[Named, tuple[str, ...]]]:
    """The paper's methods in its order, then the others in the run's, each with our names for it."""
    names = {name: published.named(name) or Named(name) for name in methods}
    for one in dict.fromkeys([*(one for one in published.TABLE_1 if one in names.values()), *names.values()]):
        yield one, tuple(name for name in methods if names[name] == one)


def signs(run: Run, lines: Iterable[Line], columns: Iterable[Column]) -> Iterator[Note]:
    """Alarms of the run, and what brackets, bold print and marks mean where they stand."""
    lines = list(lines)
    yield from (note for note in notes.of(run) if note.alarm)
    cells = [cell for line in lines for cell in line.cells]
    yield Note(f"{notes.BRACKETS} {MISSING}: not measured, or no figure that could be verified.")
    if any(cell.leader for cell in cells):
        yield Note("Bold: better than every other method here; the interval of each paired difference excludes 0.")
    usual = notes.usual_n((cell.n, cell.n_failed) for cell in cells if cell.low is not None)
    if usual is not None:
        yield notes.counted(usual)
    if any(cell.n_failed and cell.known for cell in cells):
        yield Note("Failed: pairs that were not scored; what they count in the worst case stands in the other tables.")
    for name, why in notes.absent(run).items():
        yield Note(f"No swap by {name}: {why}")
    yield from map(Note, notes.unscored(run))
    if any(PARTIAL in cell.text for cell in cells):
        done = "refused" if any(REFUSED in cell.text for cell in cells) else "which flatters it"
        yield Note(f"{PARTIAL}: by an expert that took part in the method's training, {done}.")
    if any(line.elsewhere for line in lines):
        yield Note(
            f"{ELSEWHERE}: written or trained by others than the method's authors, whose figures say nothing about it."
        )
    if any(column.poor for column in columns):
        yield Note(f"{POOR}: does not follow what it is to measure where the truth is known; see the other tables.")
