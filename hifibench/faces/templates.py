"""Named crops: where each family of networks expects the face to lie.

Five-point templates bring the landmarks onto fixed places by a similarity; box crops follow the detector's box or the
landmarks without turning the image. Published templates are scaled to another size as their own code scales them, by
plain multiplication, so pixel (0, 0) stays where it is and content drifts by up to half a pixel against a resized
crop. A box (left, top, right, bottom) shows what ``frame[top:bottom, left:right]`` shows, without its rounding to
whole pixels, and is resized edge to edge.

The box is always the neutral detector's, also where the published code used another detector (dlib, MTCNN).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.faces import align
from hifibench.records import Face, Floats, Frame
from hifibench.registry import did_you_mean

_ARCFACE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
# Five-point form of FFHQ's alignment at 512 (facexlib), as SimSwap, GFPGAN and CodeFormer use it.
FFHQ = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
)
# Profile left, half left, frontal, half right, profile right (InsightFace's face_align.py of 2019, used by SimSwap).
_SIMSWAP = np.array(
    [
        [(51.642, 50.115), (57.617, 49.990), (35.740, 69.007), (51.157, 89.050), (57.025, 89.702)],
        [(45.031, 50.118), (65.568, 50.872), (39.677, 68.111), (45.177, 86.190), (64.246, 86.758)],
        [(39.730, 51.138), (72.270, 51.138), (56.000, 68.493), (42.463, 87.010), (69.537, 87.010)],
        [(46.845, 50.872), (67.382, 50.118), (72.737, 68.111), (48.167, 86.758), (67.236, 86.190)],
        [(54.796, 49.990), (60.771, 50.115), (76.673, 69.007), (55.388, 89.702), (61.257, 89.050)],
    ]
)
# dlib's mean face (image_transforms/interpolation.h) in a unit square, reduced to the five landmarks: the means of its
# points 36-41 and 42-47 (eyes), 30 (nose tip), 48 and 54 (mouth corners). Chips add a padding of 1/4 on each side.
_DLIB = np.array(
    [
        (0.225492, 0.215990),
        (0.754761, 0.215990),
        (0.490127, 0.515625),
        (0.254149, 0.780233),
        (0.726104, 0.780233),
    ]
)
_DLIB_PADDING = 0.25
# Deep3DFaceRecon, similarity_Lm3D_all.mat reduced to five points (eyes, nose tip, mouth corners), y up.
_DEEP3D = np.array(
    [
        (-0.31148657, 0.29036078, 0.13377953),
        (0.30979887, 0.28972036, 0.13179526),
        (0.0032535, -0.04617932, 0.55244243),
        (-0.25216928, -0.38133916, 0.22405732),
        (0.2484662, -0.38128236, 0.22235769),
    ]
)
_DEEP3D_SCALE, _DEEP3D_SIZE = 102.0, 224.0
_FFPP_SCALE = 1.3
# The side of `box` in mean sides of the detector's box, and how far its middle lies below the detector's. 3DDFA was
# trained on 1.23 and 0.15 in these units, MediaPipe's landmarks agree best with those of the whole frame at 1.3 to 1.6.
_BOX_SCALE, _BOX_SHIFT = 1.3, 0.1
# The same of `ringnet`, whose authors ask for a loose crop and give no figure: chosen so that the crop shows what the
# aligned CelebA photographs show, on which their demo runs whole, edges repeated to a square.
_RINGNET_SCALE, _RINGNET_SHIFT = 2.2, -0.15

MEAN_SIDE = 512
"""Side of the crop in which `mean_face` is given."""
# Of the detector, over 40 portraits.
_MEAN_BOX = np.array([116.0, 96.0, 406.0, 465.0])


class _Template(NamedTuple):
    """Landmark places, ``(5, 2)`` or several such sets of which the best fits, in a crop of side ``size``."""

    points: NDArray[np.float64]
    size: float
    border: align.Border


_FIVE_POINTS = {
    "arcface": _Template(_ARCFACE, 112, "zero"),
    # HifiFace and BlendSwap's target at 256, FaceShifter alike; SimSwap and face restoration at 512.
    "ffhq": _Template(FFHQ, 512, "replicate"),
    # InsightFace widens the ArcFace crop for sizes that are multiples of 128 and keeps it centred.
    "inswapper": _Template(_ARCFACE + np.array([8, 0]), 128, "zero"),
    # The frontal one of SimSwap's alone: FaceFusion's arcface_112_v1, with which it runs its SimSwap and GHOST exports.
    "arcface-v1": _Template(_SIMSWAP[2], 112, "zero"),
    # ArcFace with more around the face, its points at 0.85 of their distance from the middle: mtcnn_512 of FaceFusion
    # and of the unofficial HifiFace, to the seven digits in which those are published.
    "arcface-85": _Template(56 + 0.85 * (_ARCFACE - 56), 112, "zero"),
    "simswap-224": _Template(2 * _SIMSWAP, 224, "zero"),
    "dlib": _Template(150 * (_DLIB + _DLIB_PADDING) / (1 + 2 * _DLIB_PADDING), 150, "zero"),
}
_BORDERS: dict[str, align.Border] = {
    **{name: template.border for name, template in _FIVE_POINTS.items()},
    "deep3d": "zero",
    "ffpp-xception": "replicate",
    "dfdc": "zero",
    "hopenet": "replicate",
    "ringnet": "replicate",
    "box": "replicate",
    "frame": "replicate",
}


def mean_face(offset: float = 0.0) -> Face:
    """The mean face in the FFHQ template at 512, the detector's mean box around it, both moved by ``offset`` pixels."""
    return Face((_MEAN_BOX + offset).astype(np.float32), (FFHQ + offset).astype(np.float32), 1.0)


