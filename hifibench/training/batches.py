"""From a prepared set to batches on the device: reading processes, pinned memory, copies beside the step."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from hifibench.errors import ImageError
from hifibench.training.contract import Batch
from hifibench.training.pairs import PairImages
from hifibench.training.prefetch import on_device

if TYPE_CHECKING:
    import torch
    from torch import Tensor

QUEUED = 4
"""Batches that each reading process may have ready."""


def batches(
    images: PairImages, numbers: Sequence[int], share: int, workers: int, device: torch.device
) -> Generator[Batch, None, None]:
    """Batches of one process, in the order of ``numbers``.

    They are the same for every number of workers, and reading them leaves PyTorch's random state alone.

    Args:
        images: what the numbers stand for.
        numbers: of all pairs that this process will see (`hifibench.training.pairs.indices`).
        share: pairs in a batch of this process.
        workers: processes that read for this one; 0: this one reads.
        device: where the batches are wanted.

    Raises:
        ImageError: a crop cannot be read; named as `hifibench.data.prepared.PreparedFaces.load` does.
    """
    import torch

    loader: Iterable[list[Tensor]] = torch.utils.data.DataLoader(
        images,  # type: ignore[arg-type]
        batch_size=share,
        sampler=numbers,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        prefetch_factor=QUEUED if workers else None,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_one_thread if workers else None,
        # Of its own: seeds for the workers are drawn when reading begins, which may be beside a step.
        generator=torch.Generator(),
    )
    given = 0
    try:
        with closing(on_device(iter(loader), lambda read: on(device, read), device)) as moved:
            for one in moved:
                yield one
                given += share
    except ImageError:
        # A worker adds its traceback to the message. Batches come in order: it is an image of the next one.
        for number in numbers[given : given + share]:
            images[number]
        raise


def on(device: torch.device, read: Iterable[Tensor]) -> Batch:
    """A batch as the methods get it, from stacked `PairImages`; bytes are copied, numbers made on the device."""
    import torch

    source, target, same, mask = (one.to(device, non_blocking=True) for one in read)

    def image(one: Tensor) -> Tensor:
        return (one.float() / 255).contiguous(memory_format=torch.channels_last)

    return Batch(image(source), image(target), same, mask.float() / 255)


def stacked(images: PairImages, numbers: Iterable[int]) -> Iterator[Tensor]:
    """Pairs as a reader would stack them, read here and now."""
    import torch

    return (torch.stack(one) for one in zip(*(images[number] for number in numbers), strict=True))


def _one_thread(worker: int) -> None:
    """Of a reading process: PyTorch sees to its own threads, OpenCV would start one a core."""
    import cv2

    cv2.setNumThreads(1)
