"""Synthetic occlusions of targets, by which HEAR-Net learns what a lost thing looks like (Sec. 3.2).

The paper lays hands (EgoHands, GTEA Hand2K) and rendered objects (ShapeNet) over the faces. Here they are ellipses and
rectangles, filled with one colour or with a piece of another image of the batch, shaded from side to side: nothing
to fetch, and all that matters to HEAR-Net is that the first stage has never seen them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def occlude(x_t: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Lay a shape over some of the faces; draws from PyTorch's current random state.

    Args:
        x_t: ``(B, 3, S, S)`` RGB in [-1, 1].
        share: of the images that are occluded, in [0, 1].

    Returns:
        The images, and the masks ``(B, 1, S, S)`` in [0, 1] of what lies on them; 0 where nothing does.
    """
    count, _, side, _ = x_t.shape
    device = x_t.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *(shape or (1, 1, 1)), device=device)

    line = (torch.arange(side, device=device) + 0.5) / side
    y, x = torch.meshgrid(line, line, indexing="ij")
    x, y = x - uniform(0.2, 0.8), y - uniform(0.35, 0.9)
    angle = uniform(0, math.pi)
    along = (x * angle.cos() + y * angle.sin()) / uniform(0.08, 0.3)
    across = (y * angle.cos() - x * angle.sin()) / uniform(0.05, 0.12)
    ellipse, rectangle = (along.square() + across.square()).sqrt(), torch.maximum(along.abs(), across.abs())
    distance = torch.where(uniform(0, 1) < 0.5, ellipse, rectangle)
    # An edge of about two pixels, whatever the shape's size.
    mask = ((1 - distance) * side * 0.05).clamp(0, 1) * (uniform(0, 1) < share)

    other = x_t.roll(1, dims=0).flip(2)
    flat = uniform(-1, 1, 3, 1, 1)
    filling = torch.where(uniform(0, 1) < 0.5, other, flat)
    shaded = (filling + uniform(-0.4, 0.4) * along.clamp(-1, 1)).clamp(-1, 1)
    return torch.lerp(x_t, shaded.to(x_t.dtype), mask.to(x_t.dtype)), mask
