"""Writing a swapped video: H.264, the input's sound, times and metadata, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hifibench.data import images
from hifibench.errors import UsageError
from hifibench.video.picture import even
from hifibench.video.reader import Clip
from hifibench.video.sound import Sound, sound

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SUFFIXES = (".mp4", ".mkv", ".mov")
"""Of files that can be written."""

_MPEG4 = (".mp4", ".mov")
_OF_THE_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")
"""Metadata that say how the input was written, not what it shows."""

_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""Identifier of a box that holds XMP; Adobe, XMP Specification Part 3, "MPEG-4"."""


class Writer:
    """An open output.

    Args:
        container: to write to, new.
        clip: what the input is.
        sounds: the input's streams of sound.
        crf: x264's constant rate factor: 0 loses nothing, 18 little that is seen, 51 is worst.
        provenance: how it came about, such as ``{"hifibench:method": …}``.
        say: where to tell what becomes of the sound.
    """

    def __init__(
        self,
        container: OutputContainer,
        clip: Clip,
        sounds: Sequence[AudioStream],
        crf: int,
        provenance: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._container = container
        self._video = _pictures(container, clip, crf)
        self._sounds: dict[int, Sound] = {}
        for one in sounds:
            made, told = sound(one, container)
            if made is not None:
                self._sounds[one.index] = made
            if told:
                say(told)
        container.metadata.update(_metadata(clip.metadata, provenance))

    def picture(self, picture: VideoFrame) -> None:
        """Encode the next picture, as `hifibench.video.picture.encodable` makes it."""
        self._container.mux(self._video.encode(picture))

    def sound(self, packet: Packet[AudioStream]) -> None:
        """Hand on a packet of sound."""
        index = packet.stream.index
        if index in self._sounds:
            self._sounds[index].put(packet)

    def end(self) -> None:
        """Write what the encoders still hold."""
        self._container.mux(self._video.encode(None))
        for one in self._sounds.values():
            one.end()


@contextmanager
def written(
    path: Path,
    clip: Clip,
    sounds: Sequence[AudioStream],
    crf: int,
    provenance: Mapping[str, str],
    say: Callable[[str], None],
) -> Iterator[Writer]:
    """Write a file; on success it is complete at the end of the block. Arguments as of `Writer`.

    Raises:
        OSError: the disk is full.
    """
    import av

    with av.open(str(path), "w") as container:
        writer = Writer(container, clip, sounds, crf, provenance, say)
        yield writer
        writer.end()
    if path.suffix.lower() in _MPEG4:
        _append_xmp(path)


def check_suffix(path: Path) -> None:
    """Raise `UsageError` if no video can be written under this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"-o {path}: a swapped video is written as one of {', '.join(SUFFIXES)}; name such a file.")


def _pictures(container: OutputContainer, clip: Clip, crf: int) -> VideoStream:
    stream = container.add_stream(
        "libx264", rate=clip.rate, options={"crf": str(crf), "x264-params": "log-level=error"}
    )
    codec = stream.codec_context
    codec.width, codec.height = even(clip.size)
    codec.pix_fmt = "yuv420p"
    stream.time_base = codec.time_base = clip.time_base
    codec.colorspace, codec.color_range = clip.colour.space, clip.colour.range
    codec.color_primaries, codec.color_trc = clip.colour.primaries, clip.colour.transfer
    if clip.aspect is not None:
        codec.sample_aspect_ratio = clip.aspect
    if clip.orientation.matrix:
        stream.set_display_matrix(clip.orientation.matrix)
    return stream


def _metadata(given: Mapping[str, str], provenance: Mapping[str, str]) -> dict[str, str]:
    """The input's, and where this file comes from: as keys of its own, and in words for containers that drop those."""
    kept = {key: value for key, value in given.items() if key.lower() not in (*_OF_THE_FILE, "comment")}
    said = next((value for key, value in given.items() if key.lower() == "comment"), "")
    origin = {**provenance, "Iptc4xmpExt:DigitalSourceType": images.DIGITAL_SOURCE_TYPE}
    words = "; ".join(f"{key}={value}" for key, value in origin.items())
    return {**kept, **origin, "comment": f"{said}\n{words}" if said else words}


def _append_xmp(path: Path) -> None:
    """XMP as a last box of the file, where tools that read the IPTC digital source type look for it."""
    payload = _XMP_BOX + images.XMP.encode()
    with path.open("ab") as file:
        file.write((8 + len(payload)).to_bytes(4, "big") + b"uuid" + payload)
