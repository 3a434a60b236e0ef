"""What a figure of a run is before it is written: its name, its drawing, its caption; and what all captions say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.figures.figure import tidy
from reports.figures.looks import Look
from reports.formats import markdown_escape
from reports.records import Method, Metric, Result, Run
from reports.tables import PARTIAL, POOR

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHOICE = (
    "Of several estimators of one thing, the first of those that judge the most methods without having taught them."
)
"""How `reports.figures.metrics.choose` chooses."""


@dataclass(frozen=True)
class Drawing:
    """A figure that is ready to be written.

    Attributes:
        name: of its files.
        title: of its caption, in words.
        caption: one paragraph of Markdown: what is shown, by which estimator, of how many, with which interval.
        figure: the drawing.
        generated: it shows generated faces.
    """

    name: str
    title: str
    caption: str
    figure: Figure
    generated: bool


def said(name: str) -> str:
    """A name from outside in Markdown, as it stands."""
    return markdown_escape(tidy(name)).replace("$", r"\$")


def measured(metric: Metric) -> str:
    """A metric in a caption: ``pose error, lower is better (pose[mediapipe], deg)``."""
    unit = f", {metric.unit}" if metric.unit else ""
    better = "higher is better" if metric.direction == "up" else "lower is better"
    return said(f"{metric.title}, {better} ({metric.name}{unit})")


def intervals(run: Run) -> str:
    """How the run made its intervals."""
    return f"Intervals: {said(run.results.protocol.get('intervals', '95 %'))}."


def origin(run: Run) -> str:
    """Where the numbers come from: the last sentence of every caption."""
    results = run.results
    made_of = f", {results.title}" if results.title else ""
    return said(
        f"Suite {results.suite}{made_of}; {results.n_pairs} pairs, seed {results.seed}, manifest "
        f"{results.manifest[:12]}."
    )


def meant(looks: Iterable[Look]) -> str:
    """Which methods of the run stand behind the paper's names; empty where they go by their own."""
    told = [f"{said(look.title)} is {said(look.name)}" for look in looks if look.title != look.name]
    return f"Names as in the paper: {'; '.join(told)}." if told else ""


def counted(results: Iterable[Result]) -> str:
    """How many pairs the numbers rest on: ``n = 100 pairs a method``, with what was not scored."""
    listed = list(results)
    n = sorted({one.n for one in listed})
    failed = max((one.n_failed for one in listed), default=0)
    if not n:
        return ""
    many = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
    return f"n = {many} pairs a method" + (f", of which up to {failed} could not be scored." if failed else ".")


def flattered(method: Method, metrics: Iterable[Metric]) -> bool:
    """Whether an expert behind one of the metrics took part in the method's training."""
    return any({*method.trained_with} & {*metric.needs} for metric in metrics)


def dagger(run: Run, names: Iterable[str]) -> str:
    """What † means, if any method of these bears it."""
    listed = ", ".join(said(name) for name in names)
    about = "by an expert that took part in the method's training, which flatters it"
    return f"{PARTIAL}: {about} ({listed})." if listed else ""


def poor(metrics: Iterable[Metric]) -> str:
    """What § means, if any of these metrics bears it."""
    told = [
        f"{said(one.name)}: {said(one.calibration.reason)}"
        for one in metrics
        if one.calibration is not None and one.calibration.poor
    ]
    return f"{POOR}: does not follow what it is to measure ({'; '.join(told)})." if told else ""


def about(run: Run) -> Mapping[str, str]:
    """What the files say of their origin."""
    return {
        "suite": run.results.suite,
        "run": str(run.provenance.get("run_id", "")),
        "manifest": run.results.manifest,
        "hifibench": str(run.provenance.get("hifibench", "")),
    }


def paragraph(*sentences: str) -> str:
    """Sentences as one paragraph; empty ones are left out."""
    return " ".join(sentence for sentence in sentences if sentence)
