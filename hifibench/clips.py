"""Which frames of a run belong to one clip, and frames that were compressed together with their clip."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable

from hifibench.compression import Compression, through
from hifibench.records import Frame, Manifest

ROOM = 2**28
"""Bytes of compressed frames that are kept for the next question: 256 MiB, about 340 frames of 512 x 512 pixels."""

Clip = tuple[str, ...]
"""Names of consecutive frames, in the order in which they are shown; a still is a clip of one."""


def of_pairs(manifest: Manifest, moving: bool) -> list[Clip]:
    """The clips among the swaps of a run: one source on consecutive frames of one target video.

    Args:
        manifest: of the run.
        moving: whether its frames with consecutive indices follow each other in time; else each is a still.
    """
    if not moving:
        return [(pair.pair,) for pair in manifest.pairs]
    made = [(pair, manifest.image(pair.target)) for pair in manifest.pairs]
    return _runs(((pair.source, target.video), target.frame, pair.pair) for pair, target in made)


def of_images(manifest: Manifest, moving: bool) -> list[Clip]:
    """The clips among the images of a run.

    Targets and true swaps lie together as the swaps do (`of_pairs`), so that what is compared was encoded alike; of the
    other images, frames of one video and person whose indices follow on each other. Arguments as of `of_pairs`.
    """
    if not moving:
        return [(ref.image,) for ref in manifest.images]
    pairs = {pair.pair: pair for pair in manifest.pairs}
    clips: list[Clip] = []
    taken: set[str] = set()
    for clip in of_pairs(manifest, moving):
        for side in ("target", "truth"):
            names = [getattr(pairs[name], side) for name in clip]
            found = tuple(name for name in names if name and name not in taken)
            taken.update(found)
            clips += [found] if found else []
    rest = (ref for ref in manifest.images if ref.image not in taken)
    return [*clips, *_runs(((ref.video, ref.identity), ref.frame, ref.image) for ref in rest)]


def _runs(frames: Iterable[tuple[Hashable, int, str]]) -> list[Clip]:
    """(what a clip has in common, index, name) of each frame -> clips."""
    seen: Counter[tuple[Hashable, int]] = Counter()
    lines: dict[tuple[Hashable, int], list[tuple[int, str]]] = {}
    for key, index, name in frames:
        # A frame that is there twice begins a second line of frames, so that it does not cut the first one.
        lines.setdefault((key, seen[key, index]), []).append((index, name))
        seen[key, index] += 1
    clips: list[list[str]] = []
    for line in lines.values():
        before: int | None = None
        for index, name in sorted(line):
            if before is None or index != before + 1:
                clips.append([])
            clips[-1].append(name)
            before = index
    return [tuple(clip) for clip in clips]


class Compressed:
    """Frames by name, each compressed together with its clip. May be asked from several threads.

    Args:
        how: the compression.
        clips: all frames there are, each in one clip.
        load: gives a frame as it is.
        room: bytes of compressed frames to keep; a clip that is longer is kept nevertheless, until the next one.
    """

    def __init__(self, how: Compression, clips: Iterable[Clip], load: Callable[[str], Frame], room: int = ROOM) -> None:
        self._how = how
        self._clip = {name: clip for clip in clips for name in clip}
        self._load = load
        self._room = room
        self._kept: OrderedDict[Clip, dict[str, Frame]] = OrderedDict()
        self._guard = threading.Lock()
        self._making: dict[Clip, threading.Lock] = {}

    def frame(self, name: str) -> Frame:
        """A frame of its own, ``(H, W, 3)`` uint8 RGB, compressed.

        Raises:
            KeyError: there is no such frame.
            ImageError: a frame of its clip cannot be loaded.
        """
        clip = self._clip[name]
        with self._guard:
            making = self._making.setdefault(clip, threading.Lock())
        with making:
            with self._guard:
                found = self._kept.get(clip)
                if found is not None:
                    self._kept.move_to_end(clip)
            if found is None:
                made = through([self._load(one) for one in clip], self._how)
                found = dict(zip(clip, made, strict=True))
                self._keep(clip, found)
        return found[name].copy()

    def _keep(self, clip: Clip, found: dict[str, Frame]) -> None:
        with self._guard:
            self._kept[clip] = found
            used = sum(frame.nbytes for frames in self._kept.values() for frame in frames.values())
            while used > self._room and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                used -= sum(frame.nbytes for frame in dropped.values())
