"""SimSwap as a face swapper: a generator and the recogniser whose identities it was trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.simswap.generator import Generator
from hifibench.contracts import Networks, SwapperCard
from hifibench.torch_swaps import NetworkSwaps


class _Source(nn.Module):
    """v_s of a source."""

    def __init__(self, recogniser: nn.Module) -> None:
        super().__init__()
        self.recogniser = recogniser

    def forward(self, source: Tensor) -> tuple[Tensor]:
        return (self.recogniser(source.contiguous(memory_format=torch.channels_last)),)


class _Swap(nn.Module):
    """I_R, cut to its range."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, target: Tensor, v_s: Tensor) -> tuple[Tensor]:
        image = self.generator(target.contiguous(memory_format=torch.channels_last), v_s)
        return (image.float().clamp(0, 1),)


class SimSwap(NetworkSwaps):
    """Swaps by a trained generator; it has no mask of its own.

    Args:
        card: the card it is loaded under; its crops are those that generator and recogniser were trained with.
        generator: trained, in evaluation mode, on the device: its batch norms would mix the rows of a batch.
        recogniser: images ``(B, 3, S, S)`` RGB in [0, 1], cropped as ``card.source`` says, to ``(B, 512)`` identities
            of unit length; on the same device.
    """

    def __init__(self, card: SwapperCard, generator: Generator, recogniser: nn.Module) -> None:
        generator.eval()
        super().__init__(card, Networks(_Source(recogniser), None, _Swap(generator)), generator, recogniser)
        self.generator = generator
        self.recogniser = recogniser
