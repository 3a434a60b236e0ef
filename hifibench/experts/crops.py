"""What every expert checks before it looks: range and layout are asserted, never guessed from the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import ExpertCard
from hifibench.records import Floats


def checked(card: ExpertCard, crops: Floats) -> Floats:
    """The crops, contiguous, once they are known to be what the card asks for.

    Raises:
        ValueError: another shape than ``(B, 3, S, S)``, another type than float32, or values outside [0, 1].
    """
    size = card.crop.size
    if crops.ndim != 4 or crops.shape[1:] != (3, size, size):
        raise ValueError(f"{card.name} takes crops of shape (B, 3, {size}, {size}); given {crops.shape}.")
    if crops.dtype != np.float32:
        raise ValueError(f"{card.name} takes float32 crops; given {crops.dtype}. Divide bytes by 255 first.")
    if crops.size and not (crops.min() >= 0 and crops.max() <= 1):
        raise ValueError(
            f"{card.name} takes RGB in [0, 1]; given values from {crops.min():g} to {crops.max():g}. "
            "Clip or rescale the crops first."
        )
    return np.ascontiguousarray(crops)


def to_bytes(crops: Floats) -> NDArray[np.uint8]:
    """Crops ``(B, 3, S, S)`` in [0, 1] as ``(B, S, S, 3)`` uint8, rounded to nearest, for networks that take bytes."""
    return np.ascontiguousarray(np.rint(crops * np.float32(255)).astype(np.uint8).transpose(0, 2, 3, 1))
