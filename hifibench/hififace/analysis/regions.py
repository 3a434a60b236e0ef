"""Maps held against the target's face mask M_tar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.faces.align import hwc
from hifibench.faces.segment import FaceSegmenter
from hifibench.hififace.analysis.faces import AlignedPair
from hifibench.records import Floats

THRESHOLD = 0.5
"""From which value on a soft mask counts as set."""


class Split(NamedTuple):
    """Means of a map inside and outside the face; NaN where there is none."""

    in_face: float
    off_face: float


def target_mask(segmenter: FaceSegmenter, pair: AlignedPair) -> Floats:
    """M_tar of a pair, ``(S, S)`` float32, 0 or 1."""
    return segmenter.segment(hwc(pair.target.crop)).astype(np.float32)


def shrunk(mask: Floats, side: int) -> Floats:
    """R(M): means over blocks of pixels, ``(side, side)`` from ``(S, S)``; the mask itself at its own size."""
    import cv2

    if len(mask) == side:
        return mask
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def split_mean(values: Floats, face: Floats) -> Split:
    """Means of values ``(h, w)`` weighted by a mask of the same shape in [0, 1], and by its complement."""
    weights: NDArray[np.float64] = np.stack([face, 1 - face]).astype(np.float64)
    total = weights.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        means = (weights * values).sum(axis=(1, 2)) / total
    return Split(float(means[0]), float(means[1]))


def overlap(mask: Floats, face: Floats) -> float:
    """Intersection over union of two maps ``(h, w)``, both cut at `THRESHOLD`; NaN where both are empty."""
    a, b = mask >= THRESHOLD, face >= THRESHOLD
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else float("nan")
