"""The next batches are read and brought to the device while the step before them runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import torch

    from hifibench.training.contract import Batch

AHEAD = 2
"""Batches that wait on the device: one is used up at once, and one covers what the readers' times vary by."""

T = TypeVar("T")

_LOOK_S = 0.1
_GIVE_UP_S = 10.0


def ahead(items: Iterator[T], depth: int = AHEAD) -> Generator[T, None, None]:
    """The same items in the same order, taken from ``items`` in a thread up to ``depth`` before they are asked for.

    An error of ``items`` is raised where its item would have come. Closing the generator ends the thread.
    """
    ready: Queue[T | _End] = Queue(depth)
    stop = threading.Event()

    def put(item: T | _End) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=_LOOK_S)
            except Full:
                continue

    def read() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    return
        except BaseException as error:
            put(_End(error))
        else:
            put(_End(None))

    # A daemon: a reader that hangs must not keep a process that was told to stop.
    thread = threading.Thread(target=read, name="hifibench-prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        _empty(ready)
        thread.join(_GIVE_UP_S)


class _End(NamedTuple):
    """There are no more items, or an error took their place."""

    error: BaseException | None


def _empty(queue: Queue[Any]) -> None:
    """Let go of what nobody will ask for."""
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return


def on_device(read: Iterator[T], moved: Callable[[T], Batch], device: torch.device) -> Generator[Batch, None, None]:
    """Batches on the device, in order; on CUDA the next ones are read, copied and converted beside the step.

    On a processor it is ``map(moved, read)``: a step there needs the cores itself.

    Args:
        read: batches in memory, pinned if the device is CUDA's: only from there they are copied without waiting.
        moved: copies (without waiting) and converts; runs on a stream of its own.
        device: where the batches are wanted.

    Yields:
        Batches that the caller's current stream may use at once.
    """
    if device.type != "cuda":
        yield from map(moved, read)
        return
    import torch

    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def copied() -> Iterator[tuple[Batch, torch.cuda.Event]]:
        for one in read:
            with torch.cuda.stream(side):
                batch = moved(one)
                there = side.record_event()
            yield batch, there

    batches = ahead(copied())
    try:
        for batch, there in batches:
            current = torch.cuda.current_stream(device)
            current.wait_event(there)
            for tensor in batch:
                tensor.record_stream(current)  # else its memory would be the side stream's again too soon
            yield batch
    finally:
        batches.close()
