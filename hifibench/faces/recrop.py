"""From one aligned crop to another, differentiably: how training shows an aligned image to networks of other crops.

A training image is already aligned, so where another template lies in it follows from the two templates alone; the
face's own landmarks are not looked at again. For templates that follow the detector's box (``box``), the mean face's
box stands in.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hifibench.contracts import Crop
from hifibench.faces import align, templates
from hifibench.records import Floats


@cache
def matrix(given: Crop, wanted: Crop) -> align.Matrix:
    """Pixels of the given crop to pixels of the wanted one, ``(2, 3)`` float64, for the mean face."""
    side = 4 * templates.MEAN_SIDE
    face = templates.mean_face(1.5 * templates.MEAN_SIDE)
    to_given, to_wanted = (templates.matrix(face, crop, (side, side)) for crop in (given, wanted))
    back = np.vstack([align.invert(to_given), [0, 0, 1]])
    both: align.Matrix = to_wanted @ back
    return both


@lru_cache(maxsize=32)
def _places(given: Crop, wanted: Crop, samples: int) -> Floats:
    """Where the wanted crop's samples lie in the given one: ``(1, n, n, 2)`` in [-1, 1], as ``grid_sample`` takes it.

    NumPy's, and not torch's: to whoever exports a network that crops, the grid is then a constant.
    """
    fine = samples * wanted.size
    # Pixel centres of the finer grid, in wanted pixels, taken back to given pixels and scaled to [-1, 1].
    line = (np.arange(fine, dtype=np.float64) + 0.5) / samples - 0.5
    grid = np.stack(np.meshgrid(line, line, indexing="xy"), axis=-1).reshape(-1, 2)
    places = (align.apply(align.invert(matrix(given, wanted)), grid) + 0.5) * 2 / given.size - 1
    return places.astype(np.float32).reshape(1, fine, fine, 2)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _cut(given: Crop, wanted: Crop, device: torch.device) -> tuple[int, Tensor]:
    """Samples a pixel, and where they lie. A constant to compilers, too: else they would trace how it comes about."""
    return _kept_cut(given, wanted, device)


@cache
def _kept_cut(given: Crop, wanted: Crop, device: torch.device) -> tuple[int, Tensor]:
    samples = max(1, math.ceil(align.shrinkage(matrix(given, wanted)) - 1e-6))
    with torch.inference_mode(False):  # whoever asks first, it must do for trainings as well
        return samples, torch.from_numpy(_places(given, wanted, samples)).to(device)


def recrop(images: Tensor, given: Crop, wanted: Crop) -> Tensor:
    """Cut the wanted crop out of images aligned by the given one; gradients flow to the images.

    Bilinear, with the nearest pixel beyond the border; where the wanted crop is coarser, several samples a pixel are
    averaged, as `hifibench.faces.align.cut` does.

    Args:
        images: ``(B, 3, S, S)``, S = ``given.size``.
        given: the crop the images are aligned by.
        wanted: the crop to make.

    Returns:
        ``(B, 3, T, T)``, T = ``wanted.size``, in the images' type.

    Raises:
        ValueError: the images have another size than the crop they are said to be.
    """
    if images.shape[-2:] != (given.size, given.size):
        raise ValueError(f"images of {tuple(images.shape[-2:])} pixels are no {given.template} crops of {given.size}")
    samples, where = _cut(given, wanted, images.device)
    seen = F.grid_sample(
        images.float(), where.expand(len(images), -1, -1, -1), padding_mode="border", align_corners=False
    )
    cut = F.avg_pool2d(seen, samples) if samples > 1 else seen
    return cut.to(images.dtype)
