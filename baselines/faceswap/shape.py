"""Giving the target's face the proportions of the source's, without its expression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baselines.faceswap.mesh import VERTICES
from baselines.faceswap.regions import Regions, eyes, mouth

Floats64 = NDArray[np.float64]

CARRY = 0.8
"""Share of the source's proportions that is carried over; the rest stays the target's, for the sake of its outline."""


def carry(source: Floats64, target: Floats64, regions: Regions, share: float = CARRY) -> Floats64:
    """Move the target's vertices towards the places they would have in the source's face.

    The source's mesh is laid over the target's by a similarity in space, which removes its pose; what remains is the
    difference of two faces and of two expressions. Expression sits in the lids and lips, so each eye and the mouth
    moves as a whole: they keep their shape and opening and take the source's place. The outer edge stays.

    Args:
        source: ``(478, 3)`` landmarks in pixels, z in the scale of x.
        target: the same of the target.
        regions: of the mesh.
        share: 0 leaves the target as it is, 1 carries all over.

    Returns:
        ``(478, 3)`` in the target's pixels.
    """
    scale, rotation, shift = similarity_3d(source[:VERTICES], target[:VERTICES])
    offset = scale * source @ rotation.T + shift - target
    for group, near in zip((*eyes(), mouth()), regions.parts, strict=True):
        whole = offset[list(group)].mean(axis=0)
        offset = (1 - near[:, None]) * offset + near[:, None] * whole
    moved: Floats64 = target + share * regions.movable[:, None] * offset
    return moved


def similarity_3d(points: Floats64, onto: Floats64) -> tuple[float, Floats64, Floats64]:
    """The similarity in space with the least squared error, free of reflections.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991,
    equations 40 to 42.

    Args:
        points: ``(N, 3)``.
        onto: ``(N, 3)``.

    Returns:
        Scale s, rotation R ``(3, 3)`` and shift t ``(3,)`` such that ``s R points + t`` is near ``onto``.

    Raises:
        ValueError: all points coincide.
    """
    middle, middle_onto = points.mean(axis=0), onto.mean(axis=0)
    centred = points - middle
    spread = float((centred**2).sum())
    if spread == 0:
        raise ValueError("All points coincide; a similarity needs at least two that differ.")
    left, singular, right = np.linalg.svd((onto - middle_onto).T @ centred)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ np.diag(sign) @ right
    scale = float((singular * sign).sum()) / spread
    return scale, rotation, middle_onto - scale * rotation @ middle
