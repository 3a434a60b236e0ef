"""What a gate says: a line per number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

COSTS = ("params_trainable", "params_frozen", "macs")
"""What a method costs, compared exactly."""


class Verdict(StrEnum):
    """What a gate says of one number."""

    HELD = "within tolerance"
    WORSE = "worse"
    IMPROVED = "improved"
    MOVED = "moved"
    PAIRS = "other pairs"
    NO_NUMBER = "no number"
    MISSING = "missing"
    STALE = "golden stale"
    CHECK = "check failed"
    NEW = "new"
    UNGATED = "not gated"

    @property
    def fails(self) -> bool:
        """Whether the gate fails by it."""
        return self not in (Verdict.HELD, Verdict.NEW, Verdict.UNGATED)


@dataclass(frozen=True)
class Line:
    """One number of a gate.

    Attributes:
        method: the row's name; of a check ``checks``.
        metric: printed name with its protocol, one of `COSTS`, or the name of a check.
        verdict: what is said of it.
        golden: what it was; ``None`` where there was none.
        now: what it is.
        tolerance: how far it may move; ``None`` where that is not a question.
        decimals: digits after the point.
        unit: of the numbers.
        said: what there is to say besides, in a sentence.
    """

    method: str
    metric: str
    verdict: Verdict
    golden: float | None = None
    now: float | None = None
    tolerance: float | None = None
    decimals: int = 0
    unit: str = ""
    said: str = ""

    @property
    def difference(self) -> float | None:
        """What it is minus what it was."""
        return None if self.golden is None or self.now is None else self.now - self.golden


@dataclass(frozen=True)
class Gate:
    """What a gate says of a run: its suite, whether its pairs are the golden's, a line per number, what to know."""

    suite: str
    same_pairs: bool
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Line, ...]:
        """The lines by which it fails."""
        return tuple(line for line in self.lines if line.verdict.fails)

    def by(self, verdict: Verdict) -> tuple[Line, ...]:
        """The lines of one verdict."""
        return tuple(line for line in self.lines if line.verdict is verdict)

    @property
    def ok(self) -> bool:
        """Whether no number has moved, and any metric could be held against its golden."""
        return not self.failed and self._tells

    @property
    def _tells(self) -> bool:
        """Whether there is a metric whose number could have moved: costs, and what never was a number, tell nothing."""
        return any(line.golden is not None and line.metric not in COSTS for line in self.by(Verdict.HELD))

    @property
    def verdict(self) -> str:
        """One sentence."""
        held, failed = len(self.by(Verdict.HELD)), len(self.failed)
        if failed:
            return f"{failed} of {failed + held} numbers are not as the golden has them"
        return f"{held} numbers within tolerance" if self._tells else "no metric could be held against its golden"
