"""Swapping one face through a video, batch by batch: the memory does not grow with its length."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from hifibench.contracts import Swapper, SwapperCard
from hifibench.pipeline.swap import Job, swap_jobs
from hifibench.records import Face, Frame, Status
from hifibench.video.picture import Shown, encodable
from hifibench.video.reader import Reader
from hifibench.video.track import Tracker
from hifibench.video.writer import Writer

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

_MOST_FRAMES, _MOST_PIXELS = 8, 1 << 19
"""Of a batch. Crops of 512 pixels in batches of 8 are blocks of 25 MB, which the allocator of the C library cuts up
differently from batch to batch: 60 to 600 frames then took 10 to 50 MB more, in batches of 2 they take 1 MB more.
"""

_MOST_PACKETS = 512
"""Packets of sound that are held: a picture may stand still for hours."""


class Followed(NamedTuple):
    """A frame and the face to swap in it."""

    shown: Shown
    face: Face | None


@dataclass(frozen=True)
class Batch:
    """What is swapped at once, and the sound that lies between."""

    frames: tuple[Followed, ...]
    packets: tuple[Packet[AudioStream], ...]


@dataclass
class Tally:
    """What became of the frames.

    Attributes:
        frames: all.
        swapped: with a swap.
        without_face: passed on as they were, since the face was not seen.
        failed: passed on as they were, since the method failed.
        message: why it failed first.
        seconds: for all of it.
    """

    frames: int = 0
    swapped: int = 0
    without_face: int = 0
    failed: int = 0
    message: str = ""
    seconds: float = field(default=0.0)

    def words(self) -> str:
        """One line."""
        rate = self.frames / self.seconds if self.seconds else 0.0
        parts = f"{self.swapped} swapped, {self.without_face} without the face, {self.failed} failed"
        return f"{self.frames} frames, {parts}; {rate:.1f} frames/s"


def batch_size(card: SwapperCard, frame: tuple[int, int]) -> int:
    """How many frames a method gets at once, unless the user says it.

    Args:
        card: of the method.
        frame: width and height of the target's frames.
    """
    pixels = max(crop.size**2 or frame[0] * frame[1] for crop in (card.source, card.target))
    return min(_MOST_FRAMES, max(1, _MOST_PIXELS // pixels))


def batches(reader: Reader, tracker: Tracker, size: int) -> Iterator[Batch]:
    """The video, cut into batches."""
    frames: list[Followed] = []
    packets: list[Packet[AudioStream]] = []
    for one in reader.shown():
        if isinstance(one, Shown):
            frames.append(Followed(one, tracker.follow(one.frame, one.time_s)))
        else:
            packets.append(one)
        if len(frames) == size or len(packets) == _MOST_PACKETS:
            yield Batch(tuple(frames), tuple(packets))
            frames, packets = [], []
    if frames or packets:
        yield Batch(tuple(frames), tuple(packets))


def swap_clip(
    reader: Reader,
    tracker: Tracker,
    swapper: Swapper,
    source: tuple[Frame, Face],
    writer: Writer,
    batch: int,
    advance: Callable[[int], None] = lambda frames: None,
) -> Tally:
    """Swap a face into every frame that shows the one followed; other frames pass unchanged.

    The next batch is decoded and searched for faces by a thread of its own while one is swapped.

    Args:
        reader: the target.
        tracker: chooses the face in it.
        swapper: the method.
        source: the frame that gives the face, and the face.
        writer: takes pictures and sound.
        batch: frames that the method gets at once; twice as many are held, with what was decoded of them.
        advance: is told of frames that are done.

    Raises:
        MethodError: the method cannot be used, whatever the frame.
        UsageError: as `Reader.shown`.
    """
    tally, begin = Tally(), time.monotonic()
    coming = batches(reader, tracker, batch)
    with ThreadPoolExecutor(1, "reader") as pool:
        ahead = pool.submit(next, coming, None)
        while (now := ahead.result()) is not None:
            ahead = pool.submit(next, coming, None)
            _put(now, swapper, source, reader, writer, tally)
            advance(len(now.frames))
    tally.seconds = time.monotonic() - begin
    return tally


def _put(
    batch: Batch, swapper: Swapper, source: tuple[Frame, Face], reader: Reader, writer: Writer, tally: Tally
) -> None:
    """Swap and write one batch."""
    for packet in batch.packets:
        writer.sound(packet)
    jobs = [Job(*source, one.shown.frame, one.face) for one in batch.frames]
    for (shown, _), done in zip(batch.frames, swap_jobs(swapper, jobs), strict=True):
        writer.picture(encodable(shown, done.frame, reader.clip.orientation, reader.clip.colour))
        tally.frames += 1
        tally.swapped += done.frame is not None
        tally.without_face += done.status is Status.NO_FACE_TARGET
        if done.frame is None and done.status is not Status.NO_FACE_TARGET:
            tally.failed += 1
            tally.message = tally.message or done.message or str(done.status)
