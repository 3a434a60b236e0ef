"""Fig. 6 of HifiFace (IJCAI 2021) in a report: which method comes nearer to the source's face shape."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hifibench.errors import HifibenchError
from reports import notes
from reports.figures import shape_study
from reports.figures.looks import by_title
from reports.glossary import base
from reports.paper.comparable import ESTIMATORS
from reports.records import Metric, Run

if TYPE_CHECKING:
    from hifibench.hififace.analysis.study import Study

SUITE = "ffpp-fig6"
"""Suites whose name begins so have the figure in their report."""

TITLE = "Fig. 6 of HifiFace: nearer to the source's face shape, sample by sample"

PAPER_SHARE = 95
"""In %: the paper's share of samples on which HifiFace is nearer, where source and target differ much in shape."""

GROUP = "top quarter"
"""The samples that stand for 'differ much', of which the paper gives no definition."""


@dataclass(frozen=True)
class FigureSix:
    """What the report says.

    Attributes:
        sentences: the finding, or why there is none.
        study: the samples; ``None`` where there is no figure.
    """

    sentences: tuple[str, ...]
    study: Study | None = None

    def address(self) -> str:
        """The figure as a ``data:`` address; empty where there is none."""
        if self.study is None:
            return ""
        return f"data:image/png;base64,{base64.b64encode(shape_study.png(self.study)).decode('ascii')}"


def of(run: Run) -> FigureSix | None:
    """The figure of a run; ``None`` for a run of another suite."""
    if not run.results.suite.startswith(SUITE):
        return None
    hififace, faceshifter = (by_title(run, title) for title in ("HifiFace", "FaceShifter"))
    metric = _metric(run, (hififace, faceshifter))
    if hififace is None or faceshifter is None or metric is None:
        return FigureSix(("There is no figure: it takes HifiFace, FaceShifter, target-copy and a shape metric.",))
    try:
        study = shape_study.compare(run.folder, hififace, faceshifter, metric.name)
    except HifibenchError as error:
        return FigureSix((f"There is no figure: {error}", *_absent(run, (hififace, faceshifter))))
    return FigureSix(tuple(_sentences(run, study, metric, hififace, faceshifter)), study)


def _sentences(run: Run, study: Study, metric: Metric, hififace: str, faceshifter: str) -> list[str]:
    share = next(one for one in shape_study.shares(study) if one.group == GROUP)
    lines = [
        f"Among the quarter of the samples whose source and target differ most in shape, {hififace} is nearer to the "
        f"source's shape than {faceshifter} on {share.lower} of {share.n}: {shape_study.percent(share)} (95 % "
        f"interval, clustered by video). The paper says {PAPER_SHARE} %, where shapes differ much.",
    ]
    if metric.name != ESTIMATORS["shape"]:
        lines.append(f"Measured by {metric.name}, in the paper by {ESTIMATORS['shape']}: do not compare.")
    if {*metric.needs} & notes.partial(run).get(hififace, set()):
        lines.append(f"The estimator took part in the training of {hififace}, which flatters it.")
    return [*lines, *shape_study.sentences(study)]


def _absent(run: Run, methods: tuple[str, str]) -> list[str]:
    return [f"No swap by {name}: {why}" for name, why in notes.absent(run).items() if name in methods]


def _metric(run: Run, methods: tuple[str | None, str | None]) -> Metric | None:
    """The paper's shape metric, else the first by an estimator that took part in the training of neither method."""
    listed = [metric for metric in run.results.metrics if base(metric.name) == "shape"]
    judged = {expert for name in methods if name is not None for expert in notes.partial(run).get(name, ())}
    ranked = sorted(listed, key=lambda one: (one.name != ESTIMATORS["shape"], bool(judged & {*one.needs})))
    return next(iter(ranked), None)
