"""Reference rows: swappers that bound the scale of every metric without swapping anything.

``target-copy`` shows what a method gets for changing nothing, ``source-paste`` for the source's whole face without any
fitting, ``re-encode`` for the noise of compression alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.records import Cost, Status, Swap

if TYPE_CHECKING:
    from torch import Tensor

JPEG_QUALITY = 90
"""Of ``re-encode``; chroma is subsampled 4:2:0 as in nearly all video."""


class Control:
    """A swapper whose image is a fixed function of source and target.

    Args:
        card: the card it is loaded under.
        image: source and target, ``(B, 3, H, W)`` RGB in ``[0, 1]`` each, to image in the target's geometry.
    """

    def __init__(self, card: SwapperCard, image: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._card = card
        self._image = image

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`; never fails.

        The mask is left to the harness: a whole frame replaces the target's, an aligned crop is blended in.
        """
        return Swap(image=self._image(source, target), mask=None, status=(Status.OK,) * len(target))

    def cost(self) -> Cost:
        """No network, no parameters."""
        return Cost(params_trainable=0, params_frozen=0, macs=None)


def _jpeg(source: Tensor, target: Tensor) -> Tensor:
    """The target, row by row, through JPEG (Pillow's encoder, libjpeg)."""
    import numpy as np
    import torch
    from PIL import Image

    frames = (target.detach().float().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    decoded = []
    for frame in frames.numpy():
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
        with Image.open(buffer) as image:
            decoded.append(np.asarray(image.convert("RGB")))
    stacked = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous()
    return stacked.to(device=target.device, dtype=torch.float32) / 255


def _plugin(card: SwapperCard, image: Callable[[Tensor, Tensor], Tensor]) -> SwapperPlugin:
    def load(device: str) -> Swapper:
        return Control(card, image)

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
        summary="Reference: the source's aligned face pasted onto the target's",
        source=Crop("ffhq", 512),
        target=Crop("ffhq", 512),
        kind="reference",
        limits="Aligned by five points and blended by the harness's mask: identity at its ceiling, pose the source's.",
    ),
    lambda source, target: source.clone(),
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
