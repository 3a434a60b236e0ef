"""HifiFace as a face swapper: a trained generator and the frozen networks that it was trained with."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from hifibench.contracts import SwapperCard
from hifibench.errors import UsageError
from hifibench.hififace.extractor import Sid, SidExtractor
from hifibench.hififace.generator import Generated, Generator, blend
from hifibench.hififace.identity import v_sid
from hifibench.records import Cost, Status, Swap
from hifibench.torch_swaps import by_rows, cost

Blending = Literal["own", "r", "t", "dt"]
"""How I_out meets the target (paper, Fig. 9): by the model's own M_r; ``t``, by the target's face mask; ``dt``, by the
dilated one; ``r``, by the face mask of the result."""


class HifiFace:
    """Swaps by a trained generator.

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
        self._card = card
        self.generator = generator
        self.extractor = extractor
        self._device = next(generator.parameters()).device

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`; never fails. The mask is M_r."""
        made = [one for one, _ in by_rows(self.generate, source, target, self._device)]
        return Swap(
            torch.cat([one.i_r for one in made]).float().cpu(),
            torch.cat([one.m_r for one in made]).float().cpu(),
            (Status.OK,) * len(target),
        )

    @torch.no_grad()
    def generate(self, source: Tensor, target: Tensor) -> tuple[Generated, Sid]:
        """All that the generator gives for B pairs, and what the frozen networks saw; shapes as for `swap`."""
        source, target = (one.to(self._device, memory_format=torch.channels_last) for one in (source, target))
        sid = self.extractor(source, target, self._card.target)
        return self.draw(target, sid), sid

    @torch.no_grad()
    def draw(self, target: Tensor, sid: Sid) -> Generated:
        """The swap onto ``target`` (B, 3, S, S) of whatever identity and shape stands in ``sid``."""
        generated: Generated = self.generator(target, v_sid(sid.c_fuse, sid.v_id, self.generator.config))
        return generated

    def cost(self) -> Cost:
        """Parameters, and multiply-accumulates of one swap, the frozen networks included."""
        image = torch.zeros(1, 3, self._card.target.size, self._card.target.size)
        return cost(lambda: self.generate(image, image), self.generator, self.extractor)


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
