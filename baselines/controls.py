"""Reference rows: swappers that bound the scale of every metric without swapping anything.

``target-copy`` shows what a method gets for changing nothing, ``source-paste`` for the source's whole face without any
fitting, ``re-encode`` for the noise of compression alone, and ``truth``, where it is known, for a perfect swap.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from hifibench.contracts import Crop, ReleasedSwapper, Swapper, SwapperCard, SwapperPlugin
from hifibench.records import Cost, Frame, ImageRef, Pair, Status, Swap, Swapped

if TYPE_CHECKING:
    from torch import Tensor

JPEG_QUALITY = 90
"""Of ``re-encode``; chroma is subsampled 4:2:0 as in nearly all video."""

SEEN_PX, FADE_PX = 200, 16
"""Half the side of the ArcFace crop in the FFHQ template at 512, whose middle it shares, and the fade around it."""


class Control:
    """A swapper whose image is a fixed function of source and target.

    Args:
        card: the card it is loaded under.
        image: source and target, ``(B, 3, H, W)`` RGB in ``[0, 1]`` each, to image in the target's geometry.
        mask: image to ``(B, 1, H, W)`` mask; without one a whole frame replaces the target's.
    """

    def __init__(
        self, card: SwapperCard, image: Callable[[Tensor, Tensor], Tensor], mask: Callable[[Tensor], Tensor] | None
    ) -> None:
        self._card = card
        self._image = image
        self._mask = mask

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`; never fails."""
        image = self._image(source, target)
        return Swap(image, None if self._mask is None else self._mask(image), (Status.OK,) * len(target))

    def cost(self) -> Cost:
        """No network, no parameters."""
        return Cost(params_trainable=0, params_frozen=0, macs=None)


def _seen_by_recognisers(image: Tensor) -> Tensor:
    """Mask of the square that an ArcFace crop shows, so that a recogniser sees the source and nothing else."""
    import torch

    side = image.shape[-1]
    off = (torch.arange(side, dtype=image.dtype, device=image.device) - (side - 1) / 2).abs() * 512 / side
    line = (1 - (off - SEEN_PX) / FADE_PX).clamp(0, 1)
    return (line[:, None] * line).expand(len(image), 1, side, side).clone()


def _jpeg(source: Tensor, target: Tensor) -> Tensor:
    """The target, row by row, through JPEG (Pillow's encoder, libjpeg)."""
    import numpy as np
    import torch
    from PIL import Image

    # In place: whole frames may be large.
    frames = target.detach().float().cpu().clamp(0, 1).mul_(255).round_().to(torch.uint8).permute(0, 2, 3, 1)
    decoded = []
    for frame in frames.numpy():
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
        with Image.open(buffer) as image:
            decoded.append(np.asarray(image.convert("RGB")))
    stacked = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous()
    return stacked.to(device=target.device, dtype=torch.float32).div_(255)


def _plugin(
    card: SwapperCard,
    image: Callable[[Tensor, Tensor], Tensor],
    mask: Callable[[Tensor], Tensor] | None = None,
) -> SwapperPlugin:
    def load(device: str) -> Swapper:
        return Control(card, image, mask)

    return SwapperPlugin(card=card, load=load)


target_copy = _plugin(
    SwapperCard(
        name="target-copy",
        summary="Reference: the target as it is",
        source=Crop("frame"),
        target=Crop("frame"),
        kind="reference",
        limits="Swaps nothing: identity at chance, every distance to the target zero.",
    ),
    lambda source, target: target.clone(),
)

source_paste = _plugin(
    SwapperCard(
        name="source-paste",
        summary="Reference: all of the source's face that a recogniser sees, pasted onto the target's",
        source=Crop("ffhq", 512),
        target=Crop("ffhq", 512),
        kind="reference",
        limits="Aligned by five points, pasted as a square: identity at its ceiling; pose and expression the source's.",
        version=2,
    ),
    lambda source, target: source.clone(),
    _seen_by_recognisers,
)

re_encode = _plugin(
    SwapperCard(
        name="re-encode",
        summary=f"Reference: the target through JPEG {JPEG_QUALITY}",
        source=Crop("frame"),
        target=Crop("frame"),
        kind="reference",
        limits="Swaps nothing: the noise floor of every distance to the target.",
    ),
    _jpeg,
)


class Truth:
    """The true swap of rendered heads; nothing is computed from the pictures, so nothing is timed."""

    card = SwapperCard(
        name="truth",
        summary="Reference: the true swap, rendered",
        source=Crop("frame"),
        target=Crop("frame"),
        kind="reference",
        limits="Known of rendered heads alone: the source's shape and skin under the target's expression, pose, gaze, "
        "light, hair, background and occluder.",
    )

    def find(self, pair: Pair, source: ImageRef, target: ImageRef, frame: Frame) -> Swapped:
        """See `hifibench.contracts.ReleasedSwapper.find`."""
        from hifibench.data import heads

        if not all(ref.uri.startswith("head:") for ref in (source, target)):
            return Swapped(None, Status.FILE_MISSING, "the true swap is known of rendered heads alone (suite 'truth')")
        return Swapped(heads.load(heads.swapped(source.uri, target.uri)), Status.OK)


def _truth(device: str) -> ReleasedSwapper:
    return Truth()


truth = SwapperPlugin(card=Truth.card, load=_truth)
