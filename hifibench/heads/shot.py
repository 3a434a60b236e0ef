"""How somebody is seen, by seed: pose, gaze, expression, camera, and how they move over the frames of a clip."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.heads import geometry

Floats = NDArray[np.float32]

FPS = 25
OCCLUDERS = ("none", "glasses", "hand", "bar")
_OCCLUDED = 0.2  # one shot in five


class Shot(NamedTuple):
    """What of a frame belongs to neither person nor hair; light and background have modules of their own."""

    pose_deg: NDArray[np.float64]
    """Yaw, pitch, roll."""
    gaze_deg: NDArray[np.float64]
    """Yaw and pitch of the eyes, relative to the head."""
    expression: Floats
    """``(52,)`` in [0, 1]; lids follow the gaze."""
    distance: float
    """From the camera to the head's origin, mm."""
    focal: float
    """In widths of the image."""
    middle: tuple[float, float]
    """Where the head's origin is seen, in widths of the image from its middle, y down."""
    occluder: str


def make(seed: int, frame: int = 0) -> Shot:
    """A frame of a shot; frame 0 is the shot itself."""
    rng = np.random.default_rng((seed, 30))
    pose = rng.normal(size=3) * (18.0, 10.0, 6.0)
    pose = np.clip(pose, (-45, -25, -18), (45, 25, 18))
    gaze = np.clip(rng.normal(size=2) * (9.0, 5.0), (-22, -14), (22, 14))
    felt = expression(seed)
    distance = float(rng.uniform(650, 1500))
    scale = float(rng.uniform(1 / 335, 1 / 290))  # widths of the image per mm
    middle = (float(rng.normal(0, 0.02)), float(rng.normal(0.045, 0.02)))
    occluder = OCCLUDERS[rng.integers(1, len(OCCLUDERS))] if rng.random() < _OCCLUDED else "none"
    if frame:
        pose, gaze, felt = _moved(seed, frame / FPS, pose, gaze, felt)
    return Shot(pose, gaze, felt, distance, distance * scale, middle, occluder)


def looking(weights: Floats, gaze_deg: NDArray[np.float64]) -> Floats:
    """An expression whose lids follow the gaze."""
    names = geometry.load().names
    yaw, pitch = float(gaze_deg[0]), float(gaze_deg[1])
    share = {
        "eyeLookUpLeft": pitch / 30, "eyeLookUpRight": pitch / 30,
        "eyeLookDownLeft": -pitch / 30, "eyeLookDownRight": -pitch / 30,
        "eyeLookOutLeft": yaw / 35, "eyeLookInRight": yaw / 35,
        "eyeLookInLeft": -yaw / 35, "eyeLookOutRight": -yaw / 35,
    }  # fmt: skip
    out = weights.copy()
    for name, value in share.items():
        out[names.index(name)] = np.clip(value, 0, 1)
    return out


def expression(seed: int) -> Floats:
    """What a face does in a shot: one mood, sides a little uneven, weights in [0, 1]."""
    rng = np.random.default_rng((seed, 31))
    weights: dict[str, float] = {}

    def both(name: str, low: float, high: float) -> None:
        value = rng.uniform(low, high)
        for side in ("Left", "Right"):
            weights[name + side] = value * rng.uniform(0.88, 1.12)

    def one(name: str, low: float, high: float) -> None:
        weights[name] = rng.uniform(low, high)

    mood = rng.choice(
        ("calm", "smile", "laugh", "talk", "surprise", "frown", "pucker", "squint"),
        p=(0.26, 0.2, 0.1, 0.14, 0.08, 0.1, 0.05, 0.07),
    )
    both("eyeWide", 0.0, 0.3)
    if mood == "smile":
        both("mouthSmile", 0.3, 0.8)
        both("cheekSquint", 0.1, 0.4)
        both("eyeSquint", 0.0, 0.3)
    elif mood == "laugh":
        both("mouthSmile", 0.6, 1.0)
        both("mouthUpperUp", 0.1, 0.4)
        both("cheekSquint", 0.3, 0.7)
        both("eyeSquint", 0.1, 0.5)
        one("jawOpen", 0.1, 0.45)
    elif mood == "talk":
        one("jawOpen", 0.1, 0.5)
        one("mouthFunnel", 0.0, 0.5)
        both("mouthLowerDown", 0.0, 0.4)
        both("mouthStretch", 0.0, 0.3)
    elif mood == "surprise":
        one("jawOpen", 0.15, 0.45)
        one("browInnerUp", 0.4, 1.0)
        both("browOuterUp", 0.4, 1.0)
        both("eyeWide", 0.4, 1.0)
    elif mood == "frown":
        both("browDown", 0.4, 1.0)
        both("mouthFrown", 0.2, 0.8)
        both("noseSneer", 0.0, 0.5)
        both("mouthPress", 0.0, 0.4)
    elif mood == "pucker":
        one("mouthPucker", 0.4, 0.9)
        one("browInnerUp", 0.0, 0.4)
    elif mood == "squint":
        both("eyeSquint", 0.5, 1.0)
        both("browDown", 0.1, 0.5)
    else:
        one("mouthShrugLower", 0.0, 0.2)
        both("mouthDimple", 0.0, 0.3)
    if rng.random() < 0.06:
        both("eyeBlink", 0.4, 1.0)
    names = geometry.load().names
    return np.array([np.clip(weights.get(name, 0.0), 0, 1) for name in names], np.float32)


def _moved(
    seed: int, seconds: float, pose: NDArray[np.float64], gaze: NDArray[np.float64], felt: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64], Floats]:
    """Where pose, gaze and expression have got to; continuous, and at rest at zero seconds."""
    rng = np.random.default_rng((seed, 32))

    def sway(size: int, amplitude: float) -> NDArray[np.float64]:
        periods, phases = rng.uniform(2.0, 5.0, (2, size)), rng.uniform(0, 2 * np.pi, (2, size))
        waves = np.sin(2 * np.pi * seconds / periods + phases) - np.sin(phases)
        swayed: NDArray[np.float64] = amplitude * waves.mean(0) * rng.uniform(0.4, 1.0, size)
        return swayed

    pose = pose + sway(3, 1.0) * (10.0, 6.0, 4.0)
    gaze = np.clip(gaze + sway(2, 1.0) * (8.0, 4.0), (-25, -16), (25, 16))
    other = expression(int(rng.integers(1 << 40)))
    share = 0.5 - 0.5 * np.cos(2 * np.pi * seconds / rng.uniform(1.5, 4.0))
    felt = (felt + np.float32(share) * (other - felt)).astype(np.float32)
    names = geometry.load().names
    since = (seconds - rng.uniform(0.3, 2.0)) % rng.uniform(2.0, 4.0)
    shut = np.float32(np.exp(-(((since - 0.15) / 0.07) ** 2)))  # one blink now and then
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        felt[names.index(name)] = max(felt[names.index(name)], shut)
    return pose, gaze, felt
