"""What is behind a head, by seed: a gradient, blurred things, lights out of focus, or a wall."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def make(seed: int, size: int) -> Floats:
    """``(size, size, 3)`` linear RGB; made at half the size, since nothing in it is sharp."""
    rng = np.random.default_rng((seed, 41))
    base = _colour(rng, 0.02, 0.7)
    full, size = size, size // 2
    picture = _gradient(rng, size, base)
    kind = rng.choice(("plain", "things", "lights", "wall"), p=(0.2, 0.4, 0.2, 0.2))
    if kind == "things":
        picture = _things(rng, size, picture)
    elif kind == "lights":
        picture = _lights(rng, size, 0.4 * picture)
    elif kind == "wall":
        picture = _wall(rng, size, picture)
    grain = cv2.resize(rng.normal(size=(24, 24)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    picture = np.maximum(picture * (1 + 0.05 * grain[..., None]), 0.002).astype(np.float32)
    return cv2.resize(picture, (full, full), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _colour(rng: np.random.Generator, low: float, high: float) -> NDArray[np.float64]:
    grey = np.exp(rng.uniform(np.log(low), np.log(high)))
    colour: NDArray[np.float64] = np.clip(grey * np.exp(rng.normal(0, 0.22, 3)), 0.003, 0.95)
    return colour


def _gradient(rng: np.random.Generator, size: int, base: NDArray[np.float64]) -> Floats:
    other = base * np.exp(rng.normal(0, 0.5)) * np.exp(rng.normal(0, 0.15, 3))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:size, :size] / size - 0.5
    share = np.clip(0.5 + np.cos(angle) * x + np.sin(angle) * y, 0, 1)[..., None]
    gradient: Floats = (base + share * (other - base)).astype(np.float32)
    return gradient


def _things(rng: np.random.Generator, size: int, picture: Floats) -> Floats:
    """Rectangles and ellipses, then out of focus."""
    picture = picture.copy()
    for _ in range(rng.integers(6, 16)):
        colour = tuple(float(value) for value in _colour(rng, 0.01, 0.8))
        x, y = (int(value) for value in rng.integers(-size // 4, size * 5 // 4, 2))
        wide, tall = (int(value) for value in rng.integers(size // 12, size // 2, 2))
        if rng.random() < 0.6:
            cv2.rectangle(picture, (x, y), (x + wide, y + tall), colour, -1)
        else:
            cv2.ellipse(picture, (x, y), (wide // 2, tall // 2), float(rng.uniform(0, 180)), 0, 360, colour, -1)
    return cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(2, 11)) * size / 256).astype(np.float32)


def _lights(rng: np.random.Generator, size: int, picture: Floats) -> Floats:
    """Bright discs over the dark."""
    glow = np.zeros_like(picture)
    radius = rng.uniform(7, 16) * size / 256
    for _ in range(rng.integers(10, 35)):
        x, y = (int(value) for value in rng.integers(0, size, 2))
        reach = int(radius * rng.uniform(0.8, 1.2))
        part = glow[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        rows, columns = np.ogrid[max(y - reach, 0) - y : part.shape[0] + max(y - reach, 0) - y,
                                 max(x - reach, 0) - x : part.shape[1] + max(x - reach, 0) - x]  # fmt: skip
        part[rows**2 + columns**2 <= reach**2] += _colour(rng, 0.05, 0.6).astype(np.float32)
    return picture + cv2.GaussianBlur(glow, (0, 0), 1.2 * size / 256).astype(np.float32)


def _wall(rng: np.random.Generator, size: int, picture: Floats) -> Floats:
    """Plaster, or rows of bricks or planks, slightly out of focus."""
    rough = sum(
        cv2.resize(rng.normal(size=(n, n)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC) / k
        for k, n in enumerate((8, 24, 64, 128), 1)
    )
    shade = 1 + 0.08 * np.asarray(rough)
    if rng.random() < 0.6:
        y, x = np.mgrid[:size, :size]
        tall, wide = rng.uniform(14, 40) * size / 256, rng.uniform(30, 90) * size / 256
        row = np.floor(y / tall)
        gap = np.minimum(np.abs(y / tall % 1 - 0.5), 0.5) > 0.46
        gap |= np.abs((x / wide + 0.5 * row) % 1 - 0.5) > 0.485
        tone = rng.normal(1, 0.12, (64, 64))
        shade = shade * tone[row.astype(int) % 64, np.floor(x / wide + 0.5 * row).astype(int) % 64]
        shade = np.where(gap, 0.7 * shade, shade)
    blurred = cv2.GaussianBlur(shade.astype(np.float32), (0, 0), float(rng.uniform(0.7, 3)) * size / 256)
    return (picture * blurred[..., None]).astype(np.float32)
