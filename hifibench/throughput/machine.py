"""What it was measured on: read, never set."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hifibench.device import cores
from hifibench.pipeline.timing import hardware
from hifibench.throughput.records import Machine

LIBRARIES = (
    "torch",
    "openvino",
    "onnxruntime",
    "numpy",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-python",
)
"""What computes, as far as it is installed."""

_ASKED = ("driver_version", "clocks.current.sm", "clocks.max.sm", "power.limit", "temperature.gpu")
_CLOCKS = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def machine(device: str) -> Machine:
    """The machine as it is now.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; of CUDA devices the one that is meant.
    """
    import torch

    known = hardware()
    load = None
    with contextlib.suppress(OSError):
        load = round(os.getloadavg()[0], 2)
    governor = ""
    with contextlib.suppress(OSError):
        governor = _CLOCKS.read_text(encoding="utf-8").strip()
    return Machine(
        cpu=str(known["cpu"]),
        cores=int(known["cores"] or 1),
        usable_cores=cores(),
        torch_threads=torch.get_num_threads(),
        memory_gib=known.get("memory_gib"),
        clock_mhz=_clock_mhz(),
        governor=governor,
        load_1m=load,
        gpu=_gpu(device) if device.startswith("cuda") else {},
        versions={"python": platform.python_version(), **_versions()},
        platform=platform.platform(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _clock_mhz() -> float | None:
    """Mean over the cores, as Linux reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        clocks = [float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")]
    except (OSError, ValueError, IndexError):
        return None
    return round(sum(clocks) / len(clocks), 1) if clocks else None


def _gpu(device: str) -> dict[str, str]:
    import torch

    properties = torch.cuda.get_device_properties(device)
    found = {
        "name": str(properties.name),
        "memory_gib": f"{properties.total_memory / 2**30:.1f}",
        "cuda": str(torch.version.cuda or ""),
        "cudnn": str(torch.backends.cudnn.version() or ""),  # type: ignore[no-untyped-call]
    }
    return {**found, **_driver(str(getattr(properties, "uuid", "")))}


def _driver(uuid: str) -> dict[str, str]:
    """What ``nvidia-smi`` says of one device; nothing where it cannot be asked."""
    program = shutil.which("nvidia-smi")
    if program is None or not uuid:
        return {}
    words = [
        program,
        f"--query-gpu={','.join(_ASKED)}",
        "--format=csv,noheader",
        "-i",
        f"GPU-{uuid.removeprefix('GPU-')}",
    ]
    try:
        said = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    answers = [one.strip() for one in said.strip().split(",")]
    return dict(zip(_ASKED, answers, strict=False)) if len(answers) == len(_ASKED) else {}
