"""What of a training does not decide its result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How a training is carried out.

    Attributes:
        workers: processes that read images; 0: the training process itself.
        save_every: steps between checkpoints.
        log_every: steps between rows of the log.
        keep: newest checkpoints kept.
        compile: compile what gains from it.
    """

    workers: int = 0
    save_every: int = 1000
    log_every: int = 50
    keep: int = 3
    compile: bool = True
