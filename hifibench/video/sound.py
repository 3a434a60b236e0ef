"""Sound from one file to another: its packets as they are where the container takes them, as AAC where it does not."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

_KEPT = ("language", "title", "handler_name")
"""What a stream's metadata say about the sound; the rest is about the file that it came from."""

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_LAYOUTS = ("mono", "stereo", "5.1", "7.1")
_BITS_A_CHANNEL = 96_000


class Sound(Protocol):
    """One stream of sound on its way."""

    def put(self, packet: Packet[AudioStream]) -> None:
        """Hand on a packet of the input."""
        ...

    def end(self) -> None:
        """Hand on what is left."""
        ...


def sound(source: AudioStream, container: OutputContainer) -> tuple[Sound | None, str]:
    """Make the output's stream for one of the input's; to be called before anything is written.

    Args:
        source: of the input.
        container: the output.

    Returns:
        What takes the packets (``None``: the stream must be left out), and what to tell, mostly nothing.
    """
    name = source.codec_context.name if source.codec_context is not None else "an unknown format"
    try:
        return _Copy(source, container), ""
    except ValueError:  # PyAV: the container does not take this format, or there is no such decoder
        if source.codec_context is None:
            return None, f"A stream of sound in {name} is left out."
    recoded = _Recode(source, container)
    return recoded, f"{container.format.name} holds no {name}: the sound is encoded anew, as AAC."


class _Copy:
    """The same packets."""

    def __init__(self, source: AudioStream, container: OutputContainer) -> None:
        self._container = container
        self._stream = container.add_stream_from_template(source)
        _describe(self._stream, source)

    def put(self, packet: Packet[AudioStream]) -> None:
        packet.stream = self._stream
        _mux(self._container, packet)

    def end(self) -> None:
        pass


class _Recode:
    """The same sound, lossy once more."""

    def __init__(self, source: AudioStream, container: OutputContainer) -> None:
        self._container, self._source = container, source
        given = source.codec_context
        rate = given.sample_rate if given.sample_rate in _AAC_RATES else 48000
        self._stream = container.add_stream("aac", rate=rate)
        layout = given.layout.name if given.layout.name in _AAC_LAYOUTS else "mono" if given.channels == 1 else "stereo"
        self._stream.codec_context.layout = layout
        self._stream.codec_context.bit_rate = _BITS_A_CHANNEL * self._stream.codec_context.channels
        _describe(self._stream, source)

    def put(self, packet: Packet[AudioStream] | None) -> None:
        from av.error import FFmpegError

        try:
            frames = self._source.codec_context.decode(packet)
        except FFmpegError:
            return  # a damaged packet is a moment of silence
        for frame in frames:
            for made in self._stream.encode(frame):
                _mux(self._container, made)

    def end(self) -> None:
        self.put(None)
        for made in self._stream.encode(None):
            _mux(self._container, made)


def _describe(stream: AudioStream, source: AudioStream) -> None:
    stream.metadata.update({key: value for key, value in source.metadata.items() if key in _KEPT})
    stream.disposition = source.disposition


def _mux(container: OutputContainer, packet: Packet[AudioStream]) -> None:
    from av.error import ArgumentError

    # Raised for a packet without a time, or with one before that of the packet before: no container takes those.
    with suppress(ArgumentError):
        container.mux(packet)
