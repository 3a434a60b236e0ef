"""The swapper: crops in, crops and masks out. Cropping and pasting back is the harness's work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import SwapperCard
from hifibench.records import Cost, Status, Swap

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]

# In the crop's template (FFHQ at 512): an ellipse from the brows to below the mouth, within the outline of the face.
_MIDDLE, _RADII = (258.0, 302.0), (130.0, 158.0)
_TEMPLATE_SIDE = 512
# The part of the radius over which the paste fades out.
_FADE = 0.35
# Flat colours have no spread that could be stretched.
_LEAST_SPREAD = 1e-3


class LabPaste:
    """Pastes the source's aligned face, after its colours were brought to the target's in CIELAB.

    Args:
        card: the card it is loaded under; source and target share one crop.
    """

    def __init__(self, card: SwapperCard) -> None:
        self._card = card
        self._mask = ellipse(card.target.size)

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """Swap B pairs.

        Args:
            source: ``(B, 3, S, S)`` float32 RGB in [0, 1].
            target: the same.

        Returns:
            Images and masks ``(B, 1, S, S)`` in the target's geometry. Every row is OK: an aligned crop is all that
            is needed. A method that looks for the face itself would say ``Status.NO_FACE_SOURCE`` for a row.
        """
        import torch

        images = np.stack(
            [recoloured(*row, self._mask) for row in zip(source.cpu().numpy(), target.cpu().numpy(), strict=True)]
        )
        masks = np.repeat(self._mask[None, None], len(images), axis=0)
        return Swap(torch.from_numpy(images), torch.from_numpy(masks), (Status.OK,) * len(images))

    def cost(self) -> Cost:
        """No network: no parameters, and multiply-accumulates that nobody would compare."""
        return Cost(params_trainable=0, params_frozen=0, macs=None)


def ellipse(size: int) -> Floats:
    """The mask, ``(S, S)`` in [0, 1]: 1 in the middle of the face, fading smoothly to 0 at the ellipse's edge."""
    x, y = np.meshgrid(*[np.arange(size) * (_TEMPLATE_SIDE / size)] * 2)
    radius = np.hypot((x - _MIDDLE[0]) / _RADII[0], (y - _MIDDLE[1]) / _RADII[1])
    t = np.clip((1 - radius) / _FADE, 0, 1)
    mask: Floats = (t * t * (3 - 2 * t)).astype(np.float32)
    return mask


def recoloured(source: Floats, target: Floats, mask: Floats) -> Floats:
    """The source with the target's colours: in CIELAB, mean and spread within the mask become the target's.

    Args:
        source: ``(3, S, S)`` RGB in [0, 1].
        target: the same.
        mask: ``(S, S)``, the weight of each pixel.

    Returns:
        ``(3, S, S)`` RGB in [0, 1].

    Source: Reinhard et al. 2001, eq. 10 and 11, in CIELAB in place of l-alpha-beta.
    """
    lab, wanted = to_lab(source), to_lab(target)
    mean, spread = _statistics(lab, mask)
    wanted_mean, wanted_spread = _statistics(wanted, mask)
    moved = (lab - mean) * (wanted_spread / np.maximum(spread, _LEAST_SPREAD)) + wanted_mean
    rgb = cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.ascontiguousarray(np.clip(rgb, 0, 1).transpose(2, 0, 1))


def to_lab(image: Floats) -> Floats:
    """RGB ``(3, S, S)`` in [0, 1] as CIELAB ``(S, S, 3)``: L in 0..100, a and b around 0."""
    lab: Floats = np.asarray(
        cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2LAB), np.float32
    )
    return lab


def _statistics(lab: Floats, mask: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean and standard deviation of each channel, ``(3,)`` each."""
    weight = mask.ravel().astype(np.float64)
    pixels = lab.reshape(-1, 3).astype(np.float64)
    mean = np.average(pixels, axis=0, weights=weight)
    return mean, np.sqrt(np.average((pixels - mean) ** 2, axis=0, weights=weight))
