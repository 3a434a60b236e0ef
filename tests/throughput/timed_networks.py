"""Swappers of small networks and without, faces for them, and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hifibench.contracts import Crop, Networks, SwapperCard, SwapperPlugin
from hifibench.pipeline.swap import Job
from hifibench.records import Cost, Face, Status, Swap

SIZE, WIDTH = 16, 5
CARD = SwapperCard("tiny-networks", "for tests", Crop("ffhq", SIZE), Crop("ffhq", SIZE))
GENERATOR_MACS = SIZE * SIZE * 9 * 3 * 3
"""Of a 3x3 convolution from three to three channels that keeps the size, by hand."""
SOURCE_MACS = 3 * WIDTH
"""Of a matrix product from three means to `WIDTH` numbers."""


class FakeClock:
    """Stands still until a call takes time."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def call(self, seconds: Callable[[int], float]) -> Callable[[int], object]:
        def call(number: int) -> None:
            self.time += seconds(number)

        return call


class Source(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, WIDTH, bias=False)
        self.looks = 0

    def forward(self, source: Tensor) -> tuple[Tensor]:
        self.looks += len(source)
        return (self.linear(source.mean(dim=(2, 3))),)


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)

    def forward(self, target: Tensor, identity: Tensor) -> tuple[Tensor, Tensor]:
        image = torch.sigmoid(self.conv(target) + identity.mean(dim=1)[:, None, None, None])
        return image, torch.ones_like(image[:, :1])


class TinyNetworks:
    card = CARD

    def __init__(self, card: SwapperCard = CARD) -> None:
        torch.manual_seed(0)
        self.card = card
        self.networks = Networks(Source().eval(), None, Generator().eval())

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        image, mask = self.networks.generator(target, *self.networks.source(source))
        return Swap(image, mask, (Status.OK,) * len(target))

    def cost(self) -> Cost:
        return Cost(81, 15, GENERATOR_MACS + SOURCE_MACS)


class Plain:
    """The same without its networks; may refuse some pairs."""

    def __init__(self, card: SwapperCard = CARD, fails: Callable[[Tensor], bool] = lambda target: False) -> None:
        self.card = card
        self._fails = fails

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        status = tuple(Status.FAILED if self._fails(one) else Status.OK for one in target)
        return Swap(target, None, status, tuple("no chin" if one is Status.FAILED else "" for one in status))

    def cost(self) -> Cost:
        return Cost(0, 0, 1000)


def plugin(make: Callable[[SwapperCard], Any] = TinyNetworks, name: str = CARD.name) -> SwapperPlugin:
    card = replace(CARD, name=name)
    return SwapperPlugin(card, lambda device: make(card))


class OneFace:
    """A detector that always finds the same face."""

    def __init__(self) -> None:
        self.frames = 0

    def choose(self, frame: object) -> Face:
        self.frames += 1
        return FACE


FACE = Face(
    np.array([16, 12, 48, 54], np.float32),
    np.array([[24, 28], [40, 28], [32, 37], [26, 45], [38, 45]], np.float32),
    0.9,
)


def jobs(count: int = 3) -> list[Job]:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2 * count, 64, 64, 3), np.uint8)
    return [Job(frames[2 * row], FACE, frames[2 * row + 1], FACE) for row in range(count)]
