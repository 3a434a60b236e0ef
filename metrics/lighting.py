"""Whether the swapped face stands in the light of the target."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.faces.mesh_shape import HALVES
from hifibench.records import Floats, Observed
from metrics.landmarks import judge_of_mesh, mesh, shaped
from metrics.skin_tone import N_VERTICES, linear

# Vertices of the image's left half or the midline, and their neighbours in MediaPipe's mesh, in the order in which its
# triangles go around them, counter-clockwise as seen from outside in a picture whose y points up.
# fmt: off
_RINGS: Mapping[int, tuple[int, ...]] = {
    3: (196, 236, 51, 195, 197), 4: (51, 45, 44, 1, 274, 275, 281, 5), 5: (4, 281, 195, 51),
    6: (168, 122, 196, 197, 419, 351), 8: (193, 168, 417, 285, 9, 55), 9: (151, 108, 107, 55, 8, 285, 336, 337),
    32: (171, 208, 201, 194, 211, 140), 36: (206, 203, 142, 100, 101, 205), 50: (101, 118, 117, 123, 187, 205),
    51: (45, 4, 5, 195, 3, 236, 134), 68: (21, 71, 63, 104, 54), 69: (67, 104, 105, 66, 107, 108),
    71: (68, 21, 162, 139, 70, 63), 100: (126, 47, 121, 120, 101, 36, 142), 101: (118, 50, 205, 36, 100, 120, 119),
    104: (69, 67, 103, 54, 68, 63, 105), 108: (9, 151, 109, 67, 69, 107), 111: (123, 117, 31, 226, 35, 143, 116),
    116: (137, 123, 111, 143, 227), 117: (228, 31, 111, 123, 50, 118, 229), 118: (50, 101, 119, 230, 229, 117),
    119: (120, 230, 118, 101), 123: (117, 111, 116, 137, 177, 147, 187, 50), 134: (45, 51, 236, 198, 131, 220),
    135: (214, 192, 138, 136, 150, 169), 142: (100, 36, 203, 129, 126), 143: (34, 227, 116, 111, 35, 124, 156),
    147: (187, 123, 177, 215, 213), 151: (108, 9, 337, 338, 10, 109), 169: (170, 211, 210, 214, 135, 150),
    187: (205, 50, 123, 147, 213, 192, 214, 207), 192: (135, 214, 187, 213, 138), 195: (3, 51, 5, 281, 248, 197),
    196: (236, 3, 197, 6, 122, 188, 174), 197: (3, 195, 248, 419, 6, 196), 198: (217, 209, 131, 134, 236),
    199: (171, 175, 396, 428, 200, 208), 205: (50, 187, 207, 216, 206, 36, 101), 207: (212, 216, 205, 187, 214),
    208: (200, 201, 32, 171, 199), 210: (204, 202, 214, 169, 211), 211: (194, 204, 210, 169, 170, 140, 32),
    214: (202, 212, 207, 187, 192, 135, 169, 210), 236: (3, 196, 174, 217, 198, 134, 51),
}
# fmt: on
_MIRROR = {int(a): int(b) for pair in HALVES for a, b in (pair, pair[::-1])}

FRONT = 0.2
"""How far towards the camera a vertex must face to be looked at: the z of its normal."""
DIRECTIONS_FROM = 0.6
"""The directions over which two lights are compared face the camera at least so much: within 53 degrees."""
RIDGE = (0.0, *[0.003] * 3, *[0.01] * 5)
"""How much the squares of the coefficients count, by degree, against the mean squared residual."""
HUBER = 1.5
"""Residuals above so many standard deviations count less: hair, glasses, beards, highlights."""
_ROUNDS, _ROWS = 5, 1024
_LUMINANCE = (0.2126, 0.7152, 0.0722)


def lighting(estimator: str) -> Metric:
    """Lighting error: how differently the light falls on the face of the swap and on that of the target.

    ``lighting[estimator]``. In each picture the luminance (of linear light) of the skin at some 80 vertices of the mesh
    is written as a function of the normals there, a spherical harmonic of the second order (9 coefficients; Ramamoorthi
    and Hanrahan, SIGGRAPH 2001), by ridge regression that counts outliers less (`RIDGE`, `HUBER`), and divided by its
    mean over a fixed set of directions that face the camera. The error is the root mean square difference of the two
    functions over these directions: 0.1 is a tenth of the mean luminance. Lower is better.

    Only where the light comes from is compared: neither its strength nor its colour (that is in ``skin_tone``). Skin
    that is unevenly dark (beard, rouge, birthmarks) passes for shading, as do cast shadows, and the normals are those
    of an estimated mesh; of a turned head, directions that no skin faces are guessed from the others.

    NaN where a face was not seen, or fewer than 20 of the vertices face the camera. Without a bound: a failed pair
    counts as the largest error of the run in the worst case.

    Floors on generated portraits: JPEG 90 0.003, a shift by a pixel 0.003, a fifth less light 0.008; a gamma of 1.3,
    which deepens all shading, 0.06; side light that takes the left edge of the picture to 55 % (as stored) 0.13; two
    people in different light 0.36.

    Args:
        estimator: an expert that gives ``landmarks`` of MediaPipe's mesh and ``colours`` at its vertices.

    Raises:
        UsageError: the estimator does not give both.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> grid = np.stack([np.arange(478) % 22, np.arange(478) // 22, 0 * np.arange(478)], 1)[None].astype(np.float32)
        >>> grey = np.full((1, 468, 3), 0.5, np.float32)
        >>> seen = [{"mediapipe": {"landmarks": grid, "colours": level * grey}} for level in (1.0, 0.8)]
        >>> observed = Observed(pd.DataFrame(index=range(1)), seen[0], {}, seen[1], {})
        >>> lighting("mediapipe").compute(observed).round(6) + 0.0
        array([0.])
    """
    judge_of_mesh("lighting", "estimator of light", estimator, "colours")

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap, target = (
            shading(
                coefficients(mesh(seen, estimator, rows), shaped(seen, estimator, "colours", rows, (N_VERTICES, 3)))
            )
            for seen in (observed.swap, observed.target)
        )
        return np.asarray(np.sqrt(np.square(swap - target).mean(1)))

    return Metric(
        name=f"lighting[{estimator}]",
        title="Lighting error",
        unit="",
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=3,
        group="attributes",
        scope="pair",
    )


def coefficients(landmarks: NDArray[np.float64] | Floats, colours: NDArray[np.float64] | Floats) -> NDArray[np.float64]:
    """The light on each face.

    Args:
        landmarks: ``(n, 478, 3)`` of MediaPipe's mesh, pixels, y down, z smaller when nearer.
        colours: ``(n, 468, 3)`` sRGB in [0, 1] at its vertices; NaN where not known.

    Returns:
        ``(n, 9)`` of the functions in `harmonics`, in units of the mean luminance of the skin that was looked at, in
        the camera's frame (x to the image's right, y up, z to the viewer); NaN where too little of it is known.
    """
    parts = [
        _fit(np.asarray(landmarks[start : start + _ROWS], np.float64), np.asarray(colours[start : start + _ROWS]))
        for start in range(0, len(landmarks), _ROWS)
    ]
    return np.concatenate([np.empty((0, 9)), *parts])


def shading(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """What skin of equal albedo would look like under each light.

    Args:
        light: ``(n, 9)`` as from `coefficients`.

    Returns:
        ``(n, m)`` luminance in each of the m `DIRECTIONS`, whose mean is 1; NaN where that mean is not positive.
    """
    # Row by row: a product of all rows ends in other last bits with other rows beside them, on some processors.
    seen = (light[:, None] @ harmonics(DIRECTIONS).T)[:, 0]
    mean = seen.mean(1, keepdims=True)
    return np.asarray(seen / np.where(mean > 0, mean, np.nan))


def harmonics(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The real spherical harmonics up to the second order, without their constants: ``(..., 3)`` -> ``(..., 9)``."""
    x, y, z = np.moveaxis(normals, -1, 0)
    return np.stack([np.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], -1)


def normals(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normals of the mesh at `VERTICES`, means over the triangles around each, weighted by their area.

    Args:
        landmarks: ``(n, 478, 3)`` pixels, y down, z smaller when nearer.

    Returns:
        ``(n, k, 3)`` unit vectors out of the face: x to the image's right, y up, z to the viewer; NaN for a vertex
        whose triangles have no area.
    """
    points = landmarks[:, :N_VERTICES] * (1, -1, -1)
    spokes = points[:, _NEIGHBOURS] - points[:, VERTICES][:, :, None]
    total = np.cross(spokes[:, :, :-1], spokes[:, :, 1:]).sum(2)
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    return np.asarray(total / np.where(length > 0, length, np.nan))


def _fit(landmarks: NDArray[np.float64], colours: NDArray[np.floating]) -> NDArray[np.float64]:
    facing = normals(landmarks)
    luminance = linear(colours[:, VERTICES].astype(np.float64)) @ _LUMINANCE
    looked = (facing[..., 2] > FRONT) & np.isfinite(luminance)
    light = np.full((len(landmarks), 9), np.nan)
    enough = (looked.sum(1) >= _LEAST) & (np.where(looked, luminance, 0).sum(1) > 0)
    looked = looked[enough]
    seen = np.where(looked, luminance[enough], 0.0)
    seen /= (seen.sum(1) / looked.sum(1))[:, None]
    terms = harmonics(np.where(looked[..., None], facing[enough], 0.0))
    weight = looked.astype(np.float64)
    for _ in range(_ROUNDS):
        share = weight / weight.sum(1, keepdims=True)
        weighted = (terms * share[..., None]).swapaxes(1, 2)
        found = np.linalg.solve(weighted @ terms + np.diag(RIDGE), weighted @ seen[..., None])
        residual = np.abs(seen - (terms @ found)[..., 0])
        # 1.4826 takes the median of absolute values to the standard deviation of a normal distribution.
        scale = np.maximum(HUBER * 1.4826 * _medians(residual, looked), 1e-9)
        weight = np.where(looked, scale / np.maximum(residual, scale), 0.0)
    light[enough] = found[..., 0]
    return light


def _medians(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The median of some values of each row, ``(n, 1)``; many times faster than `numpy.nanmedian` on short rows."""
    ordered = np.sort(np.where(where, values, np.inf), axis=1)
    number = where.sum(1, keepdims=True)
    middle = np.concatenate([(number - 1) // 2, number // 2], 1)
    return np.asarray(np.take_along_axis(ordered, middle, 1).mean(1, keepdims=True))


def _rings() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``(k,)`` vertices of both sides, and ``(k, 9)`` their neighbours, the first of them again at the end."""
    both = dict(_RINGS)
    for vertex, ring in _RINGS.items():
        # A mirror image goes around the other way.
        both.setdefault(_MIRROR[vertex], tuple(_MIRROR[neighbour] for neighbour in reversed(ring)))
    most = 1 + max(len(ring) for ring in both.values())
    order = sorted(both)
    # A neighbour that stands twice in succession spans no triangle.
    rows = [(*both[vertex], *[both[vertex][0]] * (most - len(both[vertex]))) for vertex in order]
    return np.array(order, np.int64), np.array(rows, np.int64)


def _spread(n: int) -> NDArray[np.float64]:
    """Directions towards the camera, evenly spread over the half sphere by the golden angle; those beyond are cut."""
    step = np.arange(n) + 0.5
    z = 1 - step / n
    around = np.pi * (1 + np.sqrt(5)) * step
    points = np.stack([np.sqrt(1 - z * z) * np.cos(around), np.sqrt(1 - z * z) * np.sin(around), z], 1)
    return points[z >= DIRECTIONS_FROM]


VERTICES, _NEIGHBOURS = _rings()
"""Mesh vertices of skin, forehead to chin, without lips, eyes and brows."""
DIRECTIONS: NDArray[np.float64] = _spread(200)
"""``(80, 3)`` unit vectors in the camera's frame."""
_LEAST = 20
