"""All checks, in the order in which a cause comes before what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hifibench.selftest import faces, form
from hifibench.selftest.evidence import Evidence
from hifibench.selftest.finding import Finding


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: its row.
        needs: checks that must not have failed: what they find would show here too, and mislead.
        run: looks at the evidence; its docstring says which defects it finds.
    """

    name: str
    needs: tuple[str, ...]
    run: Callable[[Evidence], Finding]


@dataclass(frozen=True)
class Result:
    """One row of a self-test."""

    name: str
    finding: Finding


CHECKS = (
    Check("card", (), form.card),
    Check("output", ("card",), form.output),
    Check("determinism", ("output",), form.determinism),
    Check("batches", ("determinism",), form.batches),
    Check("mask", ("output",), faces.mask),
    Check("background", ("mask",), faces.background),
    Check("place", ("mask",), faces.place),
    Check("channels", ("place",), faces.channels),
    Check("roles", ("batches", "channels"), faces.roles),
)


def examine(evidence: Evidence) -> Iterator[Result]:
    """Run all checks; one that needs a failed check is skipped.

    Raises:
        MethodError: the method says that it cannot be used, whatever the pair.
    """
    causes: dict[str, str] = {}
    for check in CHECKS:
        cause = next((causes[name] for name in check.needs if name in causes), None)
        if cause is not None:
            causes[check.name] = cause
            yield Result(check.name, Finding("skipped", f"would say nothing while {cause!r} fails"))
            continue
        finding = check.run(evidence)
        if finding.verdict == "failed":
            causes[check.name] = check.name
        yield Result(check.name, finding)
