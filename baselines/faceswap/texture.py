"""The source's face drawn in the target's pose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.faceswap.mesh import Mesh
from baselines.faceswap.regions import Regions, ramp
from baselines.faceswap.warp import coverage, interpolate

Floats32 = NDArray[np.float32]
Floats64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

# How squarely a vertex faces the viewer in the source, against its twin there and against itself in the target. Below
# the first number it shows its twin's texture, from the second on its own.
_AGAINST_TWIN = 0.25, 0.67
_AGAINST_TARGET = 0.4, 0.8
_EDGE_ON = 0.02  # anything turned further away counts as edge on


class Drawn(NamedTuple):
    """A face drawn by `draw`; all ``(H, W, …)`` of the target's picture.

    Attributes:
        face: ``(H, W, 3)`` the source's texture on the mesh, RGB in ``[0, 1]``.
        original: ``(H, W, 3)`` the target's own texture on the same mesh.
        covered: ``(H, W)`` where the mesh is.
        hairline: ``(H, W)`` in ``[0, 1]``, `Regions.hairline` on the mesh.
        skin: ``(H, W)``, `Regions.skin` on the mesh.
    """

    face: Floats32
    original: Floats32
    covered: Bools
    hairline: Floats32
    skin: Bools


def draw(
    source: Floats32,
    source_landmarks: Floats64,
    target: Floats32,
    target_landmarks: Floats64,
    place: Floats64,
    mesh: Mesh,
    regions: Regions,
) -> Drawn:
    """Warp the source's face piece by piece, triangle onto triangle, to a place in the target.

    What the source turns away from the viewer, but the target does not, is taken from the other half of the source's
    face, mirrored.

    Args:
        source: ``(Hs, Ws, 3)`` RGB in ``[0, 1]``.
        source_landmarks: ``(478, 3)`` pixels of the source.
        target: ``(H, W, 3)`` RGB in ``[0, 1]``.
        target_landmarks: ``(478, 3)`` pixels of the target.
        place: ``(478, 3)`` pixels of the target where the vertices are to come.
        mesh: the triangles.
        regions: of the mesh.
    """
    triangles = mesh.triangles
    own = _own_share(mesh, source_landmarks, place)
    attributes = np.concatenate(
        [
            source_landmarks[triangles][..., :2],
            source_landmarks[mesh.mirror[triangles]][..., :2],
            target_landmarks[triangles][..., :2],
            np.stack([own, regions.hairline[triangles], regions.skin[triangles]], axis=2),
        ],
        axis=2,
    )
    covering = coverage(place, triangles, target.shape[:2])
    field = interpolate(place, triangles, attributes, covering)
    face = _sample(source, field[..., 0:2])
    if own.min() < 1:
        share = np.clip(field[..., 6:7], 0.0, 1.0)
        face = share * face + (1 - share) * _sample(source, field[..., 2:4])
    return Drawn(
        face=face,
        original=_sample(target, field[..., 4:6]),
        covered=covering >= 0,
        hairline=np.clip(field[..., 7], 0.0, 1.0),
        skin=field[..., 8] > 0.5,
    )


def _own_share(mesh: Mesh, landmarks: Floats64, place: Floats64) -> Floats64:
    """How much of its own texture, against its twin's, each corner of each triangle shows: ``(T, 3)``."""
    facing = np.maximum(mesh.facing(landmarks), _EDGE_ON)
    wanted = np.maximum(mesh.facing(place), _EDGE_ON)
    own = np.maximum(ramp(facing / facing[mesh.mirror], *_AGAINST_TWIN), ramp(facing / wanted, *_AGAINST_TARGET))
    # A triangle next to a hidden vertex already holds the smeared silhouette.
    nearest = own.copy()
    np.minimum.at(nearest, mesh.triangles, own[mesh.triangles].min(axis=1, keepdims=True).repeat(3, axis=1))
    corners = nearest[mesh.triangles]
    # On the midline vertex and twin are one, so a triangle may end there with the share it has: the two halves of
    # the nose do not bleed into each other.
    midline = mesh.mirror[mesh.triangles] == mesh.triangles
    aside = np.where(midline, 1.0, corners).min(axis=1, keepdims=True)
    result: Floats64 = np.where(midline, aside, corners)
    return result


def _sample(image: Floats32, places: Floats32) -> Floats32:
    """Look up ``(H, W, 2)`` places, bicubically."""
    import cv2

    maps = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    sampled = cv2.remap(image, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.clip(sampled, 0.0, 1.0)
