"""What the mesh of the head lacks: eyeballs, teeth, a body, glasses. All in mm in the head frame, but for the body."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.faces.pose import rotation
from hifibench.heads import geometry
from hifibench.heads.geometry import Eyeball

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


class Solid(NamedTuple):
    """A surface."""

    points: Floats
    """``(n, 3)`` mm."""
    faces: Ints
    """``(m, 3)``."""
    local: Floats
    """``(n, 3)``: what the texture is looked up by."""


def eye(ball: Eyeball, gaze_deg: NDArray[np.float64]) -> Solid:
    """The front of an eyeball, turned; its local coordinates are unit vectors, z along the line of sight."""
    unit, faces = _hemisphere()
    turned = unit @ rotation([gaze_deg[0], gaze_deg[1], 0.0]).T
    return Solid((ball.centre + ball.radius * turned).astype(np.float32), faces, unit.astype(np.float32))


@cache
def _hemisphere() -> tuple[NDArray[np.float64], Ints]:
    rings, spokes = 16, 32
    tilt = np.radians(np.linspace(0, 115, rings + 1))[:, None]
    turn = np.linspace(0, 2 * np.pi, spokes, endpoint=False)[None]
    shape = (rings + 1, spokes)
    points = np.stack(
        [np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.broadcast_to(np.cos(tilt), shape)], -1
    )
    return points.reshape(-1, 3), _wrapped(rings + 1, spokes)


def _wrapped(rows: int, columns: int) -> Ints:
    """Triangles of a grid whose columns close to a ring, fronts outwards where rows lead away and columns turn left."""
    at = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b = at[:-1], np.roll(at, -1, 1)[:-1]
    c, d = at[1:], np.roll(at, -1, 1)[1:]
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])


def teeth(rest: Floats, face: Floats) -> Solid:
    """Two rows of teeth; the upper one is fixed to the skull, the lower one to the chin.

    Args:
        rest: ``(n, 3)`` the person's head at rest.
        face: with the expression.

    Returns:
        Local coordinates: x along the row in mm, y from 0 at the gums to 1 at the edge, z 1 in the upper row, else 0.
    """
    model = geometry.load()
    lips = geometry.at_marks(rest, model.landmark_faces[[51, 57, 8]], model.landmark_weights[[51, 57, 8]])
    mean = geometry.at_marks(model.mean, model.landmark_faces[[51, 57, 8]], model.landmark_weights[[51, 57, 8]])
    chin = geometry.at_marks(face, model.landmark_faces[8:9], model.landmark_weights[8:9])[0] - lips[2]
    upper, lower = lips[0] - mean[0], 0.5 * (lips[0] - mean[0] + lips[1] - mean[1]) + chin
    x = np.linspace(-25, 25, 26)
    z = 51.5 - (x / 25) ** 2 * 17 - np.abs(x / 25) ** 4 * 6
    rows = []
    for shift, top, edge, back in ((upper, -56.0, -69.0, 0.0), (lower, -84.0, -71.5, 2.5)):
        rows += [np.stack([x * (1 - back / 30), np.full_like(x, y), z - back], -1) + shift for y in (top, edge)]
    kinds = [(row, share) for row in (1.0, 0.0) for share in (0.0, 1.0)]
    local = np.concatenate([np.stack([x, np.full_like(x, share), np.full_like(x, row)], -1) for row, share in kinds])
    n = len(x)
    a = np.arange(n - 1, dtype=np.int32)
    strips = []
    for first in (0, 2 * n):
        strips.append(np.stack([first + a, first + n + a, first + a + 1], -1))
        strips.append(np.stack([first + a + 1, first + n + a, first + n + a + 1], -1))
    points, faces = np.concatenate(rows), np.concatenate(strips)
    return Solid(points.astype(np.float32), faces.astype(np.int32), local.astype(np.float32))


# Rings of the body: height, half width, half depth, how far forward; about the neck's axis, mm. The first lies within
# the neck, whose surface the clothes cross on their way outwards.
_BODY = np.array([
    (-98, 42, 42, -52), (-116, 72, 70, -52), (-128, 102, 78, -54), (-140, 138, 86, -58),
    (-158, 175, 92, -62), (-182, 202, 98, -64), (-230, 222, 110, -64), (-420, 230, 118, -62),
], np.float64)  # fmt: skip
_NECK = 56.0  # half width of the neck that these rings fit


def body(neck_half_width: float) -> Solid:
    """Shoulders in clothes, upright; their opening is as wide as the neck.

    Local coordinates are the points themselves.
    """
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    rings = []
    for i, (y, wide, deep, forward) in enumerate(_BODY):
        ratio = neck_half_width / _NECK if i < 2 else 1.0
        x, z = ratio * wide * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.85, ratio * deep * np.cos(turn)
        slant = 0.42 if i < 2 else 0.42 * max(0.0, 1 - (i - 1) / 3)
        rings.append(np.stack([x, y - slant * z, z + forward], -1))
    points = np.concatenate(rings)
    return Solid(points.astype(np.float32), _wrapped(len(_BODY), len(turn)), points.astype(np.float32))


def glasses(seed: int, left: Eyeball, right: Eyeball, head: Floats) -> Solid:
    """Two rims, a bridge and two temples, as tubes; local coordinates hold the colour."""
    rng = np.random.default_rng((seed, 52))
    colour = ((0.012, 0.011, 0.011), (0.09, 0.035, 0.015), (0.30, 0.26, 0.2), (0.02, 0.03, 0.09))[rng.integers(4)]
    wide, tall = rng.uniform(22, 28), rng.uniform(16, 23)
    power, thick = rng.uniform(2.0, 5.0), rng.uniform(1.2, 2.6)
    model = geometry.load()
    bridge = geometry.at_marks(head, model.landmark_faces[27:28], model.landmark_weights[27:28])[0]
    front = max(float(left.centre[2] + left.radius), float(right.centre[2] + right.radius)) + 9.0
    front = max(front, float(bridge[2]) + 3.0)
    paths = []
    turn = np.linspace(0, 2 * np.pi, 41)
    for ball, side in ((left, 1.0), (right, -1.0)):
        x = ball.centre[0] + side * 1.5 + wide * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / power)
        y = ball.centre[1] - 3 + tall * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / power)
        paths.append(np.stack([x, y, front - 0.10 * np.abs(x)], -1))
        outer = ball.centre[0] + side * (1.5 + wide)
        hinge = np.array([outer, ball.centre[1] + 3, front - 0.10 * abs(outer)])
        ear = np.array([side * 82.0, ball.centre[1] + 6, -40.0])
        paths.append(hinge + np.linspace(0, 1, 12)[:, None] * (ear - hinge))
    inner = (right.centre[0] - 1.5 + wide, left.centre[0] + 1.5 - wide)
    x = np.linspace(inner[0], inner[1], 8)
    y = (left.centre[1] + right.centre[1]) / 2 + 4 - 3 * ((x - x.mean()) / (np.ptp(x) / 2)) ** 2
    paths.append(np.stack([x, y, np.full_like(x, front - 0.5)], -1))
    return _tubes(paths, thick, np.array(colour))


def _tubes(paths: list[NDArray[np.float64]], radius: float, colour: NDArray[np.float64]) -> Solid:
    points, faces = [], []
    count = 0
    turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    for path in paths:
        along = np.gradient(path, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        side = np.cross(along, (0.31, 0.22, 0.92))
        side /= np.linalg.norm(side, axis=1, keepdims=True)
        up = np.cross(along, side)
        ring = np.cos(turn)[None, :, None] * side[:, None] + np.sin(turn)[None, :, None] * up[:, None]
        points.append((path[:, None] + radius * ring).reshape(-1, 3))
        faces.append(_wrapped(len(path), len(turn)) + count)
        count += len(points[-1])
    stacked = np.concatenate(points)
    local = np.broadcast_to(colour, stacked.shape)
    return Solid(stacked.astype(np.float32), np.concatenate(faces).astype(np.int32), local.astype(np.float32))
