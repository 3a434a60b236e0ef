"""Forgeries without a forger: a face blended with an altered copy of itself.

Whatever swaps faces ends with a blend, and where the two sides of a blend differ in colour, sharpness, grain or
geometry there is something to see. A copy of the same picture, altered a little and blended back, shows just that, and
nothing of any swapper.

Source: K. Shiohara and T. Yamasaki, "Detecting deepfakes with self-blended images", CVPR 2022, section 3 (alteration,
offset, mask and ratio); the amounts here are our own. Masks are not only hulls of the landmarks as there, but also
ellipses and boxes around the face.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.faces.masks import FACE_OVAL
from hifibench.forensics.degrade import colours, jpeg, noised, rescaled, sharpened, softened
from hifibench.records import Floats, Frame

RATIOS = (0.5, 0.75, 1.0, 1.0, 1.0, 1.0)
"""How much of the altered side stands in the middle of the mask: one of these."""

_MOVED, _BENT = 0.03, 0.012
_SHAPES = ("hull", "lower", "ellipse", "box")
_SHAPE_ODDS = (0.45, 0.08, 0.12, 0.35)


class Blend(NamedTuple):
    """A self-blended picture.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` float32 in [0, 1], the share of the inner side.
        whole: ``(H, W, 3)`` uint8 RGB: the picture or its altered copy, all of a piece, with equal odds. Beside it
            nothing but the blend itself is a sign of a forgery: altered colours or grain are not.
    """

    image: Frame
    mask: Floats
    whole: Frame


def self_blend(frame: Frame, mesh: Floats, rng: np.random.Generator) -> Blend:
    """Blend a picture with an altered copy of itself.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.
        mesh: ``(478, 2)`` float32, MediaPipe's mesh in pixels.
        rng: decides everything.
    """
    import cv2

    changed = altered(frame, rng)
    inner, outer = (changed, frame) if rng.random() < 0.5 else (frame, changed)
    whole = changed if rng.random() < 0.5 else frame
    width = float(np.ptp(mesh[:, 0]))
    inner = displaced(inner, mesh, rng)
    mask = edged(region(mesh, frame.shape[:2], rng), width, rng)
    mask *= np.float32(rng.choice(RATIOS))
    return Blend(np.asarray(cv2.blendLinear(inner, outer, mask, 1 - mask), np.uint8), mask, whole)


def altered(frame: Frame, rng: np.random.Generator) -> Frame:
    """The copy in slightly other colours, and for the most part of another sharpness or grain."""
    made = colours(frame, 0.12, 0.2, rng)
    kind = rng.choice(("coarse", "soft", "sharp", "grain", "blocks", "same"), p=(0.25, 0.2, 0.2, 0.1, 0.1, 0.15))
    if kind == "coarse":
        return rescaled(made, rng.uniform(0.2, 0.7), rng)
    if kind == "soft":
        return softened(made, rng.uniform(0.5, 2.5))
    if kind == "sharp":
        return sharpened(made, rng.uniform(0.3, 1.5))
    if kind == "grain":
        return noised(made, rng.uniform(2, 8), rng)
    return jpeg(made, int(rng.integers(30, 85))) if kind == "blocks" else made


def displaced(frame: Frame, mesh: Floats, rng: np.random.Generator) -> Frame:
    """The picture moved, scaled, turned and bent by hundredths of the face's width, at times by several times as much.

    At times it is mirrored about the middle of the face besides: the face stays in its place, and what lies behind and
    beside it is another on either side of the seam, as in a swap.
    """
    import cv2

    width, middle = float(np.ptp(mesh[:, 0])), mesh.mean(0)
    much = float(rng.choice((1.0, 3.0, 8.0), p=(0.55, 0.25, 0.2)))
    angle, scale = rng.uniform(-2, 2) * much, np.exp(rng.uniform(-0.05, 0.05) * much)
    turned = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle, scale)
    matrix = np.asarray(turned, np.float64)
    matrix[:, 2] += rng.uniform(-_MOVED, _MOVED, 2) * much * width
    if rng.random() < 0.3:
        matrix = matrix @ np.array([(-1, 0, 2 * middle[0]), (0, 1, 0), (0, 0, 1)])
    if rng.random() < 0.5:
        size = frame.shape[1::-1]
        moved = cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    else:
        back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
        places = _grid(frame.shape[:2]) @ back[:, :2].T.astype(np.float32) + back[:, 2].astype(np.float32)
        places += _bend(frame.shape[:2], _BENT * min(much, 3.0) * width, rng)
        moved = cv2.remap(frame, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def region(mesh: Floats, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """A mask of the face, 0 or 1, ``(H, W)`` float32: a hull of landmarks, an ellipse or a box, bent and resized."""
    import cv2

    left, top = mesh.min(0)
    right, bottom = mesh.max(0)
    middle, half = np.array([left + right, top + bottom]) / 2, np.array([right - left, bottom - top]) / 2
    kind = rng.choice(_SHAPES, p=_SHAPE_ODDS)
    grown = rng.uniform(0.7, 1.15) if kind in ("hull", "lower") else rng.uniform(0.75, 1.6)
    if kind == "hull":
        points = mesh[list(FACE_OVAL)].astype(np.float64)
        # The mesh ends below the hairline; swaps differ in how much of the forehead they take.
        above = points[:, 1] < middle[1]
        points[above, 1] -= rng.uniform(0, 0.35) * (middle[1] - points[above, 1])
    elif kind == "lower":
        points = mesh[mesh[:, 1] > middle[1] + rng.uniform(-0.5, 0.1) * half[1]].astype(np.float64)
        middle = points.mean(0)
    elif kind == "ellipse":
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        points = middle + half * np.column_stack([np.cos(angles), np.sin(angles)])
    else:
        # Methods give back aligned squares around the face.
        side = half.mean() * rng.uniform(0.88, 1.13, 2)
        points = middle + side * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        turn = np.deg2rad(rng.normal(0, 4))
        points = middle + (points - middle) @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    points = middle + grown * (points - middle)
    hull = cv2.convexHull(points.astype(np.float32))
    drawn: NDArray[np.uint8] = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(drawn, np.rint(hull * 16).astype(np.int32), 255, cv2.LINE_AA, shift=4)
    if kind != "box" or rng.random() < 0.2:
        places = _grid(shape) + _bend(shape, rng.uniform(0, 0.04) * 2 * half[0], rng)
        drawn = np.asarray(cv2.remap(drawn, places, None, cv2.INTER_LINEAR), np.uint8)
    return drawn.astype(np.float32) / np.float32(255)


def edged(mask: Floats, width: float, rng: np.random.Generator) -> Floats:
    """The mask grown or shrunk by up to a thirtieth of the face's width, with a seam from sharp to wide."""
    blurred = _smoothed(mask, width / 30)
    steep = np.clip((blurred - rng.uniform(0.1, 0.9)) * np.float32(8) + np.float32(0.5), 0, 1)
    sigma = np.exp(rng.uniform(np.log(0.4), np.log(0.08 * width)))
    made: Floats = np.clip(_smoothed(steep, float(sigma)), 0, 1)
    return made


def _smoothed(mask: Floats, sigma: float) -> Floats:
    """Gaussian blur; a wide one as three boxes of the same variance, whose cost does not grow with their width."""
    import cv2

    if sigma < 2:
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.float32)
    # Three boxes of side k have the variance (k^2 - 1) / 4; an even side would move the mask.
    side = 1 + 2 * round((float(np.sqrt(4 * sigma**2 + 1)) - 1) / 2)
    for _ in range(3):
        mask = np.asarray(cv2.blur(mask, (side, side)), np.float32)
    return mask


@lru_cache(8)
def _grid(shape: tuple[int, int]) -> Floats:
    """The coordinates of every pixel, ``(H, W, 2)`` float32, not to be written to."""
    rows, columns = np.indices(shape, np.float32)
    grid = np.stack([columns, rows], -1)
    grid.setflags(write=False)
    return grid


def _bend(shape: tuple[int, int], amount: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth field of displacements ``(H, W, 2)`` in pixels, of that standard deviation at its nodes."""
    import cv2

    nodes = rng.normal(0, max(amount, 1e-6), (8, 8, 2)).astype(np.float32)
    return np.asarray(cv2.resize(nodes, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
