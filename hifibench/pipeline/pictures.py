"""Small pictures of all pairs, for looking: the report shows them and opens no full frame.

They are made while the frames are in memory anyway, since decoding thousands of full frames again takes minutes. All of
one pair show the same square of the frame, so that target, swap and mask lie exactly upon each other.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.data.images import XMP
from hifibench.files import atomic_write
from hifibench.records import Face, Frame, Mask

FOLDER = "pictures"
SIDE_PX = 256
"""Longer side of a picture at the most; smaller frames keep theirs."""

_AROUND = 2.4
"""Side of the square, in longer sides of the face's box: hair, chin and some of what is behind."""
_QUALITY = 85


class Part(NamedTuple):
    """A rectangle of a frame in whole pixels; ``right`` and ``bottom`` lie outside."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Pictures:
    """Where the pictures of a run lie, below its folder."""

    root: Path

    @property
    def folder(self) -> Path:
        """Of all of them."""
        return self.root / FOLDER

    @property
    def sources(self) -> Path:
        """Folder of those that gave the faces."""
        return self.folder / "sources"

    @property
    def targets(self) -> Path:
        """Folder of those that received them."""
        return self.folder / "targets"

    @property
    def swaps(self) -> Path:
        """Folder with a folder for each method."""
        return self.folder / "swaps"

    def source(self, pair: str) -> Path:
        """What gave the face."""
        return self.sources / f"{pair}.jpg"

    def target(self, pair: str) -> Path:
        """What received it."""
        return self.targets / f"{pair}.jpg"

    def swap(self, method: str, pair: str) -> Path:
        """What a method made of them."""
        return self.swaps / method / f"{pair}.jpg"

    def mask(self, method: str, pair: str) -> Path:
        """Grey: the weight with which the method's output was laid over the target, white is all."""
        return self.folder / "masks" / method / f"{pair}.jpg"


def around(frame: Frame, face: Face | None) -> Part:
    """The part of a frame to show: a square around the face, or all of it where the square is nearly that.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.
        face: in it; ``None`` shows the whole frame.
    """
    height, width = frame.shape[:2]
    if face is None:
        return Part(0, 0, width, height)
    left, top, right, bottom = (float(value) for value in face.box)
    side = round(_AROUND * max(right - left, bottom - top))
    if side >= 0.8 * min(height, width):
        return Part(0, 0, width, height)
    side = max(side, 1)
    x, y = (round(middle - side / 2) for middle in ((left + right) / 2, (top + bottom) / 2))
    x, y = min(max(x, 0), width - side), min(max(y, 0), height - side)
    return Part(x, y, x + side, y + side)


def save(path: Path, image: Frame | Mask, part: Part, provenance: Mapping[str, str] | None = None) -> None:
    """Write a part of an image as JPEG of at most `SIDE_PX`, atomically.

    Args:
        path: where to.
        image: ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8.
        part: of it.
        provenance: how a generated image came about: written as a comment, with an XMP packet that says so.
    """
    import cv2
    from PIL import Image

    shown: NDArray[Any] = image[part.top : part.bottom, part.left : part.right]
    scale = SIDE_PX / max(shown.shape[:2])
    if scale < 1:
        size = tuple(max(1, round(scale * length)) for length in shown.shape[1::-1])
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
    out = io.BytesIO()
    marks: dict[str, Any] = {}
    if provenance is not None:
        said = "; ".join(f"{key}={value}" for key, value in provenance.items())
        marks = {"comment": said.encode(), "xmp": XMP.encode()}
    Image.fromarray(np.ascontiguousarray(shown)).save(out, "JPEG", quality=_QUALITY, **marks)
    atomic_write(path, out.getvalue())
