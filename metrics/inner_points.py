"""Points of the face that several landmarkers put on the same places, and what is done with point sets.

Where estimators and facts are compared point by point, only points will do that all of them mean alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.records import Floats
from metrics.inputs import output

Values = NDArray[np.float64]


class Landmarker(NamedTuple):
    """How to read an estimator's ``landmarks``.

    Attributes:
        points: indices of the points that lie where the iBUG points `INNER` do, in their order.
        to_head: signs that take x, y, z of its crop to x to the image's right, y up, z to the viewer.
    """

    points: tuple[int, ...]
    to_head: tuple[int, int, int]


INNER = (27, *range(30, 68))
"""The iBUG points that experts and facts mean alike: root, tip and base of the nose, corners and lids of the eyes,
outer and inner lips. The jaw line is where each says it is, brows are hair, and nothing marks the places along the
ridge of the nose."""
EYES = (INNER.index(36), INNER.index(45))
"""Places of the outer corners of the eyes within `INNER`: their distance is the inter-ocular distance."""

# fmt: off
LANDMARKERS: Mapping[str, Landmarker] = MappingProxyType({
    "mediapipe": Landmarker(
        (
            168, 4, 75, 97, 2, 326, 305,
            33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
            61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
            78, 82, 13, 312, 308, 317, 14, 87,
        ),
        (1, -1, -1),
    ),
    "3ddfa": Landmarker(INNER, (1, -1, 1)),
})
# fmt: on
"""Estimators whose points are known. On 24 generated portraits MediaPipe's points lie within 4 % of the inter-ocular
distance of 3DDFA's, point by point, in the mean."""


def in_frame(seen: Mapping[str, Mapping[str, Floats]], expert: str, points: tuple[int, ...], rows: int) -> Values:
    """Landmarks of an expert in pixels of the frame.

    Args:
        seen: as in `Observed`: the expert's ``landmarks`` in pixels of its crop, and the ``matrix`` from frame to crop.
        expert: its name.
        points: indices of k landmarks, in the wanted order.
        rows: number n of images.

    Returns:
        ``(n, k, 2)`` float64; rows of NaN where the expert saw no face.

    Raises:
        UsageError: the expert did not run, or gave no landmarks.
    """
    flat = output(seen, expert, "landmarks", rows).astype(np.float64)
    if flat.shape[1] == 1:
        return np.full((rows, len(points), 2), np.nan)
    crop = flat.reshape(rows, -1, 3)[:, points, :2]
    matrix = output(seen, expert, "matrix", rows).astype(np.float64).reshape(rows, 2, 3)
    (a, b), (c, d) = (matrix[:, row, :2].T[:, :, None] for row in (0, 1))
    x, y = np.moveaxis(crop - matrix[:, None, :, 2], 2, 0)
    points_in_frame: Values = np.stack([d * x - b * y, a * y - c * x], axis=2) / (a * d - b * c)[..., None]
    return points_in_frame


def aligned(points: Values, onto: Values) -> Values:
    """Point sets laid onto others by the similarity transform (no reflection) with least squared distance.

    Args:
        points: ``(n, k, 3)`` finite.
        onto: the same: what they should land on.

    Returns:
        ``points`` moved, turned and scaled, ``(n, k, 3)``.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991,
    eq. 40-42.
    """
    x, y = (set_ - set_.mean(axis=1, keepdims=True) for set_ in (points, onto))
    u, spread, vt = np.linalg.svd(np.swapaxes(y, 1, 2) @ x)
    signs = np.ones_like(spread)
    signs[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt
    scale = (spread * signs).sum(axis=1) / np.square(x).sum(axis=(1, 2))
    moved: Values = scale[:, None, None] * x @ np.swapaxes(rotation, 1, 2) + onto.mean(axis=1, keepdims=True)
    return moved


def coverage(polygon: Values, side: int, samples: int = 4) -> Values:
    """How much of each unit cell of a grid a closed polygon covers.

    Args:
        polygon: ``(k, 2)`` corners x, y in cells, (0, 0) being the grid's corner; they may lie outside the grid.
        side: cells along each side.
        samples: probes along each side of a cell; inside is what the outline winds around.

    Returns:
        ``(side, side)`` in [0, 1], rows from the top.
    """
    n = side * samples
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    y = ((np.arange(n) + 0.5) / samples)[:, None]
    up = np.where((y0 <= y) & (y < y1), 1, 0) - np.where((y1 <= y) & (y < y0), 1, 0)
    row, edge = np.nonzero(up)
    at = x0[edge] + (y[row, 0] - y0[edge]) * (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
    # Every probe to the right of a crossing has passed it.
    column = np.ceil(at * samples - 0.5).clip(0, n).astype(np.int64)
    passed = np.zeros((n, n + 1), np.int64)
    np.add.at(passed, (row, column), up[row, edge])
    inside = np.cumsum(passed, axis=1)[:, :n] != 0
    covered: Values = inside.reshape(side, samples, side, samples).mean(axis=(1, 3))
    return covered


def inter_ocular(inner: Values) -> Values:
    """The distance of the outer corners of the eyes among `INNER` points ``(n, 39, d)``: ``(n,)``."""
    right, left = EYES
    apart: Values = np.linalg.norm(inner[:, right] - inner[:, left], axis=1)
    return apart
