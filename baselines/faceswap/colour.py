"""Colour between two pictures of skin: overall tone, and the light that falls on it. All in CIE L*a*b*."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

_TRIM = (5.0, 95.0)  # percentiles: highlights, nostrils and stray hair say nothing about the skin
_STRIDE = 5  # statistics from every fifth pixel of a region are as good and several times faster
# Admitted change of contrast in L*, a*, b*. Brows, eyes and lips are made of lightness, and a hard light goes by
# `relight` anyway: with much less contrast they fade. Hue is never sharpened, or the shadows of a face in warm light
# turn blue.
_LEAST_GAIN, _MOST_GAIN = (0.8, 0.5, 0.5), (1.3, 0.6, 0.6)
_COARSE = 4  # light varies slowly: it is computed on a picture this many times smaller
# Reach of "slow" as a share of the face's size: features smaller than that stay the source's. Hue may follow the
# target more closely than lightness, which is what features are made of.
_LIGHT, _HUE = 0.18, 0.09


def to_lab(image: Floats32) -> Floats32:
    """``(H, W, 3)`` float32 RGB in ``[0, 1]`` -> L* in ``[0, 100]``, a*, b*."""
    import cv2

    lab: Floats32 = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), dtype=np.float32)
    return lab


def to_rgb(lab: Floats32) -> Floats32:
    """The inverse of `to_lab`, clipped to ``[0, 1]``."""
    import cv2

    image: Floats32 = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), dtype=np.float32)
    return np.clip(image, 0.0, 1.0)


def transfer(lab: Floats32, like: Floats32, region: Bools) -> Floats32:
    """Give a picture the mean and, within limits, the spread that another has in a region, channel by channel.

    Reinhard et al., "Color Transfer between Images", IEEE CG&A 2001, equations 10 and 11; there in log LMS.

    Args:
        lab: ``(H, W, 3)`` float32: L* in ``[0, 100]``, a*, b*.
        like: the same size and space.
        region: ``(H, W)`` the pixels that count; without any the picture comes back unchanged.

    Returns:
        ``(H, W, 3)`` in the same space.
    """
    if not region.any():
        return lab
    mean, spread = trimmed(lab[region])
    wanted_mean, wanted_spread = trimmed(like[region])
    gain = np.clip(wanted_spread / np.maximum(spread, 1e-3), _LEAST_GAIN, _MOST_GAIN)
    return ((lab - mean) * gain + wanted_mean).astype(np.float32)


def relight(lab: Floats32, like: Floats32, region: Bools, size: float) -> Floats32:
    """Replace the slow part of a picture, its light and its cast, by that of another.

    The slow part is a Gaussian mean over the region alone (normalised convolution), so that hair and background
    do not leak into the skin.

    Args:
        lab: ``(H, W, 3)`` float32: L* in ``[0, 100]``, a*, b*.
        like: the same size and space.
        region: ``(H, W)`` the pixels that count; without any the picture comes back unchanged.
        size: of the face in pixels.

    Returns:
        ``(H, W, 3)`` in the same space.
    """
    import cv2

    if not region.any():
        return lab
    height, width = region.shape
    small = (max(1, width // _COARSE), max(1, height // _COARSE))
    weight = region.astype(np.float32)
    excess = cv2.resize((like - lab) * weight[..., None], small, interpolation=cv2.INTER_AREA)
    share = cv2.resize(weight, small, interpolation=cv2.INTER_AREA)

    def slow(channels: slice, reach: float) -> Floats32:
        sigma = reach * size / _COARSE
        total = cv2.GaussianBlur(excess[..., channels], (0, 0), sigma).reshape(*share.shape, -1)
        amount = np.maximum(cv2.GaussianBlur(share, (0, 0), sigma), 1e-4)
        return np.asarray(total / amount[..., None], dtype=np.float32)

    offset = np.concatenate([slow(slice(0, 1), _LIGHT), slow(slice(1, 3), _HUE)], axis=2)
    relit: Floats32 = lab + cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    return relit


def trimmed(pixels: Floats32) -> tuple[Floats32, Floats32]:
    """Mean and standard deviation ``(3,)`` of ``(N, 3)`` pixels between the 5th and 95th percentile of each channel."""
    sample = pixels[::_STRIDE]
    low, high = np.percentile(sample, _TRIM, axis=0)
    kept = (sample >= low) & (sample <= high)
    mean: Floats32 = sample.mean(axis=0, where=kept)
    spread: Floats32 = sample.std(axis=0, where=kept, mean=mean[None])
    return mean, spread
