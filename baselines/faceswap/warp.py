"""Drawing a triangle mesh: which triangle covers a pixel, and vertex attributes interpolated over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
Floats64 = NDArray[np.float64]
Indices = NDArray[np.int64]

_SUBPIXEL_BITS = 4
_MIN_AREA_PX = 0.05  # a triangle thinner than this has no affine map worth inverting


def coverage(vertices: Floats64, triangles: Indices, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Which triangle is in front at each pixel.

    Triangles turned away from the viewer are left out; the others are painted from far to near.

    Args:
        vertices: ``(V, 3)`` in pixels, x right, y down, z away from the viewer.
        triangles: ``(T, 3)`` vertex indices, anticlockwise on the screen where they face the viewer.
        shape: height and width of the picture.

    Returns:
        ``(H, W)`` index into ``triangles``, -1 where there is none.
    """
    import cv2

    corners = vertices[triangles]
    front = np.flatnonzero(_doubled_area(corners[..., :2]) < -2 * _MIN_AREA_PX)
    # float32 holds every index below 2**24 exactly, and OpenCV fills it as fast as bytes.
    picture = np.full(shape, -1, dtype=np.float32)
    fixed = np.rint(corners[..., :2] * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    order = front[np.argsort(-corners[front, :, 2].mean(axis=1), kind="stable")]
    for index in order.tolist():
        cv2.fillConvexPoly(picture, fixed[index], float(index), lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    return picture.astype(np.int32)


def interpolate(vertices: Floats64, triangles: Indices, attributes: Floats64, covering: NDArray[np.int32]) -> Floats32:
    """Vertex attributes at every pixel, linear within each triangle.

    Args:
        vertices: ``(V, ≥2)`` in pixels.
        triangles: ``(T, 3)`` vertex indices.
        attributes: ``(T, 3, K)`` what to interpolate, at the corners of each triangle.
        covering: ``(H, W)`` as `coverage` gives it.

    Returns:
        ``(H, W, K)``; zero where no triangle covers the pixel.
    """
    used, local = np.unique(covering[covering >= 0], return_inverse=True)
    corners = np.concatenate([vertices[triangles[used]][..., :2], np.ones((len(used), 3, 1))], axis=2)
    # Per triangle the matrix that takes (x, y, 1) to the attributes: exact at its three corners.
    to_attributes = np.linalg.solve(corners, attributes[used]).astype(np.float32)
    y, x = np.nonzero(covering >= 0)
    gathered = to_attributes[local]
    values = gathered[:, 0] * x[:, None].astype(np.float32)
    values += gathered[:, 1] * y[:, None].astype(np.float32)
    values += gathered[:, 2]
    out = np.zeros((*covering.shape, attributes.shape[2]), dtype=np.float32)
    out[y, x] = values
    return out


def _doubled_area(corners: Floats64) -> Floats64:
    """``(T, 3, 2)`` -> ``(T,)`` signed, positive for clockwise on the screen (y points down)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
