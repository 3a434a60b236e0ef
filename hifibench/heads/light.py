"""Light by seed: a key, a fill and what comes from all around, as spherical harmonics of second order.

Irradiance coefficients after Ramamoorthi and Hanrahan, An efficient representation for irradiance environment maps,
SIGGRAPH 2001: band l of a distant light is weighted by A_l = (pi, 2 pi / 3, pi / 4), here divided by pi, so that a
white surface under uniform light of 1 sends out 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]


class Light(NamedTuple):
    """Camera frame: x to the image's right, y up, z to the viewer."""

    harmonics: Floats
    """``(9, 3)`` irradiance over pi per channel, bands in the order of `basis`."""
    key: Floats
    """``(3,)`` unit vector towards the key."""
    key_rgb: Floats
    """``(3,)`` for highlights."""


def basis(normals: ArrayLike) -> NDArray[np.float64]:
    """The nine real harmonics at unit vectors, ``(..., 3)`` -> ``(..., 9)``.

    In the order 1, y, z, x, xy, yz, 3 z^2 - 1, xz, x^2 - y^2.
    """
    x, y, z = np.moveaxis(np.asarray(normals, np.float64), -1, 0)
    return np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        -1,
    )


_BANDS = np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])


def make(seed: int) -> Light:
    """The light of a shot."""
    rng = np.random.default_rng((seed, 40))
    turn, rise = np.radians(rng.normal(0, 45)), np.radians(rng.uniform(5, 60))
    key = np.array([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)])
    warmth = rng.normal(0, 0.08)
    key_rgb = rng.uniform(1.3, 2.6) * np.exp(np.array([warmth, 0.0, -1.2 * warmth]))
    cool = -0.6 * warmth + rng.normal(0, 0.06)
    fill_rgb = rng.uniform(0.15, 0.8) * np.exp(np.array([cool, 0.0, -cool]))
    fill = np.array([-np.sin(turn) - 0.2, 0.1, 0.8])
    around = rng.uniform(0.22, 0.5) * np.exp(np.array([cool, 0.0, -cool]) * 0.7)
    total = 4 * np.pi * np.outer(basis([0, 0, 1.0]) * np.eye(9)[0], around)
    total += 0.7 * np.pi * np.outer(basis(key), key_rgb)
    total += 0.5 * np.pi * np.outer(basis(fill / np.linalg.norm(fill)), fill_rgb)
    total += np.outer(basis([0, 1.0, 0]), around) * np.pi * 0.35
    harmonics = total * _BANDS[:, None]
    exposure = rng.uniform(0.75, 1.2) / float((basis([0, 0, 1.0]) @ harmonics).mean())
    return Light(
        (exposure * harmonics).astype(np.float32), key.astype(np.float32), (0.5 * exposure * key_rgb).astype(np.float32)
    )


def mixed(one: Light, other: Light, amount: float) -> Light:
    """Between two lights; the key turns on the way."""
    a = np.float32(amount)
    key = one.key + a * (other.key - one.key)
    key = (key / max(float(np.linalg.norm(key)), 1e-6)).astype(np.float32)
    return Light(
        one.harmonics + a * (other.harmonics - one.harmonics), key, one.key_rgb + a * (other.key_rgb - one.key_rgb)
    )
