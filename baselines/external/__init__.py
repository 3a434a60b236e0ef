"""Methods that run as programs of their own, in environments that the user installs.

``external`` runs any program that speaks the protocol (`baselines.external.protocol`), ``simswap-checkout`` the
authors' SimSwap.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hifibench.contracts import MethodKind, SwapperPlugin


def _external(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    from baselines.external.table import make

    return make(name, table, folder)


def _simswap(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    from baselines.external.simswap import make

    return make(name, table, folder)


external = MethodKind("a program of yours in an environment of its own: docs/external.md", _external)
simswap_checkout = MethodKind("SimSwap by its authors' code, in your checkout and environment", _simswap)
