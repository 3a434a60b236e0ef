"""Where the time goes: spans of work by stage and part, counted while a run lasts.

Whoever does the work is handed a `Profile`; the one that is handed on by default keeps nothing and costs next to
nothing. What becomes of the numbers, a table and a Chrome trace, is `hifibench.pipeline.profile`'s.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import NamedTuple

from hifibench.walls import Event, StageTime, Walls

KEPT = 100_000
"""Spans that are kept one by one, for the trace; of more the shortest are only counted."""

_BATCH = 4096
"""Spans between two countings; the last events before it wait for spans that child processes bring late."""


class Span(NamedTuple):
    """One piece of work.

    Attributes:
        stage: ``plan``, ``images``, ``swap``, ``observe``, ``score``, ``report``.
        part: what of it, such as ``decode``, ``detect``, ``expert edgeface``; empty: the stage as a whole.
        items: images, pairs or whatever the part counts.
        begin: seconds since the profile began.
        end: the same clock.
        thread: name of the thread, or of the process of a pool.
        method: the method at work, empty where it is nobody's.
        inside: seconds of it that lie in spans within it, of the same thread.
    """

    stage: str
    part: str
    items: int
    begin: float
    end: float
    thread: str
    method: str = ""
    inside: float = 0.0


_Ended = tuple[str, str, int, float, float, str, str, float]
"""A span before it is given its names, which take as long as all else about it."""


class Start(NamedTuple):
    """When a profile began.

    Attributes:
        counter: of `time.perf_counter`, which processes of one machine share on Linux, macOS and Windows.
        date: seconds since 1970; it may jump, but means the same everywhere.
    """

    counter: float
    date: float


class Work(NamedTuple):
    """All spans of one stage, part and method.

    Attributes:
        stage: as in `Span`.
        part: as in `Span`.
        method: as in `Span`.
        calls: spans.
        items: of all of them.
        seconds: of all threads together; of a part without what lies in spans inside its own, of a stage as a whole
            (``part`` empty) from begin to end.
    """

    stage: str
    part: str
    method: str
    calls: int
    items: int
    seconds: float


class Totals(NamedTuple):
    """The numbers of a profile.

    Attributes:
        seconds: since the profile began.
        work: sorted by stage, part and method.
        stages: wall time, in the order in which they first began.
        elsewhere: seconds in which no span was open at all.
        left_out: spans that are counted here but were not kept.
        shorter_than_s: the longest of them.
    """

    seconds: float
    work: tuple[Work, ...]
    stages: tuple[StageTime, ...]
    elsewhere: float
    left_out: int
    shorter_than_s: float


class Profile:
    """Spans of all threads of a process, summed up as they end.

    Memory is bounded: every span counts in `totals`, and `keep` of them are kept one by one.

    Args:
        keep: the most spans that are kept.
        clock: seconds that never go back.
    """

    def __init__(self, keep: int = KEPT, clock: Callable[[], float] = time.perf_counter) -> None:
        self.start = Start(clock(), time.time())
        self._clock = clock
        self._keep = keep
        self._zero = self.start.counter
        self._here = _Here()
        self._begun: deque[Event] = deque()
        self._ended: deque[_Ended] = deque()
        self._counting = threading.Lock()
        self._events: list[Event] = []
        self._walls = Walls()
        self._work: dict[tuple[str, str, str], list[float]] = {}
        self._spans: list[Span] = []
        self._left_out = 0
        self._shortest = -1.0

    def span(self, stage: str, part: str = "", items: int = 1, method: str = "") -> AbstractContextManager[None]:
        """Time a block; also one that fails. Arguments as in `Span`."""
        return _Open(self, stage, part, items, method)

    def add(self, span: Span, start: Start | None = None) -> None:
        """Count a span that was timed elsewhere.

        Args:
            span: with the seconds of this profile's clock.
            start: when the clock began on which it was timed, where that is another process's.
        """
        if start is not None:
            by_counter, by_date = start.counter - self.start.counter, start.date - self.start.date
            # Counters of another origin, as on another machine, differ from the dates by more than dates are wrong.
            shift = by_counter if abs(by_counter - by_date) < 1.0 else by_date
            span = span._replace(begin=span.begin + shift, end=span.end + shift)
        self._begun.append((span.begin, 0, span.stage, span.part != ""))
        self._end(span)

    @property
    def spans(self) -> list[Span]:
        """The spans that were kept, about in the order of their ends."""
        with self._counting:
            self._count(self._now())
            return list(self._spans)

    def totals(self) -> Totals:
        """The sums so far; of spans that are still open, the wall time alone."""
        with self._counting:
            now = self._now()
            self._count(now)
            work = tuple(
                Work(*key, int(calls), int(items), seconds)
                for key, (calls, items, seconds) in sorted(self._work.items())
            )
            stages, elsewhere = self._walls.stages(), self._walls.elsewhere
            return Totals(now, work, stages, elsewhere, self._left_out, max(0.0, self._shortest))

    def _now(self) -> float:
        return self._clock() - self._zero

    def _end(self, span: _Ended) -> None:
        self._ended.append(span)  # atomic, so that threads need not wait for one another
        if len(self._ended) >= _BATCH and self._counting.acquire(blocking=False):
            try:
                self._count(None)
            finally:
                self._counting.release()

    def _count(self, now: float | None) -> None:
        """Sum up what has ended; up to ``now``, or all but the latest, beside which older ones may still come."""
        # Ends before begins: what has ended has begun, so that no end is counted without its begin.
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        self._events.extend(self._begun.popleft() for _ in range(len(self._begun)))
        for span in ended:
            stage, part, items, begin, end, _, method, inside = span
            self._events.append((end, 1, stage, part != ""))
            if (sums := self._work.get((stage, part, method))) is None:
                sums = self._work[stage, part, method] = [0, 0, 0.0]
            sums[0] += 1
            sums[1] += items
            sums[2] += end - begin - (inside if part else 0.0)
            if end - begin > self._shortest:
                self._spans.append(Span(*span))
            else:
                self._left_out += 1
        self._events.sort()
        ready = len(self._events) if now is not None else max(0, len(self._events) - _BATCH)
        self._walls.follow(self._events[:ready])
        del self._events[:ready]
        if now is not None:
            self._walls.pass_to(now)
        while len(self._spans) > self._keep:
            self._thin()

    def _thin(self) -> None:
        """Leave the shorter half of the kept spans out: a trace of the whole run, without its smallest pieces."""
        self._shortest = sorted(span.end - span.begin for span in self._spans)[len(self._spans) // 2]
        kept = [span for span in self._spans if span.end - span.begin > self._shortest]
        self._left_out += len(self._spans) - len(kept)
        self._spans = kept


class _Here(threading.local):
    """What a thread knows of itself: its name, and its open spans from the outermost to the innermost."""

    def __init__(self) -> None:
        self.thread: tuple[str, list[_Open]] = (threading.current_thread().name, [])


class _Open:
    """A span that has not ended. Kept lean: it stands around work that may take microseconds."""

    __slots__ = ("_begin", "_inside", "_profile", "_thread", "_what")

    def __init__(self, profile: Profile, stage: str, part: str, items: int, method: str) -> None:
        self._profile = profile
        self._what = (stage, part, items, method)
        self._inside = 0.0

    def __enter__(self) -> None:
        profile = self._profile
        self._thread = thread = profile._here.thread
        thread[1].append(self)
        stage, part, _, _ = self._what
        self._begin = begin = profile._clock() - profile._zero
        profile._begun.append((begin, 0, stage, part != ""))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        profile, begin = self._profile, self._begin
        end = profile._clock() - profile._zero
        name, spans = self._thread
        if spans[-1] is self:
            spans.pop()
            if spans:
                spans[-1]._inside += end - begin
        else:  # a generator was left within it and closed later, in the middle of another span
            spans.remove(self)
        stage, part, items, method = self._what
        profile._end((stage, part, items, begin, end, name, method, self._inside))


class _Nothing(Profile):
    """Keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._block: AbstractContextManager[None] = nullcontext()

    def span(self, stage: str, part: str = "", items: int = 1, method: str = "") -> AbstractContextManager[None]:
        """Do the work, time nothing."""
        return self._block

    def add(self, span: Span, start: Start | None = None) -> None:
        """Drop it."""


NOTHING: Profile = _Nothing()
"""Where nobody asked."""
