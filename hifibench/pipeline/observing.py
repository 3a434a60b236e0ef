"""Stages one and three at work: this share's original images and swaps are looked at, and what was seen is stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from hifibench.arrays import write_arrays
from hifibench.data import Facts, Loader
from hifibench.data.images import content_hash, load
from hifibench.errors import ImageError
from hifibench.pipeline.looks import COMPARING, Beside, Look, Seen, face_of
from hifibench.pipeline.observe import Observer
from hifibench.pipeline.progress import Reporter
from hifibench.pipeline.share import Share
from hifibench.pipeline.store import RunFolder, chunks, stack, write_json
from hifibench.profiling import Profile
from hifibench.records import ImageRef, Manifest, Pair

T = TypeVar("T")

_log = logging.getLogger("hifibench")

TOLD = 3
"""Crowded images that are named in the log."""


class Observing:
    """Looks at images, chunk by chunk.

    Args:
        folder: of the run.
        manifest: all images and pairs.
        share: which chunks are to be done.
        observer: the experts.
        load: gives an original image.
        facts: gives what is known of an original image by its making; ``None`` where nothing is asked.
        reporter: where progress is told.
        profile: where the time went.
    """

    def __init__(
        self,
        folder: RunFolder,
        manifest: Manifest,
        share: Share,
        observer: Observer,
        load: Loader,
        facts: Facts | None,
        reporter: Reporter,
        profile: Profile,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._share = share
        self._observer = observer
        self._load = load
        self._facts = facts
        self._reporter = reporter
        self._profile = profile
        comparing = [card for card in observer.cards.values() if card.role in COMPARING]
        self._needed = {need for card in comparing for need in card.needs}

    def images(self) -> None:
        """Get this share's images and observe them."""
        todo = self._share.owned(self._manifest.images, lambda chunk: self._share.observed("images", chunk))

        def get(item: tuple[ImageRef, str]) -> Look:
            ref, _ = item
            facts = None if self._facts is None else self._facts(ref)
            return Look(self._load(ref), facts=facts, name=ref.image)

        self._look("images", todo, get)
        if crowded := self._observer.crowded:
            more = f" and {len(crowded) - TOLD} more" if len(crowded) > TOLD else ""
            _log.warning(
                "several faces of about one size in %d images: %s%s; the largest, most central one is taken in each",
                len(crowded),
                ", ".join(sorted(crowded)[:TOLD]),
                more,
            )

    def observations(self, method: str) -> None:
        """Observe this share's swaps of one method."""
        todo = self._share.owned(self._manifest.pairs, lambda chunk: self._share.observed(method, chunk))

        def get(item: tuple[Pair, str]) -> Look | None:
            pair, content = item
            return self._swap(method, pair, content) if content else None

        self._look(method, todo, get)

    def _look(
        self, of: str, todo: Sequence[tuple[int, Sequence[T]]], get: Callable[[tuple[T, str]], Look | None]
    ) -> None:
        """Look at chunks of images or of a method's swaps, and store each when all of it was seen."""
        marks: dict[int, dict[str, Any]] = {}

        def items() -> Iterator[tuple[T, str]]:
            for chunk, part in todo:
                marks[chunk] = self._share.mark(of, chunk)
                yield from zip(part, marks[chunk].get("swaps", [""] * len(part)), strict=True)

        stage, method = ("images", "") if of == "images" else ("observe", of)
        with (
            self._reporter.stage(f"{stage} {method}".strip(), sum(len(part) for _, part in todo)) as advance,
            closing(self._observer.looks(items(), get, stage, method)) as looks,
        ):
            for chunk, part in todo:
                seen = []
                for one in islice(looks, len(part)):
                    seen.append(one)
                    advance()
                with self._profile.span(stage, "write", len(part), method):
                    self._store(of, chunk, marks.pop(chunk), seen)

    def _swap(self, method: str, pair: Pair, content: str) -> Look:
        """A swapped frame and what it is held against."""
        beside = {"comparison": self._beside(pair.target)}
        if pair.truth and any(card.role == "truth" for card in self._observer.cards.values()):
            beside["truth"] = self._beside(pair.truth)
        try:
            path = self._folder.swap_image(method, pair.pair)
            frame = load(path)
            if content_hash(frame) != content:
                raise ImageError(f"{path} is not the image that the method made.")
        except ImageError as error:
            # A damaged image is no finished work: its chunk's mark goes, and the next start makes it again.
            chunk = next(i for i, part in enumerate(chunks(self._manifest.pairs)) if pair in part)
            self._folder.swap_chunk(method, chunk).unlink(missing_ok=True)
            raise ImageError(f"{error} Run the same command again: it makes this swap anew.") from error
        return Look(frame, face_of(beside["comparison"].seen), beside, name=f"{pair.pair} of {method}", content=content)

    def _beside(self, image: str) -> Beside:
        """An original image that a swap is compared with, and what was seen in it by those whose view is needed."""
        ref = self._manifest.image(image)
        frame = self._load(ref)
        content = content_hash(frame)
        seen = self._observer.look(Look(frame, content=content, experts=self._needed))
        if self._facts is None:
            return Beside(frame, seen, content=content)
        return Beside(frame, seen, partial(self._facts, ref), f"{ref.uri}; {self._manifest.origin}", content)

    def _store(self, of: str, chunk: int, mark: dict[str, Any], seen: Sequence[Seen]) -> None:
        for name in self._share.looking(of):
            rows = [one.get(name, {}) for one in seen]
            like = next((row for row in rows if row), {})
            nothing = {output: np.full_like(value, np.nan) for output, value in like.items()}
            arrays = {**stack([row or nothing for row in rows]), "rows": np.array(len(rows))}
            write_arrays(self._folder.observations(of, name, chunk), arrays)
        write_json(self._folder.observations(of, "done", chunk).with_suffix(".json"), mark)
