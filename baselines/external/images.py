"""Images on their way to a child process and back: quick to write, distrusted when read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifibench.data.images import check, load
from hifibench.errors import ImageError
from hifibench.records import Floats, Frame

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB_8_BIT = (8, 2, 0, 0, 0)


def write(path: Path, frame: Frame) -> None:
    """Write a frame as PNG without compression: 0.5 ms at 256 pixels, where a library's encoder took 5.

    Args:
        path: where to, in an existing folder.
        frame: ``(H, W, 3)`` uint8 RGB.
    """
    height, width = frame.shape[:2]
    rows: NDArray[np.uint8] = np.zeros((height, 1 + 3 * width), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = frame.reshape(height, -1)
    parts = (
        _chunk(b"IHDR", struct.pack(">II5B", width, height, *_RGB_8_BIT)),
        _chunk(b"IDAT", zlib.compress(rows.data, level=0)),
        _chunk(b"IEND", b""),
    )
    path.write_bytes(_SIGNATURE + b"".join(parts))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def read(path: Path, shape: tuple[int, int]) -> Frame:
    """Read the result of a swap.

    Args:
        path: what the child wrote.
        shape: height and width that it must have.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        ImageError: there is none, it is no whole PNG, or of another size; the path is not named, as it is gone soon.
    """
    try:
        # Whatever is no plain file, such as a pipe, could block whoever opens it.
        signature = _begin(path) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise ImageError(f"its image cannot be opened ({error})") from error
    if signature is None:
        raise ImageError("it wrote no image")
    if signature != _SIGNATURE:
        raise ImageError("what it wrote is no PNG file")
    width, height = check(path)
    if (height, width) != shape:
        raise ImageError(f"its image has {width}x{height} pixels, expected the target's {shape[1]}x{shape[0]}")
    return load(path)


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE))


def read_mask(path: Path, shape: tuple[int, int]) -> Floats:
    """Read a mask as `read` does an image.

    Returns:
        ``(H, W)`` float32 in [0, 1]: the mean of the channels, which of a grey image are the same.
    """
    frame = read(path, shape)
    mask: Floats = frame.mean(axis=2, dtype=np.float32) / np.float32(255)
    return mask
