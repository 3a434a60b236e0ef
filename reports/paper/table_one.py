"""HifiFace's Table 1 (IJCAI 2021) with the numbers of a run, and below them what others published.

Rows are named as in the paper, columns are the paper's: ID retrieval, pose, shape, parameters, speed. Published figures
have a row for each source, with its letter, since figures of one source belong together, and a mark that says whether
they may be held against the run's numbers at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from reports import notes, printed, speeds
from reports.glossary import base
from reports.notes import Note
from reports.paper import comparable, published
from reports.paper.comparable import ESTIMATORS
from reports.paper.published import Figure
from reports.paper.records import Line as Line
from reports.paper.records import PaperCell as PaperCell
from reports.paper.records import PaperTable as PaperTable
from reports.paper.records import arranged, measured, signs
from reports.records import Method, Metric, Run
from reports.tables import Column, finite, number, quantity

TITLES: Mapping[str, str] = MappingProxyType(
    {"id_retrieval": "ID retrieval", "pose": "Pose error", "shape": "Shape error"}
)

KEYS = ("id_retrieval", "pose", "shape", "params", "latency")
"""What the columns are called in the files for programs, whatever the estimator."""

RATE = "images_per_s"
"""The same of a further column, where ``hifibench throughput`` measured the run's methods."""


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
    cells = {method.name: _measured(run, method, list(chosen.values())) for method in run.results.methods}
    marks = {figure: comparable.mark(run, figure, chosen) for figure in figures}

    competing = [method.name for method in run.results.methods if method.kind == "method"]
    columns = (*(_column(name, metric) for name, metric in chosen.items()), *_cost_columns(run))
    groups = tuple(_groups(competing, cells, figures, marks, len(columns)))
    shown = {line.title for group in groups for line in group}
    others = [name for name in dict.fromkeys(published.title(figure.method) for figure in figures) if name not in shown]
    table = PaperTable(
        caption=f"{run.results.title} ({run.results.n_pairs} pairs), beside published figures",
        keys=(*KEYS, *(RATE for _ in speeds.first(run)[1:])),
        columns=columns,
        references=tuple(
            Line(method.name, "reference", method.name, cells[method.name])
            for method in run.results.methods
            if method.kind == "reference"
        ),
        methods=groups,
        elsewhere=tuple(line for name in others for line in _published(name, figures, marks, len(columns))),
        sources=published.sources(figures),
    )
    return replace(table, notes=tuple(_notes(run, table, chosen)))


def _column(name: str, metric: Metric | None) -> Column:
    if metric is None:
        return Column(ESTIMATORS[name], TITLES[name], published.UNITS[name])
    return replace(printed.column(metric), title=TITLES[name], group="")


def _cost_columns(run: Run) -> tuple[Column, ...]:
    params = Column("params_trainable", "Parameters")
    if measured := speeds.first(run):
        return params, *(Column(one.name, "Speed", one.unit, one.words, one.direction) for one in measured)
    scopes = tuple(dict.fromkeys(latency.scope for latency in run.timing.methods.values()))
    return params, Column("latency", "Speed", "ms", scopes, "down")


def _measured(run: Run, method: Method, metrics: Iterable[Metric | None]) -> tuple[PaperCell, ...]:
    scores = {score.metric: score for score in run.results.scores if score.method == method.name}
    flattered, refused = notes.partial(run).get(method.name, set()), notes.refused(run)
    cells = []
    for metric in metrics:
        score = scores.get(metric.name) if metric is not None else None
        cells.append(PaperCell() if metric is None or score is None else measured(metric, score, flattered, refused))
    params = PaperCell()
    if method.cost is not None and method.cost.params_trainable is not None:
        frozen = method.cost.params_frozen
        under = (f"+ {quantity(frozen)}",) if frozen else ()
        params = PaperCell(quantity(method.cost.params_trainable), under, value=method.cost.params_trainable)
    return (*cells, params, *_speeds(run, method.name))


def _speeds(run: Run, method: str) -> Iterator[PaperCell]:
    """As ``hifibench throughput`` measured them, else as the run did."""
    for measure in speeds.first(run):
        one = measure.values.get(method)
        under = (one.interval,) if one is not None and one.interval else ()
        yield PaperCell() if one is None else PaperCell(one.text, under, value=one.value, low=one.low, high=one.high)
    if speeds.first(run):
        return
    timed = run.timing.methods.get(method)
    text = "" if timed is None else number(timed.ms_p50, 0 if timed.ms_p50 >= 100 else 1)
    yield PaperCell() if timed is None else PaperCell(text, value=finite(timed.ms_p50), n=timed.n)


def _groups(
    methods: Sequence[str],
    cells: Mapping[str, tuple[PaperCell, ...]],
    figures: Sequence[Figure],
    marks: Mapping[Figure, str],
    width: int,
) -> Iterator[tuple[Line, ...]]:
    """The paper's methods in its order, then the others in the run's."""
    for one, names in arranged(methods):
        own = [Line(one.title, "measured", name, cells[name], elsewhere=name in one.others) for name in names]
        listed = published.TABLE_1 + published.FURTHER
        told = _published(one.title, figures, marks, width) if one in listed else []
        unknown = [Line(one.title, "published", "", (PaperCell(),) * len(own[0].cells))] if one in listed else []
        yield (*own, *(told or unknown))


def _published(title: str, figures: Sequence[Figure], marks: Mapping[Figure, str], width: int) -> list[Line]:
    """What is known of a method: a row for each source and name, ``width`` cells each."""
    about = [figure for figure in figures if published.title(figure.method) == title]
    lines = []
    for source, name in dict.fromkeys((figure.source, figure.method) for figure in about):
        known = {figure.metric: figure for figure in about if (figure.source, figure.method) == (source, name)}
        cells = tuple(
            _figure(known[metric], marks[known[metric]]) if metric in known else PaperCell()
            for metric in (*ESTIMATORS, "params", *["latency"] * (width - len(ESTIMATORS) - 1))
        )
        lines.append(Line(title, "published", name, cells, source.key))
    return [line for line in lines if any(cell.known for cell in line.cells)]


def _figure(figure: Figure, mark: str) -> PaperCell:
    if figure.metric == "params":
        return PaperCell(f"{figure.text} M", mark=mark, value=figure.value * 1e6)
    return PaperCell(figure.text, mark=mark, value=figure.value)


def _notes(run: Run, table: PaperTable, chosen: comparable.Chosen) -> Iterable[Note]:
    """Alarms of the run, what the marks mean, the sources of the figures."""
    yield from signs(run, table.lines, table.columns)
    yield Note("Parameters: those trained; with +, those of frozen networks that a swap needs too.")
    yield from map(Note, speeds.notes(run))
    if speeds.known(run):
        yield Note(
            "Speed of the published rows: no figure could be verified. Nor is it known on which device, at which batch "
            "and number format, over which scope and after what warming up any was taken, so none would compare."
        )
    elif run.timing.methods:
        yield Note("Speed: median time of a swap, without detection, cropping and pasting back, on this machine.")
    told = (cell for line in table.lines if line.kind == "published" for cell in line.cells if cell.known)
    yield from comparable.notes(run, chosen, {cell.mark for cell in told})
    for source in table.sources:
        yield Note(f"{source.key}: {source.block}. {source.source}.")