def names() -> list[str]:
    """All template names, sorted."""
    return sorted(_BORDERS)


def matrix(face: Face, crop: Crop, shape: tuple[int, ...]) -> align.Matrix:
    """The transform from frame to crop.

    Args:
        face: where the face is in the frame; not looked at by the template ``frame``.
        crop: template and size.
        shape: the frame's height and width (more is ignored).

    Returns:
        ``(2, 3)`` float64; the identity for the template ``frame``.

    Raises:
        UsageError: there is no such template, or it is given no size.
        ValueError: the face's landmarks all lie on one spot, or its box beside the frame.
    """
    name, size = crop.template, crop.size
    if name not in _BORDERS:
        raise UsageError(f"Unknown crop template {name!r}.{did_you_mean(name, names())}")
    if name == "frame":
        return np.eye(2, 3)
    if size <= 0:
        raise UsageError(f"The crop template {name!r} needs a size in pixels; given {size}.")
    if name in _FIVE_POINTS:
        return _five_points(face, _FIVE_POINTS[name], size)
    if name == "deep3d":
        return _deep3d(face, size, shape[0])
    if name == "dfdc":
        return _fit(_dfdc_window(face, shape), size)
    return _square(face, name, size, shape)


def take(frame: Frame, face: Face, crop: Crop) -> tuple[Floats, align.Matrix]:
    """Cut the crop as its family does, with the border it expects beyond the frame.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.
        face: where the face is in the frame.
        crop: template and size.

    Returns:
        The crop, ``(3, S, S)`` float32 RGB in [0, 1] (``(3, H, W)`` for the template ``frame``), and its matrix.

    Raises:
        UsageError, ValueError: as `matrix`.
    """
    to_crop = matrix(face, crop, frame.shape)
    if crop.template == "frame":
        return align.chw(frame), to_crop
    window = _dfdc_window(face, frame.shape) if crop.template == "dfdc" else None
    cut = align.cut(frame, to_crop, crop.size, border=_BORDERS[crop.template], window=window)
    return cut, to_crop


def _five_points(face: Face, template: _Template, size: int) -> align.Matrix:
    """Least squares onto the template; of several sets of points the one with the smallest remaining distance."""
    candidates = template.points.reshape(-1, 5, 2) * (size / template.size)
    fits = [align.similarity(face.landmarks, points) for points in candidates]
    errors = [
        np.linalg.norm(align.apply(fit, face.landmarks) - points, axis=1).sum()
        for fit, points in zip(fits, candidates, strict=True)
    ]
    return fits[int(np.argmin(errors))]


