"""Who somebody is, by seed: the shape of the head and the look of its skin, brows, lips, stubble and irises."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.heads import geometry

Floats = NDArray[np.float32]

_SPREAD, _LIMIT = 1.25, 2.6  # standard deviations of a coefficient, and where it is cut off

LOOK = (
    "skin_r", "skin_g", "skin_b", "blood", "mottle", "freckles", "age", "shine", "under_eye",
    "brow_opacity", "brow_width", "brow_lift", "brow_tilt", "brow_arch", "brow_reach", "brow_gap",
    "hair_r", "hair_g", "hair_b",
    "lip_r", "lip_g", "lip_b", "lip_opacity", "lip_width",
    "iris_r", "iris_g", "iris_b", "iris_mm", "pupil",
    "stubble", "moustache", "beard_line", "lashes", "shadow",
    "offset_x", "offset_y", "offset_z",
    "mole1_x", "mole1_y", "mole1_mm", "mole2_x", "mole2_y", "mole2_mm", "mole3_x", "mole3_y", "mole3_mm",
)  # fmt: skip
"""Names of the numbers of a look; colours are linear RGB."""

# Linear albedos from pale to dark, at equal steps of melanin.
_SKIN = np.array(
    [[0.70, 0.47, 0.36], [0.60, 0.38, 0.26], [0.40, 0.215, 0.125], [0.21, 0.105, 0.058], [0.10, 0.05, 0.03]]
)
_HAIR = np.array(
    [[0.012, 0.009, 0.008], [0.045, 0.024, 0.014], [0.14, 0.07, 0.035], [0.32, 0.19, 0.09], [0.24, 0.07, 0.025]]
)
_GREY = np.array([0.36, 0.35, 0.34])
_IRIS = np.array([[0.05, 0.02, 0.009], [0.12, 0.055, 0.02], [0.14, 0.12, 0.05], [0.09, 0.14, 0.11], [0.10, 0.18, 0.28]])


class Person(NamedTuple):
    """Everything that stays with somebody from shot to shot, but for the hair."""

    identity: Floats
    """``(components,)`` shape coefficients in standard deviations."""
    look: Floats
    """``(len(LOOK),)``."""


def make(seed: int) -> Person:
    """The person of a seed."""
    return Person(_identity(seed), _look(seed))


def mixed(one: Person, other: Person, shape: float, skin: float) -> Person:
    """Somebody between two people: ``shape`` and ``skin`` run from 0 (one) to 1 (other)."""
    return Person(
        (one.identity + np.float32(shape) * (other.identity - one.identity)).astype(np.float32),
        (one.look + np.float32(skin) * (other.look - one.look)).astype(np.float32),
    )


def hair_colour(rng: np.random.Generator, melanin: float) -> NDArray[np.float64]:
    """A natural colour, darker for darker skin; some people are grey. Linear RGB."""
    if melanin > 1.8:
        colour = _HAIR[0] * rng.uniform(0.8, 2.0)
    else:
        tone = rng.choice(5, p=(0.28, 0.32, 0.2, 0.14, 0.06))
        colour = _HAIR[tone] * rng.uniform(0.7, 1.4)
    grey = rng.uniform(0.3, 0.95) if rng.random() < 0.14 else 0.0
    mixed_in: NDArray[np.float64] = colour + grey * (_GREY * rng.uniform(0.5, 1.3) - colour)
    return mixed_in


def melanin_of(seed: int) -> float:
    """Place on the scale of skin colours, 0 (pale) to 4 (dark)."""
    return float(np.random.default_rng((seed, 11)).beta(1.1, 1.5) * 3.7)


def _identity(seed: int) -> Floats:
    rng = np.random.default_rng((seed, 10))
    values = rng.normal(size=len(geometry.load().basis)) * _SPREAD
    return np.clip(values, -_LIMIT, _LIMIT).astype(np.float32)


def _look(seed: int) -> Floats:
    rng = np.random.default_rng((seed, 12))
    uniform = rng.uniform
    melanin = melanin_of(seed)
    low = min(int(melanin), 3)
    skin = np.exp(np.log(_SKIN[low]) + (melanin - low) * (np.log(_SKIN[low + 1]) - np.log(_SKIN[low])))
    warm = uniform(-1, 1)
    skin = skin * np.exp(np.array([0.02, 0.04 * warm, 0.10 * warm]))
    hair = hair_colour(np.random.default_rng((seed, 20)), melanin)
    iris = _IRIS[0 if melanin > 2 else rng.choice(5, p=(0.2, 0.3, 0.15, 0.15, 0.2))] * uniform(0.6, 1.6)
    bearded = rng.random() < 0.45
    painted = rng.random() < 0.35 and not bearded  # lipstick
    lip = np.array([0.45, 0.05, 0.07]) * uniform(0.5, 1.2) if painted else skin * (uniform(0.6, 0.95), 0.5, 0.55)
    moles = np.array([(uniform(-55, 55), uniform(-95, 40), uniform(0.7, 2.0) * (rng.random() < 0.5)) for _ in range(3)])
    values = {
        **_colour("skin", skin), **_colour("hair", hair), **_colour("lip", lip), **_colour("iris", iris),
        "blood": uniform(0.2, 1.0), "mottle": uniform(0.4, 1.3),
        "freckles": uniform(0.3, 1) if melanin < 1.3 and rng.random() < 0.3 else 0.0,
        "age": max(0.0, uniform(-0.7, 1.0)), "shine": uniform(0.4, 1.2), "under_eye": uniform(0, 1),
        "brow_opacity": uniform(0.55, 1.0), "brow_width": uniform(1.6, 4.6), "brow_lift": uniform(-2.5, 3.5),
        "brow_tilt": uniform(-0.1, 0.1), "brow_arch": uniform(-1.5, 4.5), "brow_reach": uniform(45, 56),
        "brow_gap": uniform(6, 14),
        "lip_opacity": 0.9 if painted else uniform(0.45, 0.85), "lip_width": uniform(0.85, 1.25),
        "iris_mm": uniform(5.3, 6.0), "pupil": uniform(0.28, 0.5),
        "stubble": uniform(0.25, 1.0) if bearded else 0.0, "moustache": uniform(0, 1), "beard_line": uniform(-62, -42),
        "lashes": uniform(0.4, 1.0), "shadow": uniform(0.5, 0.9) if painted and rng.random() < 0.5 else 0.0,
        "offset_x": uniform(0, 64), "offset_y": uniform(0, 64), "offset_z": uniform(0, 64),
        **{f"mole{i + 1}_{name}": moles[i, k] for i in range(3) for k, name in enumerate(("x", "y", "mm"))},
    }  # fmt: skip
    return np.array([values[name] for name in LOOK], np.float32)


def _colour(name: str, rgb: NDArray[np.float64]) -> dict[str, float]:
    return {f"{name}_{channel}": float(value) for channel, value in zip("rgb", rgb, strict=True)}
