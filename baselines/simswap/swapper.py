"""SimSwap as a face swapper: a generator and the recogniser whose identities it was trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.simswap.generator import Generator
from hifibench.contracts import SwapperCard
from hifibench.records import Cost, Status, Swap
from hifibench.torch_swaps import by_rows, cost


class SimSwap:
    """Swaps by a trained generator.

    Args:
        card: the card it is loaded under; its crops are those that generator and recogniser were trained with.
        generator: trained, in evaluation mode, on the device: its batch norms would mix the rows of a batch.
        recogniser: images ``(B, 3, S, S)`` RGB in [0, 1], cropped as ``card.source`` says, to ``(B, 512)`` identities
            of unit length; on the same device.
    """

    def __init__(self, card: SwapperCard, generator: Generator, recogniser: nn.Module) -> None:
        self._card = card
        self.generator = generator.eval()
        self.recogniser = recogniser
        self._device = next(generator.parameters()).device

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`; never fails, and has no mask of its own."""
        made = by_rows(self.generate, source, target, self._device)
        return Swap(torch.cat(made).float().clamp(0, 1).cpu(), None, (Status.OK,) * len(target))

    @torch.no_grad()
    def generate(self, source: Tensor, target: Tensor) -> Tensor:
        """I_R for B pairs; shapes as for `swap`, on the generator's device."""
        source, target = (one.to(self._device, memory_format=torch.channels_last) for one in (source, target))
        v_s: Tensor = self.recogniser(source)
        image: Tensor = self.generator(target, v_s)
        return image

    def cost(self) -> Cost:
        """Parameters, and multiply-accumulates of one swap, the recogniser's look included."""
        source, target = (torch.zeros(1, 3, crop.size, crop.size) for crop in (self._card.source, self._card.target))
        return cost(lambda: self.generate(source, target), self.generator, self.recogniser)
