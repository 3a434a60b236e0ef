"""Lens and sensor: softness, grain, and linear light as sRGB."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def developed(linear: Floats, seed: int, noise_seed: int) -> NDArray[np.uint8]:
    """A picture as a camera would give it.

    Args:
        linear: ``(size, size, 3)`` linear RGB.
        seed: of the shot: how soft the lens is and how strong the grain.
        noise_seed: of the grain.

    Returns:
        ``(size, size, 3)`` sRGB.
    """
    rng = np.random.default_rng((seed, 43))
    blur, gain = rng.uniform(0.25, 0.75) * len(linear) / 256, rng.uniform(0.002, 0.012)
    soft = cv2.GaussianBlur(linear, (0, 0), float(blur)).astype(np.float32)
    top, left = (int(value) for value in np.random.default_rng((noise_seed, 44)).integers(0, _GRAIN, 2))
    return _encoded(soft, _grain(), top, left, float(gain), _curve())


@njit(cache=True, nogil=True)
def _encoded(
    linear: Floats, grain: Floats, top: int, left: int, gain: float, curve: NDArray[np.uint8]
) -> NDArray[np.uint8]:  # pragma: no cover
    out = np.empty(linear.shape, np.uint8)
    for row in range(linear.shape[0]):
        for column in range(linear.shape[1]):
            for k in range(3):
                value = max(linear[row, column, k], np.float32(0))
                value = max(
                    value
                    + gain * grain[(top + row) & 511, (left + column) & 511, k] * np.sqrt(value + np.float32(0.01)),
                    np.float32(0),
                )
                out[row, column, k] = curve[min(int(np.sqrt(value) * (_LEVELS / _WHITE)), _LEVELS - 1)]
    return out


_GRAIN = 512


@lru_cache(1)
def _grain() -> Floats:
    """A sheet of white noise; each picture starts somewhere in it."""
    return np.random.default_rng(44).standard_normal((_GRAIN, _GRAIN, 3), np.float32)


_LEVELS, _WHITE = 4096, 2.0  # steps of the curve's table, and the square root of the brightest value in it


@lru_cache(1)
def _curve() -> NDArray[np.uint8]:
    """SRGB of ``((i + 0.5) * 2 / 4096) ** 2``, with a shoulder above 0.8 that keeps highlights from being cut off."""
    value = ((np.arange(_LEVELS) + 0.5) * _WHITE / _LEVELS) ** 2
    over = np.maximum(value - 0.8, 0)
    value = np.where(value > 0.8, 0.8 + 0.2 * over / (over + 0.2), value)
    srgb = np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.maximum(value, 1e-6) ** (1 / 2.4) - 0.055)
    curve: NDArray[np.uint8] = np.rint(np.clip(srgb, 0, 1) * 255).astype(np.uint8)
    return curve
