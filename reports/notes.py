"""The footnotes of a table: what its numbers rest on, what they cannot tell, and whether they may be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hifibench.records import Status
from reports import speeds
from reports.glossary import REFERENCES, base
from reports.provenance import describe, hardware
from reports.records import Check, Run

MESSAGES = 3
"""How many different messages of a method that made no swap its footnote repeats."""


@dataclass(frozen=True)
class Note:
    """One footnote.

    Attributes:
        text: the footnote.
        alarm: it must not be overlooked.
        floor: it says what an estimator can tell apart at all.
        sign: it explains what stands in a cell: brackets, bold, marks.
    """

    text: str
    alarm: bool = False
    floor: bool = False
    sign: bool = False


BRACKETS = "In brackets: 95 % interval."
"""What stands beside a number."""

BOLD = "Bold: better than every other method, the interval of each paired difference excludes 0."
"""When a number is printed bold."""


def usual_n(cells: Iterable[tuple[int | None, int | None]]) -> int | None:
    """The number of pairs that most cells have of which none failed; ``None`` where there is no such cell.

    Args:
        cells: how many pairs each is of, and how many of them were not scored.
    """
    whole = Counter(n for n, n_failed in cells if n is not None and not n_failed)
    return max(whole, key=lambda n: (whole[n], n), default=None)


def counted(usual: int) -> Note:
    """Says of how many pairs numbers are that do not say it."""
    return Note(f"n: {usual:,} pairs, all of them scored, where a cell does not say otherwise.", sign=True)


def unmeasured(run: Run) -> tuple[str, ...]:
    """Metrics without a value for any pair of any method: these images do not let them be measured.

    No method failed there. Where nothing at all has a value it is the methods that failed, and none is listed.
    """
    scores = run.results.scores
    measured = {score.metric for score in scores if score.value is not None}
    return tuple(dict.fromkeys(score.metric for score in scores if measured and score.metric not in measured))


def partial(run: Run) -> dict[str, set[str]]:
    """Method -> experts that took part in its training and in this run: their numbers flatter it."""
    took_part = {expert.name for expert in run.results.experts}
    found = {method.name: took_part & {*method.trained_with} for method in run.results.methods}
    return {name: experts for name, experts in found.items() if experts}


def refused(run: Run) -> set[tuple[str, str]]:
    """(method, metric) without a number since an expert took part in the method's training."""
    judged, needs = partial(run), {metric.name: {*metric.needs} for metric in run.results.metrics}
    return {
        (score.method, score.metric)
        for score in run.results.scores
        if score.value is None and score.reason and judged.get(score.method, set()) & needs[score.metric]
    }


def _undefined(run: Run) -> dict[str, list[str]]:
    """Reason -> metrics that have no number for it, with the methods unless all have none; without refusals."""
    left_out = refused(run)
    found: dict[tuple[str, str], list[str]] = {}
    for score in run.results.scores:
        if score.reason and (score.method, score.metric) not in left_out:
            found.setdefault((score.reason, score.metric), []).append(score.method)
    said: dict[str, list[str]] = {}
    for (reason, metric), methods in found.items():
        of = "" if len(methods) == len(run.results.methods) else f" of {', '.join(methods)}"
        said.setdefault(reason, []).append(f"{metric}{of}")
    return said


def absent(run: Run) -> dict[str, str]:
    """Method -> how its pairs ended and what was said, for the methods that made not a single swap."""
    found = {}
    for method in run.results.methods:
        if method.status and not method.status.get(Status.OK):
            ended = ", ".join(f"{status} ({count} pairs)" for status, count in method.status.items())
            said = "; ".join(method.messages[:MESSAGES])
            found[method.name] = f"{ended}{': ' + said if said else ''}"
    return found


def unscored(run: Run) -> list[str]:
    """A sentence on each method that made swaps, of which no metric could score a single one."""
    without = {score.method for score in run.results.scores} - absent(run).keys()
    without -= {score.method for score in run.results.scores if score.value is not None}
    return [
        f"No number for {method.name}: it made swaps, but none of them could be scored."
        for method in run.results.methods
        if method.name in without
    ]


