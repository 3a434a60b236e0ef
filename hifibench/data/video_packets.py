"""The packets of a video: listed without decoding, to know which frame is which, and whether all are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hifibench.errors import UsageError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


class DamagedError(UsageError):
    """A video cannot be read, or breaks off (exit code 2)."""


class Key(NamedTuple):
    """A key frame: when it is shown, and when it is decoded, in the stream's units."""

    pts: int
    dts: int


class Index(NamedTuple):
    """The frames of a video in the order of display.

    Attributes:
        pts: when each is shown, ascending.
        keys: the key frames, ascending.
    """

    pts: tuple[int, ...]
    keys: tuple[Key, ...]


def opened(path: Path) -> tuple[InputContainer, VideoStream]:
    """A video to be decoded, and its first stream of pictures that is no cover of an album.

    Raises:
        DamagedError: the file is empty, or holds no pictures.
        av.error.FFmpegError: it cannot be read as a video.
    """
    import av
    from av.stream import Disposition

    if path.is_file() and not path.stat().st_size:
        raise DamagedError(f"{path} has zero bytes; copy it again.")
    # A title that is no UTF-8 says nothing about the pictures.
    container = av.open(str(path), metadata_errors="replace")
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        container.close()
        raise DamagedError(f"{path} holds no video; name a file that does.")
    return container, streams[0]


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what FFmpeg raises in the block into a `DamagedError`."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        raise DamagedError(f"{path} cannot be read as a video ({error.strerror}); copy it again.") from error


def listed(path: Path) -> Index | None:
    """List the packets without decoding; ``None`` where their times do not say which frame is which.

    Raises:
        DamagedError: the file holds fewer packets than its index says, or as `opened`.
        av.error.FFmpegError: as `opened`.
    """
    container, stream = opened(path)
    with container:
        packets = [packet for packet in container.demux(stream) if packet.size]
        # Not stream.frames: that counts what an edit list cuts off, too.
        said = len(stream.index_entries)
    whole = len([packet for packet in packets if not packet.is_corrupt])
    if whole < max(said, len(packets)):
        raise DamagedError(
            f"{path} is truncated: {whole} of its {max(said, len(packets))} frames are there; copy it again."
        )
    return _indexed(packets)


def _indexed(packets: list[Packet[VideoStream]]) -> Index | None:
    pts = [one.pts for one in packets if not one.is_discard and one.pts is not None]
    keys = [
        Key(one.pts, one.pts if one.dts is None else one.dts)
        for one in packets
        if one.is_keyframe and one.pts is not None
    ]
    if any(one.pts is None for one in packets) or len(set(pts)) < len(pts):
        return None
    # Before the first key frame the decoder drops frames, so that counts differ.
    if not packets or not packets[0].is_keyframe or not pts or min(pts) < keys[0].pts:
        return None
    return Index(tuple(sorted(pts)), tuple(sorted(keys)))
