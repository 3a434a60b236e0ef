"""MediaPipe's canonical face: the rigid points of its mesh, and where they say the head is.

MediaPipe finds its own pose by imagining a camera whose 63 degrees of view are exactly the picture. Handed a crop, it
puts the face at arm's length, takes part of a turn for perspective, and reads the less of it the tighter the crop.
Here the camera is far away: the same points and weights, but a similarity transform, which knows nothing of the crop.

Source of the points and weights: the geometry metadata inside MediaPipe's face landmarker (Apache-2.0).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Mesh index of the point on the viewer's right and of its mirror image, weight, and the right one's place in
# centimetres: x to the viewer's right, y up, z out of the face. Points on the midline are their own mirror image.
_RIGID = (
    (4, 4, 0.070910, 0.0000, -0.4632, 7.5866),
    (6, 6, 0.032100, 0.0000, 2.4733, 5.7886),
    (10, 10, 0.008447, 0.0000, 8.2618, 4.4815),
    (263, 33, 0.058724, 4.4459, 2.6640, 3.1734),
    (284, 54, 0.007667, 6.2793, 6.6154, 1.4259),
    (297, 67, 0.009078, 3.5240, 8.0060, 3.7292),
    (346, 117, 0.009792, 5.2587, 0.9458, 2.9743),
    (348, 119, 0.014565, 3.3007, 0.8616, 3.8728),
    (350, 121, 0.018591, 1.8207, 1.4680, 4.2241),
    (356, 127, 0.005198, 7.7431, 2.3650, -2.0052),
    (358, 129, 0.120625, 1.7858, -0.9783, 4.8505),
    (361, 132, 0.005560, 7.2709, -2.8909, -2.2525),
    (362, 133, 0.053286, 1.8564, 2.5852, 3.7579),
    (365, 136, 0.066890, 5.0853, -7.1786, 0.7147),
    (372, 143, 0.014817, 6.4076, 2.2360, 1.5608),
    (376, 147, 0.014263, 6.2349, -1.9444, 1.6635),
    (420, 198, 0.025462, 1.2468, 0.2303, 5.6810),
    (425, 205, 0.047252, 3.8329, -1.5373, 4.1377),
)
_BOTH_SIDES = [
    *[(right, weight, x, y, z) for right, _, weight, x, y, z in _RIGID],
    *[(left, weight, -x, y, z) for right, left, weight, x, y, z in _RIGID if left != right],
]
RIGID_INDEX: NDArray[np.int64] = np.array([row[0] for row in _BOTH_SIDES])
"""``(33,)`` mesh indices of the points that expressions move least."""
RIGID_WEIGHT: NDArray[np.float64] = np.array([row[1] for row in _BOTH_SIDES])
"""``(33,)`` their weights."""
RIGID_POINTS: NDArray[np.float64] = np.array([row[2:] for row in _BOTH_SIDES])
"""``(33, 3)`` their places in the canonical face, in centimetres."""


class Head(NamedTuple):
    """Where a head is: camera point = scale * rotation @ canonical point + shift.

    Attributes:
        rotation: ``(3, 3)`` canonical face to camera (y up, z to the viewer; see `hifibench.faces.pose`).
        scale: pixels per centimetre of the canonical face.
        shift: ``(3,)`` pixels.
    """

    rotation: NDArray[np.float64]
    scale: float
    shift: NDArray[np.float64]


def fit(landmarks: ArrayLike) -> Head:
    """The similarity transform of the canonical face onto a mesh, by weighted least squares over the rigid points.

    Args:
        landmarks: ``(478, 3)`` pixels of the image, y down, z smaller when nearer (as MediaPipe gives them).

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.
    """
    from scipy.spatial.transform import Rotation

    seen = _upright(landmarks)[RIGID_INDEX]
    share = RIGID_WEIGHT / RIGID_WEIGHT.sum()
    middle, canonical_middle = share @ seen, share @ RIGID_POINTS
    spread, canonical_spread = seen - middle, RIGID_POINTS - canonical_middle
    turn, _ = Rotation.align_vectors(spread, canonical_spread, weights=RIGID_WEIGHT)
    rotation = turn.as_matrix()
    turned = canonical_spread @ rotation.T
    scale = float((share @ (spread * turned).sum(1)) / (share @ (canonical_spread**2).sum(1)))
    return Head(rotation, scale, middle - scale * rotation @ canonical_middle)


def in_head_frame(landmarks: ArrayLike, head: Head) -> NDArray[np.float64]:
    """A mesh freed of pose and size: the inverse of ``head``.

    Args:
        landmarks: ``(478, 3)`` pixels, as for `fit`.
        head: what `fit` gave for them.

    Returns:
        ``(478, 3)`` in centimetres of the canonical face.
    """
    return (_upright(landmarks) - head.shift) @ head.rotation / head.scale


def _upright(landmarks: ArrayLike) -> NDArray[np.float64]:
    """Image coordinates with y up and z to the viewer."""
    points = np.asarray(landmarks, np.float64)
    if points.shape != (478, 3) or not np.isfinite(points).all():
        raise ValueError(f"Expected (478, 3) finite landmarks of MediaPipe's mesh; given {points.shape}.")
    return points * (1, -1, -1)
