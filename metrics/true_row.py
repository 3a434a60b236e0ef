"""Whether the true swap is the best row wherever it should be; where it is not, which estimator fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from hifibench.contracts import Metric
from hifibench.records import Score
from metrics.inputs import base, words
from metrics.reference import RE_ENCODE, SOURCE_PASTE, TARGET_COPY, TRUTH, ends

OF_SOURCE = ("id_retrieval", "id_cosine", "shape")
"""Metrics of what comes from the source, in which the source's own pixels may be ahead of any swap."""
OF_TARGET = ("pose", "expression", "gaze", "lighting", "occlusion", "jitter", "flicker")
"""Metrics of what is kept of the target, in which the target itself is perfect by definition."""
OF_REALISM = ("forgery_auc", "forgery_ap", "forgery_eer")
"""Metrics of realism, in which a picture that nobody swapped is as good as the true swap."""


@dataclass(frozen=True)
class Lead:
    """A row that an estimator takes for better than the true swap.

    Attributes:
        metric: printed name.
        row: the method or reference row.
        value: its score.
        true: the score of the true swap.
        exact: the metric compares pixels with the true swap itself, so that not an estimator but the run is wrong.
    """

    metric: str
    row: str
    value: float
    true: float
    exact: bool


def should_lead(metric: Metric) -> bool:
    """Whether the true swap should be the best row by a metric.

    Not by those of the background, since another head has another outline; nor by the skin's distance from the target,
    since the true swap wears the source's skin; nor by the target's landmarks, since another shape has them elsewhere;
    nor by the target's likeness, which a metric of leaks may find in any face under the same light and hair; nor by the
    variance of identity along a clip, which has no target to be held against; nor by distances of sets.
    """
    name = base(metric.name)
    return name in (*OF_SOURCE, *OF_TARGET, *OF_REALISM, "truth") or (
        name == "skin_tone" and "source" in words(metric.name)
    )


def leads(scores: Mapping[str, Mapping[str, Score]], metrics: Sequence[Metric]) -> list[Lead]:
    """The rows that are better than the true swap beyond both intervals, where none should be; the best one a metric.

    Rows that are perfect by definition do not count: the target's own picture in what is kept of the target and in
    realism, the source's own pixels in what comes from the source.

    Args:
        scores: method -> printed name of the metric -> score.
        metrics: of the table.
    """
    if TRUTH not in scores:
        return []
    return [lead for metric in metrics if should_lead(metric) for lead in _ahead(scores, metric)]


def _ahead(scores: Mapping[str, Mapping[str, Score]], metric: Metric) -> Iterator[Lead]:
    true = scores[TRUTH].get(metric.name)
    if true is None or not isfinite(true.value):
        return
    ahead = []
    for row in scores:
        other = scores[row].get(metric.name)
        if row in _perfect(metric) or other is None or not isfinite(other.value):
            continue
        theirs, its = ends(other), ends(true)
        if theirs.low > its.high if metric.direction == "up" else theirs.high < its.low:
            ahead.append(row)
    if ahead:
        sign = -1 if metric.direction == "up" else 1
        best = min(ahead, key=lambda row: sign * scores[row][metric.name].value)
        exact = base(metric.name) == "truth" and len(words(metric.name)) == 1
        yield Lead(metric.name, best, scores[best][metric.name].value, true.value, exact)


def _perfect(metric: Metric) -> tuple[str, ...]:
    """The rows that need no estimator to be perfect by a metric, and the true swap itself."""
    name = base(metric.name)
    if name in OF_TARGET or name in OF_REALISM:
        return TRUTH, TARGET_COPY, RE_ENCODE
    return (TRUTH, SOURCE_PASTE) if name in OF_SOURCE or name == "skin_tone" else (TRUTH,)


def findings(scores: Mapping[str, Mapping[str, Score]], metrics: Sequence[Metric]) -> list[str]:
    """`leads` in words, for the readers of a report; one sentence a metric."""
    decimals = {metric.name: metric.decimals for metric in metrics}
    said = []
    for lead in leads(scores, metrics):
        figures = f"{lead.value:.{decimals[lead.metric]}f} against {lead.true:.{decimals[lead.metric]}f}"
        fails = "no estimator took part, so the run is wrong" if lead.exact else "the estimator fails on these images"
        said.append(f"{lead.metric} finds {lead.row} better than the true swap ({figures}): {fails}")
    return said
