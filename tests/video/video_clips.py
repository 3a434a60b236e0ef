"""Real videos of generated portraits, with sound, and a method that paints the face green."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.records import Cost, Frame, Status, Swap

BASE = Fraction(1, 12800)
STEP = 512  # 25 frames per second in that unit
GREEN = np.array([0, 255, 0])


def canvas(size: tuple[int, int], *faces: tuple[Frame, tuple[int, int], int]) -> Frame:
    """A grey frame with portraits: the picture, its left top corner, its side in pixels."""
    frame = np.full((size[1], size[0], 3), 128, np.uint8)
    for picture, (left, top), side in faces:
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        part = frame[max(top, 0) : top + side, max(left, 0) : left + side]
        part[:] = small[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
    return frame


def tone(count: int, rate: int, channels: int) -> np.ndarray:
    """A tone of a second's ``count`` / ``rate``, interleaved 16-bit samples ``(1, count * channels)``."""
    wave = (8000 * np.sin(np.arange(count) * 0.05)).astype(np.int16)
    return np.repeat(wave, channels)[None]


@dataclass(frozen=True)
class Audio:
    codec: str = "aac"
    rate: int = 44100
    layout: str = "stereo"


def film(
    path: Path,
    frames: Iterable[Frame],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[int] | None = None,
    base: Fraction = BASE,
    audio: Audio | None = None,
    rotation: int | None = None,
    colour: int | None = None,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write frames, and as much sound; times are in units of ``base``, else 25 frames a second."""
    frames = list(frames)
    times = [number * STEP for number in range(len(frames))] if times is None else times
    with av.open(str(path), "w", container_options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = base
        if codec == "libx264":
            stream.options = {"crf": "12", "x264-params": "log-level=error"}
        if colour is not None:
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = colour
            context.color_range = 1
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        sound = None
        if audio is not None:
            sound = container.add_stream(audio.codec, rate=audio.rate)
            sound.layout = audio.layout
        for frame, time in zip(frames, times, strict=True):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts, picture.time_base = time, base
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
        if audio is not None and sound is not None:
            count = len(frames) * audio.rate // 25
            samples = tone(count, audio.rate, sound.codec_context.channels)
            heard = av.AudioFrame.from_ndarray(samples, format="s16", layout=audio.layout)
            heard.sample_rate, heard.pts = audio.rate, 0
            container.mux(sound.encode(heard))
            container.mux(sound.encode())
    return path


@dataclass(frozen=True)
class Seen:
    """All of a video: frames as they are stored, times in seconds, packets of sound."""

    frames: list[Frame]
    times: list[Fraction]
    packets: list[bytes]
    packet_times: list[Fraction]


def seen(path: Path) -> Seen:
    """One plain pass."""
    frames, times, packets, packet_times = [], [], [], []
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.stream.type == "audio":
                if packet.size:
                    packets.append(bytes(packet))
                    packet_times.append(packet.pts * packet.time_base)
                continue
            for frame in packet.decode():
                frames.append(frame.to_ndarray(format="rgb24"))
                times.append(frame.pts * frame.time_base)
    return Seen(frames, times, packets, packet_times)


def green(frame: Frame) -> np.ndarray:
    """Where a frame is painted, ``(H, W)`` bool; skin and grey never are."""
    red, middle, blue = np.moveaxis(frame.astype(int), -1, 0)
    return (middle > 150) & (red < 110) & (blue < 110)


def centre(frame: Frame) -> tuple[float, float]:
    """Middle (x, y) of what is painted."""
    rows, columns = np.nonzero(green(frame))
    return float(columns.mean()), float(rows.mean())


class Painter:
    """Paints faces green, and fails as a test wants it.

    Args:
        fail: rows that fail, by the number of the frame among those that show a face.
        stop: the number at which the user presses Ctrl-C.
    """

    card = SwapperCard("painter", "paints", source=Crop("arcface", 112), target=Crop("ffhq", 128))

    def __init__(self, fail: frozenset[int] = frozenset(), stop: int | None = None) -> None:
        self._fail, self._stop = fail, stop
        self.batches: list[int] = []

    def swap(self, source: torch.Tensor, target: torch.Tensor) -> Swap:
        first = sum(self.batches)
        numbers = range(first, first + len(target))
        if self._stop is not None and self._stop in numbers:
            raise KeyboardInterrupt
        self.batches.append(len(target))
        image = torch.zeros_like(target)
        image[:, 1] = 1.0
        status = tuple(Status.FAILED if number in self._fail else Status.OK for number in numbers)
        return Swap(image, None, status, tuple("out of paint" if one is not Status.OK else "" for one in status))

    def cost(self) -> Cost:
        return Cost(0, 0, None)


def plugin(painter: Swapper) -> SwapperPlugin:
    return SwapperPlugin(Painter.card, lambda device: painter)
