"""Weights and data files: fetched on first use into the user's cache, none opened before its hash is checked.

``path(name)`` is all that the rest of the project needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hifibench.asset_catalogue import CATALOGUE
from hifibench.asset_records import Asset
from hifibench.asset_store import State, Store

__all__ = ["State", "cache_root", "catalogue", "ensure", "path", "state", "verify"]


def cache_root() -> Path:
    """``HIFIBENCH_CACHE`` if set, else the platform's folder for caches; need not exist yet."""
    chosen = os.environ.get("HIFIBENCH_CACHE", "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("hifibench", appauthor=False))


def catalogue() -> Mapping[str, Asset]:
    """All assets by name."""
    return CATALOGUE


def path(name: str) -> Path:
    """The file of an asset, its hash checked; fetched first if it is not there.

    Raises:
        UsageError: no asset has this name.
        MissingError: it is not there and cannot be had; says what it is, whence it comes, where to put it.
    """
    return _store().path(name)


def ensure(names: Iterable[str], quiet: bool = False) -> None:
    """Fetch whatever of these assets is not there yet.

    Args:
        names: of assets.
        quiet: plain lines instead of progress bars.

    Raises:
        UsageError: no asset has one of these names.
        MissingError: some cannot be had; all of them are named.
    """
    _store().ensure(names, quiet)


def state(name: str) -> State:
    """How an asset stands in the cache; changes nothing."""
    return _store().state(name)


def verify(names: Iterable[str]) -> dict[str, State]:
    """How assets stand in the cache, every byte read anew."""
    return _store().verify(names)


def _store() -> Store:
    return Store(cache_root(), CATALOGUE)
