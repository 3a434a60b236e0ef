"""A swapper of a few weights that shows its networks and counts how often each is asked."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hifibench.contracts import Crop, Networks, SwapperCard
from hifibench.torch_swaps import NetworkSwaps

SIZE = 16
CARD = SwapperCard("small", "small", Crop("arcface", SIZE), Crop("ffhq", SIZE))


class Look(nn.Module):
    """Four numbers of an image; with ``cross``, an operation that OpenVINO knows only taken apart."""

    def __init__(self, seed: int, cross: bool = False) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(seed)
        self.weights = nn.Parameter(torch.randn(4, 12, generator=made) / 4, requires_grad=False)
        self.cross = cross
        self.calls = 0

    def forward(self, image: Tensor) -> tuple[Tensor]:
        self.calls += 1
        seen = nn.functional.adaptive_avg_pool2d(image, 2).flatten(1) @ self.weights.T
        if self.cross:
            turned = torch.linalg.cross(seen[:, :3], seen[:, 1:])
            seen = torch.cat([turned, seen[:, :1]], dim=1)
        return (seen,)


class Draw(nn.Module):
    """An image near the target, and a mask; ``most`` rows fit into its memory."""

    def __init__(self, most: int = 10**9, fails: str = "") -> None:
        super().__init__()
        made = torch.Generator().manual_seed(3)
        self.paint = nn.Conv2d(3 + 8, 4, 3, padding=1)
        for parameter in self.paint.parameters():
            parameter.data = torch.randn(parameter.shape, generator=made) / 8
        self.most, self.fails = most, fails
        self.batches: list[int] = []

    def forward(self, target: Tensor, of_source: Tensor, of_target: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(len(target))
        if self.fails:
            raise RuntimeError(self.fails)
        if len(target) > self.most:
            raise RuntimeError("CUDA error: out of memory")
        seen = torch.cat([of_source, of_target], dim=1)[:, :, None, None].expand(-1, -1, SIZE, SIZE)
        drawn = self.paint(torch.cat([target, seen], dim=1)).sigmoid()
        return drawn[:, :3], drawn[:, 3:]


class Small(NetworkSwaps):
    def __init__(self, card: SwapperCard = CARD, cross: bool = False, fails: str = "") -> None:
        self.source, self.target, self.generator = Look(1, cross), Look(2), Draw(fails=fails)
        for network in (self.source, self.target, self.generator):
            network.eval().requires_grad_(False)
        super().__init__(card, Networks(self.source, self.target, self.generator), self.generator, self.source)


def faces(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, SIZE, SIZE, generator=rng), torch.rand(count, 3, SIZE, SIZE, generator=rng)
