"""The doses: one property of the true swap, moved by known amounts, everything else left as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Facts = Mapping[str, NDArray[np.floating]]
Measure = Callable[[Facts, Facts], float]


@dataclass(frozen=True)
class Series:
    """One property and its doses.

    Attributes:
        name: as in the names of the methods, ``dose-<name>-<dose>``.
        title: as a page says it.
        unit: of the amounts.
        doses: rising, the undamaged swap (0) left out.
        how: ``scene`` renders the changed scene, ``frame`` changes the pixels of the undamaged one.
        towards: what the property is moved to: ``camera`` (angles turn back to 0, so that no head leaves the range in
            which faces are found), the ``target`` image's person, or the ``source`` image's shot.
        measure: facts before and after -> the exact amount in ``unit``; ``None``: the dose is the amount.
    """

    name: str
    title: str
    unit: str
    doses: tuple[float, ...]
    how: Literal["scene", "frame"] = "scene"
    towards: Literal["camera", "target", "source", ""] = ""
    measure: Measure | None = None

    def method(self, dose: float) -> str:
        """Name of the method that gives a dose."""
        return f"dose-{self.name}-{dose:g}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of its methods, by rising dose."""
        return tuple(self.method(dose) for dose in self.doses)


def shape_mm(before: Facts, after: Facts) -> float:
    """Root mean square distance of the face's points without expression, in mm."""
    points = np.asarray(after["shape"], np.float64) - before["shape"]
    return float(np.sqrt(3.0 * np.mean(points**2)))


def expression_weights(before: Facts, after: Facts) -> float:
    """Length of the difference of the ARKit weights."""
    return float(np.linalg.norm(np.asarray(after["expression"], np.float64) - before["expression"]))


def light_percent(before: Facts, after: Facts) -> float:
    """Length of the difference of the light's coefficients, in % of the length before."""
    old = np.asarray(before["light"], np.float64)
    return float(100.0 * np.linalg.norm(after["light"] - old) / np.linalg.norm(old))


def skin_percent(before: Facts, after: Facts) -> float:
    """Root mean square difference of the skin's albedo, in % of white."""
    colours = np.asarray(after["skin_rgb"], np.float64) - before["skin_rgb"]
    return float(100.0 * np.sqrt(np.mean(colours**2)))


_DEGREES = (2.0, 5.0, 10.0, 20.0)
_SHARES = (0.25, 0.5, 0.75, 1.0)

SERIES = (
    Series("yaw", "Yaw", "deg", _DEGREES, towards="camera"),
    Series("pitch", "Pitch", "deg", _DEGREES, towards="camera"),
    Series("roll", "Roll", "deg", _DEGREES, towards="camera"),
    Series("shape", "Face shape", "mm", _SHARES, towards="target", measure=shape_mm),
    Series("expression", "Expression", "weights", _SHARES, towards="source", measure=expression_weights),
    Series("identity", "Identity", "share", _SHARES, towards="target"),
    Series("skin", "Skin", "% albedo", _SHARES, towards="target", measure=skin_percent),
    Series("light", "Light", "%", _SHARES, towards="source", measure=light_percent),
    Series("gaze", "Gaze", "deg", (5.0, 10.0, 15.0, 20.0), towards="camera"),
    Series("seam", "Seam: a brighter face", "grey levels", (4.0, 8.0, 16.0, 32.0), "frame"),
    Series("blur", "Blur", "px", (0.5, 1.0, 2.0, 4.0), "frame"),
    Series("jpeg", "JPEG", "of quality", (10.0, 25.0, 50.0, 75.0), "frame"),
    Series("shift", "Shift of the picture", "px", (1.0, 2.0, 4.0, 8.0), "frame"),
    Series("fade", "Occluder fades", "share", _SHARES, "frame"),
)
"""Every series, in the order of the page."""

BY_NAME: Mapping[str, Series] = {series.name: series for series in SERIES}
