"""What ``--update`` writes: the numbers of a run, with what a person wrote into the file before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hifibench.errors import UsageError
from reports.gates.gate import direction, failed_checks
from reports.gates.golden import Golden, of, read
from reports.gates.records import Line, Verdict
from reports.records import Run
from reports.tables import number as printed


@dataclass(frozen=True)
class Update:
    """A golden file to write, what differs in it from the old one as far as it is printed, and what to know."""

    golden: Golden
    changed: tuple[Line, ...]
    notes: tuple[str, ...]


def prepare(run: Run, path: Path) -> Update:
    """What to write of a run into a golden file, which need not be there.

    Raises:
        UsageError: the file there is damaged or of another suite, or a check of the run failed that is not known to.
    """
    old = read(path, begun=True) if path.exists() else None
    if old is not None and old.suite != run.results.suite:
        raise UsageError(
            f"{path} is the golden of the suite {old.suite!r}, the run of {run.results.suite!r}. Name another file, or "
            "delete this one first."
        )
    _sound(run, () if old is None else old.may_fail, path)
    new = of(run, old)
    return Update(new, changes(old, new) if old is not None and old.numbers else (), tuple(_notes(old, new)))


def changes(old: Golden, new: Golden) -> tuple[Line, ...]:
    """The numbers that moved as printed, came or went."""
    before, after = ({one.key: one for one in golden.numbers} for golden in (old, new))
    lines = []
    for key in sorted(before.keys() | after.keys()):
        metric = (new.metrics if key in after else old.metrics)[key[1]]
        was, now = (side[key].value if key in side else None for side in (before, after))
        if key in before and key in after:
            if printed(was, metric.decimals) == printed(now, metric.decimals):
                continue
            verdict = direction(was, now, metric)
        else:
            verdict = Verdict.NEW if key in after else Verdict.MISSING
        allowed = after[key].tolerance if key in after else None
        lines.append(Line(*key, verdict, was, now, allowed, metric.decimals, metric.unit))
    return tuple(lines)


def _sound(run: Run, may_fail: tuple[str, ...], path: Path) -> None:
    failed = failed_checks(run, may_fail)
    if failed:
        details = {check.name: check.detail for check in run.results.checks}
        said = "\n".join(f"  {name}: {details[name]}" for name in failed)
        raise UsageError(
            f"Checks of the run in {run.folder} failed; a golden would hold other runs to what is wrong:\n{said}\n"
            f'Mend that. Where it is known and meant, name the check in "may_fail" in {path}; to begin with, a file of '
            f'{{"schema": 1, "suite": "{run.results.suite}", "may_fail": ["…"]}} will do.'
        )


def _notes(old: Golden | None, new: Golden) -> Iterator[str]:
    kept = sum(one.by_hand for one in new.numbers)
    if kept:
        yield f"Tolerances set by hand, kept: {kept}."
    there = {one.key for one in new.numbers}
    for one in () if old is None else old.numbers:
        if one.by_hand and one.key not in there:
            yield f"The tolerance set by hand of {one.method} on {one.metric} is gone: the run lacks the number."
    if old is not None and old.numbers and old.manifest != new.manifest:
        yield f"The pairs are others: manifest {old.manifest[:12]}, now {new.manifest[:12]}."
    for expert, card in new.experts.items():
        if old is not None and old.experts.get(expert, card) != card:
            yield f"The card of {expert} is another: {old.experts[expert]}, now {card}."
