"""HifiFace beside its ablations (IJCAI 2021, Fig. 7 and 8): what each changes, and how far its scores differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hifibench.errors import HifibenchError
from reports import notes, printed, tables
from reports.comparison.numbers import FEWEST_MOVED
from reports.comparison.pairs import draws_of, is_mean
from reports.glossary import base
from reports.notes import Note
from reports.paired_scores import FEW_VIDEOS, UNKNOWN, PairScores, Shift, pairwise, shifts
from reports.paper import published
from reports.records import Metric, Run
from reports.tables import MISSING, PARTIAL, REFUSED, Cell, Column, number

FULL = "hififace"
"""The whole model."""

VARIANTS = ("hififace-n3d", "hififace-bare", "hififace-blend", "hififace-concat")
"""The ablations of the paper, in its order."""

KEY = ("id_retrieval", "pose", "shape", "expression", "background", "forgery_auc")
"""What is shown, the first of each that the whole model has a number in; all others stand in the CSV and JSON files."""

NAME = "ablation"
"""Of the files."""


@dataclass(frozen=True)
class AblationCell:
    """One number of a model, and how much higher it is than that of the whole model.

    Attributes:
        cell: the number.
        shift: from the whole model, over the pairs that both scored; `UNKNOWN` in its own row.
        difference: the same as printed, with its sign; empty where there is none.
        interval: of the difference, ``[low, high]``; empty where none can be given.
    """

    cell: Cell
    shift: Shift = UNKNOWN
    difference: str = ""
    interval: str = ""

    @property
    def said(self) -> str:
        """``Δ -4.0 [-9.0, 1.0], no difference told``; empty in the row of the whole model."""
        if not self.difference:
            return ""
        told = " ".join(filter(None, (f"Δ {self.difference}", self.interval)))
        return f"{told}, {self.shift.verdict}" if self.shift.verdict else told


@dataclass(frozen=True)
class AblationRow:
    """One model.

    Attributes:
        name: ours.
        title: the paper's.
        changes: what it is, or changes, in a line.
        cells: one per column of the table.
    """

    name: str
    title: str
    changes: str
    cells: tuple[AblationCell, ...]


@dataclass(frozen=True)
class AblationTable:
    """The table.

    Attributes:
        caption: what was run.
        columns: all metrics of the run.
        shown: which of them are printed, by their place.
        rows: the whole model, then its ablations.
        notes: alarms first.
    """

    caption: str
    columns: tuple[Column, ...]
    shown: tuple[int, ...]
    rows: tuple[AblationRow, ...]
    notes: tuple[Note, ...]


def build(run: Run) -> AblationTable | None:
    """The table of a run; ``None`` for a run without the whole model or without any of its ablations."""
    known = {method.name: method for method in run.results.methods}
    names = [name for name in (FULL, *VARIANTS) if name in known]
    if FULL not in names or len(names) < 2:
        return None
    table = tables.build(run)
    columns = {column.name: column for section in table.sections for column in section.columns}
    metrics = run.results.metrics
    apart, why = _shifts(run, names[1:])
    rows = tuple(
        AblationRow(
            name,
            (published.named(name) or published.Named(name)).title,
            known[name].summary,
            tuple(
                _cell(metric, table.cells.get((name, metric.name), Cell()), apart.get((name, metric.name), UNKNOWN))
                for metric in metrics
            ),
        )
        for name in names
    )
    made = AblationTable(
        f"{run.results.title} ({run.results.n_pairs} pairs): ablations of HifiFace",
        tuple(columns[metric.name] for metric in metrics),
        tuple(_shown(metrics, rows[0])),
        rows,
        (),
    )
    return replace(made, notes=tuple(_notes(run, made, why)))


def files(run: Run) -> dict[str, str]:
    """File name -> content of the table in all formats; none for a run that it does not fit."""
    from reports.paper import ablation_formats

    table = build(run)
    return {} if table is None else ablation_formats.files(table, NAME)


def _shown(metrics: Sequence[Metric], full: AblationRow) -> Iterator[int]:
    for name in KEY:
        listed = [at for at, metric in enumerate(metrics) if base(metric.name) == name]
        yield from [at for at in listed if full.cells[at].cell.value is not None][:1] or listed[:1]


def _shifts(run: Run, names: Sequence[str]) -> tuple[Mapping[tuple[str, str], Shift], str]:
    """(method, metric) -> how much higher it is than the whole model, and why that is not known, if it is not."""
    metrics = run.results.metrics
    scores = {(score.method, score.metric): score for score in run.results.scores}
    values = {key: tables.finite(score.value) for key, score in scores.items()}
    partial = notes.partial(run)
    found: dict[tuple[str, str], Shift] = {}
    for metric in metrics:
        for name in names if metric.whole else ():
            one, full = values.get((name, metric.name)), values.get((FULL, metric.name))
            if one is not None and full is not None:
                found[name, metric.name] = Shift(one - full)
    try:
        scored: PairScores = pairwise(run)
    except HifibenchError as error:
        return found, str(error)
    of_pairs = [
        (name, metric)
        for metric in metrics
        for name in names
        if values.get((name, metric.name)) is not None and values.get((FULL, metric.name)) is not None
        and not (metric.whole and not all(is_mean(scored.values[of, metric.name], metric, scores[of, metric.name])
                                          for of in (name, FULL)))
    ]  # fmt: skip
    made = shifts(
        [scored.values[name, metric.name] for name, metric in of_pairs],
        [scored.values[FULL, metric.name] for _, metric in of_pairs],
        [metric for _, metric in of_pairs],
        scored.videos,
        run.results.seed,
        draws_of(run),
    )
    for (name, metric), shift in zip(of_pairs, made, strict=True):
        judged = {*metric.needs} & (partial.get(name, set()) | partial.get(FULL, set()))
        found[name, metric.name] = shift._replace(verdict="") if judged else shift
    return found, ""


def _cell(metric: Metric, cell: Cell, shift: Shift) -> AblationCell:
    if shift.value is None:
        return AblationCell(cell, shift)
    difference = number(shift.value, metric.decimals)
    return AblationCell(
        cell,
        shift,
        difference if difference.startswith("-") else f"+{difference}",
        printed.interval(shift.low, shift.high, metric.decimals),
    )


def _notes(run: Run, table: AblationTable, why: str) -> Iterator[Note]:
    yield from (note for note in notes.of(run) if note.alarm)
    yield Note(f"{notes.BRACKETS} {MISSING}: not measured.")
    cells = [cell for row in table.rows for cell in row.cells]
    usual = notes.usual_n((one.cell.n, one.cell.n_failed) for one in cells)
    if usual is not None:
        yield notes.counted(usual)
    if any(one.cell.leader for one in cells):
        yield Note(notes.BOLD)
    if any(one.difference for one in cells):
        yield Note(
            f"Δ: how much higher than {FULL}, over the pairs that both scored, with the paired 95 % interval by video; "
            f"better or worse where that excludes 0 and {FEWEST_MOVED} videos or more differ."
        )
    if why:
        yield Note(f"No paired differences: {why}")
    videos = len({*run.videos.values()})
    if any(one.shift.verdict for one in cells) and videos < FEW_VIDEOS:
        yield Note(f"Targets from {videos} videos: intervals of so few are too narrow.")
    whole = [
        metric.name
        for at, metric in enumerate(run.results.metrics)
        if metric.whole and any(row.cells[at].difference and not row.cells[at].interval for row in table.rows)
    ]
    if whole:
        yield Note(f"Numbers of a set, whose differences have no interval here: {', '.join(whole)}.")
    models = {row.name for row in table.rows}
    for name, said in notes.absent(run).items():
        if name in models:
            yield Note(f"No swap by {name}: {said}")
    texts = [one.cell.text for one in cells]
    if any(PARTIAL in text for text in texts):
        done = "refused" if any(REFUSED in text for text in texts) else "which flatters it; no verdict"
        yield Note(f"{PARTIAL}: by an expert that took part in the method's training, {done}.")
    if any(table.columns[at].poor for at in table.shown):
        yield Note(f"{tables.POOR}: does not follow what it is to measure where the truth is known.")
