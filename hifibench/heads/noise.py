"""A block of smooth noise that repeats, and how it is looked up."""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 64
"""Cells of the block; lookups wrap around."""


@cache
def block() -> Floats:
    """``(64, 64, 64)`` independent values, mean 0, standard deviation about 1 once interpolated; always the same."""
    values = np.random.default_rng(6).normal(size=(SIDE, SIDE, SIDE)) * 1.6
    return values.astype(np.float32)


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def at(noise: Floats, x: float, y: float, z: float) -> float:  # pragma: no cover
    """The noise at a point, interpolated in three directions."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = int(fx) & 63, int(fy) & 63, int(fz) & 63
    u, v, w = x - fx, y - fy, z - fz
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    i1, j1, k1 = (i + 1) & 63, (j + 1) & 63, (k + 1) & 63
    a = noise[i, j, k] + u * (noise[i1, j, k] - noise[i, j, k])
    b = noise[i, j1, k] + u * (noise[i1, j1, k] - noise[i, j1, k])
    c = noise[i, j, k1] + u * (noise[i1, j, k1] - noise[i, j, k1])
    d = noise[i, j1, k1] + u * (noise[i1, j1, k1] - noise[i, j1, k1])
    a += v * (b - a)
    c += v * (d - c)
    value: float = a + w * (c - a)
    return value
