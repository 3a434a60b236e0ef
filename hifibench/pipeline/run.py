"""The stages one after another: what this process's share owns is done, what is there already is kept."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hifibench import data, registry
from hifibench.contracts import Swapper
from hifibench.data.images import content_hash, load, save_png
from hifibench.errors import ImageError
from hifibench.pipeline.observe import Look, Observer, Seen, face_of
from hifibench.pipeline.plan import open_run
from hifibench.pipeline.progress import Reporter
from hifibench.pipeline.score import score
from hifibench.pipeline.store import (
    RunFolder,
    Shard,
    chunks,
    read_json,
    stack,
    write_arrays,
    write_json,
)
from hifibench.pipeline.swap import Job, Swapped, swap_jobs
from hifibench.pipeline.timing import write_timing
from hifibench.records import Frame, ImageRef, Manifest, Pair, Status
from hifibench.suite import Suite

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
    """
    reporter = reporter or Reporter(quiet=True)
    suite.check()
    folder, manifest = open_run(suite, seed, limit, out)
    stages = Stages(folder, manifest, suite, shard or Shard(), device, workers, reporter)
    stages.images()
    for method in suite.methods:
        stages.swaps(method)
        stages.observations(method)
    missing = stages.missing()
    if missing:
        reporter.say(f"This share is done; {missing} parts of other shares are still to come.")
        return Finished(out, None)
    stages.examples()
    write_timing(folder, suite, len(manifest.pairs))
    return Finished(out, score(folder, suite, manifest, seed))


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
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._suite = suite
        self._shard = shard
        self._device = device
        self._reporter = reporter
        self._load = data.loader(suite.data)
        self._observer = Observer(suite.experts(), device, workers)
        self._comparisons = [name for name, card in self._observer.cards.items() if card.role == "comparison"]
        self._run_id: str = (read_json(folder["run.json"]) or {})["run_id"]

    def _owned(self, items: Sequence[Any], done: Callable[[int], bool]) -> list[tuple[int, Sequence[Any]]]:
        """The chunks of this share that are not done yet."""
        return [(i, part) for i, part in enumerate(chunks(items)) if self._shard.owns(i) and not done(i)]

    def _observed(self, of: str, chunk: int) -> bool:
        """Whether a chunk was observed by all experts, under their present cards."""
        experts = [name for name in self._observer.cards if of != "images" or name not in self._comparisons]
        mark = read_json(self._folder.observations(of, "done", chunk).with_suffix(".json"))
        return mark == self._mark(of, chunk) and all(
            zipfile.is_zipfile(self._folder.observations(of, name, chunk)) for name in experts
        )

    def _mark(self, of: str, chunk: int) -> dict[str, Any]:
        """What a chunk's observations depend on: cards, and for swaps the images themselves."""
        mark: dict[str, Any] = {"cards": {name: card.hash for name, card in self._observer.cards.items()}}
        if of != "images":
            done = read_json(self._folder.swap_chunk(of, chunk)) or {"pairs": []}
            mark["swaps"] = [pair["content"] for pair in done["pairs"]]
        return mark

    def _store(self, of: str, chunk: int, seen: Sequence[Seen]) -> None:
        for name in self._observer.cards:
            if of == "images" and name in self._comparisons:
                continue
            rows = [one.get(name, {}) for one in seen]
            like = next((row for row in rows if row), {})
            nothing = {output: np.full_like(value, np.nan) for output, value in like.items()}
            arrays = {**stack([row or nothing for row in rows]), "rows": np.array(len(rows))}
            write_arrays(self._folder.observations(of, name, chunk), arrays)
        write_json(self._folder.observations(of, "done", chunk).with_suffix(".json"), self._mark(of, chunk))

    def images(self) -> None:
        """Get this share's images and observe them."""
        todo = self._owned(self._manifest.images, lambda chunk: self._observed("images", chunk))
        with self._reporter.stage("images", sum(len(part) for _, part in todo)) as advance:
            for chunk, part in todo:

                def look(ref: ImageRef) -> Seen:
                    seen = self._observer.look(Look(self._load(ref)))
                    advance()
                    return seen

                self._store("images", chunk, self._observer.map(look, part))

    def swaps(self, method: str) -> None:
        """Make this share's swaps of one method."""
        plugin = registry.swappers.get(method)

        def done(chunk: int) -> bool:
            mark = read_json(self._folder.swap_chunk(method, chunk))
            return mark is not None and mark["card"] == plugin.card.hash and self._swaps_there(method, mark)

        todo = self._owned(self._manifest.pairs, done)
        if not todo:
            return
        swapper = plugin.load(self._device)
        cost = swapper.cost()
        write_json(
            self._folder.cost(method),
            {
                "params_trainable": cost.params_trainable,
                "params_frozen": cost.params_frozen,
                "macs": cost.macs,
            },
        )
        with self._reporter.stage(f"swap {method}", sum(len(part) for _, part in todo)) as advance:
            for chunk, part in todo:
                self._swap_chunk(swapper, chunk, part)
                advance(len(part))

    def _swaps_there(self, method: str, mark: dict[str, Any]) -> bool:
        return all(
            pair["status"] != Status.OK or self._folder.swap_image(method, pair["pair"]).exists()
            for pair in mark["pairs"]
        )

    def _swap_chunk(self, swapper: Swapper, chunk: int, pairs: Sequence[Pair]) -> None:
        method = swapper.card.name
        frames = self._frames(pairs)
        jobs = [Job(*frames[pair.source], *frames[pair.target]) for pair in pairs]
        swapped = swap_jobs(swapper, jobs)
        provenance = {"hifibench:method": method, "hifibench:run": self._run_id}

        def save(item: tuple[Pair, Swapped]) -> str:
            pair, result = item
            if result.frame is None:
                return ""
            save_png(self._folder.swap_image(method, pair.pair), result.frame, provenance)
            return content_hash(result.frame)

        contents = self._observer.map(save, zip(pairs, swapped, strict=True))
        seconds = [result.seconds for result in swapped if np.isfinite(result.seconds)]
        write_json(self._folder.timing_chunk(method, chunk), seconds)
        rows = [
            {"pair": pair.pair, "status": str(result.status), "message": result.message, "content": content}
            for pair, result, content in zip(pairs, swapped, contents, strict=True)
        ]
        write_json(self._folder.swap_chunk(method, chunk), {"card": swapper.card.hash, "pairs": rows})

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
                mark = read_json(self._folder.swap_chunk(method, chunk)) or {"pairs": []}
                made = {row["pair"]: row["status"] == Status.OK for row in mark["pairs"]}

                def look(pair: Pair, made: dict[str, bool] = made) -> Seen:
                    seen = self._look_at_swap(method, pair) if made.get(pair.pair) else {}
                    advance()
                    return seen

                self._store(method, chunk, self._observer.map(look, part))

    def _look_at_swap(self, method: str, pair: Pair) -> Seen:
        target = self._load(self._manifest.image(pair.target))
        target_seen = self._observer.look(Look(target))
        try:
            frame = load(self._folder.swap_image(method, pair.pair))
        except ImageError as error:
            # A damaged image is no finished work: its chunk's mark goes, and the next start makes it again.
            chunk = next(i for i, part in enumerate(chunks(self._manifest.pairs)) if pair in part)
            self._folder.swap_chunk(method, chunk).unlink(missing_ok=True)
            raise ImageError(f"{error} Run the same command again: it makes this swap anew.") from error
        return self._observer.look(Look(frame, face_of(target_seen), target, target_seen))

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
        """Keep the frames of the first pairs beside the results, so that a report needs nothing but the run folder."""
        for pair in self._manifest.pairs[:EXAMPLES]:
            for side, name in (("source", pair.source), ("target", pair.target)):
                path = self._folder["examples"] / f"{pair.pair}-{side}.png"
                if not path.exists():
                    save_png(path, self._load(self._manifest.image(name)))
