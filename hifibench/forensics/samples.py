"""Pairs to learn from: a crop of a real face and the same crop of its self-blend, after the same degradation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hifibench.contracts import Crop
from hifibench.faces import align, templates
from hifibench.forensics.degrade import degrade
from hifibench.forensics.faces import Faces
from hifibench.forensics.self_blend import Blend, self_blend
from hifibench.records import Face, Floats, Frame

LEAST_SIDE = 256
"""Pictures are made smaller before they are blended, by chance, down to this side: a face may have any size."""

_WANDER = 0.05


class Sample(NamedTuple):
    """A pair.

    Attributes:
        real: ``(3, S, S)`` float32 RGB in [0, 1].
        fake: the same of the self-blend.
        seam: ``(S, S)`` float32 in [0, 1]: where the blend mixes, ``4 m (1 - m)`` of its mask m divided by its ratio
            (L. Li et al., "Face X-ray for more general face forgery detection", CVPR 2020).
    """

    real: Floats
    fake: Floats
    seam: Floats


def sample(faces: Faces, row: int, crop: Crop, rng: np.random.Generator) -> Sample:
    """A pair from one person.

    Args:
        faces: people.
        row: who of them.
        crop: what the detector looks at; the face's box wanders as a detector's does.
        rng: decides everything else.
    """
    side = faces.frames.shape[1]
    if rng.random() < 0.6:
        side = int(rng.integers(min(LEAST_SIDE, side), side + 1))
    frame, scale = _resized(faces.frames[row], side)
    blend = self_blend(frame, faces.meshes[row] * scale, rng)
    seed = int(rng.integers(1 << 32))
    face = faces.face(row)
    wide = float(face.box[2] - face.box[0])
    box = ((face.box + rng.uniform(-_WANDER, _WANDER, 4).astype(np.float32) * wide) * scale).astype(np.float32)
    matrix = templates.matrix(Face(box, face.landmarks * scale, 1.0), crop, frame.shape)
    real, fake = (align.cut(degrade(image, seed), matrix, crop.size) for image in (blend.whole, blend.image))
    cut = _cut_seam(blend, matrix, crop.size)
    if rng.random() < 0.5:
        real, fake, cut = (np.ascontiguousarray(image[..., ::-1]) for image in (real, fake, cut))
    return Sample(real, fake, cut)


def _resized(frame: Frame, side: int) -> tuple[Frame, float]:
    import cv2

    if side == len(frame):
        return frame, 1.0
    return np.asarray(cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA), np.uint8), side / len(frame)


def _cut_seam(blend: Blend, matrix: align.Matrix, size: int) -> Floats:
    import cv2

    share = blend.mask / max(float(blend.mask.max()), 1e-6)
    seam = 4 * share * (1 - share)
    return np.asarray(cv2.warpAffine(seam, matrix, (size, size), flags=cv2.INTER_LINEAR), np.float32)
