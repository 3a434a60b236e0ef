"""What one call of each scope does, for methods that show their networks and for those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hifibench.contracts import Swapper, SwapperCard
from hifibench.errors import MethodError
from hifibench.pipeline.swap import Job, swap_jobs
from hifibench.records import Cost, Status, Swap
from hifibench.throughput.engine import Runner
from hifibench.throughput.inputs import Batch, rows
from hifibench.throughput.measure import Call

if TYPE_CHECKING:
    from torch import Tensor

    from hifibench.faces.detect import Detector


def source_call(runner: Runner, batches: Sequence[Batch]) -> Call:
    """The source's networks alone."""
    return lambda number: runner.source(batches[number % len(batches)].source)


def generator_call(runner: Runner, batches: Sequence[Batch]) -> Call:
    """The generator alone: what it needs of sources and targets is there."""
    given = [(one.target, runner.given(one)) for one in batches]
    return lambda number: runner.generate(*given[number % len(given)])


def extractors_call(runner: Runner, batches: Sequence[Batch]) -> Call:
    """All networks, a new source each time."""
    return lambda number: runner.through(batches[number % len(batches)])


def swap_call(swapper: Swapper, batches: Sequence[Batch]) -> Call:
    """The method's own swap, from crops in the processor's memory."""

    def call(number: int) -> Swap:
        one = batches[number % len(batches)]
        return swapper.swap(one.source, one.target)

    return call


@dataclass(frozen=True)
class Shown:
    """The networks of a method as a swapper that remembers no source, so that each one is new.

    Attributes:
        card: of the method.
        runner: of its networks, as they are timed.
    """

    card: SwapperCard
    runner: Runner

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`."""
        made = self.runner.through(Batch(self.runner.place(source), self.runner.place(target)))
        image, *mask = (one.float().clamp(0, 1).cpu() for one in made)
        return Swap(image, mask[0] if mask else None, (Status.OK,) * len(target))

    def cost(self) -> Cost:
        """Nobody asks it here."""
        return Cost(None, None, None)


def whole_call(swapper: Swapper, jobs: Sequence[Job], batch: int, detector: Detector, pool: ThreadPoolExecutor) -> Call:
    """From frames to frames: faces are found in both, aligned, swapped, pasted back. Faces are found in threads."""
    chosen = rows(len(jobs), batch)

    def call(number: int) -> None:
        todo = [jobs[index] for index in chosen[number % len(chosen)]]
        frames = [frame for job in todo for frame in (job.source, job.target)]
        faces = list(pool.map(detector.choose, frames))
        found = [
            replace(job, source_face=faces[2 * row], target_face=faces[2 * row + 1]) for row, job in enumerate(todo)
        ]
        for one in swap_jobs(swapper, found):
            if one.frame is None:
                raise MethodError(f"It could not swap a pair that it had swapped before: {one.message or one.status}.")

    return call


def usable(swapper: Swapper, jobs: Sequence[Job]) -> list[Job]:
    """The pairs that a method can swap: how long it takes to fail is nobody's speed.

    Raises:
        MethodError: it can swap none of them.
    """
    done = [swap_jobs(swapper, [job])[0] for job in jobs]
    kept = [job for job, one in zip(jobs, done, strict=True) if one.frame is not None]
    if not kept:
        raise MethodError(f"It could swap none of {len(jobs)} pairs: {done[0].message or done[0].status}.")
    return kept
