"""Putting a swapped crop back into its frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.faces import align, templates
from hifibench.records import Floats, Frame, Mask

# In the coordinates of the FFHQ template at 512, an ellipse from mid forehead to chin that keeps to the inside of the
# mean face oval (MediaPipe's, 40 portraits).
_MIDDLE = np.array([258.0, 302.0])
_RADII = np.array([130.0, 158.0])
# The part of the ellipse's radius, and of the crop's side, over which the mask fades.
_FADE, _BORDER_FADE = 0.3, 0.12


def soft_mask(crop: Crop) -> Floats:
    """The harness's own face mask for swappers that give none.

    An ellipse over the mean face of the template that fades out smoothly and ends before the crop does.

    Args:
        crop: any template but ``frame``, and a size S.

    Returns:
        ``(S, S)`` float32 in [0, 1], exactly 0 on the crop's outermost pixels.

    Raises:
        UsageError: the template is unknown, or ``frame``: where the face lies in a frame depends on the frame.
    """
    if crop.template == "frame":
        raise UsageError("A swapper that works on whole frames has to give its own mask.")
    # A wide frame around the mean face, so that crops which stop at the frame's edge do not stop here.
    margin, side = 1024.0, 2560
    back = align.invert(templates.matrix(templates.mean_face(margin), crop, (side, side)))
    grid = np.stack(np.meshgrid(np.arange(crop.size), np.arange(crop.size)), axis=-1)
    radius = np.linalg.norm((align.apply(back, grid) - margin - _MIDDLE) / _RADII, axis=-1)
    edge = np.minimum(grid, crop.size - 1 - grid).min(-1) / max(1.0, _BORDER_FADE * crop.size)
    mask: Floats = (_smooth((1 - radius) / _FADE) * _smooth(edge)).astype(np.float32)
    return mask


def paste_back(frame: Frame, image: Floats, matrix: align.Matrix, mask: Floats) -> Frame:
    """Blend a crop into its frame: ``mask * image + (1 - mask) * frame``, both warped back bilinearly.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB; not changed.
        image: ``(3, S, S)`` float32 RGB in [0, 1]; values outside are clipped.
        matrix: ``(2, 3)`` frame to crop, as the crop was cut with.
        mask: ``(S, S)`` float32 in [0, 1].

    Returns:
        A new frame; pixels that the mask does not reach are the same bytes as before.

    Raises:
        ValueError: image or mask have other shapes, or hold NaN.
    """
    import cv2

    size = image.shape[-1]
    if image.shape != (3, size, size) or mask.shape != (size, size):
        raise ValueError(f"paste_back takes an image (3, S, S) and a mask (S, S); given {image.shape}, {mask.shape}.")
    if not (np.isfinite(image).all() and np.isfinite(mask).all()):
        raise ValueError("paste_back takes finite numbers; the image or the mask holds NaN or infinity.")
    out = frame.copy()
    corners = align.apply(align.invert(matrix), [(-1, -1), (size, -1), (-1, size), (size, size)])
    left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, frame.shape[1::-1])
    if right <= left or bottom <= top:
        return out
    pixels = np.clip(image, 0, 1).astype(np.float32)
    # Where the frame is coarser than the crop, the crop is blurred to the frame's resolution first.
    sigma = 0.5 * math.sqrt(max(0.0, align.shrinkage(matrix) ** -2 - 1))
    layers: NDArray[Any] = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    if sigma > 0.2:
        layers = cv2.GaussianBlur(layers, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    local = matrix.copy()
    local[:, 2] = align.apply(matrix, (left, top))
    extent = (int(right - left), int(bottom - top))
    back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(layers, local, extent, flags=back, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(np.clip(mask, 0, 1).astype(np.float32), local, extent, flags=back)[..., None]
    under = out[top:bottom, left:right]
    blend = under + alpha * (warped * np.float32(255) - under)
    out[top:bottom, left:right] = np.where(alpha > 0, np.rint(blend).clip(0, 255), under).astype(np.uint8)
    return out


def spread(mask: Floats, matrix: align.Matrix, shape: tuple[int, ...]) -> Mask:
    """A crop's mask in the pixels of its frame, as `paste_back` lays it there.

    Args:
        mask: ``(S, S)`` float32 in [0, 1].
        matrix: ``(2, 3)`` frame to crop, as the crop was cut with.
        shape: of the frame, ``(H, W, …)``.

    Returns:
        ``(H, W)`` uint8, 255 where the crop alone is seen, 0 where it does not reach.
    """
    import cv2

    back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return in_bytes(cv2.warpAffine(mask, matrix, shape[1::-1], flags=back))


def in_bytes(mask: NDArray[Any]) -> Mask:
    """A mask in [0, 1] as uint8 in [0, 255]; what lies outside is clipped."""
    levels: Mask = np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8)
    return levels


def _smooth(ramp: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smoothstep: 0 below 0, 1 above 1, with level ends."""
    t: NDArray[np.float64] = np.clip(ramp, 0, 1)
    return t * t * (3 - 2 * t)
