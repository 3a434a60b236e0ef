"""HifiFace's Table 2 (IJCAI 2021) with the numbers of a run: how well forgery detectors tell swaps from originals.

Methods stand in rows, named as in the paper; each detector has a pair of columns, the area under its ROC curve and its
average precision. A swap that a detector tells less well is the more realistic one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reports import notes, printed
from reports.glossary import base, words
from reports.notes import Note
from reports.paper import formats as paper_formats
from reports.paper.records import Line, PaperCell, PaperTable, arranged, measured, signs
from reports.records import Metric, Run
from reports.tables import Column

SHOWN = {"forgery_auc": "AUC", "forgery_ap": "AP"}
"""What the paper's table holds of each detector; error rates stand in the other tables."""

PAPERS = ("xception-ffpp", "dfdc-ensemble")
"""The paper's detectors: the model of FaceForensics++ and the winner of the DFDC."""

NAME = "table2"
"""Of the files."""


def build(run: Run) -> PaperTable | None:
    """The table of a run; ``None`` for a run without forgery metrics."""
    metrics = _metrics(run)
    if not metrics:
        return None
    rows = {method.name: _row(run, method.name, metrics) for method in run.results.methods}
    competing = [method.name for method in run.results.methods if method.kind == "method"]
    table = PaperTable(
        caption=f"{run.results.title} ({run.results.n_pairs} pairs), as in Table 2 of HifiFace",
        keys=tuple(metric.name for metric in metrics),
        columns=tuple(map(_column, metrics)),
        references=tuple(
            Line(method.name, "reference", method.name, rows[method.name])
            for method in run.results.methods
            if method.kind == "reference"
        ),
        methods=tuple(
            tuple(Line(one.title, "measured", name, rows[name], elsewhere=name in one.others) for name in names)
            for one, names in arranged(competing)
        ),
        elsewhere=(),
        spans=tuple(", ".join(words(metric.name)) for metric in metrics),
    )
    return replace(table, notes=tuple(_notes(run, table, metrics)))


def files(run: Run) -> dict[str, str]:
    """File name -> content of the report's Table 2; none for a run without forgery metrics."""
    table = build(run)
    return {} if table is None else paper_formats.files(table, NAME)


def _metrics(run: Run) -> list[Metric]:
    """AUC and AP, those of one detector side by side."""
    listed = [metric for metric in run.results.metrics if base(metric.name) in SHOWN]
    detectors = list(dict.fromkeys(words(metric.name) for metric in listed))
    return sorted(listed, key=lambda one: (detectors.index(words(one.name)), [*SHOWN].index(base(one.name))))


def _column(metric: Metric) -> Column:
    return replace(printed.column(metric), title=SHOWN[base(metric.name)], group="")


def _row(run: Run, method: str, metrics: list[Metric]) -> tuple[PaperCell, ...]:
    scores = {score.metric: score for score in run.results.scores if score.method == method}
    flattered, refused = notes.partial(run).get(method, set()), notes.refused(run)
    return tuple(
        measured(metric, scores[metric.name], flattered, refused) if metric.name in scores else PaperCell()
        for metric in metrics
    )


def _notes(run: Run, table: PaperTable, metrics: list[Metric]) -> Iterator[Note]:
    yield from signs(run, table.lines, table.columns)
    yield Note(
        "AUC: area under the detector's ROC curve; AP: its average precision with as many swaps as originals. 50 is "
        "chance; lower is the more realistic swap."
    )
    foreign = list(dict.fromkeys(words(one.name)[0] for one in metrics if words(one.name)[:1] != ()))
    foreign = [name for name in foreign if name not in PAPERS]
    if foreign:
        yield Note(f"Not the paper's detectors ({', '.join(PAPERS)}): {', '.join(foreign)}. Do not compare with its "
                   "Table 2.")  # fmt: skip
    yield Note(
        "No published figure stands beside these: there is none of forgery detection that could be verified at its "
        "source."
    )
