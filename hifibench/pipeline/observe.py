"""Stage three: every expert looks once at every image, and what it saw is cached by content.

The key of a cache entry is the hash of the image's pixels, of the face in it that was chosen, and of the expert's
card: the same picture under two methods, in two runs or in two processes is looked at once.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from hifibench import assets, registry
from hifibench.arrays import read_arrays, write_arrays
from hifibench.contracts import Expert, ExpertCard, PairExpert
from hifibench.data.images import content_hash
from hifibench.errors import UsageError
from hifibench.faces import templates
from hifibench.faces.detect import Detector, match, rivals
from hifibench.profiling import NOTHING, Profile
from hifibench.records import EXACT, Face, Floats, Frame

T = TypeVar("T")
R = TypeVar("R")

Seen = dict[str, dict[str, Floats]]
"""Expert -> output -> array of one image; an expert that saw no face is absent."""

DETECTOR = "detector"
"""Under this name stands the face itself, whichever network finds it: a metric need not know."""


COMPARING = ("comparison", "truth")
"""Roles of experts that look at a swapped frame beside another one."""


@dataclass(frozen=True)
class Beside:
    """A frame that a swap is compared with.

    Attributes:
        frame: the target or the true swap.
        seen: what the experts saw in it.
        facts: gives what is known of it by its making, maps included, handed on beside ``seen``; ``None`` where nothing
            is. Asked for only where the comparison is not in the cache.
        made: how it was made, which decides on the facts: its name, and by which generator.
    """

    frame: Frame
    seen: Mapping[str, Mapping[str, Floats]]
    facts: Callable[[], Mapping[str, Floats]] | None = None
    made: str = ""


@dataclass(frozen=True)
class Look:
    """One image to look at.

    Attributes:
        frame: the image.
        like: on swapped frames, the target's face: the detected face that overlaps it most is the one observed.
            ``None`` on original images: the largest, most central face is observed.
        beside: role of a comparing expert -> what it holds the swapped frame against: under ``comparison`` the target,
            under ``truth`` the true swap.
        facts: what is known of an original image by its making.
        name: of an original image, for `Observer.crowded`.
    """

    frame: Frame
    like: Face | None = None
    beside: Mapping[str, Beside] = field(default_factory=dict)
    facts: Mapping[str, Floats] | None = None
    name: str = ""


def face_of(seen: Mapping[str, Mapping[str, Floats]]) -> Face | None:
    """The face that the detector found, from its stored observation."""
    found = seen.get(DETECTOR)
    if found is None or not np.isfinite(found["score"]).all():
        return None
    return Face(found["box"], found["landmarks"], float(found["score"][0]))


def face_outputs(face: Face | None) -> dict[str, Floats]:
    """A face as the detector's stored observation; NaN where there is none."""
    if face is None:
        return {
            "box": np.full(4, np.nan, np.float32),
            "landmarks": np.full((5, 2), np.nan, np.float32),
            "score": np.full(1, np.nan, np.float32),
        }
    return {
        "box": np.asarray(face.box, np.float32),
        "landmarks": np.asarray(face.landmarks, np.float32),
        "score": np.asarray([face.score], np.float32),
    }


class Cache:
    """Observations by content under ``<cache>/observations``, one small file per image and expert."""

    def __init__(self) -> None:
        self._root = assets.cache_root() / "observations"
        self._folders: dict[str, str] = {}

    def get(self, card: ExpertCard, key: str, make: Callable[[], dict[str, Floats]]) -> dict[str, Floats]:
        """The stored observation, or a new one, which is then stored."""
        if card.name not in self._folders:  # a card's hash takes as long as reading an entry
            self._folders[card.name] = f"{card.name}-{card.hash[:12]}"
        path = self._root / self._folders[card.name] / key[:2] / f"{key}.npz"
        stored = read_arrays(path)
        if stored is None:
            stored = make()
            write_arrays(path, stored)
        return stored


