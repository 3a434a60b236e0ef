"""How long each stage lasted by the clock on the wall, however many threads worked in it: events in, seconds out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

Event = tuple[float, int, str, bool]
"""When (seconds), 0 for a begin or 1 for an end, the stage, and whether it is a part of it rather than the whole.

Sorted, they are in the order of time, begins before ends.
"""


class StageTime(NamedTuple):
    """A stage by the clock on the wall.

    Attributes:
        stage: its name.
        wall: seconds in which at least one of its spans was open.
        rest: seconds of these in which no part was at work, in no stage. Where several stages are open side by side
            they belong to the one that began last, so that every second is counted once.
    """

    stage: str
    wall: float
    rest: float


class Walls:
    """Seconds of every stage, up to the last event.

    Attributes:
        elsewhere: seconds since 0 in which no span was open.
    """

    def __init__(self) -> None:
        self.elsewhere = 0.0
        self._time = 0.0
        self._parts = 0
        self._open: dict[str, int] = {}
        self._wall: dict[str, float] = {}
        self._rest: dict[str, float] = {}

    def follow(self, events: Iterable[Event]) -> None:
        """Count the time up to each event; one that comes too late counts as if it happened now."""
        for when, ends, stage, part in events:
            self.pass_to(when)
            self._wall.setdefault(stage, 0.0)
            step = -1 if ends else 1
            self._parts += step if part else 0
            spans = self._open.get(stage, 0) + step
            if spans:
                self._open[stage] = spans
            else:
                del self._open[stage]

    def pass_to(self, when: float) -> None:
        """Count the time up to ``when``."""
        passed = when - self._time
        if passed <= 0:
            return
        self._time = when
        for stage in self._open:
            self._wall[stage] += passed
        if not self._open:
            self.elsewhere += passed
        elif not self._parts:
            last = next(reversed(self._open))
            self._rest[last] = self._rest.get(last, 0.0) + passed

    def stages(self) -> tuple[StageTime, ...]:
        """All stages that have begun, in that order."""
        return tuple(StageTime(stage, wall, self._rest.get(stage, 0.0)) for stage, wall in self._wall.items())
