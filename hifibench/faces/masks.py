"""Which pixels of a frame are face."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""MediaPipe's outline of the face, clockwise as the viewer sees it, from the top of the forehead."""

DILATE = 0.15
"""How far beyond its outline a face is taken to reach, in square roots of the outlined area.

It stands for what a swap may rightly touch: another face shape, the forehead above the outline, a soft seam.
"""

_SUBPIXEL_BITS = 4


def face_mask(landmarks: ArrayLike, shape: tuple[int, int], dilate: float = DILATE) -> NDArray[np.bool_]:
    """The face as the convex hull of MediaPipe's face oval, widened on all sides.

    The oval runs from the chin to just below the hairline; hair, ears and neck are not face.

    Args:
        landmarks: ``(478, 2)`` pixels of the frame; they may lie outside it.
        shape: height and width of the frame.
        dilate: by how much to widen, in square roots of the hull's area (which makes it independent of the frame's
            resolution); 0 for the hull itself.

    Returns:
        ``(H, W)``, true on the face; all false where it lies outside the frame.

    Raises:
        ValueError: another shape of landmarks, coordinates that are not finite, or a negative ``dilate``.
    """
    import cv2

    points = np.asarray(landmarks, np.float32)
    if points.shape != (478, 2) or not np.isfinite(points).all():
        raise ValueError(f"face_mask takes (478, 2) finite landmarks of MediaPipe's mesh; given {points.shape}.")
    if dilate < 0:
        raise ValueError(f"face_mask takes dilate >= 0; given {dilate:g}.")
    hull = cv2.convexHull(points[list(FACE_OVAL)])[:, 0]
    radius = dilate * float(np.sqrt(cv2.contourArea(hull)))
    # Room for the hull to be drawn outside the frame too, as far as it can reach into it.
    margin = int(np.ceil(radius)) + 1
    height, width = shape
    canvas = np.ones((height + 2 * margin, width + 2 * margin), np.uint8)
    fixed = np.rint((hull + margin) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillConvexPoly(canvas, fixed, 0, shift=_SUBPIXEL_BITS)
    away = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside: NDArray[np.bool_] = away[margin : margin + height, margin : margin + width] <= radius
    return inside