def of(run: Run) -> Iterable[Note]:
    """The footnotes of a run's table: alarms first, provenance last."""
    results = run.results
    for check in results.checks:
        if not check.ok:
            yield Note(f"CHECK FAILED: {check.name}. {check.detail or 'Do not trust this table.'}", True)
    yield Note(f"{BRACKETS} Arrows: which way is better.", sign=True)
    yield Note("n: pairs that a number is of; failed: those of them that were not scored, none where not said.")
    if any(metric.leader for metric in results.metrics):
        yield Note(BOLD, sign=True)
    for name, why in absent(run).items():
        yield Note(f"No swap by {name}: {why}")
    for why in unscored(run):
        yield Note(why)
    judged = partial(run)
    if judged:
        told = "; ".join(f"{name}: {', '.join(sorted(experts))}" for name, experts in judged.items())
        done = "refused; --trained-with mark shows it" if refused(run) else "which flatters it; not in bold"
        yield Note(f"†: by an expert that took part in the method's training ({told}): {done}.", sign=True)
    for finding in results.findings:
        yield Note(f"Against the true swap: {finding}.")
    for reason, names in _undefined(run).items():
        yield Note(f"No number: {reason} ({'; '.join(names)}).")
    poor: dict[str, list[str]] = {}
    for metric in results.metrics:
        if metric.calibration is not None and metric.calibration.poor:
            poor.setdefault(metric.calibration.reason, []).append(metric.name)
    if poor:
        told = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in poor.items())
        yield Note(f"§: does not follow what it is to measure. {told}.")
    known = [metric.calibration for metric in results.metrics if metric.calibration is not None]
    if known:
        made = "; ".join(dict.fromkeys(f"{one.made_on} pairs, {one.manifest[:12]}" for one in known if one.manifest))
        yield Note(
            f"Calibration, on rendered heads whose truth is known{f' ({made})' if made else ''}: floor, what the "
            "metric says where nothing is wrong; ρ, how well it follows known changes; what it resolves, the smallest "
            "difference it can tell (95 % level, 80 % power, paired)."
        )
    missing = unmeasured(run)
    explained = {score.metric for score in results.scores if score.reason}
    if silent := [name for name in missing if name not in explained]:
        retrieval = any(base(name) == "id_retrieval" for name in silent)
        why = " Retrieval needs an image of the source's person in the gallery." if retrieval else ""
        yield Note(f"Not measurable in this run, and not counted as not scored: {'; '.join(silent)}.{why}")
    if any(score.n_failed for score in results.scores if score.metric not in missing):
        yield Note("Not scored: pairs that at least one metric could not score (the metric that missed most).")
        yield Note("Worst case: the mean when each pair that could not be scored counts as the metric's worst value.")
    references = [method for method in results.methods if method.kind == "reference"]
    if references:
        told = "; ".join(f"{m.name}: {REFERENCES.get(m.name, m.summary)}" for m in references)
        yield Note(f"Reference rows bound the scale and do not compete. {told}.")
    yield from _checked(results.checks)
    if results.galleries:
        sizes = "; ".join(
            f"{name}, {size.images} images of {size.identities} people" for name, size in results.galleries.items()
        )
        yield Note(f"Galleries: {sizes}.")
    if results.protocol:
        told = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in results.protocol.items())
        yield Note(f"Protocol: {told}.")
    for expert in results.experts:
        if expert.limits:
            yield Note(f"Limits of {expert.name}: {expert.limits}", floor=True)
    yield from map(Note, speeds.notes(run))
    if run.timing.methods and not speeds.known(run):
        yield Note(
            "Latency: inside the method's own swap, without detection, cropping and pasting back; pairs that share a "
            "batch share its time."
        )
    if (run.timing.methods or speeds.known(run)) and (on := speeds.hardware(run)):
        told = ", ".join(f"{key} {value}" for key, value in hardware(on))
        yield Note(f"Timed on: {told}.")
    made_by = [f"{key} {run.provenance[key]}" for key in ("hifibench", "commit", "created") if run.provenance.get(key)]
    yield Note(
        ", ".join([f"Suite {results.suite}", f"seed {results.seed}", f"manifest {results.manifest[:12]}", *made_by])
        + "."
    )
    research = [entry.asset for entry in describe(run.provenance).licences if entry.research_only]
    if research:
        yield Note(f"For research only, as are results that rest on them: {', '.join(research)}.")


def _checked(checks: Sequence[Check]) -> Iterable[Note]:
    """That the reference rows are in order, if any was looked at; what is wrong is an alarm of its own."""
    passed = sum(check.ok and not check.skipped for check in checks)
    skipped = sum(check.skipped for check in checks)
    left_out = f", {skipped} skipped for want of rows or metrics" if skipped else ""
    if not passed and skipped == len(checks):
        yield Note("The reference rows were not checked: the run has none that could be.")
    elif passed + skipped == len(checks):
        yield Note(
            f"The reference rows are in order ({passed} {'check' if passed == 1 else 'checks'} passed{left_out})."
        )
