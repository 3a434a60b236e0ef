"""The machine's limit: how many operations a second square matrix products reach, in the same run and number format."""

from __future__ import annotations

from statistics import median

from hifibench.throughput.clock import undisturbed
from hifibench.throughput.measure import Ticks, warm_up
from hifibench.throughput.records import Ceiling

CPU_SIZES, CUDA_SIZES = (512, 1024, 2048), (2048, 4096, 8192, 16384)
"""Sides of the matrices that are tried."""

WINDOWS, PART_S = 5, 0.2
"""Of each size: windows, and the least that one lasts."""


def ceiling(
    device: str, precision: str, clock: Ticks, sizes: tuple[int, ...] | None = None, part_s: float = PART_S
) -> Ceiling:
    """Measure it with the threads that torch has.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32`` (without TF32) or ``bf16``.
        clock: of that device.
        sizes: sides of the matrices; ``None``: what suits the device.
        part_s: seconds that a window lasts at least.
    """
    import torch

    sizes = sizes or (CUDA_SIZES if device.startswith("cuda") else CPU_SIZES)
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    rates: dict[int, list[float]] = {}
    for size in sizes:
        # Numbers as networks have them: on zeros a GPU draws less power and runs quicker.
        left, right, out = (torch.randn(size, size, device=device).to(kind) for _ in range(3))
        with undisturbed(device, precision):

            def call(_: int, a: torch.Tensor = left, b: torch.Tensor = right, into: torch.Tensor = out) -> None:
                torch.mm(a, b, out=into)

            warmed = warm_up(call, clock, WINDOWS * part_s)
            calls = max(1, round(part_s / max(warmed.seconds, 1e-9)))
            rates[size] = []
            for _ in range(WINDOWS):
                begin = clock.now()
                for number in range(calls):
                    call(number)
                rates[size].append(operations(size) * calls / (clock.now() - begin) / 1e12)
    best = max(rates, key=lambda size: median(rates[size]))
    return Ceiling(
        precision,
        best,
        median(rates[best]),
        min(rates[best]),
        max(rates[best]),
        WINDOWS,
        {size: median(listed) for size, listed in rates.items()},
    )


def operations(size: int) -> int:
    """Floating-point operations of a product of two square matrices: a multiply-accumulate counts as two."""
    return 2 * size**3


def share(flops_per_s: float | None, limit: Ceiling | None) -> float | None:
    """Part of the limit that was reached; ``None`` where either is not known."""
    return None if flops_per_s is None or limit is None else flops_per_s / (limit.tflops * 1e12)
