"""Heads turned by known angles: a portrait's own texture on its reconstruction, drawn from another side."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hifibench.experts.reconstruction import CARD, Tddfa, to_pixels
from hifibench.faces import align, templates
from hifibench.faces.detect import Detector
from hifibench.faces.morphable import load_tddfa, project
from hifibench.faces.pose import rotation
from hifibench.records import Frame

SIZE, FINER = 400, 2


class Head(NamedTuple):
    """Vertices ``(V, 3)`` in pixels around the origin, facing the viewer, and their colours ``(V, 3)``."""

    vertices: NDArray[np.float64]
    colors: NDArray[np.uint8]


def head_of(frame: Frame) -> Head:
    """Reconstruct a portrait's head and pick each vertex's colour from the picture."""
    face = Detector().choose(frame)
    assert face is not None
    crop, matrix = templates.take(frame, face, CARD.crop)
    coefficients = Tddfa().coefficients(crop[None])
    model = load_tddfa()
    shape = model.shape(coefficients.identity, coefficients.expression)
    pixels = align.apply(align.invert(matrix), to_pixels(project(shape, coefficients.camera))[0, :, :2])
    x, y = np.rint(pixels).astype(int).clip(0, frame.shape[0] - 1).T
    centred = shape[0] - shape[0].mean(0)
    return Head(0.6 * SIZE * centred / np.ptp(centred[:, 1]), frame[y, x])


def draw(head: Head, pose_deg: ArrayLike) -> Frame:
    """The head in a pose, orthographically, before a grey wall."""
    camera = head.vertices @ rotation(pose_deg).T
    column, row = np.rint((camera[:, :2] * (1, -1) + SIZE / 2) * FINER).astype(int).T
    reach = range(-3, 4)
    spots = np.concatenate([(row + dy) * SIZE * FINER + column + dx for dy in reach for dx in reach])
    depth = np.concatenate([camera[:, 2] - 0.2 * (dx * dx + dy * dy) for dy in reach for dx in reach])
    order = np.argsort(depth, kind="stable")
    canvas = np.full((SIZE * FINER) ** 2 * 3, 110, np.uint8).reshape(-1, 3)
    # Of vertices on one spot the last written stays: the nearest.
    canvas[spots[order]] = np.tile(head.colors, (len(reach) ** 2, 1))[order]
    return cv2.resize(canvas.reshape(SIZE * FINER, -1, 3), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
