"""What is known of a scene: composed from seeds and changes, and measured on the geometry, never on pixels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench.heads import correspondence, geometry, hair, labels, light, person, render, shot
from hifibench.heads.render import Picture
from hifibench.heads.scene import Scene

Facts = dict[str, NDArray[Any]]

_HIDDEN_MM = 4.0  # how far behind what is drawn a landmark may lie and still count as seen


@lru_cache(64)
def compose(scene: Scene) -> render.Scene:
    """Seeds and changes as numbers that can be drawn."""
    somebody = person.make(scene.person)
    taken = shot.make(scene.shot, scene.frame)
    lit = light.make(scene.shot)
    grain = scene.shot * 100_003 + scene.frame
    for what, amount, other in scene.changes:
        if what in ("shape", "skin", "identity"):
            mix = (amount if what != "skin" else 0.0, amount if what != "shape" else 0.0)
            somebody = person.mixed(somebody, person.make(other), *mix)
        elif what in ("yaw", "pitch", "roll"):
            added = np.zeros(3)
            added[("yaw", "pitch", "roll").index(what)] = amount
            taken = taken._replace(pose_deg=taken.pose_deg + added)
        elif what == "gaze":
            taken = taken._replace(gaze_deg=taken.gaze_deg + np.array([amount, 0.0]))
        elif what == "expression":
            goal = shot.expression(other)
            taken = taken._replace(expression=taken.expression + np.float32(amount) * (goal - taken.expression))
        elif what == "light":
            lit = light.mixed(lit, light.make(other), amount)
        else:
            grain = (other + 1) * 1_000_003 + round(amount * 997) + grain
    taken = taken._replace(expression=shot.looking(taken.expression, taken.gaze_deg))
    worn = scene.person if scene.hair is None else scene.hair
    return render.Scene(somebody, hair.make(worn), taken, lit, scene.shot, grain)


def exact(scene: Scene, picture: Picture) -> Facts:
    """The facts of a scene; see `hifibench.data.heads.facts`."""
    drawn = compose(scene)
    model = geometry.load()
    head = render.face_of(drawn)
    rest = geometry.shape(drawn.person.identity)
    size = len(picture.frame)
    view = render.camera(drawn.shot, size)
    landmarks3d = geometry.at_marks(head, model.landmark_faces, model.landmark_weights)
    pixels = view.pixels(view.place(landmarks3d))
    points = correspondence.load()
    turn = geometry.upright().T  # from the right: the mesh's frame to the head frame
    return {
        "pose_deg": drawn.shot.pose_deg.astype(np.float32),
        "gaze_deg": drawn.shot.gaze_deg.astype(np.float32),
        "landmarks": pixels[:, :2].astype(np.float32),
        "visible": _visible(pixels, picture),
        "landmarks3d": (landmarks3d @ turn).astype(np.float32),
        "mediapipe_points": (geometry.at_marks(head, points.corners, points.weights) @ turn).astype(np.float32),
        "vertices": (head[model.face_vertices] @ turn).astype(np.float32),
        "shape": (rest[model.face_vertices] @ turn).astype(np.float32).ravel(),
        "identity": drawn.person.identity,
        "expression": drawn.shot.expression,
        "light": drawn.light.harmonics.ravel(),
        "skin_rgb": drawn.person.look[:3].copy(),
        "occlusion": np.array([picture.occlusion], np.float32),
        "parsing": picture.parsing,
        "depth": picture.depth,
        "rotation": (view.rotation @ turn).astype(np.float32),
        "shift": view.shift.astype(np.float32),
        "focal": np.array([view.focal], np.float32),
    }


def _visible(pixels: NDArray[np.float64], picture: Picture) -> NDArray[np.float32]:
    """1 for landmarks that nothing hides: no nearer surface, hair, hand, bar or the picture's border."""
    size = len(picture.frame)
    column, row = np.rint(pixels[:, 0]).astype(int), np.rint(pixels[:, 1]).astype(int)
    inside = (column >= 0) & (row >= 0) & (column < size) & (row < size)
    column, row = np.clip(column, 0, size - 1), np.clip(row, 0, size - 1)
    near = pixels[:, 2] <= _around(picture.depth)[row, column] + _HIDDEN_MM
    free = ~np.isin(picture.parsing[row, column], (labels.OCCLUDER, labels.HAIR))
    shown: NDArray[np.float32] = (inside & near & free).astype(np.float32)
    return shown


def _around(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The farthest finite depth of each pixel and its neighbours: a mark on an edge is not hidden by its own side."""
    finite = np.where(np.isfinite(depth), depth, 0)
    padded = np.pad(finite, 1)
    size = len(depth)
    shifted = [padded[i : i + size, j : j + size] for i in range(3) for j in range(3)]
    widest: NDArray[np.float32] = np.max(shifted, axis=0)
    return widest
