"""The machine's limit: how many operations a second square matrix products reach, in the same run and number format."""

from __future__ import annotations

from statistics import median

from hifibench.device import out_of_memory
from hifibench.throughput.clock import undisturbed
from hifibench.throughput.measure import Ticks, warm_up
from hifibench.throughput.records import Ceiling

CPU_SIZES, LARGE_CPU_SIZES, CUDA_SIZES = (512, 1024, 2048), (4096, 8192), (2048, 4096, 8192, 16384)
"""Sides of the matrices that are tried; on a processor the large ones by more threads than `FEW`."""

FEW = 8

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
        sizes: sides of the matrices; ``None``: what suits the device. Those that do not fit into memory are left out.
        part_s: seconds that a window lasts at least.
    """
    import torch

    on_cpu = CPU_SIZES + LARGE_CPU_SIZES * (torch.get_num_threads() > FEW)
    sizes = sizes or (CUDA_SIZES if device.startswith("cuda") else on_cpu)
    rates: dict[int, list[float]] = {}
    for size in sizes:
        try:
            rates[size] = _rates(size, device, precision, clock, part_s)
        except Exception as error:
            if not rates or not out_of_memory(error):
                raise
            break
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


def _rates(size: int, device: str, precision: str, clock: Ticks, part_s: float) -> list[float]:
    """10^12 operations a second of each window."""
    import torch

    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    # Numbers as networks have them: on zeros a GPU draws less power and runs quicker.
    left, right, out = (torch.randn(size, size, device=device).to(kind) for _ in range(3))
    found = []
    with undisturbed(device, precision):

        def call(_: int) -> None:
            torch.mm(left, right, out=out)

        warmed = warm_up(call, clock, WINDOWS * part_s)
        calls = max(1, round(part_s / max(warmed.seconds, 1e-9)))
        for _ in range(WINDOWS):
            begin = clock.now()
            for number in range(calls):
                call(number)
            found.append(operations(size) * calls / (clock.now() - begin) / 1e12)
    return found


def operations(size: int) -> int:
    """Floating-point operations of a product of two square matrices: a multiply-accumulate counts as two."""
    return 2 * size**3


def share(flops_per_s: float | None, limit: Ceiling | None) -> float | None:
    """Part of the limit that was reached; ``None`` where either is not known."""
    return None if flops_per_s is None or limit is None else flops_per_s / (limit.tflops * 1e12)
