"""SCRFD, the face detector of the InsightFace family: one look at a square canvas.

Source: J. Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", ICLR 2022.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.onnx_session import session
from hifibench.records import Frame

_STRIDES = (8, 16, 32)
_ANCHORS_A_CELL = 2
_MIN_SCORE = 0.5
_MIN_VOTE = 0.3
_SAME_FACE_IOU = 0.5


class Found(NamedTuple):
    """Faces in one image, best first.

    Attributes:
        boxes: ``(n, 4)`` left, top, right, bottom.
        landmarks: ``(n, 5, 2)``.
        scores: ``(n,)`` in [0, 1].
    """

    boxes: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    scores: NDArray[np.float64]


class Scrfd:
    """The network; may be shared by threads, and gives the same bits on any number of cores."""

    def __init__(self, path: Path) -> None:
        self._session = session(path)
        self._input = self._session.get_inputs()[0].name
        self._outputs = [f"{kind}_{stride}" for stride in _STRIDES for kind in ("score", "bbox", "kps")]

    def look(self, canvas: Frame) -> Found:
        """Find faces, in pixels of the canvas.

        Where others keep the best of several boxes on one face and drop the rest, the rest votes too, weighted by
        score: which box is best changes with every sub-pixel move of the image, their mean hardly does.

        Args:
            canvas: ``(S, S, 3)`` uint8 RGB, S a multiple of 32.
        """
        side = canvas.shape[0]
        blob = ((canvas.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        outputs = iter(self._session.run(self._outputs, {self._input: blob}))
        scores, boxes, landmarks = [], [], []
        for stride in _STRIDES:
            anchors = _anchors(side, stride)
            score, reach, offset = (next(outputs).astype(np.float64) for _ in range(3))
            scores.append(score.reshape(-1))
            reach = stride * reach.reshape(-1, 4)
            boxes.append(np.hstack([anchors - reach[:, :2], anchors + reach[:, 2:]]))
            landmarks.append(anchors[:, None] + stride * offset.reshape(-1, 5, 2))
        return _vote(Found(np.vstack(boxes), np.vstack(landmarks), np.concatenate(scores)))


def iou(box: NDArray[np.floating], boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of one box ``(4,)`` with each of ``(n, 4)``; returns ``(n,)``."""
    box, boxes = np.asarray(box, np.float64), np.asarray(boxes, np.float64)
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = sides.clip(0).prod(1)
    area = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - shared
    overlap: NDArray[np.float64] = shared / np.maximum(area, 1e-12)
    return overlap


def _vote(found: Found) -> Found:
    """Gather what overlaps with a better one into one face each."""
    order = np.argsort(-found.scores, kind="stable")
    order = order[found.scores[order] >= _MIN_VOTE]
    rest = Found(*(field[order] for field in found))
    faces: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = []
    while len(rest.scores) and rest.scores[0] >= _MIN_SCORE:
        group = iou(rest.boxes[0], rest.boxes) > _SAME_FACE_IOU
        group[0] = True  # a box without area overlaps with nothing, itself included
        weights = rest.scores[group] / rest.scores[group].sum()
        box, landmarks = weights @ rest.boxes[group], np.tensordot(weights, rest.landmarks[group], 1)
        faces.append((box, landmarks, float(rest.scores[0])))
        rest = Found(*(field[~group] for field in rest))
    boxes, points, scores = zip(*faces, strict=True) if faces else ((), (), ())
    return Found(np.reshape(boxes, (-1, 4)), np.reshape(points, (-1, 5, 2)), np.array(scores, np.float64))


@cache
def _anchors(side: int, stride: int) -> NDArray[np.float64]:
    """Anchor points of one stride, ``(n, 2)``, row by row, each as often as a cell has anchors."""
    steps = np.arange(side // stride, dtype=np.float64) * stride
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    return grid.repeat(_ANCHORS_A_CELL, axis=0)
