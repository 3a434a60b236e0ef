"""What is held before a face, by seed: a hand's fingers or a bar, drawn over the picture with soft edges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.heads import light as lights
from hifibench.heads import person
from hifibench.heads.light import Light

Floats = NDArray[np.float32]


class Cover(NamedTuple):
    """Something opaque."""

    colour: Floats
    """``(size, size, 3)`` linear RGB."""
    alpha: Floats
    """``(size, size)`` in [0, 1]."""


def make(kind: str, seed: int, size: int, middle: tuple[float, float], scale: float, light: Light) -> Cover:
    """The hand or bar of a shot.

    Args:
        kind: ``hand`` or ``bar``.
        seed: of the shot.
        size: of the picture.
        middle: x, y in pixels of the face's middle.
        scale: pixels per millimetre there.
        light: that falls on it.
    """
    rng = np.random.default_rng((seed, 51))
    y, x = np.mgrid[:size, :size].astype(np.float32)
    u, v = (x - np.float32(middle[0])) / np.float32(scale), (np.float32(middle[1]) - y) / np.float32(scale)  # mm, y up
    return _hand(rng, u, v, scale, light) if kind == "hand" else _bar(rng, u, v, scale, light)


def _hand(
    rng: np.random.Generator, u: NDArray[np.floating], v: NDArray[np.floating], scale: float, light: Light
) -> Cover:
    """The back of a hand with four fingers, which comes in from below on either side."""
    skin = np.array(person.make(int(rng.integers(1 << 40))).look[:3], np.float64)
    side = rng.choice((-1.0, 1.0))
    tip = np.array([side * rng.uniform(-10, 30), rng.uniform(-60, 35)], np.float32)
    angle = np.radians(rng.uniform(25, 80))
    along = np.array([side * np.cos(angle), -np.sin(angle)], np.float32)  # from the tips to the wrist
    across = np.array([-along[1], along[0]], np.float32)
    knuckles = tip + along * 78
    height = np.full(u.shape, -1.0, np.float32)
    normal = np.zeros((*u.shape, 3), np.float32)
    crease = np.ones(u.shape, np.float32)
    spread = np.float32(rng.uniform(0.9, 1.3))
    for finger in range(4):
        root = knuckles + across * (finger - 1.5) * 18.0
        end = tip + across * (finger - 1.5) * 18.0 * spread + along * (9, 0, 4, 20)[finger]
        way = (root - end) / np.float32(np.linalg.norm(root - end))
        beside = np.array([-way[1], way[0]], np.float32)
        s, t = (u - end[0]) * way[0] + (v - end[1]) * way[1], (u - end[0]) * beside[0] + (v - end[1]) * beside[1]
        half = np.clip(7.2 + 0.03 * s, 7.2, 9.6)
        outside = np.minimum(s, 0)
        bump = np.sqrt(np.maximum(half**2 - outside**2 - t**2, 0))
        higher = (np.hypot(outside, t) < half) & (bump > height) & (s < 95)
        height = np.where(higher, bump, height)
        tilt = [way[k] * outside + beside[k] * t for k in range(2)]
        normal = np.where(higher[..., None], np.stack([*tilt, bump], -1) / half[..., None], normal)
        folds = np.exp(-(((s - 24) / 1.5) ** 2)) + np.exp(-(((s - 28) / 1.2) ** 2)) + np.exp(-(((s - 52) / 2.0) ** 2))
        nail = ((s - 1.0) / 7.0) ** 2 + (t / 5.0) ** 2 < 1
        crease = np.where(higher, (1 - 0.13 * folds) * np.where(nail, 1.14, 1.0), crease)
    # The back of the hand: a flat, wide capsule from the knuckles on, with tendons.
    s = (u - knuckles[0]) * along[0] + (v - knuckles[1]) * along[1]
    t = (u - knuckles[0]) * across[0] + (v - knuckles[1]) * across[1]
    half = np.clip(39 - 0.08 * np.maximum(s, 0), 26, 39)
    outside = np.minimum(s, 0) * 2.2
    flat = 1 - (outside**2 + t**2) / half**2
    bump = 11 * np.sqrt(np.maximum(flat, 0))
    higher = (flat > 0) & (bump > height)
    height = np.where(higher, bump, height)
    ridges = 0.22 * np.sin(t / 18 * 2 * np.pi + np.pi) * np.exp(-np.maximum(s, 0) / 60)
    tilt = [0.8 * across[k] * t / half + ridges * across[k] + 0.3 * along[k] * outside / half for k in range(2)]
    normal = np.where(higher[..., None], np.stack([*tilt, 0.35 + bump / 11], -1), normal)
    crease = np.where(higher, 1.0, crease)
    alpha = np.clip((height - 0.3) * scale * 0.8, 0, 1)
    grey = np.clip(0.35 + height / 9, 0, 1)
    return _lit(skin * (crease * grey)[..., None], normal, alpha, light)


def _bar(
    rng: np.random.Generator, u: NDArray[np.floating], v: NDArray[np.floating], scale: float, light: Light
) -> Cover:
    """A round bar across the picture, or a short one with an end, such as a microphone's or a pen's."""
    angle, off = np.radians(rng.uniform(-70, 70)), rng.uniform(-60, 45)
    half = rng.uniform(5, 16)
    along = np.array([np.cos(angle), np.sin(angle)])
    s = u * along[0] + (v - off) * along[1]
    t = -u * along[1] + (v - off) * along[0]
    if rng.random() < 0.5:
        s = np.minimum(s - rng.uniform(-20, 40), 0)
        gap = np.where(s < 0, np.abs(t), np.inf)
    else:
        gap = np.abs(t)
    bump = np.sqrt(np.maximum(half**2 - np.minimum(gap, half) ** 2, 0))
    tilt = np.stack([-along[1] * t, along[0] * t, bump], -1) / half
    rgb = np.exp(rng.uniform(np.log(0.02), np.log(0.7))) * np.exp(rng.normal(0, 0.5, 3))
    stripes = 1 + (0.5 * np.sign(np.sin(s / rng.uniform(5, 20))) if rng.random() < 0.3 else 0.0)
    alpha = np.clip((half - gap) * scale + 0.5, 0, 1)
    return _lit(np.clip(rgb, 0.01, 0.9) * np.broadcast_to(stripes, gap.shape)[..., None], tilt, alpha, light)


def _lit(
    albedo: NDArray[np.floating], normal: NDArray[np.floating], alpha: NDArray[np.floating], light: Light
) -> Cover:
    """Light on what is seen at all."""
    seen = alpha > 0
    towards = normal[seen]
    towards = towards / (np.linalg.norm(towards, axis=-1, keepdims=True) + 1e-9)
    colour = np.zeros((*alpha.shape, 3), np.float32)
    colour[seen] = albedo[seen] * np.maximum(lights.basis(towards) @ light.harmonics, 0.02)
    return Cover(colour, alpha.astype(np.float32))
