"""What of a training does not decide its result."""

from __future__ import annotations

from dataclasses import dataclass

from hifibench.device import cores, here
from hifibench.errors import UsageError

AUTO = "auto"
MOST_WORKERS = 8
"""Readers that ``auto`` starts at most: together they read well over a thousand pairs of 256 pixels in a second."""


@dataclass(frozen=True)
class Settings:
    """How a training is carried out.

    Attributes:
        workers: processes that read images; 0: the training process itself; ``None``: as `readers` says.
        save_every: steps between checkpoints.
        log_every: steps between rows of the log.
        keep: newest checkpoints kept.
        compile: compile what gains from it.
    """

    workers: int | None = None
    save_every: int = 1000
    log_every: int = 50
    keep: int = 3
    compile: bool = True


def parse_workers(words: str) -> int | None:
    """``--workers``: a number from 0 on, or ``auto`` (``None``).

    Raises:
        UsageError: it is neither.
    """
    if words == AUTO:
        return None
    if not words.isdecimal():
        raise UsageError(f"--workers {words}: expected auto or a number of processes, 0 or more.")
    return int(words)


def readers(workers: int | None, device: str) -> int:
    """How many processes read for one training process.

    Args:
        workers: asked for; ``None`` leaves it to the machine: none where a processor trains, which needs its cores
            itself; beside a GPU this process's share of the cores but one, at least 1 and at most `MOST_WORKERS`.
        device: that trains, as torch names it.
    """
    if workers is not None:
        return workers
    if device == "cpu":
        return 0
    return max(1, min(MOST_WORKERS, cores() // here() - 1))
