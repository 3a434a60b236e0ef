"""This process's share of a run: which chunks of the plan are its own, and which are done already.

A chunk is done when its mark in the run folder says so and its files are there: under the present cards, and for
observations of the present swaps. Whatever is damaged, half written or of another card is to be done again.

A run of 100,000 pairs has a million files, on a disk that may be far away: folders are listed instead of asking for
each file, and of what was found done nothing but the marks' dates is looked at again.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hifibench import registry
from hifibench.contracts import ExpertCard
from hifibench.errors import MissingError
from hifibench.pipeline import precision
from hifibench.pipeline.observe import COMPARING
from hifibench.pipeline.store import RunFolder, Shard, chunks, read_json
from hifibench.records import Manifest, Status
from hifibench.suite import Suite

Stamp = tuple[int, int, int]
"""When a file was written, its length and its number: another file under the same name has another stamp."""


class _Known(NamedTuple):
    """What was found out of a chunk's observations: under which marks, and whether its files were opened, too."""

    marks: tuple[Stamp | None, ...]
    opened: bool


class Share:
    """What is to be done, and by whom.

    Args:
        folder: of the run.
        manifest: all images and pairs.
        suite: methods and experts.
        shard: which part of the work is this process's.
        experts: name -> card of all that look, the detector among them.
    """

    def __init__(
        self, folder: RunFolder, manifest: Manifest, suite: Suite, shard: Shard, experts: Mapping[str, ExpertCard]
    ) -> None:
        self._folder = folder
        self._parts = {"images": len(chunks(manifest.images))}
        self._parts |= dict.fromkeys(suite.methods, len(chunks(manifest.pairs)))
        self._shard = shard
        self._roles = {name: card.role for name, card in experts.items()}
        # A card's hash takes as long as reading a mark.
        self._experts = {name: card.hash for name, card in experts.items()}
        self._methods = {name: registry.swappers.get(name).card.hash for name in suite.methods}
        self._used: dict[str, str | None] = {name: precision.used(folder, name) for name in suite.methods}
        self._known: dict[tuple[str, int], _Known] = {}
        self._listed: dict[Path, frozenset[str]] | None = None

    def owned(self, items: Sequence[Any], done: Callable[[int], bool]) -> list[tuple[int, Sequence[Any]]]:
        """The chunks of this share that are not done yet, each with its number."""
        with self._listing():
            return [(i, part) for i, part in enumerate(chunks(items)) if self._shard.owns(i) and not done(i)]

    def swapped(self, method: str, chunk: int, final: bool = False) -> bool:
        """Whether a chunk was swapped by the method as its card is now, and the images are there.

        ``final`` asks for more: that no pair waits for something that the user may have brought since.
        """
        mark = self._swaps(method, chunk)
        return mark is not None and self._made(method, mark, final)

    def observed(self, of: str, chunk: int, opened: bool = True) -> bool:
        """Whether a chunk was observed by all experts, under their present cards; of swaps, the present ones.

        Args:
            of: ``images`` or a method.
            chunk: its number.
            opened: also look into the files, whether they are whole.
        """
        path = self._done(of, chunk)
        marks = (_stamp(path), None if of == "images" else _stamp(self._folder.swap_chunk(of, chunk)))
        known = self._known.get((of, chunk))
        if known is None or known.marks != marks:
            if marks[0] is None or not self._marked(of, chunk, read_json(path)):
                return False
            files = [self._folder.observations(of, name, chunk) for name in self.looking(of)]
            if not all(map(self._there, files)):
                return False
            known = self._known[of, chunk] = _Known(marks, opened=False)
        if opened and not known.opened:
            if not all(zipfile.is_zipfile(self._folder.observations(of, name, chunk)) for name in self.looking(of)):
                return False
            self._known[of, chunk] = _Known(marks, opened=True)
        return True

    def runs_in(self, method: str, used: str | None) -> None:
        """Be told the number format of a method's swaps: those of another are none; ``None``: it is not decided."""
        if self._used[method] != used:
            self._used[method] = used
            self._known = {key: known for key, known in self._known.items() if key[0] != method}

    def looking(self, of: str) -> list[str]:
        """Who looks at the originals (``images``) or at a method's swaps.

        Only swaps have something to be compared with, and only of originals it is known how they were made.
        """
        others = COMPARING if of == "images" else ("facts",)
        return [name for name, role in self._roles.items() if role not in others]

    def mark(self, of: str, chunk: int) -> dict[str, Any]:
        """What a chunk's observations depend on: cards, and for swaps the images themselves."""
        if of == "images":
            return {"cards": dict(self._experts)}
        swaps = self._swaps(of, chunk)
        if swaps is None:
            raise MissingError(
                f"{self._folder.swap_chunk(of, chunk)} is gone: another process is making these swaps anew. "
                "Run the same command again."
            )
        return self._mark_of(swaps)

    def missing(self) -> int:
        """Parts of the run that no share has done yet.

        Files are opened only where nothing is missing at the first glance: before that, whoever owns a part looks.
        """
        for opened in (False, True):
            absent = 0
            for of, parts in self._parts.items():
                with self._listing():
                    absent += sum(not self.observed(of, chunk, opened) for chunk in range(parts))
            if absent:
                return absent
        return 0

    def _made(self, method: str, mark: Mapping[str, Any], final: bool) -> bool:
        present = (mark["card"], mark.get("precision", "fp32")) == (self._methods[method], self._used[method])
        return present and all(
            not (final and Status(pair["status"]).waits)
            and (pair["status"] != Status.OK or self._there(self._folder.swap_image(method, pair["pair"])))
            for pair in mark["pairs"]
        )

    def _marked(self, of: str, chunk: int, mark: Any) -> bool:
        """Whether the observations' mark is what it would be if they were made now."""
        if of == "images":
            return bool(mark == {"cards": self._experts})
        swaps = self._swaps(of, chunk)
        return swaps is not None and bool(mark == self._mark_of(swaps)) and self._made(of, swaps, final=False)

    def _mark_of(self, swaps: Mapping[str, Any]) -> dict[str, Any]:
        return {"cards": dict(self._experts), "swaps": [pair["content"] for pair in swaps["pairs"]]}

    def _swaps(self, method: str, chunk: int) -> dict[str, Any] | None:
        """The mark of a chunk of swaps; ``None`` where there is none, or it has not the form of one."""
        mark = read_json(self._folder.swap_chunk(method, chunk))
        return mark if isinstance(mark, dict) and {"card", "pairs"} <= mark.keys() else None

    def _done(self, of: str, chunk: int) -> Path:
        return self._folder.observations(of, "done", chunk).with_suffix(".json")

    @contextmanager
    def _listing(self) -> Iterator[None]:
        """A block in which every folder is listed once, and files are looked up there."""
        self._listed = {}
        try:
            yield
        finally:
            self._listed = None

    def _there(self, path: Path) -> bool:
        if self._listed is None:
            return path.exists()
        folder = path.parent
        if folder not in self._listed:
            try:
                with os.scandir(folder) as entries:
                    self._listed[folder] = frozenset(entry.name for entry in entries)
            except FileNotFoundError:
                self._listed[folder] = frozenset()
        return path.name in self._listed[folder]


def _stamp(path: Path) -> Stamp | None:
    """``None`` where there is no such file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
