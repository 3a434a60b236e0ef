"""The losses of FaceShifter, one function each, named after the paper's equations (Sec. 3), with their weights.

Images are RGB in [-1, 1], as the networks see them. The norms of the paper are means over a sample's numbers, as the
public rebuilds read them; all losses are means over the batch and come back as scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

from hifibench.training.patch_discriminator import hinge_d, hinge_g


class Weights(NamedTuple):
    """lambda of each loss in L_AEI (Eq. 9); those of HEAR-Net (Eq. 15) are 1 in the paper."""

    adv: float = 1.0
    att: float = 10.0
    id: float = 5.0
    rec: float = 10.0
    hear_id: float = 1.0
    hear_chg: float = 1.0
    hear_rec: float = 1.0


def loss_adv_g(fake: Sequence[Tensor]) -> Tensor:
    """L_adv of the generator: ``-D(Y_hat)``; ``fake`` holds a map of logits a scale."""
    return hinge_g(fake)


def loss_adv_d(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """L_adv of the discriminators: ``max(0, 1 - D(real)) + max(0, 1 + D(Y_hat))``; a map of logits a scale each."""
    return hinge_d(real, fake)


def loss_id(z_swap: Tensor, z_source: Tensor) -> Tensor:
    """L_id (Eq. 6): ``1 - cos(z_id(Y_hat), z_id(X_s))`` of identity vectors ``(B, 512)``."""
    return (1 - F.cosine_similarity(z_swap.float(), z_source.float())).mean()


def loss_att(z_swap: Sequence[Tensor], z_target: Sequence[Tensor]) -> Tensor:
    """L_att (Eq. 7): ``1/2 sum_k |z_att^k(Y_hat) - z_att^k(X_t)|^2``; both hold ``(B, C, H, W)`` a level."""
    pairs = zip(z_swap, z_target, strict=True)
    each = [(one.float() - other.float()).square().mean() for one, other in pairs]
    return 0.5 * sum(each[1:], each[0])


def loss_rec(y: Tensor, x_t: Tensor, same: Tensor) -> Tensor:
    """L_rec (Eq. 8): ``1/2 |Y_hat - X_t|^2`` where the source is the target, 0 elsewhere.

    Args:
        y: ``(B, 3, S, S)`` the swap.
        x_t: ``(B, 3, S, S)`` the target.
        same: ``(B,)`` bool, whether X_s is X_t.
    """
    each = 0.5 * (y.float() - x_t.float()).square().mean((1, 2, 3))
    # A mean over the whole batch: its expectation does not depend on how many such pairs a batch holds.
    return (each * same).mean()


def loss_hear_id(z_swap: Tensor, z_source: Tensor) -> Tensor:
    """L_id' (Eq. 12): ``1 - cos(z_id(Y_s,t), z_id(X_s))``, L_id of the refined swap."""
    return loss_id(z_swap, z_source)


def loss_hear_chg(y_hat: Tensor, y: Tensor) -> Tensor:
    """L_chg' (Eq. 13): ``|Y_hat - Y_s,t|``, the swap of the first stage ``(B, 3, S, S)`` and the refined one."""
    return (y_hat.float() - y.float()).abs().mean()


def loss_hear_rec(y: Tensor, x_t: Tensor, same: Tensor) -> Tensor:
    """L_rec' (Eq. 14): ``1/2 |Y_s,t - X_t|^2`` where the source is the target, L_rec of the refined swap."""
    return loss_rec(y, x_t, same)
