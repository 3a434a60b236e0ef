"""The stages one after another: what this process's share owns is done, what is there already is kept."""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hifibench import data, registry
from hifibench.arrays import write_arrays
from hifibench.contracts import ReleasedSwapper, Swapper, SwapperCard
from hifibench.data.images import content_hash, load, save_png
from hifibench.errors import ImageError, MethodError, MissingError
from hifibench.pipeline.observe import COMPARING, Beside, Look, Observer, Seen, face_of
from hifibench.pipeline.pictures import Part, Pictures, around, save
from hifibench.pipeline.plan import open_run, record_suite
from hifibench.pipeline.progress import Reporter
from hifibench.pipeline.score import score
from hifibench.pipeline.store import (
    RunFolder,
    Shard,
    chunks,
    read_json,
    stack,
    write_json,
)
from hifibench.pipeline.swap import Job, found, loaded, swap_jobs
from hifibench.pipeline.timing import write_timing
from hifibench.records import EXACT, Face, Frame, ImageRef, Manifest, Pair, Status, Swapped
from hifibench.suite import Suite

_log = logging.getLogger("hifibench")

TOLD = 3
"""Failed pairs of one kind that are named in the log; all of them stand in the run folder."""

EXAMPLES = 8
"""Pairs whose source and target frames are kept in the run folder, for the report's grid."""


@dataclass(frozen=True)
class Finished:
    """How a call of `run` ended.

    Attributes:
        folder: the run folder.
        results: what ``results.json`` holds; ``None`` where other shares are still to be done.
    """

    folder: Path
    results: dict[str, Any] | None


def run(
    suite: Suite,
    out: Path,
    *,
    seed: int = 0,
    limit: int | None = None,
    shard: Shard | None = None,
    device: str = "cpu",
    workers: int | None = None,
    reporter: Reporter | None = None,
    loader: data.Loader | None = None,
) -> Finished:
    """Plan, swap, observe and score; a folder in which some of it was done before is finished, not begun anew.

    Args:
        suite: what to run.
        out: the run folder.
        seed: of the plan and of the intervals.
        limit: only the first pairs.
        shard: this process's share of the work; the others may run at the same time, on the same folder.
        device: where swappers and experts run.
        workers: threads that look at images; default the processors of this process.
        reporter: where progress is told.
        loader: gives the images in place of the suite's own way; whoever gives one sees to it that the run folder holds
            no run with another.
    """
    reporter = reporter or Reporter(quiet=True)
    suite.check()
    folder, manifest = open_run(suite, seed, limit, out, reporter.stage)
    stages = Stages(folder, manifest, suite, shard or Shard(), device, workers, reporter, loader)
    if stages.missing():
        # Numbers of an earlier call must not pass for those of this one, should it not get to its end.
        for name in ("results.json", "scores.parquet", "splits.parquet", "timing.json"):
            folder[name].unlink(missing_ok=True)
        shutil.rmtree(folder["report"], ignore_errors=True)
    stages.images()
    for method in suite.methods:
        stages.swaps(method)
        stages.observations(method)
    missing = stages.missing()
    if missing:
        reporter.say(f"This share is done; {missing} parts of other shares are still to come.")
        return Finished(out, None)
    stages.examples()
    record_suite(folder, suite)
    write_timing(folder, suite, len(manifest.pairs))
    return Finished(out, score(folder, suite, manifest, seed))


def exemplary(manifest: Manifest) -> list[Pair]:
    """The pairs to show: the first of each target's video, then the second of each, and so on; at most `EXAMPLES`."""
    seen: Counter[str] = Counter()
    ranked = []
    for number, pair in enumerate(manifest.pairs):
        video = manifest.image(pair.target).video
        ranked.append((seen[video], number, pair))
        seen[video] += 1
    return [pair for _, _, pair in sorted(ranked, key=lambda one: one[:2])[:EXAMPLES]]


