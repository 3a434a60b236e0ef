"""Work in steps that overlap: while one item is at its second step, the next is at its first.

Every step has threads of its own, items keep their order, and there are never more of them in memory than asked for.
Threads, since what is done in them (decoding, networks, files) is done outside the interpreter's lock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, NamedTuple

from hifibench.errors import StalledError

Flowing = Generator[Any, None, None]
"""Results in order; ``close()`` ends the work early."""

STALL_S = 900.0
"""Seconds in which something must end. Far more than any one step takes, so that only what hangs is called so."""


class Step(NamedTuple):
    """One step of the way.

    Attributes:
        name: for the threads and for whoever asks where it hangs.
        work: what it makes of what the step before it made.
        workers: threads that do it.
    """

    name: str
    work: Callable[[Any], Any]
    workers: int = 1


def flow(items: Iterable[Any], steps: Sequence[Step], *, ahead: int, stall_s: float = STALL_S) -> Flowing:
    """Take items through the steps.

    However it ends, with the last item, an error, Ctrl-C, or since nobody wants the rest: what has not begun is
    dropped, and what has begun is waited for.

    Args:
        items: one is asked for only when there is room for it, and by whoever asks for results, in his thread.
        steps: in their order.
        ahead: items that are under way at most, beside the one whose result is being taken.
        stall_s: how long it may last until any step of any item ends.

    Yields:
        What the last step made of each item, in the order of the items.

    Raises:
        StalledError: nothing ended for so long; it names the step and the item. Threads that hang are left behind.
        Exception: what a step or ``items`` raised: that of the first item, after the results of all before it.
        ValueError: no room, or a step without workers.
    """
    if ahead < 1 or any(step.workers < 1 for step in steps):
        raise ValueError(f"ahead={ahead}, workers={[step.workers for step in steps]}: all must be at least 1.")
    return _flow(items, _Line(steps, stall_s), ahead)


def _flow(items: Iterable[Any], line: _Line, ahead: int) -> Flowing:
    source, under_way = iter(items), deque[_Item]()
    broken: Exception | None = None

    def fill(room: int) -> None:
        nonlocal source, broken
        while len(under_way) < room:
            try:
                under_way.append(line.begin(next(source)))
            except StopIteration:
                return
            except Exception as error:  # its turn comes after all that was begun before
                source, broken = iter(()), error

    try:
        fill(ahead)
        while under_way:
            line.wait(under_way)
            fill(ahead + 1)  # the first is done and goes: its room is free
            yield under_way.popleft().made.result()
        if broken is not None:
            raise broken
    finally:
        line.end()


class _Item:
    """One item under way: its number, what becomes of it, and at which step it is since when."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.made: Future[Any] = Future()
        self.at: tuple[float, str] | None = None


class _Line:
    """The threads of all steps, and the watch over them."""

    def __init__(self, steps: Sequence[Step], stall_s: float) -> None:
        self._steps = steps
        self._stall_s = stall_s
        self._queues: list[SimpleQueue[tuple[_Item, Any] | None]] = [SimpleQueue() for _ in steps]
        self._threads: list[threading.Thread] = []
        self._begun = 0
        self._last = 0.0
        self._ended = False

    def begin(self, value: Any) -> _Item:
        """Put an item on its way."""
        if not self._threads:
            self._start()
        self._begun += 1
        item = _Item(self._begun)
        self._last = time.monotonic()
        self._pass_on(0, item, value)
        return item

    def wait(self, under_way: Iterable[_Item]) -> None:
        """Until the first item is done; raises what it raised, and what the watch finds."""
        first, *_ = under_way
        while not wait([first.made], timeout=self._left_s()).done:
            at_work = [(*at, item.number) for item in under_way if (at := item.at) is not None]
            if at_work and self._left_s() == 0:
                raise self._stalled(*min(at_work))
        first.made.result()

    def _left_s(self) -> float:
        return max(self._last + self._stall_s - time.monotonic(), 0.0)

    def _stalled(self, since: float, step: str, number: int) -> StalledError:
        return StalledError(
            f"Step {step} has been at item {number} for {time.monotonic() - since:.3g} s, and nothing has ended for "
            f"{self._stall_s:g} s. It waits for something that does not come: a disk, a network share, a child process "
            "or a device. See to that, and run the same command again: what is finished is kept."
        )

    def end(self) -> None:
        """Drop what has not begun, wait for what has."""
        self._ended = True
        for step, queue in zip(self._steps, self._queues, strict=True):
            for _ in range(step.workers):
                queue.put(None)
        # The watch goes on here, too: what hangs must not hold up the error that led here.
        for thread in self._threads:
            thread.join(self._left_s())

    def _start(self) -> None:
        # Daemons: one that hangs for good must not keep the program from ending.
        for place, step in enumerate(self._steps):
            for worker in range(step.workers):
                name = f"{step.name}-{worker + 1}"
                self._threads.append(threading.Thread(target=self._work, args=(place,), name=name, daemon=True))
        for thread in self._threads:
            thread.start()

    def _work(self, place: int) -> None:
        step, queue = self._steps[place], self._queues[place]
        while (job := queue.get()) is not None and not self._ended:
            item, value = job
            item.at = time.monotonic(), step.name
            failed: BaseException | None = None
            try:
                value = step.work(value)
            except BaseException as error:  # whatever it is, whoever waits for the item must hear of it
                failed = error
            item.at = None
            self._last = time.monotonic()
            if failed is None:
                self._pass_on(place + 1, item, value)
            else:
                item.made.set_exception(failed)
            del job, item, value, failed

    def _pass_on(self, place: int, item: _Item, value: Any) -> None:
        if place == len(self._steps):
            item.made.set_result(value)
        else:
            self._queues[place].put((item, value))
