"""Which number format a method's networks run in, and why: decided once, on the first batch, and kept with the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hifibench.records import Precision, Swap

Used = Literal["fp32", "bf16"]

PLAIN = ("eager", "own")
"""Engines that give the bits of the swapper itself in fp32: the networks as they are, and a method that shows none."""

MEAN, LARGEST = 1.0, 16.0
"""What an image or a mask by a quicker engine may differ from PyTorch's in fp32, in 1/255: on average over a picture,
and in any one value.

Chosen by looking at the shipped methods on portraits (docs/inference.md): there bfloat16 differs by less than half.
"""


@dataclass(frozen=True)
class Choice:
    """The number format of one method in one run.

    Attributes:
        asked: what the user asked for.
        used: what the networks run in.
        engine: what runs them, with its version; ``own`` for a method that shows no networks.
        mean_difference: from PyTorch's fp32 on the first batch, images and masks, in 1/255: the mean over the pair that
            differs most; ``None`` where nothing was compared.
        largest_difference: the largest of any value.
        reason: why it is not bf16, where ``auto`` was asked for; empty otherwise.
    """

    asked: Precision
    used: Used
    engine: str
    mean_difference: float | None = None
    largest_difference: float | None = None
    reason: str = ""

    @property
    def form(self) -> str:
        """What the marks of chunks call it, so that swaps of one format are never taken for those of another.

        ``fp32``: by PyTorch, as where nothing is asked for; ``fp32, openvino``: by another engine; ``bf16``.
        """
        if self.used == "fp32" and self.engine not in PLAIN:
            return f"fp32, {self.engine.split()[0]}"
        return self.used

    def to_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Any) -> Choice | None:
        """What `to_json` gave; ``None`` for anything else, which is then decided anew."""
        try:
            made = cls(**raw)
        except TypeError:
            return None
        return made if made.used in ("fp32", "bf16") else None


class Difference(NamedTuple):
    """Between two swaps of the same pairs, in 1/255: see `Choice`."""

    mean: float
    largest: float

    @property
    def agrees(self) -> bool:
        """Whether it lies within the tolerance; not where a value is no number."""
        return self.mean <= MEAN and self.largest <= LARGEST


def difference(one: Swap, other: Swap) -> Difference:
    """How far two swaps of the same pairs lie apart, images and masks."""
    import torch

    parts = [(one.image, other.image)]
    if one.mask is not None and other.mask is not None:
        parts.append((one.mask, other.mask))
    apart = [255 * (a.float() - b.float()).abs().flatten(1) for a, b in parts]
    means, largest = (torch.stack([how(each) for each in apart]) for how in (_mean, _largest))
    return Difference(round(float(means.max()), 4), round(float(largest.max()), 4))


def _mean(values: Any) -> Any:
    return values.mean(dim=1).max()


def _largest(values: Any) -> Any:
    return values.max()


def without_bf16(device: str) -> str:
    """Why bfloat16 does not pay on a device; empty where the hardware computes in it."""
    import torch

    if device.startswith("cuda"):
        major, minor = torch.cuda.get_device_capability(torch.device(device))
        return "" if major >= 8 else f"{device} is of CUDA capability {major}.{minor}; bf16 needs 8.0"
    flags = _flags()
    return "" if {"avx512_bf16", "amx_bf16"} & flags else "the processor has no bf16 instructions"


def _flags() -> set[str]:
    """What this processor can do, as Linux names it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())
