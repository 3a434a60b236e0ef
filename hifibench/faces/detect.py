"""The neutral detector: finds faces and five landmarks, the same way for every method's images.

The rule for "the" face of an image: the largest and most central one. With box width w, height h and the distance d
of the box's centre from the frame's centre in half diagonals (0 in the middle, 1 in a corner), faces are sorted by

    w * h * (1 - d / 2), highest first,

so that of two faces of one size the central one wins, and one in a corner must be twice as large as one in the middle.

YuNet alone moves its landmarks by about 2 % of the eye distance when the image moves by one pixel, since another
anchor wins each time. Two measures bring that down to a tenth: the boxes that non-maximum suppression would throw
away are averaged by confidence instead, and each face is looked at again, upright in the middle of small crops of
several scales, each also mirrored, and those looks are averaged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop, ExpertCard
from hifibench.faces import align
from hifibench.records import Face, Floats, Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIN_SCORE = 0.6
_SAME_FACE_IOU = 0.5
_MIRRORED = [1, 0, 2, 4, 3]
# Longest side of the frame in the detector's eyes, and the side of the square canvas it is centred in. The first finds
# close portraits, even cropped at the chin, and is quick; the next ones find what is small in a large frame.
_SEARCHES = ((112, 160), (320, 384), (640, 704), (1280, 1344))
# Crop side and the part of it that the face takes up; sides are multiples of the network's stride of 32.
_LOOKS = ((96, 0.6), (128, 0.55), (128, 0.42))


class _Found(NamedTuple):
    """Faces in the pixels of one canvas: ``(n, 4)`` boxes, ``(n, 5, 2)`` landmarks, ``(n,)`` scores."""

    boxes: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    scores: NDArray[np.float64]


class Detector:
    """YuNet through OpenCV. Deterministic; keeps no state between frames but is not thread-safe: one per thread.

    Source: W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research
    20, 2023.
    """

    card: ClassVar[ExpertCard] = ExpertCard(
        name="yunet",
        summary="neutral face detector with five landmarks",
        role="detection",
        crop=Crop("frame"),
        outputs={
            "box": "(4,) left, top, right, bottom in pixels",
            "landmarks": "(5, 2) eyes, nose tip, mouth corners in pixels",
            "score": "(1,) confidence in [0, 1]",
        },
        paper="Wu et al., YuNet: A Tiny Millisecond-level Face Detector, MIR 2023",
        licence="MIT",
        assets=("yunet",),
        limits="loses faces below about 20 px and beyond 60 deg of roll",
    )

    def __init__(self) -> None:
        from hifibench import assets

        self._model = str(assets.path("yunet"))
        self._networks: dict[int, Any] = {}

    def detect(self, frame: Frame) -> list[Face]:
        """All faces of a frame, ``(H, W, 3)`` uint8 RGB, best first by the rule of this module."""
        for longest, side in _SEARCHES:
            scale = longest / max(frame.shape[:2])
            found = self._look(frame, _centred(_middle(frame), scale, side), side)
            if len(found.scores):
                faces = [self._refine(frame, *face) for face in zip(*found, strict=True)]
                return sorted(faces, key=lambda face: -_rank(face, frame))
            if scale > 1:  # a finer canvas shows nothing that this one did not
                break
        return []

    def choose(self, frame: Frame) -> Face | None:
        """The face of a frame, or ``None`` if there is none."""
        faces = self.detect(frame)
        return faces[0] if faces else None

    def _refine(self, frame: Frame, box: NDArray[np.float64], landmarks: NDArray[np.float64], score: float) -> Face:
        """Look again at one face, from crops of several scales and their mirror images."""
        size = max(box[2] - box[0], box[3] - box[1])
        boxes, points = [], []
        for side, part in _LOOKS:
            matrix = _centred((box[:2] + box[2:]) / 2, part * side / size, side)
            for mirrored in (False, True):
                found = self._look(frame, matrix, side, mirrored)
                overlap = _iou(box, found.boxes)
                if len(overlap) and overlap.max() > _SAME_FACE_IOU:
                    boxes.append(found.boxes[overlap.argmax()])
                    points.append(found.landmarks[overlap.argmax()])
        if boxes:
            box, landmarks = np.mean(boxes, axis=0), np.mean(points, axis=0)
        return Face(box.astype(np.float32), landmarks.astype(np.float32), float(score))

    def _look(self, frame: Frame, matrix: align.Matrix, side: int, mirrored: bool = False) -> _Found:
        """Detect in a crop of the frame; what is found comes back in the frame's pixels."""
        crop = align.cut(frame, matrix, side, border="zero")
        canvas = align.hwc(crop[:, :, ::-1] if mirrored else crop)
        found = _vote(self._raw(canvas))
        boxes, landmarks = found.boxes.reshape(-1, 2, 2), found.landmarks
        if mirrored:
            boxes, landmarks = boxes[:, ::-1].copy(), landmarks[:, _MIRRORED].copy()
            landmarks[..., 0] = side - 1 - landmarks[..., 0]
            boxes[..., 0] = side - 1 - boxes[..., 0]
            boxes[..., 1] = boxes[:, ::-1, 1]
        back = align.invert(matrix)
        return _Found(align.apply(back, boxes).reshape(-1, 4), align.apply(back, landmarks), found.scores)

    def _raw(self, canvas: Frame) -> NDArray[np.float64]:
        """What the network says of a square canvas, ``(n, 15)``: x, y, w, h, five points, score; nothing suppressed."""
        import cv2

        side = canvas.shape[0]
        network = self._networks.get(side)
        if network is None:
            level = cv2.utils.logging.getLogLevel()
            # OpenCV warns about a default of its own at every start.
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
            network = cv2.FaceDetectorYN.create(self._model, "", (side, side), _MIN_SCORE, 1.0, 5000)
            cv2.utils.logging.setLogLevel(level)
            self._networks[side] = network
        _, rows = network.detect(cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))
        return np.zeros((0, 15)) if rows is None else rows.astype(np.float64)


