"""Which device a run uses, and how many processors it has."""

from __future__ import annotations

import os

from hifibench.errors import MissingError, UsageError


def choose(name: str) -> str:
    """``auto`` -> the first CUDA device, else the processor; any other name is checked and returned.

    Raises:
        UsageError: no such kind of device.
        MissingError: the device is not there.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdecimal()) or (kind == "cpu" and index):
        raise UsageError(f"--device {name!r} is no device; expected auto, cpu, cuda or cuda:N.")
    if kind == "cuda":
        there = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= there:
            raise MissingError(
                f"--device {name}: this machine has {there} usable CUDA devices. "
                "Use --device cpu, or install a driver and a torch build that fit the GPU."
            )
    return name


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def here() -> int:
    """Processes that ``torchrun`` or ``accelerate launch`` started on this machine, this one among them."""
    return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def out_of_memory(error: BaseException) -> bool:
    """Whether memory has run out, on a device or in the process: what a smaller batch may mend."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )
