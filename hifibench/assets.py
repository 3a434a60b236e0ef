"""Weights and data files: fetched on first use into the user's cache, none opened before its hash is checked.

``path(name)`` is all that the rest of the project needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hifibench.asset_catalogue import CATALOGUE
from hifibench.asset_records import Asset, Brought, Licence
from hifibench.asset_store import State, Store
from hifibench.brought import BROUGHT
from hifibench.brought.store import BroughtStore
from hifibench.user_files import digest

__all__ = [
    "State",
    "brought",
    "cache_root",
    "catalogue",
    "ensure",
    "licence",
    "names",
    "path",
    "sha256",
    "state",
    "verify",
]


def cache_root() -> Path:
    """``HIFIBENCH_CACHE`` if set, else the platform's folder for caches; need not exist yet."""
    chosen = os.environ.get("HIFIBENCH_CACHE", "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("hifibench", appauthor=False))


def catalogue() -> Mapping[str, Asset]:
    """All assets that the project can fetch, by name."""
    return CATALOGUE


def brought() -> Mapping[str, Brought]:
    """All assets that only the user can bring, by name."""
    return BROUGHT


def names() -> list[str]:
    """All assets of either kind, sorted."""
    return sorted((*CATALOGUE, *BROUGHT))


def licence(name: str) -> Licence:
    """The terms of an asset of either kind; raises ``KeyError`` if there is none of that name."""
    return (BROUGHT.get(name) or CATALOGUE[name]).licence


def sha256(name: str) -> str:
    """What an asset's file is, for the cards of whatever uses it: hexadecimal.

    Of files that the user brings, that of the file which is there; empty where there is none, or no such asset.
    """
    if name in BROUGHT:
        return digest(_own().place(name))
    return CATALOGUE[name].sha256 if name in CATALOGUE else ""


def path(name: str) -> Path:
    """The file of an asset, its hash checked; fetched first if it is not there and may be.

    Raises:
        UsageError: no asset has this name.
        MissingError: it is not there and cannot be had; says what it is, whence it comes, where to put it.
    """
    return _own().path(name) if name in BROUGHT else _store().path(name)


def ensure(names: Iterable[str], quiet: bool = False) -> None:
    """Fetch whatever of these assets is not there yet.

    Args:
        names: of assets.
        quiet: plain lines instead of progress bars.

    Raises:
        UsageError: no asset has one of these names.
        MissingError: some cannot be had; all of them are named. Files that only the user can bring come first: nothing
            is fetched for a run that would end for want of them.
    """
    wanted = list(names)
    _own().need(name for name in wanted if name in BROUGHT)
    _store().ensure((name for name in wanted if name not in BROUGHT), quiet)


def state(name: str) -> State:
    """How an asset stands in the cache; changes nothing."""
    return _own().state(name) if name in BROUGHT else _store().state(name)


def verify(names: Iterable[str]) -> dict[str, State]:
    """How assets stand in the cache, every byte read anew."""
    wanted = list(names)
    own = {name: _own().state(name) for name in wanted if name in BROUGHT}
    return {**own, **_store().verify(name for name in wanted if name not in BROUGHT)}


def _store() -> Store:
    return Store(cache_root(), CATALOGUE)


def _own() -> BroughtStore:
    return BroughtStore(cache_root(), BROUGHT)
