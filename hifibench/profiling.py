"""Where the time goes: spans of work by stage and part, kept in memory while a run lasts.

Whoever does the work is handed a `Profile`; the one that is handed on by default keeps nothing and costs next to
nothing. What becomes of the spans, a table and a Chrome trace, is `hifibench.pipeline.profile`'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


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
    """

    stage: str
    part: str
    items: int
    begin: float
    end: float
    thread: str
    method: str = ""


class Profile:
    """Spans as they end; shared by all threads of a process."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spans: list[Span] = []

    @property
    def spans(self) -> list[Span]:
        """What has ended so far, in the order of its ends."""
        return list(self._spans)

    @contextmanager
    def span(self, stage: str, part: str = "", items: int = 1, method: str = "") -> Iterator[None]:
        """Time a block; also one that fails."""
        begin = time.perf_counter() - self._began
        try:
            yield
        finally:
            end = time.perf_counter() - self._began
            self.add(Span(stage, part, items, begin, end, threading.current_thread().name, method))

    def add(self, span: Span) -> None:
        """Keep a span that was timed elsewhere, such as in a child process."""
        self._spans.append(span)  # one bytecode: lists need no lock for it


class _Nothing(Profile):
    """Keeps nothing."""

    @contextmanager
    def span(self, stage: str, part: str = "", items: int = 1, method: str = "") -> Iterator[None]:
        """Do the work, time nothing."""
        yield

    def add(self, span: Span) -> None:
        """Drop it."""


NOTHING: Profile = _Nothing()
"""Where nobody asked."""
