"""Head rotations as yaw, pitch and roll.

Head frame and camera frame agree for a face that looks straight into the camera: x to the image's right, y up, z out
of the image towards the viewer. A rotation matrix takes head coordinates to camera coordinates.

Angles follow the project's signs (positive yaw turns the nose towards the right edge of the image, positive pitch
lifts it, positive roll turns the head clockwise as the viewer sees it) and the field's order: the head is pitched
first, then turned, then rolled within the image plane,

    R = R_z(-roll) R_y(yaw) R_x(-pitch),

as in 300W-LP and 3DDFA, so turning the picture adds to roll alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rotation = NDArray[np.float64]


def rotation(pose_deg: ArrayLike) -> Rotation:
    """The matrix of a pose.

    Args:
        pose_deg: ``(..., 3)`` yaw, pitch, roll in degrees.

    Returns:
        ``(..., 3, 3)`` head to camera.
    """
    yaw, pitch, roll = np.moveaxis(np.radians(np.asarray(pose_deg, np.float64)), -1, 0)
    matrix: Rotation = _turn(-roll, 0, 1) @ _turn(yaw, 2, 0) @ _turn(-pitch, 1, 2)
    return matrix


def euler_deg(matrix: ArrayLike) -> NDArray[np.float64]:
    """The pose of a rotation matrix, the inverse of `rotation`.

    Args:
        matrix: ``(..., 3, 3)`` head to camera.

    Returns:
        ``(..., 3)`` yaw in [-90, 90], pitch and roll in [-180, 180] degrees. At yaw ±90 pitch and roll describe the
        same turn and are not unique.
    """
    r = np.asarray(matrix, np.float64)
    yaw = -np.arcsin(np.clip(r[..., 2, 0], -1, 1))
    pitch = -np.arctan2(r[..., 2, 1], r[..., 2, 2])
    roll = -np.arctan2(r[..., 1, 0], r[..., 0, 0])
    pose_deg: NDArray[np.float64] = np.degrees(np.stack([yaw, pitch, roll], -1))
    return pose_deg


def nearest_rotation(matrix: ArrayLike) -> Rotation:
    """The rotation that a noisy or scaled ``(..., 2, 3)`` or ``(..., 3, 3)`` matrix comes closest to.

    Only the first two rows are looked at; the third is their cross product, so the result never reflects.

    Returns:
        ``(..., 3, 3)``.
    """
    rows = np.asarray(matrix, np.float64)[..., :2, :]
    u, _, vt = np.linalg.svd(rows, full_matrices=False)
    first_two = u @ vt
    third = np.cross(first_two[..., 0, :], first_two[..., 1, :])
    return np.concatenate([first_two, third[..., None, :]], -2)


def _turn(angle: NDArray[np.float64], a: int, b: int) -> Rotation:
    """Turn axis ``a`` towards axis ``b`` by ``angle`` radians, ``(...)`` -> ``(..., 3, 3)``."""
    matrix = np.zeros((*angle.shape, 3, 3)) + np.eye(3)
    matrix[..., a, a] = matrix[..., b, b] = np.cos(angle)
    matrix[..., b, a] = np.sin(angle)
    matrix[..., a, b] = -np.sin(angle)
    return matrix
