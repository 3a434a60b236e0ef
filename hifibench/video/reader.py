"""Reading a video from its first frame to its last, once, with the sound that lies between the frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.data.video_packets import DamagedError, opened, told
from hifibench.errors import UsageError
from hifibench.video import orientation
from hifibench.video.orientation import Orientation
from hifibench.video.picture import Colour, Shown, colour_of, rgb

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_USUAL_RATE = Fraction(25)
_SLACK_S = 0.5
"""By how much a Matroska file may be shorter than its header says and still count as whole."""


@dataclass(frozen=True)
class Clip:
    """What is known of a video before it is read.

    Attributes:
        path: of the file.
        size: width and height of the stored pictures.
        orientation: from stored to upright.
        colour: what its numbers mean.
        time_base: the unit of its times, in seconds.
        rate: frames per second, on average.
        aspect: width of a pixel by its height, ``None`` where it is not said.
        frames: how many it should have; 0 where nothing says it.
        metadata: of the file, such as its title.
    """

    path: Path
    size: tuple[int, int]
    orientation: Orientation
    colour: Colour
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None
    frames: int
    metadata: dict[str, str]


class Reader:
    """An open video; to be used by one thread at a time, and read once.

    Args:
        path: of the file.

    Raises:
        UsageError: there is no such file, it is none that can be read, or shows its pictures turned by odd angles.
    """

    def __init__(self, path: Path) -> None:
        _check(path)
        with told(path):
            container, stream = opened(path)
            with container:
                first = next(_frames(container, stream), None)
                if first is None:
                    raise DamagedError(f"{path} has no frame that can be decoded; copy it again.")
                self.clip = _clip(path, container, stream, first)
            self._container, self._stream = opened(path)
        self.sounds: tuple[AudioStream, ...] = tuple(self._container.streams.audio)
        self.left_out = tuple(
            sorted({one.type for one in self._container.streams if one.type not in ("video", "audio")})
        )
        """Kinds of streams that are not handed on, such as subtitles."""
        self.damage = ""
        """After the last frame: what is wrong with the file, empty where nothing is."""

    def shown(self) -> Iterator[Shown | Packet[AudioStream]]:
        """Frames in the order of display, and packets of sound, as they come in the file.

        What cannot be decoded is left out; `damage` then says so.

        Raises:
            UsageError: the pictures change their size.
        """
        clip, sounds = self.clip, {one.index for one in self.sounds}
        packets = lost = 0
        end_s = 0.0
        clock = _Clock(clip, self._start())
        for packet in self._packets():
            if packet.size and not packet.is_corrupt and packet.pts is not None:
                end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            index = packet.stream.index  # the packets that end a stream bear no index of their own
            if index in sounds:
                if packet.size and not packet.is_corrupt:
                    yield packet
                continue
            if index != self._stream.index:
                continue
            if packet.size and packet.is_corrupt:
                lost += 1
                continue
            packets += bool(packet.size)
            pictures = _decoded(packet)
            lost += pictures is None
            for picture in pictures or ():
                if (picture.width, picture.height) != clip.size:
                    raise UsageError(
                        f"{clip.path} changes from {clip.size[0]}x{clip.size[1]} to {picture.width}x{picture.height} "
                        "pixels on the way; convert it to one size first."
                    )
                lost += picture.is_corrupt
                clock.set(picture)
                frame = clip.orientation.upright(rgb(picture))
                yield Shown(picture, frame, float((picture.pts or 0) * clip.time_base))
        self.damage = self.damage or self._missing(packets, lost, end_s)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _packets(self) -> Iterator[Packet[Any]]:
        from av.error import FFmpegError

        try:
            # All streams: the end of the longest tells whether the file is whole.
            yield from self._container.demux()
        except FFmpegError as error:
            self.damage = f"it breaks off ({error.strerror})"

    def _start(self) -> Fraction:
        """When broadcast streams begin, which may be at any hour; other files keep their times."""
        start = self._container.start_time if self._container.format.name in ("mpegts", "mpeg") else None
        return Fraction(start or 0, 1_000_000)

    def _missing(self, packets: int, lost: int, end_s: float) -> str:
        listed = len(self._stream.index_entries)
        if packets < listed:
            return f"it is truncated: {packets} of its {listed} frames are there"
        matroska, duration = "matroska" in self._container.format.name, self._container.duration
        if matroska and duration is not None and end_s < duration / 1e6 - _SLACK_S:
            return f"it is truncated: it ends at {end_s:.1f} of {duration / 1e6:.1f} s"
        return f"{lost} frames are damaged or could not be decoded" if lost else ""


class _Clock:
    """Gives each picture a time after that of the one before, in units of the clip."""

    def __init__(self, clip: Clip, start_s: Fraction) -> None:
        self._base, self._start = clip.time_base, round(start_s / clip.time_base)
        self._step = max(1, round(1 / (clip.rate * clip.time_base)))
        self._last: int | None = None

    def set(self, picture: VideoFrame) -> None:
        """Some formats keep no times, and some files repeat one."""
        guess = 0 if self._last is None else self._last + self._step
        pts = guess if picture.pts is None else picture.pts - self._start
        if self._last is not None and pts <= self._last:
            pts = self._last + 1
        picture.pts, picture.time_base = pts, self._base
        self._last = pts


def _clip(path: Path, container: InputContainer, stream: VideoStream, first: VideoFrame) -> Clip:
    rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
    base = stream.time_base or 1 / rate
    frames = len(stream.index_entries) if stream.frames else 0
    if not frames and container.duration is not None:
        frames = round(container.duration / 1_000_000 * rate)
    return Clip(
        path,
        (first.width, first.height),
        orientation.of(first, path),
        colour_of(first),
        base,
        rate,
        stream.codec_context.sample_aspect_ratio or None,
        frames,
        dict(container.metadata),
    )


def _check(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a video file in it.")
    if not path.is_file():
        raise UsageError(f"There is no file {path}; check the path.")


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        yield from _decoded(packet) or ()


def _decoded(packet: Packet[VideoStream]) -> list[VideoFrame] | None:
    """``None`` where it cannot be decoded."""
    from av.error import FFmpegError

    try:
        return packet.decode()
    except FFmpegError:
        return None