class Stages:
    """One process's part of a run."""

    def __init__(
        self,
        folder: RunFolder,
        manifest: Manifest,
        suite: Suite,
        shard: Shard,
        device: str,
        workers: int | None,
        reporter: Reporter,
        loader: data.Loader | None = None,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._suite = suite
        self._shard = shard
        self._device = device
        self._reporter = reporter
        self._cards: dict[str, SwapperCard] = {name: registry.swappers.get(name).card for name in suite.methods}
        self._load = loader or data.loader(suite.data)
        self._facts = data.facts(suite.data) if EXACT in suite.experts() else None
        self._observer = Observer(suite.experts(), device, workers)
        self._pictures = Pictures(folder.root)
        self._warm: set[str] = set()
        self._run_id: str = (read_json(folder["run.json"]) or {})["run_id"]

    def _owned(self, items: Sequence[Any], done: Callable[[int], bool]) -> list[tuple[int, Sequence[Any]]]:
        """The chunks of this share that are not done yet."""
        return [(i, part) for i, part in enumerate(chunks(items)) if self._shard.owns(i) and not done(i)]

    def _observed(self, of: str, chunk: int) -> bool:
        """Whether a chunk was observed by all experts, under their present cards; of swaps, the present ones."""
        if of != "images" and not self._swapped(of, chunk):
            return False
        mark = read_json(self._folder.observations(of, "done", chunk).with_suffix(".json"))
        return mark == self._mark(of, chunk) and all(
            zipfile.is_zipfile(self._folder.observations(of, name, chunk)) for name in self._looking(of)
        )

    def _looking(self, of: str) -> list[str]:
        """Who looks at the originals (``images``) or at a method's swaps.

        Only swaps have something to be compared with, and only of originals it is known how they were made.
        """
        others = COMPARING if of == "images" else ("facts",)
        return [name for name, card in self._observer.cards.items() if card.role not in others]

    def _mark(self, of: str, chunk: int) -> dict[str, Any]:
        """What a chunk's observations depend on: cards, and for swaps the images themselves."""
        mark: dict[str, Any] = {"cards": {name: card.hash for name, card in self._observer.cards.items()}}
        if of != "images":
            done = read_json(self._folder.swap_chunk(of, chunk))
            if done is None:
                raise MissingError(
                    f"{self._folder.swap_chunk(of, chunk)} is gone: another process is making these swaps anew. "
                    "Run the same command again."
                )
            mark["swaps"] = [pair["content"] for pair in done["pairs"]]
        return mark

    def _store(self, of: str, chunk: int, mark: dict[str, Any], seen: Sequence[Seen]) -> None:
        for name in self._looking(of):
            rows = [one.get(name, {}) for one in seen]
            like = next((row for row in rows if row), {})
            nothing = {output: np.full_like(value, np.nan) for output, value in like.items()}
            arrays = {**stack([row or nothing for row in rows]), "rows": np.array(len(rows))}
            write_arrays(self._folder.observations(of, name, chunk), arrays)
        write_json(self._folder.observations(of, "done", chunk).with_suffix(".json"), mark)

    def images(self) -> None:
        """Get this share's images and observe them."""
        todo = self._owned(self._manifest.images, lambda chunk: self._observed("images", chunk))
        with self._reporter.stage("images", sum(len(part) for _, part in todo)) as advance:
            for chunk, part in todo:

                def look(ref: ImageRef) -> Seen:
                    facts = None if self._facts is None else self._facts(ref)
                    seen = self._observer.look(Look(self._load(ref), facts=facts, name=ref.image))
                    advance()
                    return seen

                self._store("images", chunk, self._mark("images", chunk), self._observer.map(look, part))
        if crowded := self._observer.crowded:
            more = f" and {len(crowded) - TOLD} more" if len(crowded) > TOLD else ""
            _log.warning(
                "several faces of about one size in %d images: %s%s; the largest, most central one is taken in each",
                len(crowded),
                ", ".join(sorted(crowded)[:TOLD]),
                more,
            )

    def swaps(self, method: str) -> None:
        """Make this share's swaps of one method; where it cannot be used, its pairs say so and the run goes on."""
        todo = self._owned(self._manifest.pairs, lambda chunk: self._swapped(method, chunk, final=True))
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
                if not self._swapped(method, chunk, final=True):
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

    def _swapped(self, method: str, chunk: int, final: bool = False) -> bool:
        """Whether a chunk was swapped by the method as its card is now, and the images are there.

        ``final`` asks for more: that no pair waits for something that the user may have brought since.
        """
        mark = read_json(self._folder.swap_chunk(method, chunk))
        return (mark is not None and mark["card"] == self._cards[method].hash) and all(
            not (final and Status(pair["status"]).waits)
            and (pair["status"] != Status.OK or self._folder.swap_image(method, pair["pair"]).exists())
            for pair in mark["pairs"]
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

    def observations(self, method: str) -> None:
        """Observe this share's swaps of one method."""
        todo = self._owned(self._manifest.pairs, lambda chunk: self._observed(method, chunk))
        with self._reporter.stage(f"observe {method}", sum(len(part) for _, part in todo)) as advance:
            for chunk, part in todo:
                mark = self._mark(method, chunk)
                contents = dict(zip((pair.pair for pair in part), mark["swaps"], strict=True))

                def look(pair: Pair, contents: dict[str, str] = contents) -> Seen:
                    content = contents[pair.pair]
                    seen = self._look_at_swap(method, pair, content) if content else {}
                    advance()
                    return seen

                self._store(method, chunk, mark, self._observer.map(look, part))

    def _look_at_swap(self, method: str, pair: Pair, content: str) -> Seen:
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
        return self._observer.look(Look(frame, face_of(beside["comparison"].seen), beside))

    def _beside(self, image: str) -> Beside:
        """An original image that a swap is compared with, and what was seen in it."""
        ref = self._manifest.image(image)
        frame = self._load(ref)
        seen = self._observer.look(Look(frame))
        if self._facts is None:
            return Beside(frame, seen)
        return Beside(frame, seen, partial(self._facts, ref), f"{ref.uri}; {self._manifest.origin}")

    def missing(self) -> int:
        """Parts of the run that no share has done yet."""
        images = sum(not self._observed("images", chunk) for chunk, _ in enumerate(chunks(self._manifest.images)))
        swaps = sum(
            not self._observed(method, chunk)
            for method in self._suite.methods
            for chunk, _ in enumerate(chunks(self._manifest.pairs))
        )
        return images + swaps

    def examples(self) -> None:
        """Keep the frames of a few pairs beside the results, so that a report needs nothing but the run folder."""
        for pair in exemplary(self._manifest):
            for side, name in (("source", pair.source), ("target", pair.target)):
                path = self._folder["examples"] / f"{pair.pair}-{side}.png"
                if not path.exists():
                    save_png(path, self._load(self._manifest.image(name)), self._made(name))

    def _made(self, image: str) -> Mapping[str, str] | None:
        """How an original image was generated; ``None`` for photographs."""
        return data.provenance(self._suite.data, self._manifest.image(image))
