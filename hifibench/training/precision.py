"""Which arithmetic a device is quick at."""

from __future__ import annotations


def bf16_pays(device: str) -> bool:
    """Whether bfloat16 is faster than float32 there: on CUDA from Ampere on, on processors with instructions for it.

    Elsewhere autocast would be emulated and slower than what it replaces.
    """
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def choose(wanted: str, device: str) -> str:
    """The precision to train in: the plan's, or ``fp32`` where bfloat16 does not pay."""
    return wanted if wanted == "fp32" or bf16_pays(device) else "fp32"
