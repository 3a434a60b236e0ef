"""Networks that one thread at a time may use, shared by many threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, LifoQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """As many copies of a network as threads ever used it at once; made when first needed, then kept.

    Args:
        make: makes one copy. Copies must be interchangeable.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._idle: LifoQueue[T] = LifoQueue()

    @contextmanager
    def borrow(self) -> Iterator[T]:
        """A copy that nobody else uses until the ``with`` block ends."""
        try:
            copy = self._idle.get_nowait()
        except Empty:
            copy = self._make()
        try:
            yield copy
        finally:
            self._idle.put(copy)
