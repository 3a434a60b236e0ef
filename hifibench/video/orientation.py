"""How a player turns the pictures of a video before it shows them, as phones note it in a display matrix."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import UsageError

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame

_ONE = 1 << 16
"""The number 1 in the matrix's 16.16 fixed point."""


class Orientation(NamedTuple):
    """One of the eight ways to lay a picture: rows and columns change places first, then it is mirrored.

    Attributes:
        transposed: rows become columns.
        across: left and right change places.
        down: top and bottom change places.
        matrix: the nine integers that the file holds, empty where it holds none.
    """

    transposed: bool = False
    across: bool = False
    down: bool = False
    matrix: tuple[int, ...] = ()

    def upright(self, stored: NDArray[Any]) -> NDArray[Any]:
        """A picture ``(H, W, …)`` as it is shown, from the stored one."""
        turned = stored.swapaxes(0, 1) if self.transposed else stored
        return np.ascontiguousarray(self._mirrored(turned))

    def stored(self, upright: NDArray[Any]) -> NDArray[Any]:
        """The inverse of `upright`."""
        turned = self._mirrored(upright)
        return np.ascontiguousarray(turned.swapaxes(0, 1) if self.transposed else turned)

    def _mirrored(self, picture: NDArray[Any]) -> NDArray[Any]:
        return picture[:: -1 if self.down else 1, :: -1 if self.across else 1]


def of(picture: VideoFrame, path: Path) -> Orientation:
    """The orientation that the decoder hands on with a picture.

    Args:
        picture: as decoded.
        path: of the video, for the message.

    Raises:
        UsageError: the matrix turns by no multiple of 90 degrees, or scales.
    """
    from av.sidedata.sidedata import Type

    # Looked at one by one: asked for a kind that it lacks, the container of side data raises.
    parts = cast("Iterable[SideData]", picture.side_data)  # PyAV's stub says less than it gives
    found = [bytes(one) for one in parts if one.type is Type.DISPLAYMATRIX]
    if not found:
        return Orientation()
    matrix = struct.unpack("=9i", found[0][:36])
    # Points go to (a x + c y, b x + d y); the rest of the matrix moves, which says nothing about the picture.
    a, b, c, d = (matrix[place] / _ONE for place in (0, 1, 3, 4))
    if b == c == 0 and abs(a) == abs(d) == 1:
        return Orientation(False, a < 0, d < 0, matrix)
    if a == d == 0 and abs(b) == abs(c) == 1:
        return Orientation(True, c < 0, b < 0, matrix)
    raise UsageError(
        f"{path} is to be shown turned by {picture.rotation} degrees or scaled, and only quarter turns and mirrorings "
        "are understood. Convert it with a video editor, so that its pictures are stored upright."
    )
