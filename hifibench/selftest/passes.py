"""One pass of a method over some pairs, on the harness's own way from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hifibench.contracts import Swapper, SwapperCard
from hifibench.pipeline.swap import Job, swap_jobs
from hifibench.records import Cost, Floats, Frame, Status, Swap, Swapped

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Pass:
    """What a method made of some pairs, in their order.

    Attributes:
        swapped: frames, and how each ended.
        images: ``(3, H, W)`` as the method returned them; nothing where a pair failed.
        masks: ``(H, W)``, or ``None`` where the harness blends with its own; nothing where a pair failed.
        whole: the pairs went through in as few calls as the card allows. Else a call failed, and they were tried one
            by one.
    """

    swapped: tuple[Swapped, ...]
    images: tuple[Floats, ...]
    masks: tuple[Floats | None, ...]
    whole: bool = True

    @property
    def frames(self) -> list[Frame]:
        """The swapped frames of the pairs that ended well."""
        return [one.frame for one in self.swapped if one.frame is not None]

    @property
    def failed(self) -> int:
        """How many pairs did not end well."""
        return len(self.swapped) - len(self.frames)

    @property
    def reasons(self) -> str:
        """Why pairs failed, each reason once; empty if none did."""
        failed = (one for one in self.swapped if one.frame is None)
        return "; ".join(dict.fromkeys(one.message or str(one.status) for one in failed))

    def turned(self) -> Pass:
        """The same, last pair first."""
        return Pass(self.swapped[::-1], self.images[::-1], self.masks[::-1], self.whole)

    def difference(self, other: Pass) -> float:
        """Mean absolute difference of images or masks in the row where it is largest, in units of the value range."""
        images = [np.abs(a - b).mean() for a, b in zip(self.images, other.images, strict=True)]
        masks = [
            np.abs(a - b).mean()
            for a, b in zip(self.masks, other.masks, strict=True)
            if a is not None and b is not None
        ]
        return float(max(images + masks))


def swap_pass(swapper: Swapper, jobs: Sequence[Job]) -> Pass:
    """Swap some pairs as a run does, and keep what the method itself returned.

    Raises:
        MethodError: the method says that it cannot be used, whatever the pair.
    """
    recorder = _Recorder(swapper)
    swapped = tuple(swap_jobs(recorder, jobs))
    whole = recorder.calls == (len(jobs) if gets_frames(swapper.card) else 1)
    if any(one.status is not Status.OK for one in swapped):
        return Pass(swapped, (), (), whole)
    return Pass(swapped, *recorder.last(len(jobs)), whole)


def join(passes: Sequence[Pass]) -> Pass:
    """Several passes as one."""
    return Pass(
        tuple(one for part in passes for one in part.swapped),
        tuple(one for part in passes for one in part.images),
        tuple(one for part in passes for one in part.masks),
        all(part.whole for part in passes),
    )


def gets_frames(card: SwapperCard) -> bool:
    """Whether a method gets one pair a call, because one of its crops is the whole frame."""
    return "frame" in (card.source.template, card.target.template)


class _Recorder:
    """A swapper that keeps what another one returns."""

    def __init__(self, swapper: Swapper) -> None:
        self._swapper = swapper
        self._rows: list[tuple[Floats, Floats | None]] = []
        self.calls = 0

    @property
    def card(self) -> SwapperCard:
        return self._swapper.card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        self.calls += 1
        swap = self._swapper.swap(source, target)
        images, masks = (_kept(getattr(swap, name, None), len(target)) for name in ("image", "mask"))
        if images is not None:
            self._rows += [(images[row], None if masks is None else masks[row, 0]) for row in range(len(target))]
        return swap

    def cost(self) -> Cost:
        return self._swapper.cost()

    def last(self, rows: int) -> tuple[tuple[Floats, ...], tuple[Floats | None, ...]]:
        """Images and masks of the last rows: those before were of a batch that failed."""
        kept = self._rows[-rows:]
        return tuple(image for image, _ in kept), tuple(mask for _, mask in kept)


def _kept(values: object, rows: int) -> Floats | None:
    """A copy, since a method may write its next result into the same memory; nothing of what cannot be rows."""
    import torch

    if not isinstance(values, torch.Tensor) or values.ndim != 4 or len(values) != rows:
        return None
    kept: Floats = values.detach().cpu().clone().numpy()
    return kept
