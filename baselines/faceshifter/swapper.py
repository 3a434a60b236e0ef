"""FaceShifter as a face swapper: trained networks of both stages and the recogniser that they were trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.faceshifter.method import to_image, to_network
from baselines.faceshifter.network import FaceShifterNet
from hifibench.contracts import Networks, SwapperCard
from hifibench.torch_swaps import NetworkSwaps
from hifibench.training.recogniser import AlignedRecogniser


class _Identity(nn.Module):
    """z_id: of sources, and of targets for the heuristic error."""

    def __init__(self, recogniser: AlignedRecogniser) -> None:
        super().__init__()
        self.recogniser = recogniser

    def forward(self, image: Tensor) -> tuple[Tensor]:
        return (self.recogniser(image.contiguous(memory_format=torch.channels_last)),)


class _Swap(nn.Module):
    """Y_s,t, cut to its range."""

    def __init__(self, network: FaceShifterNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, target: Tensor, z_source: Tensor, z_target: Tensor) -> tuple[Tensor]:
        x_t = to_network(target.contiguous(memory_format=torch.channels_last))
        return (to_image(self.network(x_t, z_source, z_target).y).float().clamp(0, 1),)


class FaceShifter(NetworkSwaps):
    """Swaps by AEI-Net and HEAR-Net; it has no mask of its own.

    Args:
        card: the card it is loaded under; its crops are those that the networks were trained with.
        network: trained, in evaluation mode, on the device.
        recogniser: z_id of images of the card's crops, on the same device.
    """

    def __init__(self, card: SwapperCard, network: FaceShifterNet, recogniser: AlignedRecogniser) -> None:
        identity = _Identity(recogniser)
        super().__init__(card, Networks(identity, identity, _Swap(network)), network, recogniser)
        self.network = network
        self.recogniser = recogniser
