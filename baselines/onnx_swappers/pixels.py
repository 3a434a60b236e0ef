"""From images in [0, 1] to a network's way of writing them, and back."""

from __future__ import annotations

import numpy as np

from baselines.onnx_swappers.table import Pixels
from hifibench.records import Floats


def encode(image: Floats, pixels: Pixels) -> Floats:
    """As the network wants it.

    Args:
        image: ``(3, H, W)`` RGB in [0, 1].
        pixels: how it writes images.

    Returns:
        ``(3, H, W)`` float32, channels in the network's order.
    """
    ordered = image if pixels.channels == "RGB" else image[::-1]
    written: Floats = ((ordered * np.float32(pixels.range) - _each(pixels.mean)) / _each(pixels.std)).astype(np.float32)
    return written


def decode(written: Floats, pixels: Pixels) -> Floats:
    """The inverse of `encode`; values may lie outside [0, 1]."""
    image: Floats = (written * _each(pixels.std) + _each(pixels.mean)) / np.float32(pixels.range)
    return image if pixels.channels == "RGB" else image[::-1]


def _each(values: tuple[float, float, float]) -> Floats:
    """One number a channel."""
    return np.array(values, np.float32)[:, None, None]
