"""Similarity transforms between a frame and a crop, and cutting the crop out.

A transform is a ``(2, 3)`` float64 matrix that takes frame pixels to crop pixels; in both, the centre of the top-left
pixel is (0, 0), which is what ``cv2.warpAffine`` assumes too.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hifibench.records import Floats, Frame

Matrix = NDArray[np.float64]
Border = Literal["replicate", "zero"]
Window = tuple[int, int, int, int]

_MOST_SAMPLES = 1 << 22
"""Samples held at once: a crop that is far coarser than its frame is cut in bands, or it would take gigabytes."""


def similarity(src: ArrayLike, dst: ArrayLike) -> Matrix:
    """The scaling, rotation and translation (no reflection) that takes ``src`` to ``dst`` with least squared error.

    Args:
        src: ``(N, 2)`` points, N >= 2.
        dst: ``(N, 2)`` points they should land on.

    Returns:
        ``(2, 3)`` float64.

    Raises:
        ValueError: the shapes differ, a coordinate is not finite, or one of the sets is a single point.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 13(4), 1991, eq. 40-42, which in the plane has this closed form: with centred points read as complex
    numbers, scale and rotation are <src, dst> / <src, src>. A reflection cannot be written as such a product.
    """
    p, q = np.asarray(src, np.float64), np.asarray(dst, np.float64)
    if p.shape != q.shape or p.ndim != 2 or p.shape[0] < 2 or p.shape[1] != 2:
        raise ValueError(f"similarity takes two (N, 2) point sets, N >= 2; given {p.shape} and {q.shape}.")
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise ValueError("similarity takes finite points; a coordinate is NaN or infinite.")
    p_mean, q_mean = p.mean(0), q.mean(0)
    z, w = (p - p_mean) @ (1, 1j), (q - q_mean) @ (1, 1j)
    spread, tiny = np.vdot(z, z).real, 1e-12 * (1 + np.abs(p).max()) ** 2
    if spread <= tiny:
        raise ValueError("similarity needs points that differ: all of src lie on one spot.")
    turn = np.vdot(z, w) / spread
    if abs(turn) <= 1e-9:
        raise ValueError("similarity finds no scale: dst is a single spot, or unrelated to src.")
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, q_mean - linear @ p_mean])


def invert(matrix: Matrix) -> Matrix:
    """The transform back, ``(2, 3)`` float64; raises ``ValueError`` if ``matrix`` flattens the plane."""
    linear, shift = np.asarray(matrix, np.float64)[:, :2], np.asarray(matrix, np.float64)[:, 2]
    try:
        back = np.linalg.inv(linear)
    except np.linalg.LinAlgError as error:
        raise ValueError(f"A transform that flattens the plane has no inverse: {linear.tolist()}.") from error
    return np.column_stack([back, -back @ shift])


def apply(matrix: Matrix, points: ArrayLike) -> NDArray[np.float64]:
    """Take points ``(..., 2)`` through ``matrix``; returns ``(..., 2)`` float64."""
    matrix = np.asarray(matrix, np.float64)
    moved: NDArray[np.float64] = np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return moved


def shrinkage(matrix: Matrix) -> float:
    """Frame pixels per crop pixel: above 1 the crop is coarser than the frame."""
    return 1 / math.sqrt(abs(float(np.linalg.det(np.asarray(matrix, np.float64)[:, :2]))))


def cut(
    frame: Frame, matrix: Matrix, size: int, *, border: Border = "replicate", window: Window | None = None
) -> Floats:
    """Sample the crop out of its frame, bilinearly.

    A crop coarser than its frame is sampled more finely, at a whole number of samples per crop pixel and at least
    one per frame pixel, and averaged: bilinear sampling alone looks at 2x2 frame pixels however far apart the
    samples lie, and what it skips comes back as moiré that changes with every sub-pixel move of the landmarks.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.
        matrix: ``(2, 3)`` frame to crop.
        size: side S of the crop in pixels; 0 takes the frame as it is and needs the identity (template ``frame``).
        border: what lies outside the frame: its nearest pixel, or black.
        window: left, top, right, bottom: only ``frame[top:bottom, left:right]`` is seen, the rest is outside.

    Returns:
        ``(3, S, S)`` float32 RGB in [0, 1]; ``(3, H, W)`` for size 0.

    Raises:
        ValueError: size 0 with another matrix than the identity, or a window that misses the frame.
    """
    import cv2

    matrix = np.asarray(matrix, np.float64)
    if size == 0:
        if not np.array_equal(matrix, np.eye(2, 3)):
            raise ValueError("A crop of size 0 is the frame itself and needs the identity matrix.")
        return chw(frame)
    height, width = frame.shape[:2]
    left, top, right, bottom = window or (0, 0, width, height)
    seen = frame[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if seen.size == 0:
        raise ValueError(f"The window {window} shows nothing of a frame of {width}x{height} pixels.")
    matrix = matrix.copy()
    matrix[:, 2] = apply(matrix, (max(left, 0), max(top, 0)))
    samples = max(1, math.ceil(shrinkage(matrix) - 1e-6))
    # The centre of crop pixel i lies at samples * (i + 1/2) - 1/2 of the finer grid.
    finer = samples * matrix
    finer[:, 2] += (samples - 1) / 2
    mode = cv2.BORDER_REPLICATE if border == "replicate" else cv2.BORDER_CONSTANT
    # A single sample keeps its fraction; many samples average their rounding away and are cheaper as bytes.
    source = seen.astype(np.float32) if samples == 1 else np.ascontiguousarray(seen)
    side, rows = samples * size, max(1, _MOST_SAMPLES // (samples * samples * size))
    crop = np.empty((size, size, 3), np.float32)
    for row in range(0, size, rows):
        band = crop[row : row + rows]
        extent = (side, samples * len(band))
        fine = cv2.warpAffine(source, finer, extent, flags=cv2.INTER_LINEAR, borderMode=mode)
        band[:] = cv2.resize(fine.astype(np.float32), band.shape[1::-1], interpolation=cv2.INTER_AREA)
        finer[1, 2] -= extent[1]
    return np.ascontiguousarray(crop.transpose(2, 0, 1)) / np.float32(255)


def chw(frame: Frame) -> Floats:
    """A frame ``(H, W, 3)`` uint8 as ``(3, H, W)`` float32 in [0, 1]."""
    return np.ascontiguousarray(frame.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)


def hwc(image: Floats) -> Frame:
    """An image ``(3, H, W)`` in [0, 1] as a frame ``(H, W, 3)`` uint8, clipped and rounded to nearest."""
    scaled = np.clip(np.asarray(image, np.float32), 0, 1)
    scaled *= 255  # in place: a photograph of 64 megapixels takes 768 MB in floats
    return np.ascontiguousarray(np.rint(scaled, out=scaled).astype(np.uint8).transpose(1, 2, 0))
