"""Whether the reference rows stand where they must: if not, the table is wrong, whatever it says about the methods.

``target-copy`` is the target itself, ``re-encode`` the target through JPEG, ``source-paste`` the source's face laid
onto the target: what these must score is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from hifibench.contracts import Metric
from hifibench.records import Score
from metrics import trained_detector
from metrics.identity import TOPS
from metrics.inputs import base, words
from metrics.statistics import Interval

TARGET_COPY, RE_ENCODE, SOURCE_PASTE, TRUTH = "target-copy", "re-encode", "source-paste", "truth"

CHANCE_SLACK = 5.0
"""Percentage points above chance that still count as chance: faces are not all equally unlike each other."""
CEILING = 80.0
"""% of pasted sources that a recogniser must find, to be of use in ranking methods."""
ROUNDING = 1e-6
"""How far a similarity of an image to itself may stay below 1."""

UNTOUCHED = 10.0
"""Percentage points from chance (50) within which a detector's area may lie for pictures that nobody swapped."""
FOUND = 80.0
"""% of originals below a pasted face that a detector must reach, to be of use in ranking methods."""

_EXAMPLES = 3
"""Figures that a check names where all is well; where not, it names all that are wrong."""

Scores = Mapping[str, Mapping[str, Score]]
Finding = tuple[bool, str]
"""Whether a figure is as it must be, and the figure in words."""


@dataclass(frozen=True)
class Check:
    """One statement about the reference rows.

    Attributes:
        name: what is checked.
        ok: false only where the rows contradict it.
        detail: figures behind it, or what is wrong and what that means; begins with ``Skipped`` where the rows or
            metrics that it takes are not in the run.
        skipped: nothing was checked.
    """

    name: str
    ok: bool
    detail: str
    skipped: bool = False


def check_order(scores: Scores, metrics: Sequence[Metric], galleries: Mapping[str, int]) -> list[Check]:
    """Check the reference rows of a table against what they must be, by definition.

    Args:
        scores: method -> printed name of the metric -> score.
        metrics: the metrics of the table; those not known here are left alone.
        galleries: gallery -> number of people in it, for the level of chance.

    Returns:
        The checks, always the same ones in the same order. A check fails if one metric contradicts it.
    """
    return [
        _check(
            "target-copy equals the target",
            _target_copy_is_the_target(scores, metrics),
            takes=f"the row {TARGET_COPY} and pose, expression, background or id_leak",
            otherwise="The same picture is not observed alike as a target and as a swap",
        ),
        _check(
            "identity of the target rows at chance",
            _targets_are_at_chance(scores, metrics, galleries),
            takes=f"{TARGET_COPY} or {RE_ENCODE}, id_retrieval and a gallery of more than a few people",
            otherwise="Pictures of the target's person pass for the source's: sources and targets are mixed up, "
            "or people appear under several names",
        ),
        _check(
            f"identity of source-paste near the ceiling (at least {CEILING:.0f} %)",
            _source_paste_is_at_the_ceiling(scores, metrics),
            takes=f"the row {SOURCE_PASTE} and id_retrieval",
            otherwise="The recogniser does not find the very face that was pasted, so it cannot rank methods",
        ),
        _check(
            "no row carries the source's identity better than source-paste",
            _source_paste_leads(scores, metrics),
            takes=f"the row {SOURCE_PASTE}, another row and id_retrieval",
            otherwise="The source's own face is outdone in looking like the source: the recogniser may have taken "
            "part in training, or faces are cropped badly",
        ),
        _check(
            "pose of source-paste worse than of the target rows",
            _source_paste_turns_the_head(scores, metrics),
            takes=f"the row {SOURCE_PASTE}, one of {TARGET_COPY} and {RE_ENCODE}, and pose",
            otherwise="A face in another pose goes unnoticed: the estimator does not look at the swapped face, "
            "or the swap is compared with its source",
        ),
        _check(
            "errors of re-encode between target-copy and source-paste",
            _re_encode_lies_between(scores, metrics),
            takes=f"the rows {TARGET_COPY}, {RE_ENCODE} and {SOURCE_PASTE}, and pose or expression",
            otherwise="JPEG weighs more than another face: the estimator is too noisy to compare methods",
        ),
        _check(
            f"forgery detectors at chance on the target rows (50 % within {UNTOUCHED:.0f})",
            _detectors_overlook_compression(scores, metrics),
            takes=f"{TARGET_COPY} or {RE_ENCODE}, and forgery_auc",
            otherwise="A picture that nobody swapped is told from the originals: the detector finds compression, not "
            "forgery",
            doubtful="its figures on these images",
        ),
        _check(
            f"forgery detectors find source-paste (at least {FOUND:.0f} %)",
            _detectors_find_a_paste(scores, metrics),
            takes=f"the row {SOURCE_PASTE} and forgery_auc",
            otherwise="The detector overlooks a face that is pasted on flat, so it cannot rank methods",
            doubtful="its figures on these images",
        ),
    ]


def _check(name: str, findings: Iterable[Finding], takes: str, otherwise: str, doubtful: str = "this table") -> Check:
    findings = list(findings)
    wrong = [said for fits, said in findings if not fits]
    if wrong:
        return Check(name, False, f"{otherwise}. Wrong: {'; '.join(wrong)}. Do not trust {doubtful}.")
    if findings:
        more = f"; and {len(findings) - _EXAMPLES} more" if len(findings) > _EXAMPLES else ""
        return Check(name, True, f"{'; '.join(said for _, said in findings[:_EXAMPLES])}{more}.")
    return Check(name, True, f"Skipped: it takes {takes}.", skipped=True)


