"""RecordIO files written as the format's description has it, by other means than the package's reader."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from hifibench.records import Frame

MAGIC = (0xCED7230A).to_bytes(4, "little")


def packed(label: float | Sequence[float], image: bytes, number: int = 0) -> bytes:
    """A header and an image, as ``mxnet.recordio.pack`` joins them."""
    if isinstance(label, (int, float)):
        head = np.array([0], "<u4").tobytes() + np.array([label], "<f4").tobytes()
        tail = b""
    else:
        head = np.array([len(label), 0], "<u4").tobytes()
        tail = np.array(label, "<f4").tobytes()
    return head + np.array([number, 0], "<u8").tobytes() + tail + image


def framed(data: bytes) -> bytes:
    """A record on disk: cut where the magic number stands at a multiple of four bytes, and filled up to one."""
    words = [data[start : start + 4] for start in range(0, len(data), 4)]
    pieces: list[list[bytes]] = [[]]
    for word in words:
        if word == MAGIC:
            pieces.append([])
        else:
            pieces[-1].append(word)
    out = b""
    for number, piece in enumerate(b"".join(piece) for piece in pieces):
        last = number == len(pieces) - 1
        flag = (0 if last else 1) if number == 0 else (3 if last else 2)
        out += MAGIC + (flag * 2**29 + len(piece)).to_bytes(4, "little") + piece
    return out + bytes(-len(out) % 4)


def jpeg(frame: Frame) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=95)
    return file.getvalue()


def picture(seed: int, side: int = 40) -> bytes:
    """A small image file, PNG, alike for alike seeds."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@dataclass
class RecordFile:
    """A file in the making; ``offsets`` are those of its records by their keys."""

    data: bytearray = field(default_factory=bytearray)
    offsets: dict[int, int] = field(default_factory=dict)

    def add(self, key: int, data: bytes) -> None:
        """Append a record."""
        self.offsets[key] = len(self.data)
        self.data += framed(data)

    def spoil(self, key: int, at: int, by: bytes) -> None:
        """Overwrite bytes of a record, counted from its first."""
        place = self.offsets[key] + at
        self.data[place : place + len(by)] = by

    def write(self, file: Path, *, index: bool = True) -> Path:
        """Write the file, with its index or without."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self.data)
        if index:
            lines = [f"{key}\t{offset}\n" for key, offset in self.offsets.items()]
            file.with_suffix(".idx").write_text("".join(lines))
        return file


def insightface(people: Sequence[Sequence[bytes]], aligned: bool = False) -> RecordFile:
    """As InsightFace packs a set: images from key 1 on, record 0 behind them, then the identities.

    Args:
        people: the images of each person; the label is the place.
        aligned: whether labels have a second number, as its older script writes them.
    """
    file, key, ranges = RecordFile(), 1, []
    for label, images in enumerate(people):
        ranges.append((key, key + len(images)))
        for image in images:
            file.add(key, packed((label, 1) if aligned else label, image, key))
            key += 1
    file.add(0, packed((key, key + len(people)), b""))
    for first, last in ranges:
        file.add(key, packed((first, last), b"", key))
        key += 1
    return file
