"""Whether the numbers of a run are where a golden file says they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hifibench.errors import UsageError
from reports.gates import tolerances
from reports.gates.golden import CARD, Golden, GoldenMethod, GoldenMetric, Key, Number, cards, measured, number, videos
from reports.gates.records import COSTS, Gate, Line, Verdict
from reports.gates.tolerances import Chance
from reports.records import Method, Run

SIZE = 0.1
"""Share by which the number of pairs of two runs may differ: among fewer faces a right one is found more easily."""

_SLACK = 1e-9
"""Numbers are written with nine digits, so that a difference may lie this much of them beyond its tolerance."""


def gate(run: Run, golden: Golden) -> Gate:
    """Hold the numbers of a run against a golden file.

    Raises:
        UsageError: the golden is of another suite, other images, or another number of pairs.
    """
    _comparable(run, golden)
    same = run.results.manifest == golden.manifest
    chance = None if same else Chance(golden.family, (golden.n_videos, videos(run)))
    held = _Holding(run, golden, chance)
    return Gate(run.results.suite, same, tuple(held.lines()), tuple(held.notes()))


def _comparable(run: Run, golden: Golden) -> None:
    results = run.results
    anew = "Name the golden file of this suite, or make one with --update into another file."
    if results.suite != golden.suite:
        raise UsageError(f"The golden is of the suite {golden.suite!r}, the run of {results.suite!r}. {anew}")
    if results.manifest == golden.manifest:
        return
    if results.origin != golden.origin:
        raise UsageError(
            f"The golden is of other images: {golden.origin!r}; the run has {results.origin!r}. Their numbers do not "
            "compare. If these are meant to be the suite's images from now on, make the golden anew with --update."
        )
    if abs(results.n_pairs - golden.n_pairs) > SIZE * golden.n_pairs:
        raise UsageError(
            f"The golden is of {golden.n_pairs} pairs, the run of {results.n_pairs}: faces are found more easily among "
            "fewer, so the numbers do not compare. Run the suite without --limit."
        )


class _Holding:
    """A run and a golden file side by side; without ``chance`` both have the same pairs."""

    def __init__(self, run: Run, golden: Golden, chance: Chance | None) -> None:
        self._run, self._golden, self._chance = run, golden, chance
        self._now = {(score.method, score.metric): number(score) for score in run.results.scores}
        self._reasons = {(score.method, score.metric): score.reason for score in run.results.scores}
        self._metrics = {metric.name: measured(metric) for metric in run.results.metrics}
        self._methods = {method.name: method for method in run.results.methods}
        self._cards = cards(run)
        self._stale = {name: self._other_protocol(name) for name in golden.metrics}

    def lines(self) -> Iterator[Line]:
        """A line per number of the golden, per cost, per check that fails, and per number that the golden lacks."""
        for golden in self._golden.numbers:
            yield self._held(golden)
        for name, was in self._golden.methods.items():
            if name in self._methods:
                yield from _costs(was, self._methods[name])
        if self._chance is None:
            for check in self._failed_checks():
                yield Line("checks", check, Verdict.CHECK, said="It held when the golden was made.")
        known = {one.key for one in self._golden.numbers}
        for key, now in self._now.items():
            if key not in known:
                yield replace(_line(Verdict.NEW, key, self._metrics[key[1]]), now=now.value, said="Not in the golden.")

    def notes(self) -> Iterator[str]:
        """What to know besides the numbers."""
        golden, results = self._golden, self._run.results
        if self._chance is None:
            yield "The same images and pairs as the golden's: only arithmetic may move numbers."
        else:
            yield (
                f"Other pairs than the golden's (seed {golden.seed}, now {results.seed}): the sampling errors of both "
                f"runs are allowed for, in {self._chance.family} comparisons together."
            )
            for check in self._failed_checks():
                yield f"A check of this run failed, which held when the golden was made: {check}."
        for name, was in golden.methods.items():
            now = self._methods.get(name)
            if now is not None and of_card(now) != was.card:
                yield f"The method {name} has another card than in the golden ({was.card}, now {of_card(now)})."
        made_by = str(self._run.provenance.get("hifibench", ""))
        if made_by != golden.hifibench:
            yield f"The golden was made by hifibench {golden.hifibench}, the run by {made_by}."

    def _failed_checks(self) -> list[str]:
        return failed_checks(self._run, self._golden.may_fail)

    def _held(self, golden: Number) -> Line:
        metric, key = self._golden.metrics[golden.metric], golden.key
        line = replace(_line(Verdict.HELD, key, metric), golden=golden.value)
        now = self._now.get(key)
        if now is None:
            what = f"metric {key[1]}" if key[0] in self._methods else f"method {key[0]}"
            return replace(line, verdict=Verdict.MISSING, said=f"The run lacks the {what}.")
        line = replace(line, now=now.value)
        if self._stale[key[1]]:
            return replace(line, verdict=Verdict.STALE, said=self._stale[key[1]])
        line = self._valued(line, golden, now, metric)
        pairs = self._pairs(golden, now)
        if not pairs or line.verdict in (Verdict.UNGATED, Verdict.NO_NUMBER):
            return line
        said = " ".join(filter(None, [line.said, pairs]))
        return replace(line, said=said, verdict=Verdict.PAIRS if line.verdict is Verdict.HELD else line.verdict)

    def _valued(self, line: Line, golden: Number, now: Number, metric: GoldenMetric) -> Line:
        """The line with what is said of its value."""
        if golden.value is None or now.value is None:
            return self._without(line, golden, now)
        allowed, by_hand = golden.tolerance, golden.by_hand
        if self._chance is not None:
            allowed = golden.tolerance_other if by_hand else None
            if allowed is None:
                allowed, by_hand = tolerances.other(golden, now, metric, self._chance), False
        if allowed is None:
            whose = "golden" if golden.low is None or golden.high is None else "run"
            return replace(line, verdict=Verdict.UNGATED, said=f"The {whose} has no interval for it.")
        if self._chance is not None and metric.rate and allowed >= max(golden.value, 100 - golden.value):
            return replace(line, verdict=Verdict.UNGATED, said="Of so few videos chance could move it anywhere.")
        slack = _SLACK * max(abs(golden.value), abs(now.value))
        beyond = abs(now.value - golden.value) > allowed + slack
        verdict = direction(golden.value, now.value, metric) if beyond else Verdict.HELD
        return replace(line, verdict=verdict, tolerance=allowed, said="Set by hand." if by_hand else "")

    def _without(self, line: Line, golden: Number, now: Number) -> Line:
        if golden.value is None and now.value is None:
            return line
        if golden.value is not None:
            why = self._reasons[golden.key] or f"{now.n_failed} of {now.n} pairs failed"
            return replace(line, verdict=Verdict.NO_NUMBER, said=f"Now: {why}.")
        if self._chance is not None and not golden.n:
            return replace(line, verdict=Verdict.UNGATED, said="The golden's pairs had nothing to score.")
        return replace(line, verdict=Verdict.MOVED, said="There was no number.")

    def _pairs(self, golden: Number, now: Number) -> str:
        """What is to say where more or fewer pairs were scored than may be; empty else."""
        n_pairs = (self._golden.n_pairs, self._run.results.n_pairs)
        # Where the runs differ in size, counts are held against what the golden's shares come to.
        size, share = n_pairs[1] / max(n_pairs[0], 1), now.n / golden.n if golden.n and now.n else 1.0
        if abs(now.n / size - golden.n) > tolerances.asked(golden, now, n_pairs, self._chance) + _SLACK:
            return f"{now.n} pairs had something to score, {golden.n} in the golden."
        if abs(now.n_failed / share - golden.n_failed) > tolerances.failures(golden, now, self._chance) + _SLACK:
            return f"{now.n_failed} of {now.n} pairs failed, {golden.n_failed} of {golden.n} in the golden."
        return ""

    def _other_protocol(self, name: str) -> str:
        """Why numbers of a metric do not compare with the golden's; empty where they do."""
        golden, now = self._golden, self._metrics.get(name)
        if now is None:
            return ""
        was, detector = golden.metrics[name], self._run.results.protocol.get("detector", "")
        if detector != golden.detector:
            return f"Faces were found by {golden.detector}, now by {detector}."
        for what in ("unit", "direction", "experts"):
            before, after = (_words(getattr(one, what)) for one in (was, now))
            if before != after:
                return f"It is measured otherwise: {what} was {before or 'none'}, is {after or 'none'}."
        for expert in (detector, *was.experts):
            before, after = golden.experts.get(expert, ""), self._cards.get(expert, "")
            if before != after:
                return f"The card of {expert} was {before or 'none'}, is {after or 'none'}: another estimator."
        return ""


