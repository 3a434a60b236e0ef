"""What each vertex of the mesh belongs to: skin, hairline, eye, mouth, outer edge. Fixed by the canonical head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.faceswap.mesh import EYES, INNER_LIPS, IRIS_CENTRES, OUTER_LIPS, Mesh
from hifibench.faces.masks import FACE_OVAL

Floats64 = NDArray[np.float64]


@dataclass(frozen=True)
class Regions:
    """Weights in ``[0, 1]`` of all ``(478,)`` vertices; distances are centimetres on the canonical head.

    Attributes:
        movable: 0 on the outer edge, which has to stay on the target's outline, 1 from two centimetres inwards.
        skin: cheeks and nose, where next to nothing but skin is seen.
        hairline: forehead above the brows, and temples: where hair hangs into the face.
        parts: ``(3, 478)`` nearness to the left eye, the right eye and the mouth.
    """

    movable: Floats64
    skin: Floats64
    hairline: Floats64
    parts: Floats64

    @classmethod
    def of(cls, mesh: Mesh) -> Regions:
        """The regions of a mesh."""
        head = mesh.canonical
        across, up = np.abs(head[:, 0]), head[:, 1]
        # Heights and widths to measure against: middle of the brows, their outer ends, below the eyes, nose base.
        brow, brow_end, below_eyes, nose_base = 4.6, 5.7, 1.7, -2.1
        forehead = ramp(up, brow, brow + 0.6)
        temple = ramp(across, brow_end, brow_end + 0.6) * ramp(up, nose_base, nose_base + 1.0)
        return cls(
            movable=ramp(_distance(head, FACE_OVAL), 0.0, 2.0),
            skin=((up < below_eyes) & (up > nose_base - 0.5) & (across < brow_end)).astype(np.float64),
            hairline=np.maximum(forehead, temple),
            parts=np.stack(
                [
                    *(1 - ramp(_distance(head, group), 0.4, 1.2) for group in eyes()),
                    1 - ramp(_distance(head, mouth()), 0.4, 2.0),
                ]
            ),
        )


def eyes() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Vertices of either eye: lids and iris."""
    left, right = ((*ring, *range(iris, iris + 5)) for ring, iris in zip(EYES, IRIS_CENTRES, strict=True))
    return left, right


def mouth() -> tuple[int, ...]:
    """Vertices of the lips."""
    return (*OUTER_LIPS, *INNER_LIPS)


def ramp(value: Any, start: float, end: float) -> Any:
    """Smoothstep: 0 up to ``start``, 1 from ``end``, level at both ends; keeps the type of an array."""
    t = np.clip((value - start) / (end - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _distance(head: Floats64, group: Sequence[int]) -> Floats64:
    """``(V, 3)`` -> ``(V,)`` distance to the nearest vertex of a group."""
    nearest: Floats64 = np.linalg.norm(head[:, None] - head[None, list(group)], axis=2).min(axis=1)
    return nearest
