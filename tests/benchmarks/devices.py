"""What a figure was measured on, in the words of ``hifibench throughput``: a GPU with its driver and clocks."""

from __future__ import annotations

from hifibench.throughput.machine import machine
from hifibench.throughput.show import facts


def on(device: str) -> str:
    return ", ".join(f"{key} {value}" for key, value in facts(machine(device)).items())
