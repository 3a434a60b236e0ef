"""Face masks of aligned crops, M_tar of the segmentation loss: what every source of them shares.

The paper dilates the face of a face-parsing network (HifiFace, Sec. 3.3, L_seg) and does not say by how much.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hifibench.contracts import Crop
from hifibench.faces import align, recrop, templates
from hifibench.records import Frame

Mask = NDArray[np.bool_]

DILATE = 0.03
"""How far a training mask reaches beyond the face, in square roots of the face's area: 4 px in an ``ffhq`` crop of 256.

A public rebuild takes 2 px around a parsed face. It is more here because the jaw that the swap may need can lie
outside the target's, and because a projected 3D face misses the visible jaw line by a few pixels.
"""

MIN_SHARE, MAX_SHARE = 0.1, 0.8
"""Parts of the crop that a plausible face mask covers; generated portraits cover a third of an ``ffhq`` crop."""

_MISSED = 2
"""Landmarks that may lie outside the mask: of a profile the template cannot place the farther eye and mouth corner."""

_CLOSE = 0.015
"""Radius of the closing in `silhouette`, in square roots of the hull's area; it closes gaps of twice that."""


class FaceSegmenter(Protocol):
    """Says which pixels of an aligned crop are face."""

    @property
    def fingerprint(self) -> str:
        """SHA-256, hexadecimal, over all that decides the masks: networks, constants, crop."""
        ...

    def segment(self, crop: Frame) -> Mask:
        """The dilated face.

        Args:
            crop: ``(S, S, 3)`` uint8 RGB, aligned by the `Crop` that the segmenter was made for.

        Returns:
            ``(S, S)``, true on brows, eyes, glasses, nose, mouth and skin down to the jaw, and a little beyond; false
            on neck, ears, hair and background. It may be empty or wrong: `fault` tells the worst cases.

        Raises:
            ValueError: the crop has another size, shape or type.
        """
        ...


def checked(image: Frame, crop: Crop) -> Frame:
    """The image, once it is known to be a crop of that size; raises ``ValueError`` otherwise."""
    if image.shape != (crop.size, crop.size, 3) or image.dtype != np.uint8:
        raise ValueError(
            f"This segmenter takes {crop.template} crops ({crop.size}, {crop.size}, 3) of uint8 RGB; "
            f"given {image.shape} of {image.dtype}."
        )
    return image


def silhouette(points: ArrayLike, size: int) -> Mask:
    """The filled outline of a dense cloud of points, holes included.

    The points are set as pixels, closed morphologically and filled from the outer contour. A convex hull would bridge
    the hollows of a turned face, between forehead and cheekbone and between lips and chin; triangles would have to be
    drawn one by one.

    Args:
        points: ``(N, 2)`` pixels; they may lie outside the crop. Neighbours are at most 3 % of the square root of the
            hull's area apart, as in any face mesh of some thousand vertices.
        size: side S of the crop in pixels.

    Returns:
        ``(S, S)``, true inside; all false where there is no point in the crop.

    Raises:
        ValueError: another shape, or coordinates that are not finite.
    """
    import cv2

    cloud = np.asarray(points, np.float32)
    if cloud.ndim != 2 or cloud.shape[1] != 2 or len(cloud) == 0 or not np.isfinite(cloud).all():
        raise ValueError(f"silhouette takes (N, 2) finite points, N >= 1; given {cloud.shape}.")
    radius = int(np.ceil(_CLOSE * np.sqrt(cv2.contourArea(cv2.convexHull(cloud)))))
    margin = 2 * radius + 1  # as far as the closing looks
    side = size + 2 * margin
    pixels = np.rint(cloud).astype(np.int64) + margin
    x, y = pixels[((pixels >= 0) & (pixels < side)).all(1)].T
    canvas = np.zeros((side, side), np.uint8)
    canvas[y, x] = 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    closed = cv2.morphologyEx(canvas, cv2.MORPH_CLOSE, disc)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(closed, outlines, -1, 1, cv2.FILLED)
    inside: Mask = filled[margin : margin + size, margin : margin + size].astype(bool)
    return inside


def dilate(mask: Mask, share: float = DILATE) -> Mask:
    """Widen a mask on all sides.

    Args:
        mask: ``(S, S)``.
        share: by how much, in square roots of the mask's area, which makes it independent of the resolution.

    Returns:
        ``(S, S)``; an empty mask stays empty.

    Raises:
        ValueError: ``share`` is negative.
    """
    import cv2

    if share < 0:
        raise ValueError(f"dilate takes share >= 0; given {share:g}.")
    area = np.count_nonzero(mask)
    if area == 0:
        return mask.copy()
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    wide: Mask = away <= share * np.sqrt(area)
    return wide


def fault(mask: Mask, crop: Crop) -> str:
    """Why a face mask cannot be right, for a report of dropped images; empty if it may be.

    Checked are its share of the crop (`MIN_SHARE` to `MAX_SHARE`, meant for crops that show some background, such as
    ``ffhq``), and that of the eyes, nose tip and mouth corners, whose places the template says, three lie in it.

    Args:
        mask: ``(S, S)``.
        crop: what the masked image is aligned by.

    Returns:
        Words such as ``the face mask covers 85 % of the crop, more than 80 %``, or nothing.
    """
    share = float(mask.mean())
    if share < MIN_SHARE:
        return f"the face mask covers {share:.0%} of the crop, less than {MIN_SHARE:.0%}"
    if share > MAX_SHARE:
        return f"the face mask covers {share:.0%} of the crop, more than {MAX_SHARE:.0%}"
    places = align.apply(recrop.matrix(Crop("ffhq", templates.MEAN_SIDE), crop), templates.FFHQ)
    x, y = np.rint(places).astype(int).clip(0, crop.size - 1).T
    missed = int((~mask[y, x]).sum())
    return f"the face mask misses {missed} of the 5 landmarks" if missed > _MISSED else ""
