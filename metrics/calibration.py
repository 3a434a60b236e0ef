"""Which known changes a metric should follow, which it may, and when it counts as poor.

A dose is one property of the true swap moved by a known amount (`hifibench.calibration.series`).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType

from metrics.dose_response import Response
from metrics.inputs import base, words

LEAST_RHO = 0.8
"""A metric whose correlation with a dose that it is made to measure (`metrics.dose_response.respond`) is nearer to 0 is
marked as poor."""

_PIXELS = ("truth l1", "truth psnr", "truth ssim", "truth lpips")
_BACKGROUND = ("background l1", "background ssim", "background lpips")
_FORGERY = ("forgery_auc", "forgery_ap", "forgery_eer")
_IDENTITY = ("id_cosine", "id_leak", "id_retrieval")

RESPONDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "yaw": ("pose", "pose yaw", "truth pose"),
        "pitch": ("pose", "pose pitch", "truth pose"),
        "roll": ("pose", "pose roll", "truth pose"),
        "shape": ("shape", "truth vertices"),
        "expression": ("expression", "landmarks"),
        "identity": _IDENTITY,
        "skin": ("skin_tone source", "-skin_tone target"),
        "light": ("lighting",),
        "gaze": ("gaze",),
        "seam": _FORGERY,
        "blur": (*_PIXELS, *_BACKGROUND, "kid"),
        "jpeg": (*_PIXELS, *_BACKGROUND),
        "shift": ("landmarks", "truth landmarks", "truth mask_iou"),
        "fade": ("occlusion",),
    }
)
"""Series -> the metrics that are judged by it: base name, then words that must stand between the brackets.

A dose is damage, so the metric must become worse: a minus says that it must become better. Detectors of forgeries are
judged by a seam alone: they are trained to overlook blur and compression, which are no forgery.
"""

_MOVES_THE_FACE = ("truth", "landmarks", *_BACKGROUND)
ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "yaw": _MOVES_THE_FACE,
        "pitch": _MOVES_THE_FACE,
        "roll": _MOVES_THE_FACE,
        "shape": (*_MOVES_THE_FACE, *_IDENTITY),
        "expression": (*_MOVES_THE_FACE,),
        "identity": (*_MOVES_THE_FACE, "shape", "skin_tone"),
        "skin": (*_PIXELS, *_IDENTITY),
        "light": (*_PIXELS, *_BACKGROUND),
        "gaze": (*_PIXELS, "expression"),
        "seam": (*_PIXELS, "skin_tone", "kid"),
        "jpeg": ("kid",),
        "shift": ("truth", *_BACKGROUND),
        "fade": (*_PIXELS, "kid"),
    }
)
"""Series -> the metrics that rightly move with it, without being judged by it. All others should stay as they are."""

CEILING: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((*_IDENTITY, "shape", "skin_tone source", "truth vertices"), "target-copy"),
        **dict.fromkeys(_FORGERY, "source-paste"),
    }
)
"""Metric, as in `RESPONDS` -> the row that gives a swap without any of the property; for the others `SOURCE_COPY`."""
SOURCE_COPY = "source-copy"

TRAINED = "trained-on-others"
"""Word of detectors that are trained on the other methods of a run, of which a calibration has none."""

_AXES = frozenset(("yaw", "pitch", "roll"))


def expected(series: str, metric: str, table: Mapping[str, tuple[str, ...]] = RESPONDS) -> int:
    """+1 where a metric must become worse with a series, -1 where better, 0 where the table does not name it.

    Example:
        >>> expected("yaw", "pose[mediapipe]"), expected("yaw", "pose[mediapipe,pitch]")
        (1, 0)
        >>> expected("skin", "skin_tone[mediapipe,target]")
        -1
    """
    for pattern in table.get(series, ()):
        if _matches(pattern.removeprefix("-"), metric):
            return -1 if pattern.startswith("-") else 1
    return 0


def calibrated_by(metric: str) -> tuple[str, ...]:
    """The series that a metric is judged by; none: it is not calibrated.

    Example:
        >>> calibrated_by("pose[mediapipe,yaw]"), calibrated_by("jitter[mediapipe]")
        (('yaw',), ())
    """
    return tuple(series for series in RESPONDS if expected(series, metric))


def ceiling_row(metric: str) -> str:
    """The row whose value is the metric's ceiling."""
    return next((row for pattern, row in CEILING.items() if _matches(pattern, metric)), SOURCE_COPY)


def _matches(pattern: str, metric: str) -> bool:
    first, *needed = pattern.split()
    said = set(words(metric))
    if TRAINED in said:
        return False
    # A metric of one axis is moved by that axis alone, so the axis must be named by the pattern.
    return first == base(metric) and said.issuperset(needed) and (said & _AXES) <= set(needed)


def verdict(responses: Mapping[str, tuple[Response, int]]) -> tuple[bool, str]:
    """Whether a metric is poor, and why: by the series it is judged by, with the way it should go in each.

    Poor is a metric that does not move with a dose it is made to measure, that moves the wrong way, or whose
    correlation with it is nearer to 0 than `LEAST_RHO`. Nothing is said of a series in which no pair could be scored.
    """
    reasons = []
    for series, (response, sign) in responses.items():
        if not isfinite(response.rho):
            continue
        if not response.rho:
            reasons.append(f"no answer to {series}")
        elif response.rho * sign < 0:
            reasons.append(f"moves the wrong way with {series} (ρ {response.rho:.2f})")
        elif abs(response.rho) < LEAST_RHO:
            reasons.append(f"ρ {response.rho:.2f} with {series}, nearer to 0 than {LEAST_RHO}")
    return bool(reasons), "; ".join(reasons)
