"""What a span costs: less than 1 µs where nobody asked for a profile, less than 10 µs of a core where one did."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hifibench.profiling import NOTHING, Profile

SPANS, ROUNDS = 50_000, 7


def empty_loop():
    for _ in range(SPANS):
        pass


def spans_of(profile):
    def loop():
        for _ in range(SPANS):
            with profile.span("observe", "expert edgeface", 1, "hififace"):
                pass

    return loop


def microseconds(function):
    # Of this thread alone: on a busy machine the clock on the wall would count its neighbours too.
    begin = time.thread_time()
    function()
    return (time.thread_time() - begin) / SPANS * 1e6


@pytest.mark.parametrize(("what", "limit_us"), [("off", 1.0), ("on", 10.0)])
def test_a_span(benchmark, what, limit_us):
    profile = NOTHING if what == "off" else Profile(keep=10_000)
    benchmark.pedantic(spans_of(profile), rounds=1, warmup_rounds=1)
    costs = [microseconds(spans_of(profile)) - microseconds(empty_loop) for _ in range(ROUNDS)]
    print(
        f"\na span, profile {what}: {np.median(costs):.2f} µs ({min(costs):.2f} to {max(costs):.2f}), {ROUNDS} rounds"
    )
    assert np.median(costs) < limit_us
