"""Frames of a video by their index: frame N is the N-th that a player shows, counted from zero.

What counts is what comes out of the decoder in the order of display. Containers' own frame numbers and times per
frame are of no use for that: streams begin at any time, frames are stored in another order than they are shown in,
and edit lists hide some. So the packets of a file are listed once, without decoding; a frame is then decoded from the
last key frame before it, or from where the decoder stands. Where the times of the packets say nothing reliable,
frames are counted from the beginning instead.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hifibench.data.video_packets import DamagedError, Index, Key, listed, opened, told
from hifibench.errors import UsageError
from hifibench.records import Frame
from hifibench.video import orientation
from hifibench.video.picture import rgb

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["DamagedError", "Description", "NoFrameError", "Video", "describe", "evenly"]

_NEAR = 16
"""Decoding this many frames on costs no more than a seek, which throws away what the decoder has begun."""

_STEADY = 1.5
"""By what factor times from frame to frame may differ in a video of one pace: containers round them to their units."""


class NoFrameError(UsageError):
    """A video has fewer frames than the index asks for (exit code 2)."""


class Description(NamedTuple):
    """What the list of a video's packets says; no frame is decoded for it where their times are reliable.

    Attributes:
        frames: how many a player shows.
        width: in pixels, as stored: a player may turn the pictures.
        height: in pixels, likewise.
        steady: whether they follow each other at one pace; ``False`` where the times do not say it.
    """

    frames: int
    width: int
    height: int
    steady: bool


class Video:
    """A video that gives frames by index, to several threads.

    Threads that wait at the same moment are served in the order of the video, whatever order they came in: so frames
    all over a video cost about one pass.

    Args:
        path: of the file; it is opened when the first frame is asked for.
        threads: that decode; ``None`` for as many as the format and the machine allow.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._path, self._threads = path, threads
        self._gate, self._work = threading.Lock(), threading.Lock()
        self._waiting: Counter[int] = Counter()
        self._made: dict[int, Frame | UsageError] = {}
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._frames: Iterator[VideoFrame] = iter(())
        self._at: int | None = None  # index of the last frame that the decoder gave
        self._index: Index | None = None
        self._listed = False
        self._length: int | None = None
        self.decoded = 0
        """Frames decoded until now, those on the way to a wanted one included."""

    def frame(self, index: int) -> Frame:
        """One frame, ``(H, W, 3)`` uint8 RGB, turned as a player turns it.

        Args:
            index: in the order of display, from 0.

        Raises:
            DamagedError: the file is no video, is truncated, or cannot be decoded there.
            NoFrameError: the video ends before; says how many frames it has.
            UsageError: it is to be shown turned by no multiple of 90 degrees.
        """
        with self._gate:
            self._waiting[index] += 1
        try:
            with self._work:
                if index not in self._made:
                    self._serve()
                made = self._made[index]
        finally:
            with self._gate:
                self._waiting[index] -= 1
                if not self._waiting[index]:
                    del self._waiting[index]
                    self._made.pop(index, None)
        if isinstance(made, UsageError):
            raise made
        return made

    @property
    def length(self) -> int:
        """How many frames it has; takes a whole pass where the times of the packets are not reliable.

        Raises:
            DamagedError: as `frame`.
        """
        with self._work, told(self._path):
            return self._count()

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        with self._work:
            self._close()

    def _serve(self) -> None:
        """Decode all that threads wait for at this moment."""
        with self._gate:
            wanted = sorted(index for index in self._waiting if index not in self._made)
        for index in wanted:
            try:
                with told(self._path):
                    picture = self._get(index)
                    self._made[index] = orientation.of(picture, self._path).upright(rgb(picture))
            except UsageError as error:
                self._close()
                self._made[index] = error

    def _get(self, index: int) -> VideoFrame:
        self._list()
        if self._index is not None:
            if index >= len(self._index.pts):
                raise self._too_short(index)
            if (frame := self._by_time(self._index, index)) is not None:
                return frame
            # The times promised a frame that did not come: they are not to be trusted.
            self._index = None
            self._open()
        return self._by_count(index)

    def _by_time(self, index: Index, wanted: int) -> VideoFrame | None:
        """Decode on, or from the last key frame before; ``None`` where another frame than expected came."""
        pts = index.pts
        key = index.keys[bisect_right(index.keys, pts[wanted], key=lambda one: one.pts) - 1]
        first = bisect_left(pts, key.pts)
        near = self._at is not None and first - _NEAR <= self._at < wanted
        if not near and not self._begin(key, pts[first], first):
            return None
        for frame in self._frames:
            assert self._at is not None
            self._at += 1
            if frame.pts != pts[self._at]:
                return None
            if self._at == wanted:
                return None if frame.is_corrupt else frame
        return None

    def _begin(self, key: Key, shown: int, first: int) -> bool:
        """Let the decoder stand before a key frame, the one with index ``first``; whether that could be had."""
        # By when it is shown, or by when it is decoded: containers differ. By the wrong one, some begin a group too
        # early, which costs its time, and some a group too late.
        for time in dict.fromkeys(key):
            self._seek(time)
            for frame in self._frames:
                # Frames shown before the key frame may lack those that they refer to; those after it never do.
                if frame.pts is None or frame.pts >= shown:
                    break
            else:
                continue
            if frame.pts == shown:
                self._frames, self._at = chain((frame,), self._frames), first - 1
                return True
        return False

    def _by_count(self, wanted: int) -> VideoFrame:
        """Decode from the beginning, or on, counting."""
        if self._at is None or self._at >= wanted:
            self._open()
        for frame in self._frames:
            self._at = 0 if self._at is None else self._at + 1
            if self._at == wanted:
                if frame.is_corrupt:
                    raise DamagedError(f"{self._path} is damaged at frame {wanted}; copy it again.")
                return frame
        self._length = 0 if self._at is None else self._at + 1
        self._at = None
        raise self._too_short(wanted)

    def _count(self) -> int:
        self._list()
        if self._index is not None:
            return len(self._index.pts)
        if self._length is None:
            self._open()
            self._length = sum(1 for _ in self._frames)
        return self._length

    def _too_short(self, wanted: int) -> NoFrameError:
        count = self._count()
        return NoFrameError(f"{self._path} has {count} frames, 0 to {count - 1}; the pair asks for frame {wanted}.")

    def _list(self) -> None:
        if not self._listed:
            self._index = listed(self._path)
            self._listed = True

    def _open(self) -> None:
        self._close()
        self._container, self._stream = opened(self._path)
        # Several frames at once where the format allows it: the order of display is the same, and so is every pixel.
        self._stream.thread_type = "AUTO"
        if self._threads is not None:
            self._stream.codec_context.thread_count = self._threads
        self._frames = self._decode(self._container, self._stream)

    def _seek(self, time: int) -> None:
        if self._container is None:
            self._open()
        assert self._container is not None and self._stream is not None
        self._container.seek(time, stream=self._stream, backward=True)
        self._frames = self._decode(self._container, self._stream)
        self._at = None

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        for frame in container.decode(stream):
            self.decoded += 1
            yield frame

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container, self._stream, self._frames, self._at = None, None, iter(()), None


def evenly(n: int, k: int) -> list[int]:
    """The frames taken of n, ascending: the middles of k equal parts, or all n where there are fewer than k."""
    return [(2 * i + 1) * n // (2 * k) for i in range(k)] if n >= k else list(range(n))


def describe(path: Path) -> Description:
    """Look at a video without decoding it.

    Raises:
        DamagedError: the file is no video, is truncated, or has no frames.
    """
    video = Video(path)
    try:
        frames = video.length
        with told(path):
            container, stream = opened(path)
            with container:
                size = stream.codec_context.width, stream.codec_context.height
    finally:
        video.close()
    if not frames or not all(size):
        raise DamagedError(f"{path} has no frames; copy it again.")
    pts = video._index.pts if video._index is not None else ()
    gaps = [after - before for before, after in pairwise(pts)]
    steady = len(pts) == frames and (not gaps or max(gaps) <= _STEADY * min(gaps))
    return Description(frames, *size, steady)
