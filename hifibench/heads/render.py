"""A person in a shot as a picture, with what every pixel of it shows."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from hifibench.faces import rasteriser
from hifibench.faces.pose import rotation
from hifibench.heads import background, geometry, hair, labels, noise, occluders, sensor, solids, strands, surface
from hifibench.heads.geometry import Eyeball, Floats
from hifibench.heads.hair import Hair
from hifibench.heads.light import Light
from hifibench.heads.person import LOOK, Person
from hifibench.heads.shot import Shot

SAMPLES = 2
"""Samples per pixel and axis; compiled code counts on it."""
JOINT = (0.0, -60.0, -60.0)
"""Where head and neck turn against each other, mm in the mesh's frame."""
_NECK_MM = 50.0
_LEAN = 0.3  # share of the head's pose that the body takes part in
_STOOP = 5.0  # degrees by which the body leans back from the mesh's upright


_IS_FACE = np.isin(np.arange(len(labels.LABELS)), labels.FACE)


class Camera(NamedTuple):
    """The mesh's frame to pixels: ``rotation @ point + shift`` in mm (x right, y up, z towards the viewer)."""

    rotation: NDArray[np.float64]
    """The pose after `hifibench.heads.geometry.upright`."""
    shift: NDArray[np.float64]
    focal: float
    """In pixels."""
    size: int

    def place(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(..., 3)`` of the mesh's frame in the camera frame."""
        placed: NDArray[np.float64] = points @ self.rotation.T + self.shift
        return placed

    def pixels(self, placed: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(..., 3)`` of the camera frame as x, y in pixels (centres at integers, y down) and depth in mm."""
        depth = -placed[..., 2]
        middle = (self.size - 1) / 2
        x = middle + self.focal * placed[..., 0] / depth
        y = middle - self.focal * placed[..., 1] / depth
        return np.stack([x, y, depth], -1)


class Scene(NamedTuple):
    """What is drawn."""

    person: Person
    hair: Hair
    shot: Shot
    light: Light
    seed: int
    """Of the shot: background, clothes and occluder."""
    noise: int
    """Seed of the sensor's noise."""


class Picture(NamedTuple):
    """What came out."""

    frame: NDArray[np.uint8]
    """``(size, size, 3)`` sRGB."""
    parsing: NDArray[np.uint8]
    """``(size, size)``: `hifibench.heads.labels.LABELS`."""
    depth: Floats
    """``(size, size)`` mm along the camera's axis, infinity where there is background; hands and bars have none."""
    occlusion: float
    """Share of the face's pixels that an occluder hides."""


def camera(shot: Shot, size: int) -> Camera:
    """The camera of a shot; nothing of the person moves it."""
    x, y = (value * shot.distance / shot.focal for value in shot.middle)
    return Camera(
        rotation(shot.pose_deg) @ geometry.upright(), np.array([x, -y, -shot.distance]), shot.focal * size, size
    )


def face_of(scene: Scene) -> Floats:
    """``(n, 3)`` the person's head with the shot's expression, mm in the mesh's frame."""
    return geometry.shape(scene.person.identity, scene.shot.expression)


def render(scene: Scene, size: int) -> Picture:
    """Draw a scene.

    Args:
        scene: what is seen.
        size: side of the picture in pixels.
    """
    view = camera(scene.shot, size)
    fine = Camera(view.rotation, view.shift, view.focal * SAMPLES, size * SAMPLES)
    head = face_of(scene)
    colour = _behind(scene.seed, size)
    label = np.zeros(colour.shape[:2], np.uint8)
    bare = label
    depth = _draw(scene, fine, head, colour, label, glasses=scene.shot.occluder == "glasses")
    if scene.shot.occluder == "glasses":
        bare = label.copy()
        _draw(scene, fine, head, colour.copy(), bare, glasses=False, within=label == labels.OCCLUDER)
    linear = cv2.resize(colour, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    parsing = _majority(label)
    whole = parsing if bare is label else _majority(bare)
    if scene.shot.occluder in ("hand", "bar"):
        x, y, far = (float(value) for value in view.pixels(view.place(np.array([0.0, -25.0, 50.0]))))
        cover = occluders.make(scene.shot.occluder, scene.seed, size, (x, y), view.focal / far, scene.light)
        linear += cover.alpha[..., None] * (cover.colour - linear)
        parsing = np.where(cover.alpha >= 0.5, np.uint8(labels.OCCLUDER), parsing)
    face = _IS_FACE[whole]
    hidden = face & (parsing == labels.OCCLUDER)
    nearest = np.minimum.reduce([depth[i::SAMPLES, j::SAMPLES] for i in range(SAMPLES) for j in range(SAMPLES)])
    nearest[parsing == labels.BACKGROUND] = np.inf
    return Picture(
        sensor.developed(linear, scene.seed, scene.noise),
        parsing,
        nearest,
        float(hidden.sum() / max(face.sum(), 1)),
    )


def _draw(
    scene: Scene,
    view: Camera,
    head: Floats,
    colour: Floats,
    label: NDArray[np.uint8],
    glasses: bool,
    within: NDArray[np.bool_] | None = None,
) -> Floats:
    """Head, body and hair into ``colour`` and ``label``, or into a part of them; the depth of what is nearest."""
    shape = label.shape
    eyes = [geometry.eyeball(head, part) for part in (geometry.LEFT_EYE, geometry.RIGHT_EYE)]
    mesh = _mesh(scene, view, head, eyes, glasses)
    normals = surface.vertex_normals(mesh.points, mesh.faces)
    raster = rasteriser.rasterise(view.pixels(mesh.points), mesh.faces, shape, rasteriser.FRONT)
    if within is not None:
        raster.face[~within] = -1
    centres = view.place(np.stack([eye.centre for eye in eyes]))
    spheres = np.concatenate([centres, [[eye.radius] for eye in eyes]], 1).astype(np.float32)
    cover = {"bald": 0.12, "cropped": 0.9}.get(scene.hair.style, 1.0)
    look = scene.person.look
    if scene.hair.style == "bald":
        cover *= float(look[LOOK.index("mottle")] > 0.8)
    up = view.rotation[:, 1].astype(np.float32)
    light = scene.light
    surface.shade(
        raster.face, raster.weights, mesh.faces, mesh.material, mesh.points, normals, mesh.local, mesh.traits, spheres,
        up, look, scene.hair.line, cover, _cloth(scene.seed), light.harmonics, light.key, light.key_rgb, noise.block(),
        colour, label,
    )  # fmt: skip
    depth = raster.depth
    shell = hair.shell(scene.hair, head)
    if shell is not None:
        placed = view.place(shell.points).astype(np.float32)
        normals = surface.vertex_normals(placed, shell.faces)
        flow = (shell.flow @ view.rotation.T).astype(np.float32)
        # The far wall of the shell is seen from within below the ears and under a fringe.
        open_below = scene.hair.style in ("long", "fringe")
        for sides in (rasteriser.BACK, rasteriser.FRONT) if open_below else (rasteriser.FRONT,):
            layer = rasteriser.rasterise(view.pixels(placed), shell.faces, shape, sides)
            if within is not None:
                layer.face[~within] = -1
            strands.shade_hair(
                layer.face, layer.weights, layer.depth, shell.faces, placed, normals, flow, shell.grid,
                scene.hair.line, scene.hair.colour, scene.hair.ragged, scene.hair.style == "long", scene.hair.offset,
                sides == rasteriser.BACK, light.harmonics, light.key, light.key_rgb, noise.block(), depth, colour,
                label,
            )  # fmt: skip
    return depth


class _Mesh(NamedTuple):
    points: Floats
    """``(n, 3)`` in the camera frame."""
    faces: geometry.Ints
    material: NDArray[np.uint8]
    local: Floats
    traits: Floats


def _mesh(scene: Scene, view: Camera, head: Floats, eyes: list[Eyeball], glasses: bool) -> _Mesh:
    """All that is not hair, as one list of triangles."""
    model = geometry.load()
    lean = rotation(_LEAN * scene.shot.pose_deg + (0.0, _STOOP, 0.0))
    joint = np.array(JOINT)
    pivot = view.place(joint)
    bent = _neck_share()[:, None]
    # The neck is drawn out downwards, so that it ends within the collar.
    longer = head + bent**2 * (0.0, -_NECK_MM, 0.0)
    placed = (1 - bent) * view.place(head) + bent * ((longer - joint) @ lean.T + pivot)
    parts = [placed]
    faces, local = [model.faces], [model.mean]
    tongue = model.parts[model.faces[:, 0]] == geometry.TONGUE
    material = [np.where(tongue, surface.TONGUE, surface.SKIN)]
    traits = [_traits()]
    count = len(head)

    def add(solid: solids.Solid, where: NDArray[np.float64], kind: int) -> None:
        nonlocal count
        parts.append(where)
        faces.append(solid.faces + count)
        local.append(solid.local)
        material.append(np.full(len(solid.faces), kind))
        traits.append(np.ones((len(where), 5), np.float32))
        count += len(where)

    for ball in eyes:
        solid = solids.eye(ball, scene.shot.gaze_deg)
        add(solid, view.place(solid.points), surface.EYE)
    rest = geometry.shape(scene.person.identity)
    solid = solids.teeth(rest, head)
    add(solid, view.place(solid.points), surface.TEETH)
    base = np.abs(rest[_neck_share() > 0.9, 0]).max()
    solid = solids.body(float(base))
    add(solid, (solid.points - joint) @ lean.T + pivot, surface.CLOTH)
    if glasses:
        solid = solids.glasses(scene.seed, eyes[0], eyes[1], head)
        add(solid, view.place(solid.points), surface.FRAME)
    return _Mesh(
        np.concatenate(parts).astype(np.float32),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(material).astype(np.uint8),
        np.concatenate(local).astype(np.float32),
        np.concatenate(traits).astype(np.float32),
    )


@lru_cache(1)
def _neck_share() -> Floats:
    """``(n,)``: how far each vertex goes with the body instead of the head; 0 on all of the face."""
    _, y, z = geometry.load().mean.T
    level = np.clip((-85.0 - (y + 0.42 * (z + 52.0))) / 37.0, 0, 1)
    share: Floats = (level * level * (3 - 2 * level)).astype(np.float32)
    return share


@lru_cache(1)
def _traits() -> Floats:
    model = geometry.load()
    x, y, z = model.mean.T
    side = np.abs(x)

    def spot(across: NDArray[np.floating], wide: float, up: float, tall: float, near: float) -> NDArray[np.floating]:
        front = np.clip((z - near) / 25, 0, 1)
        shape: NDArray[np.floating] = np.exp(-((across / wide) ** 2) - ((y - up) / tall) ** 2) * front
        return shape

    flush = 0.6 * spot(side - 42, 20, -36, 20, 0) + 0.55 * spot(x, 16, -36, 13, 38) + 0.12 * spot(x, 22, -98, 12, 0)
    flush += 0.5 * model.ears * (side > 64)
    under = spot(side - 30, 13, -10, 6, 8)
    return np.stack([model.openness, model.inner, model.ears, flush, under], -1).astype(np.float32)


def _cloth(seed: int) -> Floats:
    rng = np.random.default_rng((seed, 42))
    one = np.exp(rng.uniform(np.log(0.015), np.log(0.6))) * np.exp(rng.normal(0, 0.4, 3))
    two = one * np.exp(rng.normal(0, 0.8)) * np.exp(rng.normal(0, 0.3, 3))
    kind = rng.choice(4, p=(0.5, 0.2, 0.1, 0.2))
    colours = np.clip(np.concatenate([one, two]), 0, 0.85)
    return np.concatenate([colours, [kind, rng.uniform(0.1, 0.4)]]).astype(np.float32)


@lru_cache(8)
def _background(seed: int, size: int) -> Floats:
    return background.make(seed, size)


def _behind(seed: int, size: int) -> Floats:
    side = size * SAMPLES
    return cv2.resize(_background(seed, size), (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float32)


@njit(cache=True, nogil=True)
def _majority(label: NDArray[np.uint8]) -> NDArray[np.uint8]:  # pragma: no cover
    """The label that most of a pixel's 2 x 2 samples have; of equals the largest."""
    size = len(label) // 2
    out = np.zeros((size, size), np.uint8)
    for row in range(size):
        for column in range(size):
            best = -1
            for sample in range(4):
                mine = label[2 * row + sample // 2, 2 * column + sample % 2]
                votes = 0
                for other in range(4):
                    votes += label[2 * row + other // 2, 2 * column + other % 2] == mine
                best = max(best, 16 * votes + mine)
            out[row, column] = best % 16
    return out
