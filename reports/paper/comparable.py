"""Which published figures a run's numbers may be held against: same images, same estimators, same gallery."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from reports.glossary import base, words
from reports.notes import Note
from reports.paper import published
from reports.paper.published import Figure
from reports.records import Metric, Run

ESTIMATORS: Mapping[str, str] = MappingProxyType(
    {"id_retrieval": "id_retrieval[cosface,frames,top1]", "pose": "pose[hopenet]", "shape": "shape[ringnet]"}
)
"""Metric of HifiFace's Table 1 -> its name here with the paper's estimator (IJCAI 2021, section 4.2)."""

FRAMES = 10_000
"""About how many frames the paper swaps, and searches: 10 of each of FaceForensics++'s 1,000 videos."""

WHOLE = 0.9
"""Share of `FRAMES` from which on a run is taken for one of the whole dataset: a few videos may be unusable."""

OTHER = "≠"
"""Marks a published figure of other images, other estimators or another gallery."""

CARE = "≈"
"""Marks a published figure of which it is not known whether it was measured in the same way."""

Chosen = Mapping[str, Metric | None]
"""Metric of the paper -> the run's metric that stands in its column; ``None`` where the run has none."""


def on_ffpp(run: Run) -> bool:
    """Whether the images are of FaceForensics++: as ``run.json`` says; where it is gone, by the suite's name."""
    suite = run.provenance.get("suite")
    images = suite.get("data") if isinstance(suite, Mapping) else None
    kind = images.get("kind") if isinstance(images, Mapping) else None
    return bool(kind == "ffpp") if kind is not None else run.results.suite.startswith("ffpp-")


def choose(metrics: Sequence[Metric]) -> Chosen:
    """The metric for each column: with the paper's estimator, else the likest protocol there is."""
    return {name: _likest(metrics, name) for name in ESTIMATORS}


def _likest(metrics: Sequence[Metric], name: str) -> Metric | None:
    listed = [metric for metric in metrics if base(metric.name) == name]
    exact = [metric for metric in listed if metric.name == ESTIMATORS[name]]
    # The same gallery, and no single angle of the pose.
    alike = [metric for metric in listed if words(metric.name)[1:] == words(ESTIMATORS[name])[1:]]
    return next(iter([*exact, *alike, *listed]), None)


def mark(run: Run, figure: Figure, chosen: Chosen) -> str:
    """`OTHER`, `CARE`, or empty for a figure of the paper whose protocol the run follows."""
    if figure.metric not in ESTIMATORS:
        return CARE
    metric = chosen[figure.metric]
    if not figure.source.on_ffpp or metric is None or metric.name != ESTIMATORS[figure.metric]:
        return OTHER
    # Among fewer faces the right one is found more easily.
    if figure.metric == "id_retrieval" and _searched(run) < WHOLE * FRAMES:
        return OTHER
    whole = run.results.n_pairs >= WHOLE * FRAMES
    return "" if whole and figure.source.source == published.PAPER_SOURCE else CARE


def notes(run: Run, chosen: Chosen, marks: Collection[str]) -> Iterable[Note]:
    """What the marks of a table mean, and why its columns do or do not compare."""
    foreign = {
        name: metric.name for name, metric in chosen.items() if metric is not None and metric.name != ESTIMATORS[name]
    }
    if foreign:
        told = "; ".join(f"{name} in place of {ESTIMATORS[key]}" for key, name in foreign.items())
        yield Note(f"Other estimators than the paper's: do not compare with published figures. {told}.")
    elif _searched(run) < WHOLE * FRAMES:
        yield Note(
            f"ID retrieval searched {_searched(run):,} frames, the paper's about {FRAMES:,}: it is easier here. "
            "Do not compare."
        )
    if run.results.n_pairs < WHOLE * FRAMES:
        yield Note(f"This run has {run.results.n_pairs:,} swaps of each method, the paper's about {FRAMES:,}.")
    if "" in marks:
        yield Note("Published figures without a mark: of the paper whose protocol this run follows.")
    if CARE in marks:
        yield Note(
            f"{CARE}: compare with care. It could not be verified that the source chose pairs, frames and estimators "
            "as here, or that it counted the same networks."
        )
    if OTHER in marks:
        yield Note(f"{OTHER}: do not compare. Other images, other estimators, or another gallery than here.")


def _searched(run: Run) -> int:
    size = run.results.galleries.get("frames")
    return 0 if size is None else size.images
