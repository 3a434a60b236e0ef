"""FaceShifter as a face swapper: trained networks of both stages and the recogniser that they were trained with."""

from __future__ import annotations

import torch
from torch import Tensor

from baselines.faceshifter.method import to_image, to_network
from baselines.faceshifter.network import FaceShifterNet, Refined
from hifibench.contracts import SwapperCard
from hifibench.records import Cost, Status, Swap
from hifibench.torch_swaps import by_rows, cost
from hifibench.training.recogniser import AlignedRecogniser


class FaceShifter:
    """Swaps by AEI-Net and HEAR-Net.

    Args:
        card: the card it is loaded under; its crops are those that the networks were trained with.
        network: trained, in evaluation mode, on the device.
        recogniser: z_id of images of the card's crops, on the same device.
    """

    def __init__(self, card: SwapperCard, network: FaceShifterNet, recogniser: AlignedRecogniser) -> None:
        self._card = card
        self.network = network
        self.recogniser = recogniser
        self._device = next(network.parameters()).device

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`; never fails, and has no mask of its own."""
        made = by_rows(self.generate, source, target, self._device)
        images = to_image(torch.cat([one.y for one in made])).float().clamp(0, 1).cpu()
        return Swap(images, None, (Status.OK,) * len(target))

    @torch.no_grad()
    def generate(self, source: Tensor, target: Tensor) -> Refined:
        """What both stages give for B pairs; shapes as for `swap`."""
        source, target = (one.to(self._device, memory_format=torch.channels_last) for one in (source, target))
        z_s, z_t = self.recogniser(torch.cat([source, target])).chunk(2)
        made: Refined = self.network(to_network(target), z_s, z_t)
        return made

    def cost(self) -> Cost:
        """Parameters, and multiply-accumulates of one swap, the recogniser's two looks included."""
        image = torch.zeros(1, 3, self._card.target.size, self._card.target.size)
        return cost(lambda: self.generate(image, image), self.network, self.recogniser)
