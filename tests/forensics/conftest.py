"""People made of noise, for tests that need no portrait: a bright oval on a textured ground, with a plausible mesh."""

from __future__ import annotations

import numpy as np
import pytest

from hifibench.faces.masks import FACE_OVAL
from hifibench.forensics.faces import Faces

SIDE = 128


def made_up(people: int, seed: int = 0) -> Faces:
    rng = np.random.default_rng(seed)
    frames = rng.integers(60, 200, (people, SIDE // 4, SIDE // 4, 3)).repeat(4, 1).repeat(4, 2).astype(np.uint8)
    meshes = np.empty((people, 478, 2), np.float32)
    for mesh in meshes:
        angles, radii = rng.uniform(0, 2 * np.pi, 478), np.sqrt(rng.uniform(0, 1, 478))
        radii[list(FACE_OVAL)] = 1
        angles[list(FACE_OVAL)] = np.linspace(-np.pi / 2, 3 * np.pi / 2, len(FACE_OVAL), endpoint=False)
        mesh[:] = np.column_stack([np.cos(angles) * 32, np.sin(angles) * 42]) * radii[:, None] + SIDE / 2
    box = np.array([32, 22, 96, 106], np.float32)
    points = np.array([(52, 54), (76, 54), (64, 68), (55, 84), (73, 84)], np.float32)
    return Faces(np.arange(people), frames, np.tile(box, (people, 1)), np.tile(points, (people, 1, 1)), meshes)


@pytest.fixture
def people() -> Faces:
    return made_up(4)
