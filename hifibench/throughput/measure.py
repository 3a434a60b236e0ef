"""The two scenarios: when a measurement may begin, when it may end, and what becomes of its times.

A call is a function of its number, which chooses the inputs: nothing is timed twice in a row on the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hifibench.device import out_of_memory
from hifibench.throughput.records import Offline, Point, SingleStream

Numbers = NDArray[np.float64]
Call = Callable[[int], object]

IMAGES = 200
"""Enough for one measurement, if it has lasted `LEAST` of its time."""

LEAST = 0.2
"""Part of the time that a measurement lasts, however many images it has."""

STEADY = 0.02
"""By how much the medians of two windows in a row may differ where the time has settled."""

WARM, SHORT = 0.5, 0.2
"""Parts of the time that warming up may take, and that a batch of the sweep gets."""

WINDOW_S, WINDOW_CALLS = 0.1, 3
"""A window is as many calls as fill it, while warming up at least so many."""

DRAWS, TAILS = 2000, (2.5, 97.5)
"""Of the bootstrap."""


class Ticks(Protocol):
    """A clock that waits for the device."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...


@dataclass(frozen=True)
class Limits:
    """How long one measurement goes on: ``images`` are made and `LEAST` of ``seconds`` is over, or all of them are."""

    seconds: float = 10.0
    images: int = IMAGES

    def reached(self, images: int, seconds: float) -> bool:
        """Whether that is enough."""
        return seconds >= self.seconds or (images >= self.images and seconds >= LEAST * self.seconds)


class Warmed(NamedTuple):
    """How warming up ended: calls made, whether the time settled, and seconds a call in the last window."""

    calls: int
    steady: bool
    seconds: float


def settled(before: float, now: float) -> bool:
    """Whether two medians are within `STEADY` of each other."""
    return abs(now - before) <= STEADY * before


def warm_up(call: Call, clock: Ticks, seconds: float) -> Warmed:
    """Call until the medians of two windows in a row agree, but not begin a window after ``seconds``."""
    begin, calls, before = clock.now(), 0, math.nan
    while True:
        times: list[float] = []
        while len(times) < WINDOW_CALLS or sum(times) < WINDOW_S:
            start = clock.now()
            call(calls)
            times.append(clock.now() - start)
            calls += 1
        median = float(np.median(times))
        if settled(before, median):
            return Warmed(calls, True, median)
        if clock.now() - begin >= seconds:
            return Warmed(calls, False, median)
        before = median


def single_stream(call: Call, clock: Ticks, limits: Limits) -> SingleStream:
    """One pair after the other.

    Args:
        call: does one pair.
        clock: is read before and after each.
        limits: how long.
    """
    warmed = warm_up(call, clock, WARM * limits.seconds)
    begin, times = clock.now(), list[float]()
    while not times or not limits.reached(len(times), clock.now() - begin):
        start = clock.now()
        call(warmed.calls + len(times))
        times.append(clock.now() - start)
    ms = 1e3 * np.array(times)
    p50, p90, p99 = (float(value) for value in np.percentile(ms, (50, 90, 99)))
    low, high = _interval(ms, lambda draws: np.median(draws, axis=1))
    return SingleStream(len(times), float(sum(times)), p50, p90, p99, low, high, warmed.calls, warmed.steady)


def offline(make: Callable[[int], Call], clock: Ticks, limits: Limits, batches: Sequence[int]) -> Offline:
    """Many images as quickly as possible: a short sweep chooses the batch, which is then timed anew.

    The best of several noisy times is too good; that of the chosen one by itself is not.

    Args:
        make: batch -> the call that does so many images at once; inputs are in memory when it returns.
        clock: is read between windows of calls.
        limits: how long; the sweep comes on top.
        batches: to try, in ascending order; the first that does not fit ends the sweep.

    Raises:
        Exception: whatever the calls raise, but for memory that runs out once a smaller batch has been timed.
    """
    points: list[Point] = []
    short, ended = Limits(SHORT * limits.seconds, limits.images), ""
    for batch in batches:
        try:
            windows, warmed = _windows(make(batch), clock, short, batch)
        except Exception as error:
            if not points or not out_of_memory(error):
                raise
            ended = f"a batch of {batch} does not fit into memory"
            break
        points.append(_point(batch, windows, warmed))
    chosen = max(points, key=lambda point: point.images_per_s).batch
    windows, warmed = _windows(make(chosen), clock, limits, chosen)
    made, seconds = (np.array(part, np.float64) for part in zip(*windows, strict=True))
    low, high = _interval(np.stack([made, seconds], axis=1), _rates)
    return Offline(
        n=int(made.sum()),
        seconds=float(seconds.sum()),
        batch=chosen,
        images_per_s=float(made.sum() / seconds.sum()),
        low=low,
        high=high,
        windows=len(windows),
        warmup=warmed.calls,
        steady=warmed.steady,
        sweep=tuple(points),
        ended=ended,
    )


def _windows(call: Call, clock: Ticks, limits: Limits, batch: int) -> tuple[list[tuple[int, float]], Warmed]:
    """Images and seconds of windows, between which alone the device is waited for."""
    warmed = warm_up(call, clock, WARM * limits.seconds)
    calls = max(1, math.ceil(WINDOW_S / max(warmed.seconds, 1e-9)))
    windows: list[tuple[int, float]] = []
    number, begin = warmed.calls, clock.now()
    while not windows or not limits.reached(sum(n for n, _ in windows), clock.now() - begin):
        start = clock.now()
        for _ in range(calls):
            call(number)
            number += 1
        windows.append((calls * batch, clock.now() - start))
    return windows, warmed


def _point(batch: int, windows: Sequence[tuple[int, float]], warmed: Warmed) -> Point:
    n, seconds = sum(made for made, _ in windows), sum(took for _, took in windows)
    return Point(batch, n / seconds, n, seconds, warmed.steady)


def _rates(draws: Numbers) -> Numbers:
    """Images a second of each draw of windows ``(draws, windows, 2)``."""
    rates: Numbers = draws[:, :, 0].sum(axis=1) / draws[:, :, 1].sum(axis=1)
    return rates


def _interval(rows: Numbers, of: Callable[[Numbers], Numbers]) -> tuple[float | None, float | None]:
    """95 % interval by the bootstrap of the rows; none for a single one."""
    if len(rows) < 2:
        return None, None
    drawn = np.random.default_rng(0).integers(0, len(rows), (DRAWS, len(rows)))
    low, high = np.percentile(of(rows[drawn]), TAILS)
    return float(low), float(high)