def failed_checks(run: Run, may_fail: tuple[str, ...]) -> list[str]:
    """Names of the checks of a run that failed and are not known to fail."""
    return [
        check.name for check in run.results.checks if not (check.ok or check.skipped) and check.name not in may_fail
    ]


def of_card(method: Method) -> str:
    """Prefix of the hash of a method's card, as the golden file has it."""
    return method.card[:CARD]


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _line(verdict: Verdict, key: Key, metric: GoldenMetric) -> Line:
    return Line(*key, verdict, decimals=metric.decimals, unit=metric.unit)


def _costs(was: GoldenMethod, method: Method) -> Iterator[Line]:
    for name in COSTS:
        before, now = getattr(was, name), None if method.cost is None else getattr(method.cost, name)
        verdict = Verdict.HELD
        if before != now:
            verdict = Verdict.MOVED if None in (before, now) else Verdict.WORSE if now > before else Verdict.IMPROVED
        if (before, now) != (None, None):
            yield Line(method.name, name, verdict, before, now, 0.0, said="Compared exactly." if verdict.fails else "")


def direction(before: float | None, now: float | None, metric: GoldenMetric) -> Verdict:
    """What a move means: for the better, for the worse, or neither where a number came or went."""
    if before is None or now is None:
        return Verdict.MOVED
    return Verdict.IMPROVED if (now > before) == (metric.direction == "up") else Verdict.WORSE
