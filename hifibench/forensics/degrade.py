"""What happens to pictures on their way: other colours, scales, blur, noise, JPEG. It says nothing of a forgery.

A real picture and its self-blend go through the same of it, with the same random numbers, so that a detector cannot
tell them apart by what befell both.
"""

from __future__ import annotations

import numpy as np

from hifibench.records import Frame

UNTOUCHED = 0.3
"""Share of pictures to which nothing happens."""


def degrade(frame: Frame, seed: int) -> Frame:
    """Let a picture pass through a chain that the seed decides: pictures of one size and one seed fare alike.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.
        seed: of the chain.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    rng = np.random.default_rng(seed)
    if rng.random() < UNTOUCHED:
        return frame
    if rng.random() < 0.5:
        frame = colours(frame, 0.08, 0.2, rng)
    if rng.random() < 0.3:
        frame = rescaled(frame, rng.uniform(0.5, 0.95), rng)
    if rng.random() < 0.25:
        frame = softened(frame, rng.uniform(0.3, 1.2))
    if rng.random() < 0.25:
        frame = noised(frame, rng.uniform(0.5, 6), rng)
    if rng.random() < 0.6:
        frame = jpeg(frame, int(rng.integers(45, 100)))
    return frame


def colours(frame: Frame, shift: float, spread: float, rng: np.random.Generator) -> Frame:
    """Shift the channels by up to ``shift`` of the range, change contrast, saturation and hue by up to ``spread``."""
    import cv2

    gray = np.array([0.299, 0.587, 0.114])
    contrast, saturation = 1 + rng.uniform(-spread, spread, 2)
    mix = contrast * (saturation * np.eye(3) + (1 - saturation) * gray)
    # A small turn about the gray axis is a change of hue.
    turn = rng.uniform(-spread, spread) * 0.6 / np.sqrt(3)
    mix = mix @ (np.eye(3) + turn * np.array([(0, -1, 1), (1, 0, -1), (-1, 1, 0)]))
    offset = 128 * (1 - mix.sum(1)) + 255 * rng.uniform(-shift, shift, 3)
    return np.asarray(cv2.transform(frame, np.column_stack([mix, offset])), np.uint8)


def rescaled(frame: Frame, factor: float, rng: np.random.Generator) -> Frame:
    """Make the picture smaller by a factor below 1 and as large as before again."""
    import cv2

    height, width = frame.shape[:2]
    small = (max(8, round(factor * width)), max(8, round(factor * height)))
    down, up = rng.choice((cv2.INTER_AREA, cv2.INTER_LINEAR)), rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC))
    coarse = cv2.resize(frame, small, interpolation=int(down))
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=int(up)), np.uint8)


def softened(frame: Frame, sigma: float) -> Frame:
    """Gaussian blur, sigma in pixels."""
    import cv2

    return np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.uint8)


def sharpened(frame: Frame, amount: float) -> Frame:
    """Unsharp masking about a blur of 1.2 pixels."""
    import cv2

    return np.asarray(cv2.addWeighted(frame, 1 + amount, softened(frame, 1.2), -amount, 0), np.uint8)


def noised(frame: Frame, sigma: float, rng: np.random.Generator) -> Frame:
    """Gaussian noise, sigma in levels of 255, cut off at 2.9 sigma."""
    import cv2
    from scipy.special import ndtri

    # A byte is a quantile of the distribution: many times as quick as drawing the numbers themselves.
    table = np.rint(sigma * ndtri((np.arange(256) + 0.5) / 256)).astype(np.int16)
    drawn = table[np.frombuffer(rng.bytes(frame.size), np.uint8).reshape(frame.shape)]
    return np.asarray(cv2.add(frame, drawn, dtype=cv2.CV_8U), np.uint8)


def jpeg(frame: Frame, quality: int) -> Frame:
    """Through JPEG with chroma at half the resolution."""
    import cv2

    # The encoder takes blue first.
    _, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
