"""Stage two: a swapper gets crops, and its swaps are put back into the target frames.

The harness crops, the swapper swaps, the harness pastes: every method meets the same frames, faces and borders.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hifibench.contracts import Crop, ReleasedSwapper, Service, Swapper, SwapperCard, SwapperPlugin
from hifibench.errors import HifibenchError, MethodError, MissingError, UsageError, disk_full
from hifibench.faces import align, paste, templates
from hifibench.records import Face, Floats, Frame, ImageRef, Pair, Status, Swap, Swapped

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger("hifibench")

_TOLERANCE = 1e-3
"""How far outside [0, 1] a value may lie and still count as rounding."""


@dataclass(frozen=True)
class Job:
    """One pair, ready to be swapped: two frames and the face in each (``None`` where there is none)."""

    source: Frame
    source_face: Face | None
    target: Frame
    target_face: Face | None


@contextmanager
def loaded(plugin: SwapperPlugin, device: str, logs: Path) -> Iterator[Swapper | ReleasedSwapper]:
    """Load a method, and start and stop what it runs elsewhere.

    Args:
        plugin: the method.
        device: where its networks are to be.
        logs: folder for what it has to say; made if it is needed.

    Raises:
        MethodError: it cannot be loaded or started, or said within the block that it cannot work.
    """
    try:
        swapper = plugin.load(device)
        if not isinstance(swapper, Swapper | ReleasedSwapper) or swapper.card != plugin.card:
            raise UsageError(
                f"The method {plugin.card.name!r} loads a {type(swapper).__name__}; expected a "
                "hifibench.contracts.Swapper or ReleasedSwapper with the plugin's own card."
            )
    except Exception as error:  # a method of somebody else's may raise anything
        _stop_if_full(error)
        raise MethodError.of(error) from error
    if not isinstance(swapper, Service):
        yield swapper
        return
    try:
        try:
            logs.mkdir(parents=True, exist_ok=True)
            swapper.start(logs)
        except Exception as error:
            _stop_if_full(error)
            raise MethodError.of(error) from error
        yield swapper
    finally:
        swapper.stop()


def _stop_if_full(error: Exception) -> None:
    """A full disk stops the run: pairs that failed by it would stay failed when there is room again."""
    if disk_full(error):
        raise MissingError(f"{error}. Free some space; the same command goes on from here.") from error


def found(swapper: ReleasedSwapper, pair: Pair, source: ImageRef, target: ImageRef, frame: Frame) -> Swapped:
    """The released swap of a pair, held to its contract; what breaks on one pair loses only that.

    Args:
        swapper: whose release is searched.
        pair: of the manifest.
        source: the image that gave the face.
        target: the image that received it.
        frame: the target's frame.
    """
    try:
        swapped = swapper.find(pair, source, target, frame)
    except Exception as error:
        _stop_if_full(error)
        return _failed(swapper.card.name, error)
    if swapped.frame is not None and swapped.frame.shape != frame.shape:
        sizes = " and the target's ".join(f"{one.shape[1]}x{one.shape[0]}" for one in (swapped.frame, frame))
        return Swapped(None, Status.FAILED, f"The released frame has {sizes} pixels; a swap keeps the target's size.")
    return swapped


class Ready(NamedTuple):
    """One pair as a swapper takes it: ``(3, H, W)`` crops of both faces, and the matrix from the target's frame."""

    job: Job
    source: Floats
    target: Floats
    matrix: align.Matrix


class Made(NamedTuple):
    """What a swapper made of one pair: a row of a batch, and the seconds of it that are this pair's."""

    swap: Swap
    row: int
    seconds: float


def swap_jobs(swapper: Swapper, jobs: Sequence[Job]) -> list[Swapped]:
    """Swap several pairs, in as few calls of the swapper as its crops allow.

    A pair without a face on either side never reaches the swapper. Where a call fails, its pairs are tried one by
    one, so that a pair that breaks a swapper loses only itself.

    Raises:
        MethodError: what the swapper or its card asks for is missing or wrong, whatever the pair.
    """
    aligned = [align_job(swapper.card, job) for job in jobs]
    return [pasted(swapper.card, *each) for each in zip(aligned, swap_aligned(swapper, aligned), strict=True)]


def align_job(card: SwapperCard, job: Job) -> Ready | Swapped:
    """Cut both faces out of their frames as a card says, or say why there is no swap.

    Raises:
        MethodError: the card asks for what there is not.
    """
    if job.source_face is None:
        return Swapped(None, Status.NO_FACE_SOURCE)
    if job.target_face is None:
        return Swapped(None, Status.NO_FACE_TARGET)
    try:
        source, _ = _crop(job.source, job.source_face, card.source)
        return Ready(job, source, *_crop(job.target, job.target_face, card.target))
    except HifibenchError as error:
        raise MethodError.of(error) from error
    except Exception as error:  # such as landmarks that all lie on one spot
        return _failed(card.name, error)


def batch(ready: Sequence[Ready]) -> tuple[Tensor, Tensor]:
    """Source and target crops of some pairs, ``(B, 3, H, W)`` each."""
    import torch

    source, target = ([one.source for one in ready], [one.target for one in ready])
    return torch.from_numpy(np.stack(source)), torch.from_numpy(np.stack(target))