def _deep3d(face: Face, size: int, height: int) -> align.Matrix:
    """Scale and translation of a weak-perspective fit of the 3-D template; the head's roll stays in the crop.

    Source: Deng et al., "Accurate 3D Face Reconstruction with Weakly-Supervised Learning", CVPRW 2019, and its
    ``align_img``: scale so that the template measures 102 px in a crop of 224, its origin in the middle. There y
    runs up from the lowest row, hence ``height - 1``.
    """
    points = face.landmarks.astype(np.float64)
    points[:, 1] = height - 1 - points[:, 1]
    solution = np.linalg.lstsq(np.column_stack([_DEEP3D, np.ones(5)]), points, rcond=None)[0]
    spread = np.linalg.norm(solution[:3], axis=0).mean()
    if spread < 1e-9:
        raise ValueError("The face's landmarks all lie on one spot.")
    scale = _DEEP3D_SCALE / spread * size / _DEEP3D_SIZE
    # The frame is resized edge to edge, then cut: pixel x lands on scale * (x + 1/2) - 1/2.
    middle = np.array([solution[3, 0], height - solution[3, 1]])
    return np.column_stack([scale * np.eye(2), scale * (0.5 - middle) + (size - 1) / 2])


def _square(face: Face, name: str, size: int, shape: tuple[int, ...]) -> align.Matrix:
    """The upright square crops."""
    left, top, right, bottom = face.box.astype(np.float64)
    middle = np.array([left + right, top + bottom]) / 2
    width, height = right - left, bottom - top
    if name == "box":
        # Follows the box, not the landmarks: when the image is moved by one pixel, both centres err by 0.1 % of the
        # face, but the box's size by 0.13 % against 0.16 %, and it does not shrink when the head turns.
        side = (width + height) / 2
        middle[1] += _BOX_SHIFT * side
        return _fit(_around(middle, _BOX_SCALE * side), size)
    if name == "ringnet":
        side = (width + height) / 2
        middle[1] += _RINGNET_SHIFT * side
        return _fit(_around(middle, _RINGNET_SCALE * side), size)
    if name == "ffpp-xception":
        # FaceForensics++ get_boundingbox: what does not fit into the frame is cut off on the right and below.
        side = _FFPP_SCALE * max(width, height)
        corner = np.maximum(middle - side / 2, 0)
        side = min(side, shape[1] - corner[0], shape[0] - corner[1])
        return _fit((corner[0], corner[1], corner[0] + side, corner[1] + side), size)
    # Hopenet test_on_video_dlib: half a width on either side, 3/4 of a height above and 1/4 below, within the frame;
    # then the short side is resized to the crop and the long one cut at its middle.
    left, right = max(left - width / 2, 0), min(right + width / 2, shape[1])
    top, bottom = max(top - 3 * height / 4, 0), min(bottom + height / 4, shape[0])
    middle = np.array([left + right, top + bottom]) / 2
    return _fit(_around(middle, min(right - left, bottom - top)), size)


def _dfdc_window(face: Face, shape: tuple[int, ...]) -> align.Window:
    """The box and a third of it on each side, within the frame, in whole pixels.

    Source: S. Seferbekov's first place in the Deepfake Detection Challenge, ``kernel_utils.py``.
    """
    left, top, right, bottom = (int(edge) for edge in face.box)
    across, down = (right - left) // 3, (bottom - top) // 3
    return (
        max(left - across, 0),
        max(top - down, 0),
        min(right + across, shape[1]),
        min(bottom + down, shape[0]),
    )


def _around(middle: NDArray[np.float64], side: float) -> tuple[float, float, float, float]:
    x, y = middle
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def _fit(box: tuple[float, float, float, float], size: int) -> align.Matrix:
    """A box resized edge to edge: its long side fills the crop, the short one lies in the middle of it."""
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        raise ValueError("The face's box shows nothing of the frame.")
    scale = size / max(right - left, bottom - top)
    # In the pixel-centre coordinates of the project the box's middle lies half a pixel before its edges' mean.
    middle = np.array([left + right - 1, top + bottom - 1]) / 2
    return np.column_stack([scale * np.eye(2), (size - 1) / 2 - scale * middle])
