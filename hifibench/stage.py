"""How long work tells how far it is, whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Stage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Name and number of items -> a block that is told of every few done; `hifibench.pipeline.progress` has one."""


@contextmanager
def quiet(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A `Stage` that tells nothing."""
    yield lambda steps: None
