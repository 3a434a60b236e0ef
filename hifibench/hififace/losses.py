"""The losses of HifiFace, one function each, named after the paper's equations (Sec. 3.3), with its weights.

Images are RGB in [0, 1]; all losses are means over the batch and come back as scalars, float32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Weights(NamedTuple):
    """lambda of each loss in the paper's total (Sec. 3.3, Eq. 9)."""

    shape: float = 0.5
    id: float = 5.0
    seg: float = 100.0
    rec: float = 20.0
    cyc: float = 1.0
    lpips: float = 5.0
    adv: float = 1.0


def loss_shape(q_fuse: Tensor, q_r: Tensor, q_low: Tensor) -> Tensor:
    """L_shape (Eq. 3): mean over landmarks of the L1 distances of q_r and q_low to q_fuse.

    Args:
        q_fuse: ``(B, N, D)`` projected landmarks of the mesh with the source's identity and the target's expression
            and pose, in units of the image's side.
        q_r: the same of the reconstructed swap I_r.
        q_low: the same of I_low.
    """
    return (q_fuse - q_r).abs().sum(-1).mean() + (q_fuse - q_low).abs().sum(-1).mean()


def loss_id(v_s: Tensor, v_r: Tensor, v_low: Tensor) -> Tensor:
    """L_id (Eq. 4): ``(1 - cos(v_s, v_r)) + (1 - cos(v_s, v_low))`` of identity vectors ``(B, 512)``."""
    return (1 - F.cosine_similarity(v_s, v_r)).mean() + (1 - F.cosine_similarity(v_s, v_low)).mean()


def loss_seg(m_tar: Tensor, m_low: Tensor, m_r: Tensor) -> Tensor:
    """L_seg (Eq. 5): ``|R(M_tar) - M_low|_1 + |M_tar - M_r|_1``, R being the resize to M_low's size.

    Args:
        m_tar: ``(B, 1, S, S)`` dilated face mask of the target, in [0, 1].
        m_low: ``(B, 1, s, s)``.
        m_r: ``(B, 1, S, S)``.
    """
    return (resize(m_tar, m_low) - m_low).abs().mean() + (m_tar - m_r).abs().mean()


def loss_rec(i_r: Tensor, i_low: Tensor, i_t: Tensor, same: Tensor) -> Tensor:
    """L_rec (Eq. 6): ``|I_r - I_t|_1 + |I_low - R(I_t)|_1`` over the pairs of one identity, 0 for all others.

    Args:
        i_r: ``(B, 3, S, S)``.
        i_low: ``(B, 3, s, s)``.
        i_t: ``(B, 3, S, S)``.
        same: ``(B,)`` bool, whether source and target are the same person.
    """
    each = (i_r - i_t).abs().mean((1, 2, 3)) + (i_low - resize(i_t, i_low)).abs().mean((1, 2, 3))
    # A mean over the whole batch: its expectation does not depend on how many pairs of one identity a batch holds.
    return (each * same).mean()


def loss_cyc(i_t: Tensor, i_cyc: Tensor) -> Tensor:
    """L_cyc (Eq. 7): ``|I_t - G(source = I_t, target = I_r)|_1``.

    The printed formula has the arguments of G the other way round; both rebuilds read it like this.
    """
    return (i_t - i_cyc).abs().mean()


def loss_adv_g(fake: Tensor) -> Tensor:
    """L_adv of G: the non-saturating GAN loss ``-log sigmoid(D(I_r))`` (Goodfellow et al., NeurIPS 2014)."""
    return F.softplus(-fake).mean()


def loss_adv_d(real: Tensor, fake: Tensor) -> Tensor:
    """L_adv of D: ``-log sigmoid(D(real)) - log(1 - sigmoid(D(fake)))``."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def penalty_r1(logit: Tensor, real: Tensor) -> Tensor:
    """R1 (Mescheder et al., ICML 2018): half the mean squared norm of D's gradient at real images.

    Args:
        logit: ``(B,)`` D's answers to ``real``.
        real: ``(B, 3, S, S)`` with ``requires_grad``.
    """
    (gradient,) = torch.autograd.grad(logit.sum(), real, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()


def feathered(m_tar: Tensor, ramp: int) -> Tensor:
    """M_tar with a soft edge: 0 where it was 0, rising over ``ramp`` pixels to 1 inside.

    Not in the paper, whose masks are hard. Skin that a short training leaves in another tone than the target's then
    fades in where a hard mask shows a line. The rise is straight at a straight edge.

    Args:
        m_tar: ``(B, 1, S, S)``, 0 or 1.
        ramp: 0 leaves it as it is.
    """
    if not ramp:
        return m_tar
    share = F.avg_pool2d(m_tar, 2 * ramp + 1, stride=1, padding=ramp, count_include_pad=False)
    return (2 * share - 1).clamp_min(0)


def resize(image: Tensor, like: Tensor) -> Tensor:
    """R of the paper: an image or mask at the size of another, by area averaging."""
    return F.interpolate(image, size=like.shape[-2:], mode="area")
