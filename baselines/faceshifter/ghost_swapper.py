"""GHOST as a face swapper: its AEI-Net and its ArcFace, shown what its own code shows them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from baselines.faceshifter.aei import AEINet
from hifibench.contracts import Networks, SwapperCard
from hifibench.experts.iresnet import IResNet
from hifibench.torch_swaps import NetworkSwaps

SIZE = 256
"""What the network sees and draws."""


class _Source(nn.Module):
    """z_id of a source; halved by corners, as published."""

    def __init__(self, recogniser: IResNet) -> None:
        super().__init__()
        self.recogniser = recogniser

    def forward(self, source: Tensor) -> tuple[Tensor]:
        small = F.interpolate(source * 2 - 1, scale_factor=0.5, mode="bilinear", align_corners=True)
        return (self.recogniser(small),)


class _Swap(nn.Module):
    """The swap; the target is enlarged, and the swap brought back, edge to edge, as published."""

    def __init__(self, network: AEINet) -> None:
        super().__init__()
        self.network = network

    def forward(self, target: Tensor, z_id: Tensor) -> tuple[Tensor]:
        large = F.interpolate(target * 2 - 1, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        y, _ = self.network(large, z_id)
        return (F.interpolate(y, size=target.shape[-2:], mode="bilinear", align_corners=False) / 2 + 0.5,)


class Ghost(NetworkSwaps):
    """Swaps by GHOST's AEI-Net; it has no mask of its own.

    Args:
        card: the card it is loaded under; its crops are 224 pixels.
        network: AEI-Net of 256 pixels, in evaluation mode, on the device.
        recogniser: from ``arcface`` crops ``(B, 3, 112, 112)`` RGB in [-1, 1] to ``(B, 512)``, on the same device.
    """

    def __init__(self, card: SwapperCard, network: AEINet, recogniser: IResNet) -> None:
        super().__init__(card, Networks(_Source(recogniser), None, _Swap(network)), network, recogniser)
        self.network = network
        self.recogniser = recogniser
