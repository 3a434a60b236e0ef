"""Stage two at work: this share's swaps of one method are made and kept, or it is kept why there are none."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from hifibench import data, registry
from hifibench.contracts import ReleasedSwapper, Swapper, SwapperCard
from hifibench.data.images import content_hash, save_png
from hifibench.errors import MethodError
from hifibench.experts.torch_rows import exact
from hifibench.inference import quicken
from hifibench.inference.fitting import Fitting
from hifibench.pipeline import precision
from hifibench.pipeline.flow import STALL_S, Step, flow
from hifibench.pipeline.observe import Observer
from hifibench.pipeline.pictures import Part, Pictures, around, save
from hifibench.pipeline.progress import Reporter
from hifibench.pipeline.share import Share
from hifibench.pipeline.store import CHUNK, RunFolder, chunks, read_json, write_json
from hifibench.pipeline.swap import Job, Made, Ready, align_job, found, loaded, pasted, swap_aligned
from hifibench.profiling import Profile
from hifibench.records import Face, Frame, Manifest, Pair, Precision, Status, Swapped
from hifibench.suite import Suite

_log = logging.getLogger("hifibench")

Frames = dict[str, tuple[Frame, Face | None]]
"""Name of an image -> its frame and the face in it."""

AHEAD = 3
"""Chunks that are under way at the most, frames and all: one is read, one swapped, one written."""

TOLD = 3
"""Failed pairs of one kind that are named in the log; all of them stand in the run folder."""


class _Chunk(NamedTuple):
    """A chunk on its way: what is known of its pairs after each step."""

    chunk: int
    pairs: Sequence[Pair]
    frames: Frames
    aligned: Sequence[Ready | Swapped] = ()
    made: Sequence[Made | Swapped] = ()


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
        asked: number format of swappers that show their networks.
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
        asked: Precision,
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
        self._precision = asked
        self._profile = profile
        self._cards = {name: registry.swappers.get(name).card for name in suite.methods}
        self._pictures = Pictures(folder.root)
        self._warm: set[str] = set()
        self._used: dict[str, str | None] = {}
        for name in suite.methods:
            choice = precision.settled(folder, name, asked)
            # What was swapped in whatever format counts for nothing until it is decided which is wanted.
            self._runs_in(name, precision.form(choice) if choice or asked == "fp32" else None)
        self._run_id: str = (read_json(folder["run.json"]) or {})["run_id"]

    def swaps(self, method: str) -> None:
        """Make this share's swaps of one method; where it cannot be used, its pairs say so and the run goes on."""
        if self._used[method] is not None and not self._todo(method) and self._folder.cost(method).exists():
            return
        todo: list[tuple[int, Sequence[Pair]]] = []
        try:
            with loaded(registry.swappers.get(method), self._device, self._folder.logs(method)) as swapper:
                write_json(self._folder.cost(method), asdict(swapper.cost()) if isinstance(swapper, Swapper) else None)
                with exact(self._device):
                    ready = self._fast(swapper) if isinstance(swapper, Swapper) else swapper
                    todo = self._todo(method)
                    with (
                        self._reporter.stage(f"swap {method}", sum(len(part) for _, part in todo)) as advance,
                        closing(flow(todo, self._steps(ready), ahead=AHEAD, stall_s=CHUNK * STALL_S)) as chunks_done,
                    ):
                        for pairs in chunks_done:
                            advance(pairs)
        except MethodError as error:
            _log.warning("%s is not available: %s", method, error)
            if self._used[method] is None:
                self._runs_in(method, "fp32")
            todo = todo or self._todo(method)
            for chunk, part in todo:
                if not self._share.swapped(method, chunk, final=True):
                    none = [Swapped(None, Status.UNAVAILABLE, str(error))] * len(part)
                    self._mark_swapped(method, _Chunk(chunk, part, {}, none, none))
        self._tell_failures(method, [chunk for chunk, _ in todo])

    def _todo(self, method: str) -> list[tuple[int, Sequence[Pair]]]:
        """This share's chunks that are not done in the number format that the method runs in."""
        return self._share.owned(self._manifest.pairs, lambda chunk: self._share.swapped(method, chunk, final=True))

    def _runs_in(self, method: str, used: str | None) -> None:
        self._used[method] = used
        self._share.runs_in(method, used)

    def _fast(self, swapper: Swapper) -> Swapper:
        """The swapper as it is to run in this run, which is decided here where nobody has."""
        method = swapper.card.name
        choice = precision.settled(self._folder, method, self._precision)
        if choice is None and self._precision != "fp32":
            choice = precision.keep(
                self._folder,
                method,
                precision.chosen(swapper, self._device, self._precision, self._aligned(swapper.card)),
            )
        self._runs_in(method, precision.form(choice))
        return Fitting(quicken(swapper, self._device, self._precision, choice))

    def _aligned(self, card: SwapperCard) -> Iterator[list[Ready | Swapped]]:
        """The pairs of the plan, chunk by chunk, whoever's they are."""
        for part in chunks(self._manifest.pairs):
            yield self._align(card, part, self._frames(part, card.name))

    def _align(self, card: SwapperCard, pairs: Sequence[Pair], frames: Frames) -> list[Ready | Swapped]:
        with self._span("align", len(pairs), card.name):
            return [align_job(card, Job(*frames[pair.source], *frames[pair.target])) for pair in pairs]

    def _steps(self, swapper: Swapper | ReleasedSwapper) -> list[Step]:
        """What is done with a chunk: ``(number, pairs)`` in, how many pairs they were out."""
        import torch

        method, threads = swapper.card.name, torch.get_num_threads()

        def decode(item: tuple[int, Sequence[Pair]]) -> _Chunk:
            return _Chunk(*item, self._frames(item[1], method))

        def find(one: _Chunk) -> _Chunk:
            assert isinstance(swapper, ReleasedSwapper)
            released = self._observer.map(lambda pair: self._find(swapper, one, pair), one.pairs)
            return one._replace(aligned=released, made=released)

        def align(one: _Chunk) -> _Chunk:
            return one._replace(aligned=self._align(swapper.card, one.pairs, one.frames))

        def swap(one: _Chunk) -> _Chunk:
            assert isinstance(swapper, Swapper)
            # Threads of torch's own belong to the thread that calls, and sums are formed by as many as there are: as
            # many as elsewhere, whatever the steps beside it have set for themselves.
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            self._warm_up(swapper, one.aligned)
            with self._span("swap", len(one.pairs), method):
                return one._replace(made=swap_aligned(swapper, one.aligned))

        def write(one: _Chunk) -> int:
            self._mark_swapped(method, one, self._show(one.pairs, one.frames))
            return len(one.pairs)

        inside = [Step("align", align), Step("swap", swap)] if isinstance(swapper, Swapper) else [Step("find", find)]
        return [Step("decode", decode), *inside, Step("write", write)]

    def _warm_up(self, swapper: Swapper, aligned: Sequence[Ready | Swapped]) -> None:
        """The first calls of a network pay for its set-up: they are made before, and not counted.

        On a processor one pair will do. On a GPU networks are compiled for a size of batch, and their graph is
        recorded at the second call.
        """
        ready = [one for one in aligned if isinstance(one, Ready)]
        if ready and swapper.card.name not in self._warm:
            on_gpu = self._device.startswith("cuda")
            for _ in range(2 if on_gpu else 1):
                swap_aligned(swapper, ready if on_gpu else ready[:1])
            self._warm.add(swapper.card.name)

    def _span(self, part: str, items: int, method: str) -> AbstractContextManager[None]:
        return self._profile.span("swap", part, items, method)

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

    def _show(self, pairs: Sequence[Pair], frames: Frames) -> dict[str, Part]:
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

    def _find(self, swapper: ReleasedSwapper, one: _Chunk, pair: Pair) -> Swapped:
        source, target = self._manifest.image(pair.source), self._manifest.image(pair.target)
        with self._span("swap", 1, swapper.card.name):
            return found(swapper, pair, source, target, one.frames[pair.target][0])

    def _mark_swapped(self, method: str, one: _Chunk, parts: Mapping[str, Part] | None = None) -> None:
        provenance = {"hifibench:method": method, "hifibench:run": self._run_id}

        def keep(item: tuple[Pair, Ready | Swapped, Made | Swapped]) -> tuple[Swapped, str]:
            pair, ready, made = item
            with self._span("paste", 1, method):
                result = pasted(self._cards[method], ready, made)
            with self._span("write", 1, method):
                return replace(result, frame=None, mask=None), write(pair, result)

        def write(pair: Pair, result: Swapped) -> str:
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

        written = self._observer.map(keep, zip(one.pairs, one.aligned, one.made, strict=True))
        seconds = [result.seconds for result, _ in written if np.isfinite(result.seconds)]
        write_json(self._folder.timing_chunk(method, one.chunk), seconds)
        rows = [
            {"pair": pair.pair, "status": str(result.status), "message": result.message, "content": content}
            for pair, (result, content) in zip(one.pairs, written, strict=True)
        ]
        mark: dict[str, Any] = {"card": self._cards[method].hash, "pairs": rows}
        if self._used[method] != "fp32":
            mark["precision"] = self._used[method]
        write_json(self._folder.swap_chunk(method, one.chunk), mark)

    def _frames(self, pairs: Iterable[Pair], method: str) -> Frames:
        """The frames of some pairs with the face in each, every image loaded once."""
        names = list(dict.fromkeys(name for pair in pairs for name in (pair.source, pair.target)))

        def get(name: str) -> tuple[Frame, Face | None]:
            with self._span("decode", 1, method):
                frame = self._load(self._manifest.image(name))
            with self._span("detect", 1, method):
                return frame, self._observer.find(frame)

        return dict(zip(names, self._observer.map(get, names), strict=True))

    def _made(self, image: str) -> Mapping[str, str] | None:
        """How an original image was generated; ``None`` for photographs."""
        return data.provenance(self._suite.data, self._manifest.image(image))
