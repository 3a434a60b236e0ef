"""Stage three: every expert looks once at every image, and what it saw is cached by content.

An image is decoded once, its face found once, and all experts look at crops of it. On a processor one thread does all
of that for one image. For a GPU, threads prepare the crops and the processor's own experts look at them in processes
beside it, while the GPU's look at what was prepared before, many crops at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from hifibench import registry
from hifibench.contracts import ExpertCard
from hifibench.data.images import content_hash
from hifibench.faces import templates
from hifibench.faces.align import Matrix
from hifibench.faces.detect import Detector, match, rivals
from hifibench.pipeline.flow import Step, flow
from hifibench.pipeline.looks import COMPARING, DETECTOR, Beside, Look, Seen, face_of, face_outputs
from hifibench.pipeline.observation_cache import Cache, key_of
from hifibench.pipeline.panel import Panel
from hifibench.profiling import NOTHING, Profile
from hifibench.records import EXACT, Face, Floats, Frame

__all__ = ["COMPARING", "DETECTOR", "Beside", "Look", "Observer", "Seen", "face_of", "face_outputs"]

T = TypeVar("T")
R = TypeVar("R")

Timed = Callable[..., AbstractContextManager[None]]
"""Part and number of items -> a block that is timed."""


def untimed(part: str, items: int = 1) -> AbstractContextManager[None]:
    """For whoever keeps no profile."""
    return nullcontext()


class _Crop(NamedTuple):
    """A crop that an expert is still to look at, and where what it sees belongs."""

    expert: str
    key: str
    crop: Floats
    matrix: Matrix


@dataclass(frozen=True)
class _Begun:
    """What was seen in an image so far, and what is left for the GPU."""

    seen: Seen
    left: Sequence[_Crop] = ()


class Observer:
    """A set of experts, loaded when first needed, and the threads in which they look at images.

    Args:
        experts: their names.
        device: ``cpu``, ``cuda``, ``cuda:1``.
        workers: threads; default the processors of this process.
        profile: where the time went, for `looks`.
        batch: crops that experts look at together; default: as `Panel`.
        processes: for experts that run on the processor alone; default: as `Panel`.
    """

    def __init__(
        self,
        experts: Sequence[str],
        device: str = "cpu",
        workers: int | None = None,
        profile: Profile = NOTHING,
        *,
        batch: int | None = None,
        processes: int | None = None,
    ) -> None:
        plugins = {name: registry.experts.get(name) for name in experts}
        self.cards: dict[str, ExpertCard] = {DETECTOR: Detector.card}
        self.cards.update({name: plugin.card for name, plugin in plugins.items()})
        self._panel = Panel(plugins, device, workers, batch, processes)
        self._profile = profile
        self._cache = Cache()
        self._crowded: set[str] = set()
        self.crowded: list[str] = []
        """Names of looked-at images that show a second face that may be meant as well, unless it was known before."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Apply a function to all items, in the observer's threads, in order."""
        with self._panel.at_work():
            pool = ThreadPoolExecutor(self._panel.workers)
            try:
                return list(pool.map(function, items))
            finally:
                pool.shutdown(cancel_futures=True)

    def looks(
        self, items: Iterable[T], get: Callable[[T], Look | None], stage: str = "images", method: str = ""
    ) -> Generator[Seen, None, None]:
        """Look at images one after the other, some at once, only a few of them in memory.

        Args:
            items: whatever stands for the images.
            get: an item -> its image, called in several threads; ``None``: there is nothing to look at.
            stage: for the profile.
            method: the same.

        Yields:
            What was seen in each, in their order; empty where there was nothing to look at.
        """
        timed: Timed = partial(self._span, stage, method)

        def begin(item: T) -> _Begun:
            with timed("decode"):
                image = get(item)
            return _Begun({}) if image is None else self._begin(image, timed)

        def look(item: T) -> Seen:
            return self._finish([begin(item)], timed)[0]

        threads, batch = self._panel.threads, self._panel.batch
        with self._panel.at_work():
            try:
                if batch == 1:
                    with closing(flow(items, [Step("look", look, threads)], ahead=2 * threads)) as seen:
                        yield from seen
                    return
                ready = flow(items, [Step("look", begin, threads)], ahead=max(batch, 2 * threads))
                experts = Step("experts", partial(self._finish, timed=timed))
                with closing(ready), closing(flow(_groups(ready, batch), [experts], ahead=2)) as groups:
                    for group in groups:
                        yield from group
            except GeneratorExit:  # nobody wants more of this: the processes stay for the next stage
                raise
            except BaseException:
                self._panel.close()
                raise

    def close(self) -> None:
        """End the processes of experts; they start again when next needed."""
        self._panel.close()

    def look(self, item: Look) -> Seen:
        """All that the detector and the experts see in one image."""
        return self._finish([self._begin(item, untimed)], untimed)[0]

    def find(
        self, frame: Frame, like: Face | None = None, content: str | None = None, timed: Timed = untimed
    ) -> Face | None:
        """The face to observe in a frame: the largest and most central, or the one that overlaps ``like`` most."""
        content = content or content_hash(frame)
        key = key_of(content, b"" if like is None else np.asarray(like.box).tobytes())

        def detect() -> dict[str, Floats]:
            with timed("detect"):
                faces = self._panel.detector().detect(frame)
            if like is not None:
                return face_outputs(match(faces, like))
            if rivals(faces):
                self._crowded.add(key)
            return face_outputs(faces[0] if faces else None)

        return face_of({DETECTOR: self._kept(DETECTOR, key, detect, timed)})

    def _span(self, stage: str, method: str, part: str, items: int = 1) -> AbstractContextManager[None]:
        return self._profile.span(stage, part, items, method)

    def _kept(self, name: str, key: str, make: Callable[[], dict[str, Floats]], timed: Timed) -> dict[str, Floats]:
        """The stored observation, or a new one, which is then stored."""
        with timed("cache"):
            seen = self._cache.get(self.cards[name], key)
        if seen is None:
            seen = make()
            self._keep(name, key, seen, timed)
        return seen

    def _keep(self, name: str, key: str, seen: dict[str, Floats], timed: Timed) -> None:
        with timed("write"):
            self._cache.put(self.cards[name], key, seen)

    def _begin(self, item: Look, timed: Timed) -> _Begun:
        """All of one image but what is to be looked at many at a time."""
        with timed("hash"):
            content = item.content or content_hash(item.frame)
        face = self.find(item.frame, item.like, content, timed)
        if item.name and item.like is None and not item.beside and key_of(content, b"") in self._crowded:
            self.crowded.append(item.name)
        seen: Seen = {DETECTOR: face_outputs(face)}
        if item.facts is not None and EXACT in self.cards:
            seen[EXACT] = {output: np.asarray(item.facts[output], np.float32) for output in self.cards[EXACT].outputs}
        left: list[_Crop] = []
        for name, card in self.cards.items() if face is not None else ():
            if name in (DETECTOR, EXACT) or (item.experts is not None and name not in item.experts):
                continue
            assert face is not None
            if card.role in COMPARING:
                if card.role in item.beside:
                    seen[name] = self._compare(name, item.frame, content, item.beside[card.role], timed)
                continue
            found = self._observe(name, item, content, face, timed)
            if isinstance(found, _Crop):
                left.append(found)
            elif found:
                seen[name] = found
        return _Begun(seen, left)

    def _observe(self, name: str, item: Look, content: str, face: Face, timed: Timed) -> dict[str, Floats] | _Crop:
        """What an expert sees or saw, or the crop that it is to look at later; nothing where the face gives none."""
        card, key = self.cards[name], key_of(content, face.box.tobytes(), face.landmarks.tobytes())
        with timed("cache"):
            stored = self._cache.get(card, key)
        if stored is not None:
            return stored
        try:
            with timed("crop"):
                crop, matrix = templates.take(item.frame, face, card.crop)
        except ValueError:  # such as one with all landmarks on one spot
            self._keep(name, key, {}, timed)
            return {}
        todo = _Crop(name, key, crop, matrix)
        if (processes := self._panel.elsewhere(name)) is not None:
            with timed(f"expert {name}"):
                outputs = processes.observe(name, crop[None], item.name or "an image")
            return self._seen(todo, outputs, 0, timed)
        if self._panel.batch > 1 and not self._panel.on_cpu(name):
            return todo
        return self._look([todo], timed)[0]

    def _look(self, crops: Sequence[_Crop], timed: Timed) -> list[dict[str, Floats]]:
        """What one expert sees in crops."""
        name = crops[0].expert
        expert = self._panel.looking(name)
        with timed(f"expert {name}", len(crops)):
            outputs = expert.observe(np.stack([one.crop for one in crops]))
        return [self._seen(one, outputs, row, timed) for row, one in enumerate(crops)]

    def _seen(self, crop: _Crop, outputs: dict[str, Floats], row: int, timed: Timed) -> dict[str, Floats]:
        seen = {output: np.asarray(rows[row], np.float32) for output, rows in outputs.items()}
        seen["matrix"] = crop.matrix.astype(np.float32)
        self._keep(crop.expert, crop.key, seen, timed)
        return seen

    def _finish(self, begun: Sequence[_Begun], timed: Timed) -> list[Seen]:
        """Let each expert look at what is left of some images, all at once."""
        for name in dict.fromkeys(crop.expert for one in begun for crop in one.left):
            todo = [(one.seen, crop) for one in begun for crop in one.left if crop.expert == name]
            for (seen, _), outputs in zip(todo, self._look([crop for _, crop in todo], timed), strict=True):
                seen[name] = outputs
        return [one.seen for one in begun]

    def _compare(self, name: str, frame: Frame, content: str, beside: Beside, timed: Timed) -> dict[str, Floats]:
        card = self.cards[name]
        # What the expert makes of the other frame comes from what the needed experts saw in it, so their cards are part
        # of the key. Facts are no part of the picture: another generator may say otherwise of the same one.
        needed = [self.cards[need].hash for need in card.needs]
        facts_key = () if beside.facts is None else (self.cards[EXACT].hash, beside.made)

        def compare() -> dict[str, Floats]:
            expert = self._panel.comparing(name)
            seen = beside.seen if beside.facts is None else {**beside.seen, EXACT: beside.facts()}
            with timed(f"expert {name}"):
                outputs = expert.compare(frame, beside.frame, seen)
            return {output: np.asarray(value, np.float32) for output, value in outputs.items()}

        face = face_of(beside.seen)
        face_key = b"" if face is None else face.box.tobytes() + face.landmarks.tobytes()
        other = beside.content or content_hash(beside.frame)
        return self._kept(name, key_of(content, other, face_key, *facts_key, *needed), compare, timed)


def _groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of ``size`` items; the last may be shorter."""
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
