"""From a decoded picture to RGB and back, so that what no swap touched keeps its numbers.

A picture of a video is luma and, at half the size, chroma. By way of RGB and back the chroma is blurred; and swscale's
defaults make the luma darker by 1.1 of 255 (a generated portrait at 512 pixels; 0.0 with the flags below), which
would flicker between frames with and without a swap. So the numbers of the original are kept wherever the swap
changed no pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hifibench.records import Frame
from hifibench.video.orientation import Orientation

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Numbers of H.273, which FFmpeg uses: BT.709, and not said; of AVColorRange: not said, 16 to 235, 0 to 255.
_BT709, _UNSAID = 1, 2
_ANY_RANGE, _LIMITED, _FULL = 0, 1, 2


class Colour(NamedTuple):
    """How a video's numbers mean colours; the output says the same as the input.

    Attributes:
        space: matrix between RGB and luma and chroma.
        range: of the numbers.
        primaries: of the colours.
        transfer: curve of the brightness.
    """

    space: int
    range: int
    primaries: int
    transfer: int


class Shown(NamedTuple):
    """One frame of a video.

    Attributes:
        picture: as decoded, with its time (`pts`, in units of ``time_base``) and duration.
        frame: upright, ``(H, W, 3)`` uint8 RGB.
        time_s: when it is shown.
    """

    picture: VideoFrame
    frame: Frame
    time_s: float


def colour_of(picture: VideoFrame) -> Colour:
    """The colours of a decoded picture; a picture in RGB becomes BT.709, as players take it for."""
    if picture.format.is_rgb:
        return Colour(_BT709, _LIMITED, picture.color_primaries, picture.color_trc)
    full = picture.format.name.startswith("yuvj")
    return Colour(
        picture.colorspace, _FULL if full else picture.color_range, picture.color_primaries, picture.color_trc
    )


def rgb(picture: VideoFrame) -> Frame:
    """The stored picture, ``(H, W, 3)`` uint8 RGB; not yet turned upright."""
    return np.asarray(_converted(picture, "rgb24", _ANY_RANGE).to_ndarray(), np.uint8)


def even(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height as H.264 stores them: chroma at half the size needs even sides."""
    width, height = size
    return width + width % 2, height + height % 2


def encodable(shown: Shown, swapped: Frame | None, orientation: Orientation, colour: Colour) -> VideoFrame:
    """The picture to encode: the original one, with the swap where it differs from it.

    Args:
        shown: the original.
        swapped: upright, of the same size; ``None`` keeps the original.
        orientation: from stored to upright.
        colour: of the video.

    Returns:
        8-bit ``yuv420p`` as stored, with the original's time; odd sides are made even by repeating the last pixels.
    """
    from av.video.frame import VideoFrame

    height, width = shown.picture.height, shown.picture.width
    odd = bool(height % 2 or width % 2)
    if odd:
        after = orientation.stored(shown.frame if swapped is None else swapped)
        planes = _planes(np.pad(after, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"), colour)
    else:
        planes = _converted(shown.picture, "yuv420p", colour.range).to_ndarray()
        if swapped is not None:
            changed = orientation.stored((swapped != shown.frame).any(-1))
            planes = np.where(_over_planes(changed), _planes(orientation.stored(swapped), colour), planes)
    # A new picture: one from the decoder would force its kind (I, P, B) on the encoder.
    made = VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv420p")
    _tag(made, colour)
    made.color_range = colour.range
    made.pts, made.time_base, made.duration = shown.picture.pts, shown.picture.time_base, shown.picture.duration
    return made


def _planes(stored: Frame, colour: Colour) -> Any:
    """RGB as planes, ``(3 H / 2, W)`` uint8: luma, then both of chroma row after row."""
    from av.video.frame import VideoFrame

    picture = VideoFrame.from_ndarray(np.ascontiguousarray(stored), format="rgb24")
    _tag(picture, colour)  # without a range: it would be taken for that of the RGB
    return _converted(picture, "yuv420p", colour.range).to_ndarray()


def _over_planes(changed: Any) -> Any:
    """A mask ``(H, W)`` over the planes; a sample of chroma has changed where one of its four pixels has."""
    height, width = changed.shape
    chroma = changed.reshape(height // 2, 2, width // 2, 2).any((1, 3)).ravel()
    return np.concatenate([changed.ravel(), chroma, chroma]).reshape(-1, width)


def _tag(picture: VideoFrame, colour: Colour) -> None:
    picture.colorspace, picture.color_primaries, picture.color_trc = colour.space, colour.primaries, colour.transfer


def _converted(picture: VideoFrame, layout: str, colour_range: int) -> VideoFrame:
    from av.video.reformatter import Interpolation

    flags = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    return picture.reformat(format=layout, interpolation=int(flags), dst_color_range=colour_range, threads=1)
