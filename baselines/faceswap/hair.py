"""Keeping hair out of a swap: the target's stays in front of the face, the source's stays behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baselines.faceswap.colour import trimmed

Floats32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

_LEAST_SPREAD = (4.0, 2.0, 2.0)  # skin without any variation is an accident of the light, not a tighter criterion
_SMOOTH_PX = 1.2
_THRESHOLD = 5.0
_DIRECTIONS = 360
_MARGIN = 8  # directions on either side that a strand takes with it


def unlike_skin(lab: Floats32, sample: Bools) -> Floats32:
    """How unlike the skin of a sample each pixel is.

    Args:
        lab: ``(H, W, 3)`` float32: L* in ``[0, 100]``, a*, b*.
        sample: ``(H, W)`` pixels taken to be skin, such as the cheeks.

    Returns:
        ``(H, W)`` distance to the sample's mean in its standard deviations; zeros without a sample.
    """
    if not sample.any():
        return np.zeros(lab.shape[:2], dtype=np.float32)
    mean, spread = trimmed(lab[sample])
    away = (lab - mean) / np.maximum(spread, np.array(_LEAST_SPREAD, dtype=np.float32))
    distance: Floats32 = np.sqrt(np.einsum("ijk,ijk->ij", away, away))
    return distance


def is_hair(unlike: Floats32) -> Bools:
    """``(H, W)`` distance from skin -> where there is hair; single pixels count for little."""
    import cv2

    hair: Bools = cv2.GaussianBlur(unlike, (0, 0), _SMOOTH_PX) > _THRESHOLD
    return hair


def within(hair: Bools, centre: tuple[float, float]) -> Bools:
    """The part of a picture that is seen from a centre without looking across hair.

    Hair comes into a face from outside; what lies beyond a strand would otherwise remain as islands of skin between
    strands. The reach in each direction is smoothed over its neighbours.

    Args:
        hair: ``(H, W)``.
        centre: x and y in pixels.

    Returns:
        ``(H, W)``, all true without hair.
    """
    import cv2

    if not hair.any():
        return np.ones_like(hair)
    far = int(np.ceil(np.hypot(*hair.shape)))
    # Without FILL_OUTLIERS, what lies outside the picture would be whatever is in memory.
    flags = cv2.WARP_POLAR_LINEAR | cv2.WARP_FILL_OUTLIERS | cv2.INTER_NEAREST
    rays = cv2.warpPolar(hair.astype(np.uint8), (far, _DIRECTIONS), centre, far, flags) > 0
    reach = np.where(rays.any(axis=1), rays.argmax(axis=1), far).astype(np.float32)
    # Directions are a circle: what stands at its end also stands before its beginning.
    circle = np.concatenate([reach[-2 * _MARGIN :], reach, reach[: 2 * _MARGIN]])[None]
    nearest = cv2.erode(circle, np.ones((1, 2 * _MARGIN + 1), dtype=np.uint8))
    smooth = cv2.GaussianBlur(nearest, (0, 0), _MARGIN / 2)[:, 2 * _MARGIN : 2 * _MARGIN + _DIRECTIONS + 1]
    y, x = (np.arange(side, dtype=np.float32) for side in hair.shape)
    across, down = np.meshgrid(x - np.float32(centre[0]), y - np.float32(centre[1]))
    radius, angle = cv2.cartToPolar(across, down, angleInDegrees=True)
    limit = cv2.remap(smooth, angle * (_DIRECTIONS / 360.0), np.zeros_like(angle), cv2.INTER_LINEAR)
    seen: Bools = radius < limit
    return seen