def _key(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()


def default_workers() -> int:
    """Threads that look at images side by side: the processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Observer:
    """A set of experts, loaded when first needed, and the threads in which they look at images."""

    def __init__(
        self, experts: Sequence[str], device: str = "cpu", workers: int | None = None, profile: Profile = NOTHING
    ) -> None:
        self._profile = profile
        plugins = {name: registry.experts.get(name) for name in experts}
        self.cards: dict[str, ExpertCard] = {DETECTOR: Detector.card}
        self.cards.update({name: plugin.card for name, plugin in plugins.items()})
        self._plugins = plugins
        self._device = device
        self._loaded: dict[str, Expert | PairExpert] = {}
        self._neutral: Detector | None = None
        self._loading = threading.Lock()
        self._cache = Cache()
        self._workers = workers or default_workers()
        self._crowded: set[str] = set()
        self.crowded: list[str] = []
        """Names of looked-at images that show a second face that may be meant as well, unless it was known before."""

    def _expert(self, name: str) -> Expert | PairExpert:
        with self._loading:
            if name not in self._loaded:
                expert = self._plugins[name].load(self._device)
                kind = PairExpert if self.cards[name].role in COMPARING else Expert
                if not isinstance(expert, kind):
                    raise UsageError(
                        f"The expert {name!r} loads a {type(expert).__name__}, but its role "
                        f"{self.cards[name].role!r} asks for a {kind.__name__} (hifibench.contracts)."
                    )
                self._loaded[name] = expert
            return self._loaded[name]

    def _detector(self) -> Detector:
        with self._loading:
            if self._neutral is None:
                self._neutral = Detector()
            return self._neutral

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Apply a function to all items, in the observer's threads, in order."""
        import cv2
        import torch

        # One image per thread: threads of OpenCV's and PyTorch's own inside would only fight over the same cores.
        before, inside = cv2.getNumThreads(), torch.get_num_threads()
        cv2.setNumThreads(1)
        torch.set_num_threads(max(1, inside // self._workers))
        pool = ThreadPoolExecutor(self._workers)
        try:
            return list(pool.map(function, items))
        finally:
            pool.shutdown(cancel_futures=True)
            cv2.setNumThreads(before)
            torch.set_num_threads(inside)

    def find(self, frame: Frame, like: Face | None = None, content: str | None = None) -> Face | None:
        """The face to observe in a frame: the largest and most central, or the one that overlaps ``like`` most."""
        key = _key(content or content_hash(frame), b"" if like is None else np.asarray(like.box).tobytes())

        def detect() -> dict[str, Floats]:
            faces = self._detector().detect(frame)
            if like is not None:
                return face_outputs(match(faces, like))
            if rivals(faces):
                self._crowded.add(key)
            return face_outputs(faces[0] if faces else None)

        return face_of({DETECTOR: self._cache.get(Detector.card, key, detect)})

    def look(self, item: Look) -> Seen:
        """All that the detector and the experts see in one image."""
        content = content_hash(item.frame)
        face = self.find(item.frame, item.like, content)
        if item.name and _key(content, b"") in self._crowded:
            self.crowded.append(item.name)
        seen: Seen = {DETECTOR: face_outputs(face)}
        if item.facts is not None and EXACT in self.cards:
            seen[EXACT] = {output: np.asarray(item.facts[output], np.float32) for output in self.cards[EXACT].outputs}
        if face is None:
            return seen
        for name, card in self.cards.items():
            if name in (DETECTOR, EXACT):
                continue
            if card.role in COMPARING:
                if card.role in item.beside:
                    seen[name] = self._compare(name, item.frame, content, item.beside[card.role])
            elif outputs := self._observe(name, item.frame, content, face):
                seen[name] = outputs
        return seen

    def _observe(self, name: str, frame: Frame, content: str, face: Face) -> dict[str, Floats]:
        card = self.cards[name]

        def observe() -> dict[str, Floats]:
            expert = self._expert(name)
            assert isinstance(expert, Expert)
            try:
                crop, matrix = templates.take(frame, face, card.crop)
            except ValueError:  # a face that gives no crop, such as one with all landmarks on one spot
                return {}
            outputs = expert.observe(crop[None])
            seen = {output: np.asarray(rows[0], np.float32) for output, rows in outputs.items()}
            return {**seen, "matrix": matrix.astype(np.float32)}

        return self._cache.get(card, _key(content, face.box.tobytes(), face.landmarks.tobytes()), observe)

    def _compare(self, name: str, frame: Frame, content: str, beside: Beside) -> dict[str, Floats]:
        card = self.cards[name]
        # What the expert makes of the other frame comes from what the needed experts saw in it, so their cards are part
        # of the key. Facts are no part of the picture: another generator may say otherwise of the same one.
        needed = [self.cards[need].hash for need in card.needs]
        facts_key = () if beside.facts is None else (self.cards[EXACT].hash, beside.made)

        def compare() -> dict[str, Floats]:
            expert = self._expert(name)
            assert isinstance(expert, PairExpert)
            seen = beside.seen if beside.facts is None else {**beside.seen, EXACT: beside.facts()}
            outputs = expert.compare(frame, beside.frame, seen)
            return {output: np.asarray(value, np.float32) for output, value in outputs.items()}

        face = face_of(beside.seen)
        face_key = b"" if face is None else face.box.tobytes() + face.landmarks.tobytes()
        return self._cache.get(card, _key(content, content_hash(beside.frame), face_key, *facts_key, *needed), compare)
