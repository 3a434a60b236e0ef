from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hifibench.training.contract import Batch
from hifibench.training.prefetch import AHEAD, ahead, on_device

CUDA = torch.device("cuda", 0)


def readers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "hifibench-prefetch"]


@given(st.lists(st.integers(), max_size=12), st.integers(1, 4))
def test_items_come_in_their_order_and_none_is_lost(items: list[int], depth: int) -> None:
    assert list(ahead(iter(items), depth)) == items


class Source:
    """Counts what was taken, and where; fails instead of giving a certain item."""

    def __init__(self, broken: int | None = None) -> None:
        self.taken, self.threads, self._broken = 0, set[int](), broken

    def __iter__(self) -> Iterator[int]:
        for item in range(100):
            if item == self._broken:
                raise ValueError(f"item {item}")
            self.taken += 1
            self.threads.add(threading.get_ident())
            yield item


def settled(source: Source) -> int:
    """How many items are taken when nobody asks."""
    before = -1
    while before != source.taken:
        before = source.taken
        time.sleep(0.15)
    return before


def test_it_reads_ahead_by_its_depth_and_no_further() -> None:
    source = Source()
    items = ahead(iter(source), 3)
    assert next(items) == 0
    assert settled(source) == 1 + 3 + 1  # one given, three in the queue, one in the reader's hand
    assert next(items) == 1
    assert settled(source) == 6
    assert source.threads.isdisjoint({threading.get_ident()})
    items.close()


def test_an_error_comes_where_its_item_would_have_come() -> None:
    items = ahead(iter(Source(broken=3)), 8)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        next(items)
    assert not readers()


def test_closing_ends_the_thread_and_the_reading() -> None:
    source = Source()
    items = ahead(iter(source), 2)
    next(items)
    assert readers()
    items.close()
    assert not readers()
    taken = source.taken
    time.sleep(0.15)
    assert source.taken == taken < 10


def test_a_loop_that_breaks_off_leaves_no_thread() -> None:
    for item in ahead(iter(Source()), 2):
        if item == 5:
            break
    assert not readers()


def test_on_a_processor_nothing_is_read_before_it_is_asked_for() -> None:
    source = Source()
    moved = on_device(iter(source), lambda item: item, torch.device("cpu"))  # type: ignore[arg-type,return-value]
    assert next(moved) == 0 and next(moved) == 1  # type: ignore[comparison-overlap]
    assert source.taken == 2 and source.threads == {threading.get_ident()}


class Recorded:
    """Stands for CUDA's streams: writes down what is put into which, in which order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.within = threading.local()
        recorded = self

        class Stream:
            def __init__(self, device: torch.device, name: str = "side") -> None:
                self.device, self.name = device, name

            def record_event(self) -> str:
                recorded.calls.append(("recorded", self.name))
                return f"event {sum(call == ('recorded', 'side') for call in recorded.calls) - 1}"

            def wait_event(self, event: str) -> None:
                recorded.calls.append(("waits", self.name, event))

            def __enter__(self) -> None:
                recorded.within.stream = self.name

            def __exit__(self, *_: object) -> None:
                recorded.within.stream = None

        main = Stream(CUDA, "main")
        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)

    def moved(self, item: int) -> Batch:
        self.calls.append(("moved", item, getattr(self.within, "stream", None)))
        return Batch(*(_Kept(self, item) for _ in Batch._fields))  # type: ignore[arg-type]


class _Kept:
    def __init__(self, recorded: Recorded, item: int) -> None:
        self._recorded, self.item = recorded, item

    def record_stream(self, stream: Any) -> None:
        self._recorded.calls.append(("kept for", self.item, stream.name))


def test_on_cuda_copies_run_on_a_stream_of_their_own_and_the_step_waits_for_its_own_batch_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = Recorded(monkeypatch)
    batches = on_device(iter(range(5)), recorded.moved, CUDA)
    for number, batch in enumerate(batches):
        assert batch.source.item == number  # type: ignore[attr-defined]
        assert ("waits", "main", f"event {number}") == [call for call in recorded.calls if call[0] == "waits"][-1]
        assert recorded.calls.count(("kept for", number, "main")) == len(Batch._fields)
    assert [call for call in recorded.calls if call[0] == "moved"] == [("moved", item, "side") for item in range(5)]
    assert not readers()


def test_on_cuda_the_next_batches_are_there_before_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch)
    batches = on_device(iter(range(50)), recorded.moved, CUDA)
    next(batches)
    deadline = time.monotonic() + 10
    wanted = ("moved", AHEAD + 1, "side")
    while wanted not in recorded.calls and time.monotonic() < deadline:
        time.sleep(0.01)
    assert wanted in recorded.calls
    batches.close()
    assert not readers()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_batches_come_to_a_gpu_unharmed() -> None:
    given_ = [torch.full((4, 3, 64, 64), number, dtype=torch.uint8).pin_memory() for number in range(20)]

    def moved(one: torch.Tensor) -> Batch:
        there = one.to(CUDA, non_blocking=True).float()
        return Batch(there, there + 1, there.bool(), there[:, :1])

    for number, batch in enumerate(on_device(iter(given_), moved, CUDA)):
        work = torch.randn(512, 512, device=CUDA)
        for _ in range(20):
            work = work @ work / work.norm()
        assert bool((batch.source == number).all()) and bool((batch.target == number + 1).all())
