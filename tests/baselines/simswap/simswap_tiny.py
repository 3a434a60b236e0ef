"""Generators of a few channels whose every weight matters, and a recogniser that is quick."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.simswap.config import Config
from baselines.simswap.generator import Generator
from hifibench.contracts import Crop
from hifibench.training.recogniser import AlignedRecogniser

TINY = Config(size=32, width=1 / 64, blocks=2)


def generator(config: Config = TINY, seed: int = 0) -> Generator:
    """With random styles and statistics: as a generator begins, identities and norms would hardly matter."""
    made, rng = Generator(config), torch.Generator().manual_seed(seed)
    for name, value in made.state_dict().items():
        if not value.is_floating_point():
            continue
        fresh = torch.randn(value.shape, generator=rng)
        if name.endswith("running_var"):
            fresh = fresh.abs() + 0.5
        elif value.dim() > 1 and "style" not in name:
            fresh *= value[0].numel() ** -0.5
        value.copy_(fresh)
    return made.eval().requires_grad_(False)


class Colours(nn.Module):
    """Identity by the mean colour, by a fixed random map."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(7)
        self.register_buffer("map", torch.randn(3, 512, generator=rng))

    def forward(self, crops: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(crops - 0.5, 1).flatten(1) @ self.map


def recogniser(size: int = TINY.size) -> AlignedRecogniser:
    return AlignedRecogniser(Colours(), Crop("ffhq", size)).requires_grad_(False).eval()


def images(count: int, size: int = TINY.size, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=rng)
    return nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
