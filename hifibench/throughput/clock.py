"""The clock, and what else must be still while it runs."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path


class Clock:
    """Seconds that wait for the device: what was begun before is done when the clock is read.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """

    def __init__(self, device: str) -> None:
        self._cuda = device if device.startswith("cuda") else ""

    def now(self) -> float:
        """Seconds since some moment."""
        if self._cuda:
            import torch

            torch.cuda.synchronize(self._cuda)
        return time.perf_counter()


@contextmanager
def undisturbed(device: str, used: str = "fp32") -> Iterator[None]:
    """No garbage collection and no gradients within the block; fp32 is fp32 on CUDA too, without TF32."""
    import torch

    from hifibench.inference.engines import exact_products

    gc.collect()
    there = gc.isenabled()
    gc.disable()
    try:
        with torch.no_grad(), exact_products(torch.device(device)) if used == "fp32" else nullcontext():
            yield
    finally:
        if there:
            gc.enable()


class Peak:
    """The most memory that was taken since it was made; ``None`` where the system does not tell.

    On CUDA what torch had allocated on the device, weights included; on a processor by how much the resident memory of
    this process grew, child processes not counted.
    """

    def __init__(self, device: str) -> None:
        self._cuda = device if device.startswith("cuda") else ""
        self._before: int | None = None
        if self._cuda:
            import torch

            torch.cuda.reset_peak_memory_stats(self._cuda)
            return
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the process's peak becomes what it has now
        except OSError:
            return
        self._before = _status("VmRSS")

    def taken(self) -> int | None:
        """Bytes."""
        if self._cuda:
            import torch

            return int(torch.cuda.max_memory_allocated(self._cuda))
        peak = _status("VmHWM")
        return None if peak is None or self._before is None else max(0, peak - self._before)


def _status(name: str) -> int | None:
    """A line of Linux's report on this process, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
    except (OSError, StopIteration, ValueError):
        return None
