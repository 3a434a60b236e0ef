"""What is swapped: a few pairs of generated people, in memory before the clock runs, and taken round in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hifibench.contracts import SwapperCard
from hifibench.errors import MissingError
from hifibench.faces import templates
from hifibench.pipeline.swap import Job

if TYPE_CHECKING:
    from torch import Tensor

    from hifibench.faces.detect import Detector

PAIRS = 8
"""Different pairs; each has a source of its own."""

SETS = 4
"""Different batches of each size that go round; small ones show every pair."""


@dataclass(frozen=True)
class Batch:
    """B pairs as crops.

    Attributes:
        source: ``(B, 3, Hs, Ws)`` float32 RGB in [0, 1].
        target: ``(B, 3, Ht, Wt)``.
    """

    source: Tensor
    target: Tensor


def portrait_jobs(detector: Detector, pairs: int = PAIRS) -> tuple[list[Job], str]:
    """Pairs of generated people of the test split, and what a reader is told of them.

    Raises:
        MissingError: a network is absent, or no face was found in any pair.
    """
    from hifibench.data import portraits

    plan = portraits.plan(identities=pairs, views=1, pairs=pairs, split="test", seed=0)
    jobs = []
    for pair in plan.pairs:
        source, target = (portraits.load(plan.image(name).uri) for name in (pair.source, pair.target))
        job = Job(source, detector.choose(source), target, detector.choose(target))
        if job.source_face is not None and job.target_face is not None:
            jobs.append(job)
    if not jobs:
        raise MissingError("The detector found no face in the generated portraits, so there is nothing to swap.")
    return jobs, f"{len(jobs)} pairs of generated portraits, {portraits.SIZE} pixels, test split"


def crops(jobs: Sequence[Job], card: SwapperCard) -> Batch:
    """All jobs as the method wants them, ``(len(jobs), …)``."""
    import torch

    sources, targets = [], []
    for job in jobs:
        assert job.source_face is not None and job.target_face is not None
        sources.append(templates.take(job.source, job.source_face, card.source)[0])
        targets.append(templates.take(job.target, job.target_face, card.target)[0])
    return Batch(torch.from_numpy(np.stack(sources)), torch.from_numpy(np.stack(targets)))


def rows(pairs: int, batch: int) -> list[list[int]]:
    """Which pairs each of the batches that go round holds: all of them, one after the other, as often as it takes.

    No batch has, row by row, the pairs of the one before.

    Example:
        >>> rows(3, 2)[:3]
        [[0, 1], [2, 0], [1, 2]]
    """
    count = max(SETS, pairs) if batch == 1 else SETS
    step = batch + (batch % pairs == 0)  # else all pairs would stand where they stood
    return [[(number * step + row) % pairs for row in range(batch)] for number in range(count)]


def sets(batch: Batch, size: int, place: Callable[[Tensor], Tensor]) -> list[Batch]:
    """Batches of ``size`` that go round.

    Args:
        batch: all pairs.
        size: of each.
        place: brings images to where the networks are.
    """
    return [Batch(place(batch.source[chosen]), place(batch.target[chosen])) for chosen in rows(len(batch.target), size)]
