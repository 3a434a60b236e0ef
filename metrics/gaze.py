"""Whether the swapped face looks where the target's does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.faces.pose import rotation
from hifibench.records import Floats, Observed
from metrics.landmarks import judge_of_mesh, mesh, shaped

_CORNERS = ((33, 133), (362, 263))
_LIDS = ((159, 145), (386, 374))
_IRISES = (468, 473)
"""Of the eye on the image's left and of the one on its right, in MediaPipe's mesh."""

RADIUS, DEPTH, RISE = 0.4, 0.1, 0.08
"""The eyeball, in distances between the corners of its eye: how far the iris moves around its centre, and how far that
centre lies behind and above the middle of the corners.

A radius of 12 mm in an eye of 30 mm; the place of the centre is rounded from 72 generated portraits, which look into
the camera: with it their gaze turns by -1.0 degree of yaw and by -0.7 of pitch for each degree that the head is read to
turn.
"""
SHUT = 0.12
"""An eye is shut where its lids are less than this apart, in distances between its corners."""


def gaze(estimator: str) -> Metric:
    """Gaze error: the angle between the directions in which the swap and the target look, each within its own head.

    ``gaze[estimator]``, in degrees; lower is better. The estimator is an eyeball of a fixed size in the mesh: with c
    the middle of an eye's corners, w the distance between them (in space), y and z the head's upward and forward axes,
    the eyeball's centre is o = c + `RISE` w y - `DEPTH` w z, and the iris, seen from far, lies at `RADIUS` w from it:
    its offset in the image from o, divided by `RADIUS` w, gives the first two components of the direction, whose length
    of 1 gives the third, and the head's rotation takes it into the head's frame. Both eyes are averaged; one that is
    shut in either picture (`SHUT`) is left out of both.

    NaN where either face was not seen, or where no eye is open in both. The bound of 180 is out of reach: a failed pair
    counts as the largest error of the run in the worst case.

    Floors on generated portraits of 512 pixels: JPEG 90 0.5, a shift by a pixel 0.4, light from one side 1.0, a
    turn of the picture by 10 degrees 1.4 degrees. Eyes are small, and partly covered by lids and glasses: people who
    look into the camera read 4 degrees (yaw) and 3 (pitch) apart, and such an error of the model does not cancel
    where the swap has the eye shape of the source. Up and down are far less certain than left and right: the lids hide
    the iris there, and errors of the head's pitch enter.

    Args:
        estimator: an expert that gives ``landmarks`` of MediaPipe's mesh with irises, and ``pose_deg``.

    Raises:
        UsageError: the estimator gives no such mesh.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> mesh = np.zeros((1, 478, 3), np.float32)
        >>> mesh[0, [33, 133, 362, 263], 0] = 0, 30, 60, 90
        >>> mesh[0, [159, 145, 386, 374]] = [15, -5, 0], [15, 5, 0], [75, -5, 0], [75, 5, 0]
        >>> mesh[0, [468, 473]] = [15, -2.4, 0], [75, -2.4, 0]
        >>> aside = mesh + np.isin(np.arange(478), (468, 473))[:, None] * np.float32([6, 0, 0])
        >>> pose = np.zeros((1, 3), np.float32)
        >>> seen = [{"mediapipe": {"landmarks": one, "pose_deg": pose}} for one in (aside, mesh)]
        >>> observed = Observed(pd.DataFrame(index=range(1)), seen[0], {}, seen[1], {})
        >>> gaze("mediapipe").compute(observed).round(3)
        array([30.])
    """
    judge_of_mesh("gaze", "gaze estimator", estimator, "pose_deg")

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap, target = (
            eyes(mesh(seen, estimator, rows), shaped(seen, estimator, "pose_deg", rows, (3,)))
            for seen in (observed.swap, observed.target)
        )
        both = np.isfinite(swap) & np.isfinite(target)
        return angle_deg(mean_direction(np.where(both, swap, np.nan)), mean_direction(np.where(both, target, np.nan)))

    return Metric(
        name=f"gaze[{estimator}]",
        title="Gaze error",
        unit="deg",
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=2,
        group="attributes",
        scope="pair",
    )


def eyes(landmarks: NDArray[np.float64] | Floats, pose_deg: NDArray[np.float64] | Floats) -> NDArray[np.float64]:
    """Where each eye looks, within its head.

    Args:
        landmarks: ``(n, 478, 3)`` of MediaPipe's mesh, pixels, y down, z smaller when nearer.
        pose_deg: ``(n, 3)`` yaw, pitch, roll of the head in that picture.

    Returns:
        ``(n, 2, 3)`` unit vectors of the eye on the image's left and of the one on its right, x to the image's right, y
        up, z to the viewer for a head that looks into the camera; NaN for eyes that are shut or not seen.
    """
    points = np.asarray(landmarks, np.float64) * (1, -1, -1)
    head = rotation(pose_deg)
    looks = np.empty((len(points), 2, 3))
    for eye, ((outer, inner), (upper, lower), iris) in enumerate(zip(_CORNERS, _LIDS, _IRISES, strict=True)):
        width = np.linalg.norm(points[:, outer] - points[:, inner], axis=1)
        width = np.where(width > 0, width, np.nan)[:, None]
        centre = (points[:, outer] + points[:, inner]) / 2
        centre += width * (RISE * head[:, :, 1] - DEPTH * head[:, :, 2])
        aside = (points[:, iris] - centre)[:, :2] / (RADIUS * width)
        forward = np.sqrt(np.clip(1 - np.square(aside).sum(1, keepdims=True), 0, None))
        look = np.concatenate([aside, forward], 1)
        look /= np.linalg.norm(look, axis=1, keepdims=True)
        opening = np.linalg.norm(points[:, upper] - points[:, lower], axis=1)[:, None] / width
        looks[:, eye] = np.where(opening >= SHUT, np.einsum("nji,nj->ni", head, look), np.nan)
    return looks


def mean_direction(looks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the eyes that are open, ``(n, 2, 3)`` -> ``(n, 3)`` of length 1; NaN where none is."""
    total = np.where(np.isfinite(looks), looks, 0.0).sum(1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.where(length > 0, length, np.nan))


def gaze_deg(landmarks: NDArray[np.float64] | Floats, pose_deg: NDArray[np.float64] | Floats) -> NDArray[np.float64]:
    """Yaw and pitch of the gaze within the head, from what `eyes` takes.

    Returns:
        ``(n, 2)`` degrees: positive yaw to the image's right, positive pitch up; NaN where no eye is open.
    """
    x, y, z = mean_direction(eyes(landmarks, pose_deg)).T
    angles = np.stack([np.arctan2(x, z), np.arcsin(np.clip(y, -1, 1))], axis=1)
    return np.asarray(np.degrees(angles))


def angle_deg(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle between directions ``(n, 3)`` in degrees; exact for small ones too, where a cosine is not."""
    across = np.linalg.norm(np.cross(a, b), axis=1)
    return np.asarray(np.degrees(np.arctan2(across, (a * b).sum(1))))
