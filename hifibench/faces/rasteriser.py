"""Triangles to pixels: a z-buffer with perspective-correct barycentric coordinates.

Corners are snapped to 1/1024 of a pixel and edges are tested in whole numbers, so a pixel on the edge of two
neighbouring triangles belongs to exactly one of them (the top-left rule), whatever order they come in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

FRONT, BACK, BOTH = 1, -1, 0
"""Which sides of triangles are drawn. A front is wound counter-clockwise as the viewer sees it."""

_SUB = 1024  # steps of a pixel
_FARTHEST = 1 << 20  # pixels; corners beyond would not fit the whole numbers


class Raster(NamedTuple):
    """What each pixel shows."""

    face: Ints
    """``(H, W)``: index of the nearest triangle, -1 where there is none."""
    weights: Floats
    """``(H, W, 3)``: perspective-correct barycentric coordinates, 0 where there is no triangle."""
    depth: Floats
    """``(H, W)``: depth of the nearest triangle, infinity where there is none."""


def rasterise(points: NDArray[np.floating], faces: Ints, shape: tuple[int, int], sides: int = BOTH) -> Raster:
    """Draw triangles.

    Args:
        points: ``(n, 3)`` x, y in pixels (centres at integers, y down) and depth, positive away from the viewer.
            Triangles with a corner at depth 0 or behind the viewer, or more than a million pixels away, are left out:
            nothing is clipped against the near plane.
        faces: ``(m, 3)`` corners.
        shape: height and width of the picture.
        sides: `FRONT`, `BACK` or `BOTH`.

    Returns:
        The nearest triangle of each pixel; of two at one depth the first.
    """
    height, width = shape
    face = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), np.inf, np.float32)
    corners = np.ascontiguousarray(points, np.float64)
    _draw(corners, np.ascontiguousarray(faces, np.int32), sides, face, weights, depth)
    return Raster(face, weights, depth)


@njit(cache=True, nogil=True)
def _draw(
    points: NDArray[np.float64], faces: Ints, sides: int, face: Ints, weights: Floats, depth: Floats
) -> None:  # pragma: no cover
    height, width = depth.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if min(points[a, 2], points[b, 2], points[c, 2]) <= 0:
            continue
        far = 0.0
        for corner in (a, b, c):
            far = max(far, abs(points[corner, 0]), abs(points[corner, 1]))
        if not far < _FARTHEST:
            continue
        xa, ya = np.int64(np.rint(points[a, 0] * _SUB)), np.int64(np.rint(points[a, 1] * _SUB))
        xb, yb = np.int64(np.rint(points[b, 0] * _SUB)), np.int64(np.rint(points[b, 1] * _SUB))
        xc, yc = np.int64(np.rint(points[c, 0] * _SUB)), np.int64(np.rint(points[c, 1] * _SUB))
        area = (xb - xa) * (yc - ya) - (yb - ya) * (xc - xa)
        # y points down, so a front has a negative area here.
        if area == 0 or (sides > 0 and area > 0) or (sides < 0 and area < 0):
            continue
        if area < 0:  # the tests below want a positive one
            b, c = c, b
            xb, yb, xc, yc = xc, yc, xb, yb
            area = -area
        left = max(0, -(-int(min(xa, xb, xc)) // _SUB))
        right = min(width - 1, int(max(xa, xb, xc)) // _SUB)
        top = max(0, -(-int(min(ya, yb, yc)) // _SUB))
        bottom = min(height - 1, int(max(ya, yb, yc)) // _SUB)
        if left > right or top > bottom:
            continue
        # Edge functions: positive inside. Their sums are the area.
        dxa, dya = xc - xb, yc - yb
        dxb, dyb = xa - xc, ya - yc
        dxc, dyc = xb - xa, yb - ya
        # A pixel on an edge belongs to the triangle whose top or left edge it is.
        ra = 0 if (dya < 0 or (dya == 0 and dxa > 0)) else 1
        rb = 0 if (dyb < 0 or (dyb == 0 and dxb > 0)) else 1
        rc = 0 if (dyc < 0 or (dyc == 0 and dxc > 0)) else 1
        ia, ib, ic = 1.0 / points[a, 2], 1.0 / points[b, 2], 1.0 / points[c, 2]
        swapped = b != faces[f, 1]
        for y in range(top, bottom + 1):
            py = np.int64(y) * _SUB
            px = np.int64(left) * _SUB
            ea = dxa * (py - yb) - dya * (px - xb)
            eb = dxb * (py - yc) - dyb * (px - xc)
            ec = dxc * (py - ya) - dyc * (px - xa)
            for x in range(left, right + 1):
                if ea >= ra and eb >= rb and ec >= rc:
                    wa, wb, wc = ea * ia, eb * ib, ec * ic
                    total = 1.0 / (wa + wb + wc)
                    d = np.float32(area * total)
                    if d < depth[y, x]:
                        depth[y, x] = d
                        face[y, x] = f
                        weights[y, x, 0] = wa * total
                        if swapped:
                            weights[y, x, 1] = wc * total
                            weights[y, x, 2] = wb * total
                        else:
                            weights[y, x, 1] = wb * total
                            weights[y, x, 2] = wc * total
                ea -= dya * _SUB
                eb -= dyb * _SUB
                ec -= dyc * _SUB
