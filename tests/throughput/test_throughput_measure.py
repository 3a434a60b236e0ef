"""When a measurement begins and ends, and what becomes of its times, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from timed_networks import FakeClock

from hifibench.device import out_of_memory
from hifibench.throughput.measure import Limits, offline, settled, single_stream, warm_up

LIMITS = Limits(10.0, 200)


def test_percentiles_are_those_of_the_calls_after_warming_up() -> None:
    clock, calls = FakeClock(), list[int]()

    def seconds(number: int) -> float:
        calls.append(number)
        # 100 ms while warming up settles at once; then 1, 2, ... 100 ms over and over.
        return 0.1 if len(calls) <= 6 else ((len(calls) - 7) % 100 + 1) / 1000

    got = single_stream(clock.call(seconds), clock, Limits(20.0, 200))
    assert (got.warmup, got.steady) == (6, True)
    assert got.n == 200
    ms = np.concatenate([np.arange(1, 101)] * 2)
    assert [got.ms_p50, got.ms_p90, got.ms_p99] == pytest.approx(np.percentile(ms, [50, 90, 99]))
    assert got.seconds == pytest.approx(ms.sum() / 1000)
    assert got.ms_p50_low is not None and got.ms_p50_high is not None
    assert 35 < got.ms_p50_low < got.ms_p50 < got.ms_p50_high < 66
    assert calls == list(range(206)), "each call has a number of its own, so that inputs go round"


@pytest.mark.parametrize(
    ("seconds", "n"),
    [
        (0.5, 20),  # the time is over first
        (0.02, 200),  # the images are made first, and a fifth of the time is over
        (0.001, 2000),  # so quick that the images are not enough
        (30.0, 1),  # one at the least
    ],
)
def test_a_measurement_ends_with_enough_images_or_its_time(seconds: float, n: int) -> None:
    clock = FakeClock()
    assert single_stream(clock.call(lambda _: seconds), clock, LIMITS).n == pytest.approx(n, abs=1)


def test_one_call_has_no_interval() -> None:
    clock = FakeClock()
    got = single_stream(clock.call(lambda _: 30.0), clock, LIMITS)
    assert (got.ms_p50_low, got.ms_p50_high) == (None, None)


def test_warming_up_ends_where_two_windows_agree_within_two_percent() -> None:
    clock = FakeClock()
    # Windows of three calls of a second: medians fall by 3 % until they stand still.
    got = warm_up(clock.call(lambda number: max(0.97 ** (number // 3), 0.97**4)), clock, 1000.0)
    assert (got.calls, got.steady) == (18, True)
    assert got.seconds == pytest.approx(0.97**4)


def test_what_never_settles_is_timed_all_the_same_and_said() -> None:
    clock = FakeClock()
    got = single_stream(clock.call(lambda number: 1.0 + (number // 3) % 2), clock, LIMITS)
    assert got.steady is False
    assert got.warmup == 6  # 3 s and 6 s: the next window would begin beyond half of the time


def test_a_slow_first_call_does_not_settle_anything() -> None:
    clock = FakeClock()
    got = warm_up(clock.call(lambda number: 60.0 if number == 0 else 1.0), clock, 1000.0)
    assert (got.steady, got.calls, got.seconds) == (True, 6, 1.0)


@pytest.mark.parametrize(("before", "now", "same"), [(1.0, 1.019, True), (1.0, 1.021, False), (1.0, 0.979, False)])
def test_settled(before: float, now: float, same: bool) -> None:
    assert settled(before, now) is same
    assert not settled(float("nan"), now)


def machine(clock: FakeClock, made: list[int], most: int = 10**9) -> Callable[[int], Callable[[int], object]]:
    """0.1 s a call and 0.01 s an image; from 16 on 0.05 s an image."""

    def make(batch: int) -> Callable[[int], object]:
        made.append(batch)
        if batch > most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
        return clock.call(lambda _: 0.1 + batch * (0.01 if batch < 16 else 0.05))

    return make


def test_offline_takes_the_best_batch_of_the_sweep_and_times_it_anew() -> None:
    clock, made = FakeClock(), list[int]()
    got = offline(machine(clock, made), clock, LIMITS, (1, 2, 4, 8, 16))
    assert (got.batch, got.ended) == (8, "")
    assert made == [1, 2, 4, 8, 16, 8]
    assert got.images_per_s == pytest.approx(8 / 0.18)
    assert [point.images_per_s for point in got.sweep] == pytest.approx(
        [1 / 0.11, 2 / 0.12, 4 / 0.14, 8 / 0.18, 16 / 0.9]
    )
    assert (got.n, got.seconds) == (200, pytest.approx(25 * 0.18))
    assert got.low == pytest.approx(got.images_per_s) and got.high == pytest.approx(got.images_per_s)


def test_the_rate_that_is_told_is_not_the_one_that_the_batch_was_chosen_by() -> None:
    clock, made = FakeClock(), list[int]()

    def make(batch: int) -> Callable[[int], object]:
        made.append(batch)
        return clock.call(lambda _: 0.1 if len(made) == 1 else 0.2)

    got = offline(make, clock, LIMITS, (1,))
    assert got.sweep[0].images_per_s == pytest.approx(10)
    assert got.images_per_s == pytest.approx(5)


def test_a_batch_that_does_not_fit_ends_the_sweep_and_is_said() -> None:
    clock, made = FakeClock(), list[int]()
    got = offline(machine(clock, made, most=3), clock, LIMITS, (1, 2, 4, 8))
    assert (got.batch, got.ended) == (2, "a batch of 4 does not fit into memory")
    assert made == [1, 2, 4, 2]


def test_where_not_even_the_first_fits_there_is_nothing_to_tell() -> None:
    clock = FakeClock()
    with pytest.raises(RuntimeError, match="out of memory"):
        offline(machine(clock, [], most=0), clock, LIMITS, (1, 2))


def test_another_error_is_no_lack_of_memory() -> None:
    clock = FakeClock()

    def make(batch: int) -> Callable[[int], object]:
        if batch == 2:
            raise RuntimeError("shapes differ")
        return clock.call(lambda _: 0.1)

    with pytest.raises(RuntimeError, match="shapes differ"):
        offline(make, clock, LIMITS, (1, 2))


def test_the_interval_of_the_rate_holds_it_and_is_wider_where_windows_differ() -> None:
    def interval(spread: float) -> tuple[float, float]:
        clock = FakeClock()
        got = offline(lambda batch: clock.call(lambda number: 0.1 + spread * (number % 2)), clock, LIMITS, (1,))
        assert got.low is not None and got.high is not None
        assert got.low <= got.images_per_s <= got.high
        return got.low, got.high

    narrow, wide = interval(0.01), interval(0.1)
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0]) > 0


def test_quick_calls_share_a_window_so_that_the_clock_is_rarely_asked() -> None:
    clock = FakeClock()
    got = offline(lambda batch: clock.call(lambda _: 0.001), clock, LIMITS, (1,))
    assert got.windows == pytest.approx(20, abs=1)
    assert got.n == pytest.approx(2000, abs=100)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_memory_may_run_out_on_a_processor_too(error: Exception) -> None:
    assert out_of_memory(error)
    assert not out_of_memory(ValueError("out of memory"))
