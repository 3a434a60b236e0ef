"""What a generator costs, counted without making it: no weights, no assets, no memory."""

from __future__ import annotations

from hifibench.hififace.config import Config
from hifibench.records import Cost


def count(config: Config) -> Cost:
    """Parameters and multiply-accumulates of one swap by the generator alone, the frozen networks left out."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from hifibench.hififace.generator import Generator

    with torch.device("meta"):
        generator = Generator(config).requires_grad_(False)
        target, v_sid = torch.zeros(1, 3, config.size, config.size), torch.zeros(1, config.style_dim)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            generator(target, v_sid)
    return Cost(
        params_trainable=sum(one.numel() for one in generator.parameters()),
        params_frozen=0,
        macs=counter.get_total_flops() // 2,
    )
