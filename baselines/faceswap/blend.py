"""Laying a warped face into the target without a seam."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baselines.faceswap.regions import ramp

Floats32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

BORDER_PX = 4
"""How far a region must stay from the border: the Poisson solver erodes it by three and looks one pixel around it."""
_MOST_SHIFT = 0.05  # of the range of values


def soft_edge(region: Bools, inset: float, feather: float) -> Floats32:
    """A mask that rises from zero inside the edge of a region.

    Args:
        region: ``(H, W)``.
        inset: pixels from the edge to where the mask leaves zero.
        feather: pixels over which it rises to one, above zero.

    Returns:
        ``(H, W)`` in ``[0, 1]``, smooth, zero within four pixels of the picture's border whatever the region.
    """
    import cv2

    inner = (slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    inside = np.zeros(region.shape, dtype=np.uint8)
    inside[inner] = region[inner]
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's roots differ in the last bit with the alignment of the memory; squares of distances are whole numbers.
    exact = np.sqrt(np.rint(depth * depth))
    mask: Floats32 = ramp(exact, inset, inset + feather)
    return mask


def poisson(image: Floats32, target: Floats32, region: Bools) -> Floats32:
    """Clone a region of ``image`` into ``target`` so that its gradients stay and its edge meets the target.

    Pérez et al., "Poisson Image Editing", SIGGRAPH 2003, equation 10, by ``cv2.seamlessClone`` (8 bits). The change
    of colour that this brings is limited to 5 % of the range: where the edge would ask for more it runs over hair,
    beard or glasses, and would spread their darkness over the skin. The mask's soft edge hides what remains.

    Args:
        image: ``(H, W, 3)`` RGB in ``[0, 1]``.
        target: the same size and range.
        region: ``(H, W)``; must stay `BORDER_PX` clear of the border.

    Returns:
        ``(H, W, 3)`` RGB in ``[0, 1]``; outside the region it is worth nothing.

    Raises:
        ValueError: the region is empty or comes too near the border.
    """
    import cv2

    mask = region.astype(np.uint8) * 255
    x, y, width, height = cv2.boundingRect(mask)
    rows, columns = region.shape
    clear = min(x, y, columns - x - width, rows - y - height) >= BORDER_PX
    if not width or not clear:
        raise ValueError(
            f"The region to blend spans {width}x{height} pixels at ({x}, {y}) of a picture of {columns}x{rows}; "
            f"expected one that is not empty and stays {BORDER_PX} pixels clear of the border."
        )
    # OpenCV puts the middle of the mask's bounding box at this point: its own middle, so that nothing moves.
    centre = (x + width // 2, y + height // 2)
    cloned = cv2.seamlessClone(_bytes(image), _bytes(target), mask, centre, cv2.NORMAL_CLONE)
    shift = cloned.astype(np.float32) / 255.0 - image
    limited = image + _MOST_SHIFT * np.tanh(shift / _MOST_SHIFT)
    blended: Floats32 = np.clip(limited, 0.0, 1.0).astype(np.float32)
    return blended


def _bytes(image: Floats32) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint8] = np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    return scaled
