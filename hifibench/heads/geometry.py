"""The head's shape: a mean, identity components, expressions, and points that have names.

Read from ``geometry.npz``, which `hifibench.heads.extract` makes; how, and what is linear in it, stands there.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.faces.pose import rotation

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

FILE = Path(__file__).with_name("geometry.npz")
UPRIGHT_DEG = 9.5
"""Pitch that anny's head needs to look straight ahead as face networks see it, measured on 60 heads with MediaPipe
(11.0) and 3DDFA (8.1). Shapes are computed in the mesh's frame; pitched by this it is the head frame of all facts."""
SKIN, TONGUE, LEFT_EYE, RIGHT_EYE = range(4)
"""Parts of the mesh; left and right are the person's."""


class Geometry(NamedTuple):
    """Millimetres in the mesh's frame: x to the image's right, y up, z to the viewer."""

    mean: Floats
    """``(n, 3)``."""
    basis: Floats
    """``(components, n * 3)``, each of one standard deviation."""
    expressions: Floats
    """``(52, n * 3)`` at weight 1."""
    names: tuple[str, ...]
    """Of the expressions: ARKit's blend shapes."""
    faces: Ints
    """``(m, 3)`` triangles of the skin and the tongue; the eyeballs are drawn as spheres."""
    parts: NDArray[np.uint8]
    """``(n,)``: `SKIN`, `TONGUE`, `LEFT_EYE` or `RIGHT_EYE`."""
    ears: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    """``(n,)``: skin within the mouth."""
    openness: Floats
    """``(n,)``: share of the surroundings that reaches a vertex, in [0, 1]."""
    face_vertices: NDArray[np.int64]
    """Vertices that facts about shape are told of."""
    landmark_faces: NDArray[np.int64]
    """``(68, 3)``: the corners of each landmark's triangle."""
    landmark_weights: Floats
    """``(68, 3)``."""
    hair_faces: NDArray[np.int64]
    """``(rows, columns, 3)``: corners of the triangles that hair grows over."""
    hair_weights: Floats
    """``(rows, columns, 3)``."""


@cache
def load() -> Geometry:
    """The shipped head."""
    with np.load(FILE) as file:
        data = {name: file[name] for name in file.files}
    mean = data["mean"].astype(np.float32)
    expressions = np.zeros((len(data["counts"]), *mean.shape), np.float32)
    ends = np.cumsum(data["counts"].astype(np.int64))
    for row, (count, end) in enumerate(zip(data["counts"].astype(np.int64), ends, strict=True)):
        part = slice(end - count, end)
        expressions[row, data["moved"][part]] = data["moves"][part]
    # Eyeballs turn by the gaze alone; the blend shapes that turn them as well keep their effect on the lids.
    eyes = data["parts"] >= LEFT_EYE
    expressions[:, eyes] = 0
    faces = data["faces"].astype(np.int32)
    return Geometry(
        mean,
        data["basis"].astype(np.float32).reshape(len(data["basis"]), -1),
        expressions.reshape(len(expressions), -1),
        tuple(str(name) for name in data["names"]),
        np.ascontiguousarray(faces[data["parts"][faces[:, 0]] < LEFT_EYE]),
        data["parts"],
        data["ears"],
        data["inner"],
        data["openness"].astype(np.float32) / 255,
        data["face_vertices"].astype(np.int64),
        faces[data["landmark_faces"]].astype(np.int64),
        data["landmark_weights"].astype(np.float32),
        faces[data["hair_faces"]].astype(np.int64),
        data["hair_weights"].astype(np.float32),
    )


def shape(identity: Floats, expression: Floats | None = None) -> Floats:
    """The head of a person.

    Args:
        identity: ``(components,)`` in standard deviations.
        expression: ``(52,)`` weights, 0 to 1; without it the face is at rest.

    Returns:
        ``(n, 3)`` mm in the mesh's frame.
    """
    head = load()
    flat = head.mean.ravel() + identity.astype(np.float32) @ head.basis
    if expression is not None:
        flat = flat + expression.astype(np.float32) @ head.expressions
    return flat.reshape(-1, 3)


def upright() -> NDArray[np.float64]:
    """``(3, 3)``: from the mesh's frame to the head frame."""
    return rotation([0.0, UPRIGHT_DEG, 0.0])


def at_marks(points: Floats, corners: NDArray[np.int64], weights: Floats) -> Floats:
    """Points within triangles, ``(..., 3)``."""
    marked: Floats = (points[corners] * weights[..., None]).sum(-2)
    return marked


class Eyeball(NamedTuple):
    """A sphere."""

    centre: Floats
    radius: float


def eyeball(points: Floats, part: int) -> Eyeball:
    """The sphere through an eye's vertices, in least squares."""
    around = points[load().parts == part].astype(np.float64)
    middle = around.mean(0)
    offsets = around - middle
    system = np.concatenate([2 * offsets, np.ones((len(offsets), 1))], 1)
    solved = np.linalg.lstsq(system, (offsets**2).sum(1), rcond=None)[0]
    radius = float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))
    return Eyeball((middle + solved[:3]).astype(np.float32), radius)