def swap_aligned(swapper: Swapper, aligned: Sequence[Ready | Swapped]) -> list[Made | Swapped]:
    """What a swapper makes of pairs that are ready; the others stay what they are.

    Raises:
        MethodError: as `swap_jobs`.
    """
    results: dict[int, Made | Swapped] = {i: one for i, one in enumerate(aligned) if isinstance(one, Swapped)}
    ready = {i: one for i, one in enumerate(aligned) if isinstance(one, Ready)}
    # Whole frames differ in size, so they cannot share a batch.
    frames = "frame" in (swapper.card.source.template, swapper.card.target.template)
    batches = [[index] for index in ready] if frames else [list(ready)] if ready else []
    for indices in batches:
        results |= zip(indices, _swap_batch(swapper, [ready[index] for index in indices]), strict=True)
    return [results[index] for index in range(len(aligned))]


def pasted(card: SwapperCard, ready: Ready | Swapped, made: Made | Swapped) -> Swapped:
    """The target's frame with the swap in it."""
    if isinstance(made, Swapped):
        return made
    assert isinstance(ready, Ready)
    return replace(_paste(card, ready.job, ready.matrix, made.swap, made.row), seconds=made.seconds)


def _swap_batch(swapper: Swapper, ready: Sequence[Ready]) -> list[Made | Swapped]:
    try:
        swap, seconds = _call(swapper, *batch(ready))
        _check(swap, len(ready), ready[0].target.shape)
    except HifibenchError as error:
        raise MethodError.of(error) from error
    except Exception as error:
        _stop_if_full(error)
        if len(ready) > 1:
            return [_swap_batch(swapper, [one])[0] for one in ready]
        return [_failed(swapper.card.name, error)]
    return [Made(swap, row, seconds) for row in range(len(ready))]


def _failed(name: str, error: Exception) -> Swapped:
    message = f"{type(error).__name__}: {error}"
    _log.debug("%s failed on a pair", name, exc_info=error)
    return Swapped(None, Status.FAILED, message)


def _call(swapper: Swapper, source: Tensor, target: Tensor) -> tuple[Swap, float]:
    """The swap and its seconds for each pair."""
    import torch

    begin = time.perf_counter()
    with torch.no_grad():
        swap = swapper.swap(source, target)
    if isinstance(swap.image, torch.Tensor) and swap.image.is_cuda:
        torch.cuda.synchronize(swap.image.device)  # else the clock would stop before the GPU has
    return swap, (time.perf_counter() - begin) / len(target)


def _crop(frame: Frame, face: Face | None, crop: Crop) -> tuple[Floats, align.Matrix]:
    assert face is not None
    return templates.take(frame, face, crop)


def _check(swap: Swap, rows: int, shape: tuple[int, ...]) -> None:
    """Hold a swapper to its contract: a wrong type, size or value range is an error, never guessed at."""
    import torch

    for name, values in (("images", swap.image), ("masks", swap.mask)):
        kind = getattr(values, "dtype", type(values).__name__)
        if not (values is None and name == "masks") and kind is not torch.float32:
            raise TypeError(f"returned {name} of type {kind}, expected torch.float32")
    if tuple(swap.image.shape) != (rows, *shape):
        raise ValueError(f"returned images of shape {tuple(swap.image.shape)}, expected {(rows, *shape)}")
    if len(swap.status) != rows:
        raise ValueError(f"returned {len(swap.status)} statuses for {rows} pairs")
    if swap.messages and len(swap.messages) != rows:
        raise ValueError(f"returned {len(swap.messages)} messages for {rows} pairs")
    if swap.mask is not None and tuple(swap.mask.shape) != (rows, 1, *shape[1:]):
        raise ValueError(f"returned masks of shape {tuple(swap.mask.shape)}, expected {(rows, 1, *shape[1:])}")
    for row, status in enumerate(swap.status):
        if not isinstance(status, Status):
            raise TypeError(f"returned the status {status!r}, expected a hifibench.records.Status")
        if status is not Status.OK:
            continue
        parts = [("image", swap.image[row].detach())]
        if swap.mask is not None:
            parts.append(("mask", swap.mask[row].detach()))
        for name, values in parts:
            low, high = float(values.min()), float(values.max())
            if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
                raise ValueError(f"returned {name} values in [{low:.4g}, {high:.4g}], expected [0, 1]")


def _paste(card: SwapperCard, job: Job, matrix: align.Matrix, swap: Swap, row: int) -> Swapped:
    if swap.status[row] is not Status.OK:
        return Swapped(None, swap.status[row], swap.messages[row] if swap.messages else "")
    image = np.clip(swap.image[row].detach().cpu().numpy(), 0.0, 1.0)
    mask = None if swap.mask is None else np.clip(swap.mask[row, 0].detach().cpu().numpy(), 0.0, 1.0)
    crop = card.target
    if crop.template == "frame":
        frame = align.hwc(image if mask is None else mask * image + (1 - mask) * align.chw(job.target))
        return Swapped(frame, Status.OK, mask=None if mask is None else paste.in_bytes(mask))
    mask = paste.soft_mask(crop) if mask is None else mask
    frame = paste.paste_back(job.target, image, matrix, mask)
    return Swapped(frame, Status.OK, mask=paste.spread(mask, matrix, frame.shape))
