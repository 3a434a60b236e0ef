"""Stage two at work: this share's swaps of one method are made and kept, or it is kept why there are none."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hifibench import data, registry
from hifibench.contracts import ReleasedSwapper, Swapper
from hifibench.data.images import content_hash, save_png
from hifibench.errors import MethodError
from hifibench.pipeline.observe import Observer
from hifibench.pipeline.pictures import Part, Pictures, around, save
from hifibench.pipeline.progress import Reporter
from hifibench.pipeline.share import Share
from hifibench.pipeline.store import RunFolder, read_json, write_json
from hifibench.pipeline.swap import Job, found, loaded, swap_jobs
from hifibench.profiling import Profile
from hifibench.records import Face, Frame, Manifest, Pair, Precision, Status, Swapped
from hifibench.suite import Suite

_log = logging.getLogger("hifibench")

TOLD = 3
"""Failed pairs of one kind that are named in the log; all of them stand in the run folder."""


class Swapping:
    """Makes swaps, chunk by chunk.

    Args:
        folder: of the run.
        manifest: all images and pairs.
        suite: whose images the manifest names.
        share: which chunks are to be done.
        observer: finds the faces, and lends its threads.
        load: gives an original image.
        device: where swappers run.
        reporter: where progress is told.
        precision: number format of swappers that show their networks.
        profile: where the time went.
    """

    def __init__(
        self,
        folder: RunFolder,
        manifest: Manifest,
        suite: Suite,
        share: Share,
        observer: Observer,
        load: data.Loader,
        device: str,
        reporter: Reporter,
        precision: Precision,
        profile: Profile,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._suite = suite
        self._share = share
        self._observer = observer
        self._load = load
        self._device = device
        self._reporter = reporter
        self._precision = precision
        self._profile = profile
        self._cards = {name: registry.swappers.get(name).card for name in suite.methods}
        self._pictures = Pictures(folder.root)
        self._warm: set[str] = set()
        self._run_id: str = (read_json(folder["run.json"]) or {})["run_id"]

    def swaps(self, method: str) -> None:
        """Make this share's swaps of one method; where it cannot be used, its pairs say so and the run goes on."""
        todo = self._share.owned(self._manifest.pairs, lambda chunk: self._share.swapped(method, chunk, final=True))
        if not todo and self._folder.cost(method).exists():
            return
        try:
            with loaded(registry.swappers.get(method), self._device, self._folder.logs(method)) as swapper:
                write_json(self._folder.cost(method), asdict(swapper.cost()) if isinstance(swapper, Swapper) else None)
                with self._reporter.stage(f"swap {method}", sum(len(part) for _, part in todo)) as advance:
                    for chunk, part in todo:
                        self._swap_chunk(swapper, chunk, part)
                        advance(len(part))
        except MethodError as error:
            _log.warning("%s is not available: %s", method, error)
            for chunk, part in todo:
                if not self._share.swapped(method, chunk, final=True):
                    self._mark_swapped(method, chunk, part, [Swapped(None, Status.UNAVAILABLE, str(error))] * len(part))
        self._tell_failures(method, [chunk for chunk, _ in todo])

    def _tell_failures(self, method: str, done: Iterable[int]) -> None:
        """One line of the log for each way in which pairs have failed."""
        failed: dict[str, list[str]] = {}
        for chunk in done:
            for pair in (read_json(self._folder.swap_chunk(method, chunk)) or {"pairs": []})["pairs"]:
                if pair["status"] not in (Status.OK, Status.UNAVAILABLE):
                    failed.setdefault(pair["status"], []).append(f"{pair['pair']} {pair['message']}".strip())
        for status, pairs in failed.items():
            more = f"; and {len(pairs) - TOLD} more" if len(pairs) > TOLD else ""
            _log.warning(
                "%s: %s, %d of %d pairs: %s%s",
                method,
                status,
                len(pairs),
                len(self._manifest.pairs),
                "; ".join(pairs[:TOLD]),
                more,
            )

    def _swap_chunk(self, swapper: Swapper | ReleasedSwapper, chunk: int, pairs: Sequence[Pair]) -> None:
        frames = self._frames(pairs)
        if isinstance(swapper, Swapper):
            swapped = self._swap_jobs(swapper, [Job(*frames[pair.source], *frames[pair.target]) for pair in pairs])
        else:
            swapped = self._observer.map(lambda pair: self._find(swapper, pair, frames[pair.target][0]), pairs)
        self._mark_swapped(swapper.card.name, chunk, pairs, swapped, self._show(pairs, frames))

    def _show(self, pairs: Sequence[Pair], frames: Mapping[str, tuple[Frame, Face | None]]) -> dict[str, Part]:
        """Keep small pictures of sources and targets; what part of the target's frame is shown of each pair."""
        parts = {pair.pair: around(*frames[pair.target]) for pair in pairs}

        def keep(pair: Pair) -> None:
            # The manifest names them, so whichever method comes first makes them for all.
            if not (path := self._pictures.source(pair.pair)).exists():
                save(path, frames[pair.source][0], around(*frames[pair.source]), self._made(pair.source))
            if not (path := self._pictures.target(pair.pair)).exists():
                save(path, frames[pair.target][0], parts[pair.pair], self._made(pair.target))

        self._observer.map(keep, pairs)
        return parts

    def _swap_jobs(self, swapper: Swapper, jobs: Sequence[Job]) -> list[Swapped]:
        ready = [job for job in jobs if job.source_face and job.target_face]
        if ready and swapper.card.name not in self._warm:
            # The first call of a network pays for its set-up: it is made on one pair and not counted.
            swap_jobs(swapper, ready[:1])
            self._warm.add(swapper.card.name)
        return swap_jobs(swapper, jobs)

    def _find(self, swapper: ReleasedSwapper, pair: Pair, frame: Frame) -> Swapped:
        source, target = self._manifest.image(pair.source), self._manifest.image(pair.target)
        return found(swapper, pair, source, target, frame)

    def _mark_swapped(
        self,
        method: str,
        chunk: int,
        pairs: Sequence[Pair],
        swapped: Sequence[Swapped],
        parts: Mapping[str, Part] | None = None,
    ) -> None:
        provenance = {"hifibench:method": method, "hifibench:run": self._run_id}

        def keep(item: tuple[Pair, Swapped]) -> str:
            pair, result = item
            image, small, mask = (
                path(method, pair.pair) for path in (self._folder.swap_image, self._pictures.swap, self._pictures.mask)
            )
            if result.frame is None or result.mask is None:
                mask.unlink(missing_ok=True)
            if result.frame is None or parts is None:
                for path in (image, small):
                    path.unlink(missing_ok=True)
                return ""
            save_png(image, result.frame, provenance)
            save(small, result.frame, parts[pair.pair], provenance)
            if result.mask is not None:
                save(mask, result.mask, parts[pair.pair])
            return content_hash(result.frame)

        contents = self._observer.map(keep, zip(pairs, swapped, strict=True))
        seconds = [result.seconds for result in swapped if np.isfinite(result.seconds)]
        write_json(self._folder.timing_chunk(method, chunk), seconds)
        rows = [
            {"pair": pair.pair, "status": str(result.status), "message": result.message, "content": content}
            for pair, result, content in zip(pairs, swapped, contents, strict=True)
        ]
        write_json(self._folder.swap_chunk(method, chunk), {"card": self._cards[method].hash, "pairs": rows})

    def _frames(self, pairs: Iterable[Pair]) -> dict[str, tuple[Frame, Any]]:
        """The frames of some pairs with the face in each, every image loaded once."""
        names = list(dict.fromkeys(name for pair in pairs for name in (pair.source, pair.target)))

        def get(name: str) -> tuple[Frame, Any]:
            frame = self._load(self._manifest.image(name))
            return frame, self._observer.find(frame)

        return dict(zip(names, self._observer.map(get, names), strict=True))

    def _made(self, image: str) -> Mapping[str, str] | None:
        """How an original image was generated; ``None`` for photographs."""
        return data.provenance(self._suite.data, self._manifest.image(image))
