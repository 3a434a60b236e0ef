"""Progress of long work: bars on a terminal, a line per stage elsewhere, nothing where quiet is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console


class Task(Protocol):
    """One stage under way."""

    def __call__(self, steps: int = 1) -> None:
        """Count some items as done."""
        ...


class Reporter:
    """Where the stages say how far they are."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)

    def say(self, text: str) -> None:
        """One line of its own."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Task]:
        """A stage of ``total`` items; the block gets a function that counts them."""
        if total == 0:
            yield lambda steps=1: None
            return
        begin = time.monotonic()
        if self.console.is_terminal and not self.console.quiet:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description:<28}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=self.console) as bars:
                bar = bars.add_task(name, total=total)
                yield lambda steps=1: bars.advance(bar, steps)
            return
        yield lambda steps=1: None
        self.say(f"{name}: {total} in {time.monotonic() - begin:.1f} s")
