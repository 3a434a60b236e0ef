"""HifiFace's Table 1 (IJCAI 2021) with the numbers of a run, and below them what others published.

Rows are named as in the paper, columns are the paper's: ID retrieval, pose, shape, parameters, speed. Published figures
have a row for each source, with its letter, since figures of one source belong together, and a mark that says whether
they may be held against the run's numbers at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from reports import comparable, notes, published
from reports.comparable import ESTIMATORS
from reports.glossary import base, words
from reports.notes import Note
from reports.published import Figure, Named
from reports.records import Method, Metric, Result, Run
from reports.tables import MISSING, PARTIAL, REFUSED, Column, number, quantity

TITLES: Mapping[str, str] = MappingProxyType(
    {"id_retrieval": "ID retrieval", "pose": "Pose error", "shape": "Shape error"}
)

ELSEWHERE = "‡"
"""Marks a method that is not its authors' own weights or videos."""


@dataclass(frozen=True)
class PaperCell:
    """One number of the table.

    Attributes:
        text: as printed, or `MISSING`.
        under: what stands below it: the interval, pairs that were not scored, frozen parameters.
        leader: whether it beats every other method; printed bold.
        mark: of a published figure, as `reports.comparable.mark` gives it.
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
        columns: of all numbers.
        references: rows that bound the scale.
        methods: measured rows, each followed by what is published of its method; one group per method.
        elsewhere: figures of methods that the run does not have.
        notes: alarms first.
    """

    caption: str
    columns: tuple[Column, ...]
    references: tuple[Line, ...]
    methods: tuple[tuple[Line, ...], ...]
    elsewhere: tuple[Line, ...]
    notes: tuple[Note, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """All rows from top to bottom."""
        return (*self.references, *(line for group in self.methods for line in group), *self.elsewhere)


def fits(run: Run) -> bool:
    """Whether a run can be laid out like Table 1: on FaceForensics++, with ID retrieval and pose."""
    bases = {base(metric.name) for metric in run.results.metrics}
    return comparable.on_ffpp(run) and {"id_retrieval", "pose"} <= bases


def build(run: Run) -> PaperTable | None:
    """The table of a run; ``None`` for a run that it does not fit."""
    if not fits(run):
        return None
    figures = published.read()
    chosen = comparable.choose(run.results.metrics)
    measured = {method.name: _measured(run, method, list(chosen.values())) for method in run.results.methods}
    marks = {figure: comparable.mark(run, figure, chosen) for figure in figures}

    competing = [method.name for method in run.results.methods if method.kind == "method"]
    groups = tuple(_groups(competing, measured, figures, marks))
    shown = {line.title for group in groups for line in group}
    others = [name for name in dict.fromkeys(published.title(figure.method) for figure in figures) if name not in shown]
    table = PaperTable(
        caption=f"{run.results.title} ({run.results.n_pairs} pairs), beside published figures",
        columns=(*(_column(name, metric) for name, metric in chosen.items()), *_cost_columns(run)),
        references=tuple(
            Line(method.name, "reference", method.name, measured[method.name])
            for method in run.results.methods
            if method.kind == "reference"
        ),
        methods=groups,
        elsewhere=tuple(line for name in others for line in _published(name, figures, marks)),
    )
    return replace(table, notes=tuple(_notes(run, table, chosen)))


def _column(name: str, metric: Metric | None) -> Column:
    if metric is None:
        return Column(ESTIMATORS[name], TITLES[name], published.UNITS[name])
    return Column(metric.name, TITLES[name], metric.unit, words(metric.name), metric.direction)


def _cost_columns(run: Run) -> tuple[Column, Column]:
    scopes = tuple(dict.fromkeys(latency.scope for latency in run.timing.methods.values()))
    return Column("params_trainable", "Parameters"), Column("latency", "Speed", "ms", scopes, "down")


def _measured(run: Run, method: Method, metrics: Iterable[Metric | None]) -> tuple[PaperCell, ...]:
    scores = {score.metric: score for score in run.results.scores if score.method == method.name}
    flattered, refused = notes.partial(run).get(method.name, set()), notes.refused(run)
    cells = []
    for metric in metrics:
        score = scores.get(metric.name) if metric is not None else None
        cells.append(PaperCell() if metric is None or score is None else _score(metric, score, flattered, refused))
    params, latency = PaperCell(), PaperCell()
    if method.cost is not None and method.cost.params_trainable is not None:
        frozen = method.cost.params_frozen
        under = (f"+ {quantity(frozen)}",) if frozen else ()
        params = PaperCell(quantity(method.cost.params_trainable), under, value=method.cost.params_trainable)
    timed = run.timing.methods.get(method.name)
    if timed is not None:
        latency = PaperCell(number(timed.ms_p50, 0 if timed.ms_p50 >= 100 else 1), value=timed.ms_p50, n=timed.n)
    return (*cells, params, latency)


def _score(metric: Metric, score: Result, flattered: set[str], refused: set[tuple[str, str]]) -> PaperCell:
    if score.value is None:
        text = f"{REFUSED} {PARTIAL}" if (score.method, score.metric) in refused else MISSING
        return PaperCell(text, n=score.n, n_failed=score.n_failed, worst_case=score.worst_case)
    text = number(score.value, metric.decimals)
    under = []
    if score.low is not None and score.high is not None:
        under.append(f"[{number(score.low, metric.decimals)}, {number(score.high, metric.decimals)}]")
    if score.n_failed:
        under.append(f"{score.n_failed}/{score.n} failed")
    return PaperCell(
        f"{text} {PARTIAL}" if flattered & {*metric.needs} else text,
        tuple(under),
        metric.leader == score.method,
        value=score.value,
        low=score.low,
        high=score.high,
        n=score.n,
        n_failed=score.n_failed,
        worst_case=score.worst_case,
    )


def _groups(
    methods: Sequence[str],
    measured: Mapping[str, tuple[PaperCell, ...]],
    figures: Sequence[Figure],
    marks: Mapping[Figure, str],
) -> Iterator[tuple[Line, ...]]:
    """The paper's methods in its order, then the others in the run's."""
    names = {name: published.named(name) or Named(name) for name in methods}
    for one in dict.fromkeys([*(one for one in published.TABLE_1 if one in names.values()), *names.values()]):
        own = [
            Line(one.title, "measured", name, measured[name], elsewhere=name in one.others)
            for name in methods
            if names[name] == one
        ]
        listed = published.TABLE_1 + published.FURTHER
        told = _published(one.title, figures, marks) if one in listed else []
        unknown = [Line(one.title, "published", "", (PaperCell(),) * len(own[0].cells))] if one in listed else []
        yield (*own, *(told or unknown))


def _published(title: str, figures: Sequence[Figure], marks: Mapping[Figure, str]) -> list[Line]:
    """What is known of a method: a row for each source and name."""
    about = [figure for figure in figures if published.title(figure.method) == title]
    lines = []
    for source, name in dict.fromkeys((figure.source, figure.method) for figure in about):
        known = {figure.metric: figure for figure in about if (figure.source, figure.method) == (source, name)}
        cells = tuple(
            _figure(known[metric], marks[known[metric]]) if metric in known else PaperCell()
            for metric in (*ESTIMATORS, "params", "latency")
        )
        lines.append(Line(title, "published", name, cells, source.key))
    return [line for line in lines if any(cell.known for cell in line.cells)]


def _figure(figure: Figure, mark: str) -> PaperCell:
    if figure.metric == "params":
        return PaperCell(f"{figure.text} M", mark=mark, value=figure.value * 1e6)
    return PaperCell(figure.text, mark=mark, value=figure.value)


def _notes(run: Run, table: PaperTable, chosen: comparable.Chosen) -> Iterable[Note]:
    """Alarms of the run, what the marks mean, the sources of the figures."""
    yield from (note for note in notes.of(run) if note.alarm)
    told = [(line, cell) for line in table.lines for cell in line.cells]
    yield Note(f"In brackets: 95 % interval. {MISSING}: not measured, or no figure that could be verified.")
    if any(cell.leader for _, cell in told):
        yield Note("Bold: better than every other method here; the interval of each paired difference excludes 0.")
    if any(cell.n_failed and cell.known for _, cell in told):
        yield Note("Failed: pairs that were not scored; what they count in the worst case stands in the other tables.")
    for name, why in notes.absent(run).items():
        yield Note(f"No swap by {name}: {why}")
    if any(PARTIAL in cell.text for _, cell in told):
        done = "refused" if any(REFUSED in cell.text for _, cell in told) else "which flatters it"
        yield Note(f"{PARTIAL}: by an expert that took part in the method's training, {done}.")
    if any(line.elsewhere for line, _ in told):
        yield Note(
            f"{ELSEWHERE}: written or trained by others than the method's authors, whose figures say nothing about it."
        )
    yield Note("Parameters: those trained; with +, those of frozen networks that a swap needs too.")
    if run.timing.methods:
        yield Note("Speed: median time of a swap, without detection, cropping and pasting back, on this machine.")
    published_marks = {cell.mark for line, cell in told if line.kind == "published" and cell.known}
    yield from comparable.notes(run, chosen, published_marks)
    for source in published.sources(published.read()):
        yield Note(f"{source.key}: {source.block}. {source.source}.")
