"""HifiFace as a face swapper: a trained generator and the frozen networks that it was trained with."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hifibench.contracts import Crop, Networks, SwapperCard
from hifibench.errors import UsageError
from hifibench.hififace.extractor import Sid, SidExtractor
from hifibench.hififace.generator import Generated, Generator, blend
from hifibench.hififace.identity import Coefficients, v_sid
from hifibench.torch_swaps import NetworkSwaps

Blending = Literal["own", "r", "t", "dt"]
"""How I_out meets the target (paper, Fig. 9): by the model's own M_r; ``t``, by the target's face mask; ``dt``, by the
dilated one; ``r``, by the face mask of the result."""


class _Source(nn.Module):
    """Of a source: alpha, its identity coefficients, and v_id."""

    def __init__(self, extractor: SidExtractor, crop: Crop) -> None:
        super().__init__()
        self.extractor, self._crop = extractor, crop

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        source = source.contiguous(memory_format=torch.channels_last)
        alpha = self.extractor.face_model(source, self._crop).coefficients.identity
        return alpha, self.extractor.identity(source, self._crop)


class _Target(nn.Module):
    """Of a target: beta, its expression coefficients, and its pose. Its landmarks are for training alone."""

    def __init__(self, extractor: SidExtractor, crop: Crop) -> None:
        super().__init__()
        self.extractor, self._crop = extractor, crop

    def forward(self, target: Tensor) -> tuple[Tensor, Tensor]:
        target = target.contiguous(memory_format=torch.channels_last)
        coefficients = self.extractor.face_model(target, self._crop).coefficients
        return coefficients.expression, coefficients.pose


class _Swap(nn.Module):
    """I_r and M_r."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, target: Tensor, alpha: Tensor, v_id: Tensor, beta: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        target = target.contiguous(memory_format=torch.channels_last)
        made = self.generator(target, v_sid(Coefficients(alpha, beta, pose), v_id, self.generator.config))
        return made.i_r, made.m_r


class HifiFace(NetworkSwaps):
    """Swaps by a trained generator; the mask is M_r.

    Args:
        card: the card it is loaded under; its crop is the one the generator was trained with.
        generator: trained, on the device.
        extractor: the frozen networks it was trained with, on the same device.

    Raises:
        UsageError: the generator was made for another face model than the extractor's.
    """

    def __init__(self, card: SwapperCard, generator: Generator, extractor: SidExtractor) -> None:
        needs, given = generator.config.face_model, extractor.face_model.layout
        if needs != given:
            raise UsageError(
                f"The generator of {card.name} was made for a face model with {needs.identity} identity and "
                f"{needs.expression} expression coefficients; the one that its card names has {given.identity} and "
                f"{given.expression}."
            )
        networks = Networks(_Source(extractor, card.source), _Target(extractor, card.target), _Swap(generator))
        super().__init__(card, networks, generator, extractor)
        self.generator = generator
        self.extractor = extractor

    @torch.no_grad()
    def generate(self, source: Tensor, target: Tensor) -> tuple[Generated, Sid]:
        """For studies: what the generator gives for B pairs, and what the frozen networks saw; shapes as for `swap`."""
        source, target = (one.to(self._device, memory_format=torch.channels_last) for one in (source, target))
        sid = self.extractor(source, target, self._card.target)
        return self.draw(target, sid), sid

    @torch.no_grad()
    def draw(self, target: Tensor, sid: Sid) -> Generated:
        """The swap onto ``target`` (B, 3, S, S) of whatever identity and shape stands in ``sid``."""
        generated: Generated = self.generator(target, v_sid(sid.c_fuse, sid.v_id, self.generator.config))
        return generated


def blended(made: Generated, target: Tensor, mask: Tensor) -> Tensor:
    """I_out in a mask, the target around it, for the blending studies of Fig. 9.

    Args:
        made: what the generator gave.
        target: ``(B, 3, S, S)``.
        mask: ``(B, 1, S, S)`` in [0, 1], of the target's face, dilated or not, or of the result's.
    """
    return blend(made.i_out, mask.to(made.i_out), target.to(made.i_out))


def dilated(mask: Tensor, radius: int) -> Tensor:
    """A mask ``(B, 1, S, S)`` widened by ``radius`` pixels in a square."""
    return F.max_pool2d(mask, 2 * radius + 1, stride=1, padding=radius)