def _target_copy_is_the_target(scores: Scores, metrics: Sequence[Metric]) -> Iterator[Finding]:
    for metric, score in _scored(scores, TARGET_COPY, metrics, ("pose", "expression", "background", "id_leak")):
        if base(metric.name) == "id_leak" or metric.direction == "up":
            yield abs(score.value - 1.0) <= ROUNDING, f"{_said(metric, score)} (expected 1)"
        else:
            yield score.value == 0.0, f"{_said(metric, score)} (expected 0)"


def _targets_are_at_chance(
    scores: Scores, metrics: Sequence[Metric], galleries: Mapping[str, int]
) -> Iterator[Finding]:
    for method in (TARGET_COPY, RE_ENCODE):
        for metric, score in _scored(scores, method, metrics, ("id_retrieval",)):
            chance = _chance(metric, galleries)
            # In a gallery of a few people the k nearest say nothing.
            if chance <= 50.0:
                said = f"{method} {_said(metric, score)} (chance {chance:.1f} %)"
                yield ends(score).low <= chance + CHANCE_SLACK, said


def _source_paste_is_at_the_ceiling(scores: Scores, metrics: Sequence[Metric]) -> Iterator[Finding]:
    for metric, score in _scored(scores, SOURCE_PASTE, metrics, ("id_retrieval",)):
        yield ends(score).high >= CEILING, _said(metric, score)


def _source_paste_leads(scores: Scores, metrics: Sequence[Metric]) -> Iterator[Finding]:
    others = [method for method in scores if method not in (SOURCE_PASTE, TRUTH)]
    for metric, paste in _scored(scores, SOURCE_PASTE, metrics, ("id_retrieval",)):
        rates = {
            method: score for method in others for _, score in _scored(scores, method, [metric], ("id_retrieval",))
        }
        if rates:
            best = max(rates, key=lambda method: ends(rates[method]).low)
            said = f"{_said(metric, paste)} against {rates[best].value:.1f} % of {best}"
            yield ends(rates[best]).low <= ends(paste).high, said


def _source_paste_turns_the_head(scores: Scores, metrics: Sequence[Metric]) -> Iterator[Finding]:
    for metric, paste in _scored(scores, SOURCE_PASTE, metrics, ("pose",)):
        for method in (TARGET_COPY, RE_ENCODE):
            for _, score in _scored(scores, method, [metric], ("pose",)):
                yield paste.value > score.value, f"{_said(metric, paste)} against {score.value:.3g} of {method}"


def _re_encode_lies_between(scores: Scores, metrics: Sequence[Metric]) -> Iterator[Finding]:
    bases = ("pose", "expression")
    for metric, score in _scored(scores, RE_ENCODE, metrics, bases):
        low = [copy.value for _, copy in _scored(scores, TARGET_COPY, [metric], bases)]
        high = [paste.value for _, paste in _scored(scores, SOURCE_PASTE, [metric], bases)]
        if low and high:
            said = f"{_said(metric, score)} between {low[0]:.3g} and {high[0]:.3g}"
            yield low[0] <= score.value <= high[0], said


def _detectors_overlook_compression(scores: Scores, metrics: Sequence[Metric]) -> Iterator[Finding]:
    for method in (TARGET_COPY, RE_ENCODE):
        for metric, score in _scored(scores, method, metrics, ("forgery_auc",)):
            # An area over a pair or two, which has no interval, lies anywhere by luck.
            if isfinite(score.low) and isfinite(score.high):
                fits = score.low <= 50.0 + UNTOUCHED and score.high >= 50.0 - UNTOUCHED
                yield fits, f"{method} {_said(metric, score)}"


def _detectors_find_a_paste(scores: Scores, metrics: Sequence[Metric]) -> Iterator[Finding]:
    # One that was trained on the methods of the run has never met a paste.
    fixed = [metric for metric in metrics if trained_detector.NAME not in words(metric.name)]
    for metric, score in _scored(scores, SOURCE_PASTE, fixed, ("forgery_auc",)):
        if isfinite(score.high):
            yield score.high >= FOUND, _said(metric, score)


def _scored(
    scores: Scores, method: str, metrics: Iterable[Metric], bases: Sequence[str]
) -> Iterator[tuple[Metric, Score]]:
    """The metrics of these base names that the method has a value in."""
    row = scores.get(method, {})
    for metric in metrics:
        if base(metric.name) in bases and metric.name in row and isfinite(row[metric.name].value):
            yield metric, row[metric.name]


def ends(score: Score) -> Interval:
    """The interval of a score; where an end is missing, as from a single video, the value stands for it."""
    return Interval(*(end if isfinite(end) else score.value for end in (score.low, score.high)))


def _chance(metric: Metric, galleries: Mapping[str, int]) -> float:
    """% of targets that show the source's person by luck, if everybody has as many images in the gallery."""
    _, gallery, top = words(metric.name)
    # The target is itself one of the frames, and its own nearest one: one place less is left to luck.
    places = TOPS[top] - (gallery == "frames")
    return min(100.0, 100.0 * places / max(1, galleries.get(gallery, 1)))


def _said(metric: Metric, score: Score) -> str:
    value = f"{score.value:.1f}" if metric.unit == "%" else f"{score.value:.3g}"
    return f"{metric.name} {value}{' ' + metric.unit if metric.unit else ''}"
