"""Face masks for training, by the embedded networks or by a user's face-parsing network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifibench import assets
from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.experts import landmarker, reconstruction
from hifibench.faces import align, recrop
from hifibench.faces.masks import face_mask
from hifibench.faces.morphable import load_tddfa, project
from hifibench.faces.segment import DILATE, FaceSegmenter, Mask, checked, dilate, silhouette
from hifibench.records import Floats, Frame

ASSETS = (*landmarker.CARD.assets, *reconstruction.CARD.assets)
"""Files that `GeometricSegmenter` opens."""

# In micrometres of the mean face. Above the ears' upper ends the face is half an ellipse that ends where most hairlines
# begin. What lies further back than the temples is ear or hair; below the nose's base that limit recedes, so that the
# corner of the jaw is kept.
_EAR_TOP, _HALF_WIDTH, _FOREHEAD = 20e3, 76e3, 57e3
_NOSE_BASE, _TEMPLES, _JAW_SLOPE = -15e3, 32e3, 0.5
_VERSION = 1
"""Raised by whoever changes what the code computes."""


class GeometricSegmenter:
    """The projected 3D face, joined with the hull of the landmarks' oval, dilated.

    3DDFA_V2's mesh gives cheeks and jaw, also on the far side of a turned head; MediaPipe's oval follows brows,
    forehead and an open jaw more closely. Where MediaPipe sees no face the mesh stands alone; it is there even in an
    image without a face. Neither sees what lies over the face: hair, hats and hands are taken for face, and a forehead
    higher than the average is cut off. Ears are left out: neither shape nor identity of the 3D face says anything of
    them.

    May be used from several threads; a child process needs its own.

    Args:
        crop: what the images are aligned by: any template but ``frame``, and a size.

    Raises:
        UsageError: the crop is no aligned one.
        MissingError: an asset file cannot be had.
    """

    def __init__(self, crop: Crop) -> None:
        _check(crop)
        self._crop = crop
        self._landmarker = landmarker.Landmarker()
        self._tddfa = reconstruction.Tddfa()
        model = load_tddfa()
        self._model = model.only(np.flatnonzero(face_vertices(model.mean)))

    @property
    def fingerprint(self) -> str:
        """See `FaceSegmenter.fingerprint`."""
        parts = {
            "networks": [landmarker.CARD.hash, reconstruction.CARD.hash],
            "constants": [_EAR_TOP, _HALF_WIDTH, _FOREHEAD, _NOSE_BASE, _TEMPLES, _JAW_SLOPE, DILATE],
            "crop": asdict(self._crop),
            "version": _VERSION,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def segment(self, crop: Frame) -> Mask:
        """See `FaceSegmenter.segment`."""
        image = checked(crop, self._crop)
        mask = silhouette(self._vertices(image), self._crop.size)
        landmarks = self._landmarks(image)
        if np.isfinite(landmarks).all():
            mask |= face_mask(landmarks, mask.shape, dilate=0)
        return dilate(mask)

    def _vertices(self, image: Frame) -> NDArray[np.float64]:
        """The projected 3D face, ``(N, 2)`` pixels of the crop."""
        view, back = self._view(image, reconstruction.CARD.crop)
        seen = self._tddfa.coefficients(view)
        mesh = project(self._model.shape(seen.identity, seen.expression), seen.camera)
        return align.apply(back, reconstruction.to_pixels(mesh)[0, :, :2])

    def _landmarks(self, image: Frame) -> NDArray[np.float64]:
        """MediaPipe's mesh, ``(478, 2)`` pixels of the crop; NaN where it sees no face."""
        view, back = self._view(image, landmarker.CARD.crop)
        return align.apply(back, self._landmarker.observe(view)["landmarks"][0, :, :2])

    def _view(self, image: Frame, wanted: Crop) -> tuple[Floats, align.Matrix]:
        """The image as another network wants it, a batch of one, and the way back."""
        matrix = recrop.matrix(self._crop, wanted)
        return align.cut(image, matrix, wanted.size)[None], align.invert(matrix)


def make_segmenter(crop: Crop, parser: Path | None = None) -> FaceSegmenter:
    """The source of face masks: a user's face-parsing network where there is one, else the embedded networks.

    Args:
        crop: what the images are aligned by: any template but ``frame``, and a size.
        parser: a file, see `hifibench.faces.parsing`, or the name of an asset that is one.

    Raises:
        UsageError: the crop is no aligned one, or the file no such network.
        MissingError: an asset file cannot be had.
    """
    _check(crop)
    if parser is None:
        return GeometricSegmenter(crop)
    from hifibench.faces.parsing import ParsingSegmenter

    known = str(parser) in assets.brought() and not parser.exists()
    return ParsingSegmenter(assets.path(str(parser)) if known else parser, crop)


def face_vertices(mean: Floats) -> Mask:
    """Which vertices of 3DDFA_V2's mean face are what a swap should change: from hairline to jaw, before the ears.

    Args:
        mean: ``(V, 3)`` micrometres, as `hifibench.faces.morphable.load_tddfa` gives it.

    Returns:
        ``(V,)``.
    """
    x, y, z = mean.T
    forehead = np.hypot(x / _HALF_WIDTH, (y - _EAR_TOP) / _FOREHEAD) <= 1
    before_ears = z >= _TEMPLES + _JAW_SLOPE * np.minimum(y - _NOSE_BASE, 0)
    inside: Mask = ((y <= _EAR_TOP) | forehead) & before_ears
    return inside


def _check(crop: Crop) -> None:
    if crop.template == "frame" or crop.size <= 0:
        raise UsageError(
            f"Face masks are made in aligned crops; given template {crop.template!r}, size {crop.size}. "
            "Give a template other than 'frame' and a size, such as ffhq at 256."
        )
