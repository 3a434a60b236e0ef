"""What a generator costs, counted without making it: no weights, no assets, no memory."""

from __future__ import annotations

from hifibench.hififace.config import Config
from hifibench.records import Cost
from hifibench.torch_swaps import cost


def count(config: Config) -> Cost:
    """Parameters and multiply-accumulates of one swap by the generator alone, the frozen networks left out."""
    import torch

    from hifibench.hififace.generator import Generator

    with torch.device("meta"):
        generator = Generator(config).requires_grad_(False)
        target, v_sid = torch.zeros(1, 3, config.size, config.size), torch.zeros(1, config.style_dim)
        return cost(lambda: generator(target, v_sid), generator)
