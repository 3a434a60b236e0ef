"""FaceShifter as a face swapper: trained networks of both stages and the recogniser that they were trained with."""

from __future__ import annotations

import torch
from torch import Tensor

from baselines.faceshifter.method import to_image, to_network
from baselines.faceshifter.network import FaceShifterNet, Refined
from hifibench.contracts import SwapperCard
from hifibench.records import Cost, Status, Swap
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
        # On a processor one by one: a batch is hardly faster there, and a row's last bits would depend on its company.
        rows = [(source[i : i + 1], target[i : i + 1]) for i in range(len(source))]
        made = [self.generate(*row).y for row in (rows if self._device.type == "cpu" else [(source, target)])]
        images = to_image(torch.cat(made)).float().clamp(0, 1).cpu()
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
        from torch.utils.flop_counter import FlopCounterMode

        image = torch.zeros(1, 3, self._card.target.size, self._card.target.size)
        with FlopCounterMode(display=False) as counter:
            self.generate(image, image)
        return Cost(
            params_trainable=sum(one.numel() for one in self.network.parameters()),
            params_frozen=sum(one.numel() for one in self.recogniser.parameters()),
            macs=counter.get_total_flops() // 2,
        )
