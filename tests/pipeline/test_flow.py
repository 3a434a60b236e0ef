"""Work in overlapping steps: order, bounds, errors, early ends, and the watch over what hangs."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hifibench.errors import StalledError
from hifibench.pipeline.flow import Step, flow


def same(value: Any) -> Any:
    return value


def nobody_left(*names: str) -> bool:
    return not any(thread.name.startswith(names) for thread in threading.enumerate())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(), max_size=12), st.integers(1, 5), st.lists(st.integers(1, 3), max_size=3))
def test_results_are_those_of_a_plain_loop_in_the_order_of_the_items(
    items: list[int], ahead: int, workers: list[int]
) -> None:
    def work(value: int) -> int:
        time.sleep(value % 3 / 2000)
        return 3 * value + 1

    expected = items
    for _ in workers:
        expected = [3 * value + 1 for value in expected]
    assert list(flow(items, [Step("work", work, n) for n in workers], ahead=ahead)) == expected


def test_one_item_is_at_its_second_step_while_the_next_is_at_its_first() -> None:
    together = threading.Barrier(2)

    def meet(number: int) -> int:
        together.wait(timeout=20)
        return number

    # First step of item n meets second step of item n - 1; nobody is there for the first and the last of all.
    steps = [Step("a", lambda n: n if n == 0 else meet(n)), Step("b", lambda n: n if n == 3 else meet(n))]
    assert list(flow(range(4), steps, ahead=2)) == [0, 1, 2, 3]


def test_workers_of_a_step_work_side_by_side() -> None:
    together = threading.Barrier(3)
    assert list(flow(range(6), [Step("a", lambda n: (together.wait(timeout=20), n)[1], 3)], ahead=3)) == list(range(6))


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_no_item_is_asked_for_before_there_is_room_for_it(ahead: int) -> None:
    asked = taken = most = 0

    def source() -> Iterator[int]:
        nonlocal asked, most
        for number in range(20):
            asked += 1
            most = max(most, asked - taken)
            yield number

    results = flow(source(), [Step("a", same, 2), Step("b", same)], ahead=ahead)
    assert asked == 0
    for _ in results:
        taken += 1
    assert (asked, most) == (20, ahead + 1)


def test_what_was_made_is_let_go_of() -> None:
    class Large:
        pass

    alive: weakref.WeakSet[Large] = weakref.WeakSet()
    most = 0

    def make(_: int) -> Large:
        alive.add(made := Large())
        return made

    results = flow(range(200), [Step("a", make, 8), Step("b", same)], ahead=3)
    for _ in results:
        most = max(most, len(alive))
    gc.collect()
    # Three under way, one in the loop's hand and one that a thread is just letting go of.
    assert 3 <= most <= 5
    assert len(alive) <= 1


def test_the_first_error_in_the_order_of_the_items_is_raised_after_all_results_before_it() -> None:
    begun: list[int] = []
    got: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 2:
            time.sleep(0.1)
            raise ValueError("second")
        if number == 3:
            raise KeyError("third, and sooner")
        return number

    with pytest.raises(ValueError, match="second"):
        got.extend(flow(range(50), [Step("failing", work, 2)], ahead=4))
    assert got == [0, 1]
    assert len(begun) <= 8
    assert nobody_left("failing")


def test_an_error_of_the_source_comes_in_its_turn() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("no third")

    got: list[int] = []
    with pytest.raises(OSError, match="no third"):
        got.extend(flow(source(), [Step("a", same)], ahead=5))
    assert got == [1, 2]


def test_when_nobody_wants_the_rest_what_has_begun_is_waited_for_and_nothing_else_begins() -> None:
    begun, ended = [], []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.05)
        ended.append(number)
        return number

    results = flow(range(100), [Step("unwanted", work)], ahead=10)
    assert next(results) == 0
    results.close()
    assert begun == ended
    assert len(begun) <= 3
    assert nobody_left("unwanted")


def test_ctrl_c_waits_for_what_has_begun() -> None:
    ended = []

    def work(number: int) -> int:
        if number == 1:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        ended.append(number)
        return number

    # Where the tests run in the background of a shell, the signal is ignored from the start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(flow(range(100), [Step("stopped", work)], ahead=3))
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended == [0, 1]
    assert nobody_left("stopped")


def test_what_hangs_is_named() -> None:
    release = threading.Event()

    def hang(number: int) -> int:
        if number == 4:
            release.wait(timeout=60)
        return number

    got: list[int] = []
    begin = time.monotonic()
    try:
        with pytest.raises(StalledError, match=r"Step paste has been at item 5 for .* nothing has ended for 0\.3 s"):
            got.extend(flow(range(50), [Step("decode", same, 2), Step("paste", hang)], ahead=3, stall_s=0.3))
    finally:
        release.set()
    assert got == [0, 1, 2, 3]
    assert time.monotonic() - begin < 20


def test_an_error_is_not_held_up_by_what_hangs() -> None:
    release = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            raise ValueError("broken")
        release.wait(timeout=60)
        return number

    begin = time.monotonic()
    try:
        with pytest.raises(ValueError, match="broken"):
            list(flow(range(2), [Step("a", work, 2)], ahead=2, stall_s=0.2))
    finally:
        release.set()
    assert time.monotonic() - begin < 20


def test_slow_sources_slow_consumers_and_slow_progress_are_no_standstill() -> None:
    def source() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.6)
            yield number

    def slow(number: int) -> int:
        time.sleep(0.3)
        return number

    got: list[int] = []
    for result in flow(source(), [Step("a", slow), Step("b", slow)], ahead=1, stall_s=0.5):
        time.sleep(0.6)
        got.append(result)
    assert got == [0, 1, 2]


@pytest.mark.parametrize(("ahead", "workers"), [(0, 1), (1, 0)])
def test_no_room_and_no_workers_are_refused_at_once(ahead: int, workers: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        flow([], [Step("a", same, workers)], ahead=ahead)


HANGS = """
import time
from concurrent.futures import ThreadPoolExecutor

from hifibench import cli
from hifibench.pipeline.flow import Step, flow


def decode(number):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 600).result()


cli.app = lambda arguments: list(flow([0], [Step("decode", decode)], ahead=1, stall_s=0.5))
cli.main([])
"""


def test_the_program_ends_although_a_pool_in_a_step_hangs() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3 and "Step decode has been at item 1" in done.stderr
