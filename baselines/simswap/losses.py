"""What SimSwap minimises (Sec. 3.2 and 3.3), one function a term, with the paper's symbols.

Source: R. Chen et al., "SimSwap: An efficient framework for high fidelity face swapping", ACM Multimedia 2020
(arXiv:2106.06340).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from hifibench.training.patch_discriminator import hinge_d, hinge_g

Features = Sequence[Sequence[Tensor]]
"""What the discriminators see of a batch: per scale D_j the features D_j^(i) of each layer, last the logits."""


class Weights(NamedTuple):
    """The lambdas of the generator's losses; the paper's are the defaults."""

    id: float = 10.0
    rec: float = 10.0
    adv: float = 1.0
    wfm: float = 10.0


def loss_id(v_r: Tensor, v_s: Tensor) -> Tensor:
    """L_Id = 1 - cos(v_R, v_S).

    Args:
        v_r: ``(B, 512)`` identity of the swap; any length.
        v_s: ``(B, 512)`` identity of the source.
    """
    return (1 - F.cosine_similarity(v_r.float(), v_s.float(), dim=1)).mean()


def loss_rec(i_r: Tensor, i_t: Tensor, same: Tensor) -> Tensor:
    """L_Recon = |I_R - I_T|_1 where source and target are of one person, 0 elsewhere; the mean over the batch.

    Args:
        i_r: ``(B, 3, S, S)`` the swap.
        i_t: the target.
        same: ``(B,)`` bool.
    """
    each = (i_r.float() - i_t.float()).abs().mean((1, 2, 3))
    return (each * same).mean()


def loss_wfm(d_r: Features, d_t: Features, m: int) -> Tensor:
    """L_wFM_sum: weak feature matching, summed over layers m to M and over the scales.

    Each layer's term is ``|D^(i)(I_R) - D^(i)(I_T)|_1 / N_i`` with N_i the number of its elements. That the first
    layers are left out is what makes it weak: they would tie the swap to the target's texture, and so to its identity.

    Args:
        d_r: of the swaps.
        d_t: of the targets, no gradient flows there.
        m: the first layer that counts, from 0; the logits, which are the last entry, never do.
    """
    each = [
        (r.float() - t.detach().float()).abs().mean()
        for of_r, of_t in zip(d_r, d_t, strict=True)
        for r, t in zip(of_r[m:-1], of_t[m:-1], strict=True)
    ]
    return torch.stack(each).sum()


def loss_adv_g(d_r: Features) -> Tensor:
    """The generator's hinge loss, the mean over the scales."""
    return hinge_g([scale[-1] for scale in d_r])


def loss_adv_d(d_t: Features, d_r: Features) -> Tensor:
    """The discriminators' hinge loss: targets are real, swaps are not; the mean over the scales."""
    return hinge_d([scale[-1] for scale in d_t], [scale[-1] for scale in d_r])


def loss_gp(d: Features, i: Tensor) -> Tensor:
    """L_GP: how far the gradient of each discriminator's logits is from length 1, squared; the mean over the scales.

    Source: I. Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, Eq. 3, which the paper points
    to.

    Args:
        d: what the discriminators see of ``i``.
        i: ``(B, 3, S, S)`` points between targets and swaps (`between`), with a gradient.
    """
    each = []
    for scale in d:
        (gradient,) = torch.autograd.grad(scale[-1].sum(), i, create_graph=True)
        each.append((gradient.flatten(1).norm(dim=1) - 1).square().mean())
    return torch.stack(each).mean()


def between(i_t: Tensor, i_r: Tensor) -> Tensor:
    """Points on the lines from targets to swaps, one for each pair at a random place, ready for `loss_gp`."""
    share = torch.rand(len(i_t), 1, 1, 1, device=i_t.device)
    return (share * i_t.float() + (1 - share) * i_r.float()).detach().requires_grad_()
