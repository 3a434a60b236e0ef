"""FSGAN v2 by its authors' code, in the user's checkout and environment: the kind ``fsgan``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hifibench.contracts import MethodKind, SwapperPlugin


def _make(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    from baselines.fsgan.table import make

    return make(name, table, folder)


fsgan = MethodKind("FSGAN v2 by its authors' code, in your checkout and environment", _make)
