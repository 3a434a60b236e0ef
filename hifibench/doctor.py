"""``hifibench doctor``: what is here, and what each suite would still need."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hifibench import __version__, assets, registry, suite
from hifibench.data.ffpp_layout import default_root
from hifibench.errors import HifibenchError
from hifibench.needs import of_suite
from hifibench.suite import Suite

_PACKAGES = (
    "torch", "onnxruntime", "openvino", "mediapipe", "opencv-contrib-python", "numpy", "pandas",
)  # fmt: skip


def examine() -> None:
    """Print packages, devices, cache, and per suite what is missing: to fetch, or for the user to bring."""
    console = Console()
    console.print(
        f"hifibench {__version__}, Python {platform.python_version()}, {platform.platform()}", highlight=False
    )
    for title, rows in (("Packages", _packages()), ("Machine", _machine()), ("Suites", _suites())):
        table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
        for row in rows:
            table.add_row(*map(escape, row))
        console.print()
        console.print(table)


def _packages() -> list[tuple[str, str]]:
    rows = []
    for name in _PACKAGES:
        try:
            rows.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            rows.append((name, "not installed: python -m pip install -e ."))
    return rows


def _machine() -> list[tuple[str, str]]:
    import torch

    from hifibench.pipeline.timing import hardware

    found = hardware()
    rows = [
        ("processor", f"{found['cpu']}, {found['cores']} cores"),
        ("memory", f"{found.get('memory_gib', '?')} GiB"),
    ]
    if torch.cuda.is_available():
        rows += [(f"cuda:{index}", torch.cuda.get_device_name(index)) for index in range(torch.cuda.device_count())]
    else:
        rows.append(("GPU", "none usable by torch; runs use the processor"))
    root = assets.cache_root()
    place = root
    while not place.exists():
        place = place.parent
    writable = os.access(place, os.W_OK)
    free = shutil.disk_usage(place).free / 1e9
    rows.append(("cache", f"{root}, {free:.1f} GB free{'' if writable else ', NOT WRITABLE: set HIFIBENCH_CACHE'}"))
    ffpp = default_root()
    rows.append(("FaceForensics++", f"{ffpp}{'' if ffpp.is_dir() else ' is not there; its suites take --ffpp ROOT'}"))
    return rows


def _suites() -> list[tuple[str, str]]:
    rows = []
    for name in registry.suites.names():
        try:
            one = suite.load(name)
            rows.append((name, _readiness(one)))
            if one.embedded is not None:
                rows.append(("  --estimators embedded", _readiness(one.by("embedded"))))
        except HifibenchError as error:
            rows.append((name, f"cannot run: {error}"))
    return rows


def _readiness(one: Suite) -> str:
    """What a suite has and lacks; what can be fetched comes by itself, for want of the rest a run ends."""
    needed = of_suite(one)
    wanting = [asset for asset in needed if assets.state(asset) != "present"]
    own = [asset for asset in wanting if asset in assets.brought()]
    fetched = [asset for asset in wanting if asset not in own]
    told = [f"{len(needed) - len(wanting)} of {len(needed)} assets are here"]
    told += [f"to fetch: {', '.join(fetched)}"] if fetched else []
    told += [f"only you can bring: {', '.join(own)}"] if own else []
    return "; ".join(told) if len(told) > 1 else f"ready: all {len(needed)} assets are here"
