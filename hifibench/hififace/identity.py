"""The 3D shape-aware identity v_sid (paper, Sec. 3.1)."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, cat

from hifibench.hififace.config import ID_DIM, Config

POSE_UNIT = math.radians(10)
"""Angles enter v_sid in tens of degrees, which is about how far heads are turned in photographs."""


class Coefficients(NamedTuple):
    """What a 3D face model says of B faces.

    Attributes:
        identity: alpha, ``(B, layout.identity)``.
        expression: beta, ``(B, layout.expression)``.
        pose: ``(B, layout.pose)`` angles in radians.
    """

    identity: Tensor
    expression: Tensor
    pose: Tensor


def fuse(source: Coefficients, target: Coefficients) -> Coefficients:
    """c_fuse: the source's identity with the target's expression and pose."""
    return Coefficients(source.identity, target.expression, target.pose)


def v_sid(c_fuse: Coefficients, v_id: Tensor, config: Config) -> Tensor:
    """``concat(c_fuse, v_id)``, pose and v_id brought to about unit variance; ``n3d`` takes v_id alone (Fig. 7).

    The entries of a unit vector of 512 numbers are near 0.04, angles in radians near 0.15. Beside coefficients near 1
    they would hardly move the linear layers that read them: identity and pose would be learned last.

    Args:
        c_fuse: see `fuse`.
        v_id: ``(B, 512)`` identity vector of the source.
        config: decides the variant and the layout.

    Raises:
        ValueError: the coefficients are those of another face model than the config's.
    """
    identity: Tensor = v_id * math.sqrt(ID_DIM)
    if config.variant == "n3d":
        return identity
    layout = config.face_model
    given = tuple(part.shape[1] for part in c_fuse)
    if given != (layout.identity, layout.expression, layout.pose):
        raise ValueError(f"c_fuse has {given} coefficients, the generator was made for {layout}")
    return cat([c_fuse.identity, c_fuse.expression, c_fuse.pose / POSE_UNIT, identity], dim=1)


def interpolate(source: Coefficients, target: Coefficients, a: float, b: float) -> Coefficients:
    """psi_in = a psi_s + b psi_t of Fig. 11: identity between two faces, expression and pose the target's."""
    return Coefficients(a * source.identity + b * target.identity, target.expression, target.pose)
