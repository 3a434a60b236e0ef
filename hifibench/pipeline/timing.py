"""How long swaps took, and on what. Kept apart from ``results.json``, which must not depend on the weather."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from hifibench.pipeline.store import RunFolder, chunks, read_json, write_json
from hifibench.suite import Suite


def write_timing(folder: RunFolder, suite: Suite, n_pairs: int) -> None:
    """Milliseconds per swap of every method, with the hardware they were measured on.

    The time is that of the swapper alone (scope ``swap``): detection, cropping and pasting back are not in it.
    """
    methods = {}
    for method in suite.methods:
        read = (read_json(folder.timing_chunk(method, chunk)) for chunk, _ in enumerate(chunks(range(n_pairs))))
        seconds = np.concatenate([np.asarray(part or [], np.float64) for part in read])
        if seconds.size:
            p50, p90 = np.percentile(seconds * 1000, [50, 90])
            methods[method] = {
                "n": int(seconds.size),
                "ms_p50": round(float(p50), 3),
                "ms_p90": round(float(p90), 3),
                "scope": "swap",
            }
    write_json(folder["timing.json"], {"hardware": hardware(), "methods": methods})


def hardware() -> dict[str, Any]:
    """Processor, cores, memory and accelerator of this machine, as far as they can be told."""
    import torch

    found: dict[str, Any] = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        found["cpu"] = next(
            line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")
        )
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        found["memory_gib"] = round(memory / 2**30, 1)
    except (OSError, StopIteration, ValueError):
        pass
    found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return found
