"""This process's share of a run: which chunks of the plan are its own, and which are done already.

A chunk is done when its mark in the run folder says so and its files are there: under the present cards, and for
observations of the present swaps. Whatever is damaged, half written or of another card is to be done again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hifibench import registry
from hifibench.contracts import ExpertCard, SwapperCard
from hifibench.errors import MissingError
from hifibench.pipeline.observe import COMPARING
from hifibench.pipeline.store import RunFolder, Shard, chunks, read_json
from hifibench.records import Manifest, Status
from hifibench.suite import Suite


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
        self._manifest = manifest
        self._methods = suite.methods
        self._shard = shard
        self._experts = experts
        self._cards: dict[str, SwapperCard] = {name: registry.swappers.get(name).card for name in suite.methods}

    def owned(self, items: Sequence[Any], done: Callable[[int], bool]) -> list[tuple[int, Sequence[Any]]]:
        """The chunks of this share that are not done yet, each with its number."""
        return [(i, part) for i, part in enumerate(chunks(items)) if self._shard.owns(i) and not done(i)]

    def swapped(self, method: str, chunk: int, final: bool = False) -> bool:
        """Whether a chunk was swapped by the method as its card is now, and the images are there.

        ``final`` asks for more: that no pair waits for something that the user may have brought since.
        """
        mark = read_json(self._folder.swap_chunk(method, chunk))
        return (mark is not None and mark["card"] == self._cards[method].hash) and all(
            not (final and Status(pair["status"]).waits)
            and (pair["status"] != Status.OK or self._folder.swap_image(method, pair["pair"]).exists())
            for pair in mark["pairs"]
        )

    def observed(self, of: str, chunk: int) -> bool:
        """Whether a chunk was observed by all experts, under their present cards; of swaps, the present ones."""
        if of != "images" and not self.swapped(of, chunk):
            return False
        mark = read_json(self._folder.observations(of, "done", chunk).with_suffix(".json"))
        return mark == self.mark(of, chunk) and all(
            zipfile.is_zipfile(self._folder.observations(of, name, chunk)) for name in self.looking(of)
        )

    def looking(self, of: str) -> list[str]:
        """Who looks at the originals (``images``) or at a method's swaps.

        Only swaps have something to be compared with, and only of originals it is known how they were made.
        """
        others = COMPARING if of == "images" else ("facts",)
        return [name for name, card in self._experts.items() if card.role not in others]

    def mark(self, of: str, chunk: int) -> dict[str, Any]:
        """What a chunk's observations depend on: cards, and for swaps the images themselves."""
        mark: dict[str, Any] = {"cards": {name: card.hash for name, card in self._experts.items()}}
        if of != "images":
            done = read_json(self._folder.swap_chunk(of, chunk))
            if done is None:
                raise MissingError(
                    f"{self._folder.swap_chunk(of, chunk)} is gone: another process is making these swaps anew. "
                    "Run the same command again."
                )
            mark["swaps"] = [pair["content"] for pair in done["pairs"]]
        return mark

    def missing(self) -> int:
        """Parts of the run that no share has done yet."""
        images = sum(not self.observed("images", chunk) for chunk, _ in enumerate(chunks(self._manifest.images)))
        swaps = sum(
            not self.observed(method, chunk)
            for method in self._methods
            for chunk, _ in enumerate(chunks(self._manifest.pairs))
        )
        return images + swaps