def match(faces: Sequence[Face], reference: Face, min_iou: float = 0.3) -> Face | None:
    """The face whose box overlaps most with that of ``reference``: the same person's place in a swapped frame.

    Returns ``None`` if none overlaps by an intersection over union of ``min_iou``.
    """
    if not faces:
        return None
    overlap = _iou(reference.box, np.stack([face.box for face in faces]))
    best = int(overlap.argmax())
    return faces[best] if overlap[best] >= min_iou else None


def _rank(face: Face, frame: Frame) -> float:
    left, top, right, bottom = face.box.astype(np.float64)
    off = np.array([left + right, top + bottom]) / 2 - _middle(frame)
    distance = np.hypot(*off) / (np.hypot(*frame.shape[:2]) / 2)
    return float((right - left) * (bottom - top) * (1 - distance / 2))


def _middle(frame: Frame) -> NDArray[np.float64]:
    return (np.array(frame.shape[1::-1], np.float64) - 1) / 2


def _centred(centre: NDArray[np.float64], scale: float, side: int) -> align.Matrix:
    """Frame to a square canvas with ``centre`` in its middle."""
    return np.column_stack([scale * np.eye(2), (side - 1) / 2 - scale * centre])


def _vote(rows: NDArray[np.float64]) -> _Found:
    """Gather rows that overlap with a better one into one face each: the mean of the group, weighted by score."""
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    corners = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
    boxes, landmarks, scores = [], [], []
    while len(rows):
        group = _iou(corners[0], corners) > _SAME_FACE_IOU
        weights = rows[group, 14] / rows[group, 14].sum()
        boxes.append(weights @ corners[group])
        landmarks.append((weights @ rows[group, 4:14]).reshape(5, 2))
        scores.append(rows[0, 14])
        rows, corners = rows[~group], corners[~group]
    return _Found(np.reshape(boxes, (-1, 4)), np.reshape(landmarks, (-1, 5, 2)), np.array(scores))


def _iou(box: NDArray[np.float64] | Floats, boxes: NDArray[np.float64] | Floats) -> NDArray[np.float64]:
    """Intersection over union of one box ``(4,)`` with many ``(n, 4)``."""
    box, boxes = np.asarray(box, np.float64), np.asarray(boxes, np.float64)
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = sides.clip(0).prod(1)
    area = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - shared
    overlap: NDArray[np.float64] = shared / np.maximum(area, 1e-12)
    return overlap
