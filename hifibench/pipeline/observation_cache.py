"""What experts saw, kept by content under ``<cache>/observations``: one small file per image and expert.

The key of an entry is the hash of the image's pixels, of the face in it that was chosen, and of the expert's card: the
same picture under two methods, in two runs or in two processes is looked at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from hifibench import assets
from hifibench.arrays import read_arrays, write_arrays
from hifibench.contracts import ExpertCard
from hifibench.records import Floats


class Cache:
    """Observations by card and key; may be used from several threads and processes at once."""

    def __init__(self) -> None:
        self._root = assets.cache_root() / "observations"
        self._folders: dict[str, str] = {}

    def get(self, card: ExpertCard, key: str) -> dict[str, Floats] | None:
        """The stored observation; ``None`` where there is none yet, or a damaged one."""
        return read_arrays(self._path(card, key))

    def put(self, card: ExpertCard, key: str, seen: Mapping[str, Floats]) -> None:
        """Store an observation; of several writers any one's stays, since all wrote the same."""
        write_arrays(self._path(card, key), seen)

    def _path(self, card: ExpertCard, key: str) -> Path:
        if card.name not in self._folders:  # a card's hash takes as long as reading an entry
            self._folders[card.name] = f"{card.name}-{card.hash[:12]}"
        return self._root / self._folders[card.name] / key[:2] / f"{key}.npz"


def key_of(*parts: str | bytes) -> str:
    """One key of all that an observation depends on besides its card."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()
