"""Small functions that compiled loops over samples share."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def step(low: float, high: float, value: float) -> float:  # pragma: no cover
    """0 below ``low``, 1 above ``high``, smooth between; falls where ``low`` is the larger."""
    t = (value - low) / (high - low)
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def fade(x: float) -> float:  # pragma: no cover
    """Nearly ``exp(x)`` for small x, and quicker."""
    t = max(1 + 0.125 * x, 0.0)
    t *= t
    t *= t
    return t * t


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def sharpened(x: float, doublings: int) -> float:  # pragma: no cover
    """``x`` to the power of two to the power of ``doublings``."""
    for _ in range(doublings):
        x *= x
    return x


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def lit(light: Floats, c: int, x: float, y: float, z: float) -> float:  # pragma: no cover
    """What reaches a surface with this normal in one channel."""
    total = 0.282095 * light[0, c] + 0.488603 * (light[1, c] * y + light[2, c] * z + light[3, c] * x)
    total += 1.092548 * (light[4, c] * x * y + light[5, c] * y * z + light[7, c] * x * z)
    total += 0.315392 * light[6, c] * (3 * z * z - 1) + 0.546274 * light[8, c] * (x * x - y * y)
    reached: float = max(total, 0.02)
    return reached
