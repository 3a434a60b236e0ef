"""The user's own network files: where they belong, how they stand, and what is said where they are missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from hifibench.asset_records import Brought
from hifibench.asset_store import State
from hifibench.errors import MissingError
from hifibench.user_files import digest

_HEADER = ("network", "file wanted", "where to get it", "licence", "where to put it")
_GAP = 2


class BroughtStore:
    """The folder ``<cache>/networks`` and the files it may hold.

    Args:
        root: the cache folder; need not exist yet.
        known: what it may hold, by name.
    """

    def __init__(self, root: Path, known: Mapping[str, Brought]) -> None:
        self.root, self.known = root, known

    def folder(self, name: str) -> Path:
        """Where the user puts the file of that name."""
        return self.root / "networks" / name

    def place(self, name: str) -> Path:
        """The file itself; where there is none, the path under its authors' own name."""
        folder = self.folder(name)
        places = [folder / filename for filename in self.known[name].filenames]
        return next((place for place in places if place.is_file()), places[0])

    def state(self, name: str) -> State:
        """How the file stands; ``CORRUPT`` where its authors publish another hash."""
        found = digest(self.place(name))
        if not found:
            return State.ABSENT
        expected = self.known[name].sha256
        return State.CORRUPT if expected and found != expected else State.PRESENT

    def path(self, name: str) -> Path:
        """The file of that name.

        Raises:
            MissingError: it is not there, or is another file; says where to get it.
        """
        self.need([name])
        return self.place(name)

    def need(self, names: Iterable[str]) -> None:
        """Refuse to go on where one of the files is not there.

        Raises:
            MissingError: a table of all that are missing: network, file, where to get it, licence, where to put it.
        """
        wrong = [name for name in dict.fromkeys(names) if self.state(name) is not State.PRESENT]
        if wrong:
            raise MissingError(self._table(wrong))

    def _table(self, names: list[str]) -> str:
        """One row a file; on a terminal too narrow for it one paragraph a file, since rows are to be copied from."""
        rows = [self._row(name) for name in names]
        widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
        count = "One file is" if len(names) == 1 else f"{len(names)} files are"
        told = (
            f"{count} missing that hifibench does not fetch. Get what the table names, put it where it says, and run "
            "the same command again."
        )
        if sum(widths) + _GAP * len(widths) > shutil.get_terminal_size((10_000, 24)).columns:
            label = max(map(len, _HEADER)) + _GAP
            parts = [
                "\n".join(f"{word:{label}}{cell}" for word, cell in zip(_HEADER, row, strict=True)) for row in rows
            ]
            return "\n\n".join((told, *parts))
        lines = [_HEADER, tuple("-" * width for width in widths), *rows]
        return "\n".join((told, "", *((" " * _GAP).join(map(str.ljust, line, widths)).rstrip() for line in lines)))

    def _row(self, name: str) -> tuple[str, ...]:
        one = self.known[name]
        wanted = " or ".join(one.filenames)
        if self.state(name) is State.CORRUPT:
            wanted += f" of SHA-256 {one.sha256}; the one that is there is another"
        elif found := self._instead(name):
            wanted += f"; {found}"
        return one.network, wanted, one.where, str(one.licence), str(self.folder(name) / one.filenames[0])

    def _instead(self, name: str) -> str:
        """What else lies where the file should, in words; empty where nothing does."""
        for place in (self.folder(name) / filename for filename in self.known[name].filenames):
            if place.is_dir():
                return f"{place.name} there is a folder"
            if place.is_symlink():
                return f"the link {place.name} there leads to no file"
        return ""
