"""What is left of frames after JPEG or H.264, as they travel through social networks and data sets.

``jpeg:75`` is one image after another; ``h264:23`` is a clip, whose frames are predicted from each other, and a still
is a clip of one frame, which H.264 stores as an intra frame. ``c23`` and ``c40`` are H.264 at the constant rate factors
23 and 40, the two compressions of FaceForensics++ (Rössler et al., ICCV 2019, section 3); with which other settings its
authors encoded is not known here.
"""

from __future__ import annotations

import io
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hifibench.errors import UsageError
from hifibench.records import Frame
from hifibench.registry import did_you_mean

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

PRESET = "medium"
"""Of x264."""

FPS = 25
"""x264 weighs frames by how long they are shown, so that the rate is part of what a constant rate factor means."""


_ASM = "MMX2,SSE2,SSE2Fast,SSE3,SSSE3,SSE4.1,SSE4.2"
"""Instructions that x264 may use; every x86-64 processor that runs NumPy has them."""


class _Codec(NamedTuple):
    """What a codec's number is called, and its bounds."""

    number: str
    low: int
    high: int


_CODECS: Mapping[str, _Codec] = MappingProxyType(
    {"jpeg": _Codec("quality", 1, 100), "h264": _Codec("constant rate factor", 0, 51)}
)
_NAMES: Mapping[str, str] = MappingProxyType({"c23": "h264:23", "c40": "h264:40"})


@dataclass(frozen=True)
class Compression:
    """A codec and how strongly it compresses.

    Attributes:
        codec: ``jpeg`` or ``h264``.
        number: of JPEG the quality, 1 to 100, higher is better; of H.264 x264's constant rate factor, 0 to 51, lower is
            better.
    """

    codec: str
    number: int

    @classmethod
    def parse(cls, text: str) -> Compression:
        """``jpeg:75``, ``h264:23``, or FaceForensics++'s names ``c23`` and ``c40``.

        Raises:
            UsageError: no such codec, or its number is missing or out of bounds.
        """
        codec, _, number = _NAMES.get(text.strip(), text.strip()).partition(":")
        known = [*_NAMES, *(f"{name}:{one.number.split()[-1].upper()}" for name, one in _CODECS.items())]
        if codec not in _CODECS:
            raise UsageError(f"--through {text!r}: there is no codec {codec!r}.{did_you_mean(text, known)}")
        bounds = _CODECS[codec]
        if not (number.isascii() and number.isdecimal() and bounds.low <= int(number) <= bounds.high):
            raise UsageError(
                f"--through {text!r}: expected {codec}:N with N, the {bounds.number}, from {bounds.low} to "
                f"{bounds.high}, such as {codec}:{75 if codec == 'jpeg' else 23}."
            )
        return cls(codec, int(number))

    @property
    def name(self) -> str:
        """The shortest of its names, such as ``c23`` or ``jpeg:75``."""
        full = f"{self.codec}:{self.number}"
        return next((short for short, meant in _NAMES.items() if meant == full), full)

    @property
    def slug(self) -> str:
        """The name as part of a file name."""
        return self.name.replace(":", "-")

    @property
    def words(self) -> str:
        """What is done, with all that decides on the result."""
        if self.codec == "jpeg":
            return f"JPEG (Pillow's encoder), quality {self.number}, chroma 4:2:0, every frame by itself"
        return (
            f"H.264 (x264, preset {PRESET}), constant rate factor {self.number}, yuv420p, BT.709, {FPS} frames per "
            "second; consecutive frames of a clip together, a still as one intra frame"
        )


def through(frames: Sequence[Frame], how: Compression) -> list[Frame]:
    """Compress the consecutive frames of a clip, and decode them again.

    The same frames give the same result, whatever the processor and however many threads there are; another version of
    the encoder may give another one. H.264 stores even sides: an odd last row or column is repeated, and cut off again.
    Where the size changes a new clip begins.

    Args:
        frames: ``(H, W, 3)`` uint8 RGB each, in the order in which they are shown; a still is a clip of one.
        how: the compression.

    Returns:
        As many frames of the same sizes.

    Raises:
        ValueError: a frame is no uint8 RGB image.
    """
    for frame in frames:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"a frame of shape {frame.shape} and type {frame.dtype}: expected (H, W, 3) uint8")
    if how.codec == "jpeg":
        return [_jpeg(frame, how.number) for frame in frames]
    return [done for _, clip in groupby(frames, np.shape) for done in _h264(list(clip), how.number)]


def _jpeg(frame: Frame, quality: int) -> Frame:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(buffer) as image:
        return np.array(image.convert("RGB"), np.uint8)


def _h264(frames: Sequence[Frame], crf: int) -> list[Frame]:
    """Encode frames of one size without a container, and decode them."""
    from av.codec.context import CodecContext
    from av.video.reformatter import Colorspace

    height, width = frames[0].shape[:2]
    decoder: Any = CodecContext.create("h264", "r")
    decoder.thread_count = 1
    pictures = [picture for packet in _packets(frames, crf) for picture in decoder.decode(packet)]
    decoded = [
        np.asarray(
            picture.reformat(
                format="rgb24", src_colorspace=Colorspace.ITU709, interpolation=_flags(), threads=1
            ).to_ndarray()[:height, :width],
            np.uint8,
        )
        for picture in [*pictures, *decoder.decode(None)]
    ]
    assert len(decoded) == len(frames), "the encoder lost a frame"
    return [np.ascontiguousarray(frame) for frame in decoded]


def _packets(frames: Sequence[Frame], crf: int) -> Iterator[Any]:
    from fractions import Fraction

    from av.codec.context import CodecContext

    height, width = frames[0].shape[:2]
    encoder: Any = CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(FPS), Fraction(1, FPS)
    encoder.thread_count = 1
    encoder.options = {"crf": str(crf), "preset": PRESET, "x264-params": _x264()}
    for number, frame in enumerate(frames):
        picture = _picture(frame)
        picture.pts, picture.time_base = number, encoder.time_base
        yield from encoder.encode(picture)
    yield from encoder.encode(None)


def _x264() -> str:
    """What makes x264 give the same bits every time: one thread, and nothing that depends on the processor."""
    params = ["log-level=error", "threads=1", "cpu-independent=1"]
    if platform.machine().lower() in ("x86_64", "amd64"):
        # With AVX-512 it gave other bits for the same frames, in up to 1 of 3 encodings of 96 x 64 pixels, while other
        # threads of the process converted pictures; without, it takes no longer (19 ms for 512 x 512 pixels).
        params.append(f"asm={_ASM}")
    return ":".join(params)


def _picture(frame: Frame) -> VideoFrame:
    """A frame as luma and chroma of BT.709, 16 to 235, odd sides made even."""
    from av.video.frame import VideoFrame
    from av.video.reformatter import ColorRange, Colorspace

    height, width = frame.shape[:2]
    padded = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rgb = VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
    return rgb.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=_flags(),
        threads=1,
    )


def _flags() -> int:
    """Of swscale: its defaults darken luma (`hifibench.video.picture`)."""
    from av.video.reformatter import Interpolation

    return int(Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
