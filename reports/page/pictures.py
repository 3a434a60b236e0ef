"""The small pictures of a run, laid out for the page: one JPEG sheet per pair with a tile for each of its pictures.

A sheet takes a third less than its pictures one by one, whose headers alone are half of a small mask, and a browser
loads a pair with one request. Tiles are as wide as a multiple of 16 pixels, the blocks of JPEG, so that none bleeds
into the next. Pictures that are no squares stand in the middle of their tile.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.pipeline.pictures import Pictures
from reports.examples import inside

FOLDER = "pictures"
COMMENT = b"AI-generated (trainedAlgorithmicMedia): face swaps and their sources, a sheet of thumbnails by hifibench"
"""Stands as comment in every sheet: each holds swaps, which are generated whatever their sources are."""

INLINE_BYTES = 11_200_000
"""What the sheets inside of a page may take together, in base64."""

BESIDE_BYTES = 190_000_000
"""What the sheets beside a page may take together."""

_SAMPLE = 16
"""Sheets that are made to see how large all will be."""

_MARGIN = 0.95
"""How much of what is allowed a sample may promise."""

Flags = NDArray[np.bool_]
Pixels = NDArray[np.uint8]


class Look(NamedTuple):
    """How a sheet is made: the side of a tile in pixels, and the quality of its JPEG."""

    side_px: int
    quality: int


INLINE_LOOKS = (Look(256, 85), Look(256, 78), Look(224, 80), Look(192, 80), Look(192, 72), Look(160, 75),
                Look(128, 78), Look(128, 68))  # fmt: skip
"""For sheets inside of a page, best first; where the last does not fit, they go beside it."""

BESIDE_LOOKS = (Look(256, 80), Look(192, 80), Look(160, 78), Look(128, 75), Look(112, 68), Look(96, 68), Look(96, 55),
                Look(80, 50), Look(64, 45))  # fmt: skip
"""For sheets beside a page; the last is taken even where it does not fit."""


class Tile(NamedTuple):
    """What a tile shows; ``method`` is empty for sources and targets."""

    kind: Literal["sources", "targets", "swaps", "masks"]
    method: str = ""


@dataclass(frozen=True)
class Kept:
    """The pictures that a run still has.

    Attributes:
        root: ``pictures`` of the run.
        pairs: all of the run.
        tiles: those of which there is a picture of any pair.
        there: ``(pairs, tiles)``, whether that picture is there.
    """

    root: Path
    pairs: tuple[str, ...]
    tiles: tuple[Tile, ...]
    there: Flags

    @property
    def columns(self) -> int:
        """Of a sheet, which is about square."""
        return math.ceil(math.sqrt(len(self.tiles)))

    @property
    def rows(self) -> int:
        """Of a sheet."""
        return math.ceil(len(self.tiles) / max(self.columns, 1))

    def path(self, pair: int, tile: int) -> Path:
        """The file of a picture."""
        kind, method = self.tiles[tile]
        return self.root / kind / method / f"{self.pairs[pair]}.jpg"

    def shown(self, tile: Tile) -> Flags:
        """``(pairs,)``, whether there is such a picture."""
        if tile not in self.tiles:
            return np.zeros(len(self.pairs), np.bool_)
        return self.there[:, self.tiles.index(tile)]


@dataclass(frozen=True)
class Sheets:
    """The sheets of all pairs, as they were made.

    Attributes:
        look: their tiles.
        kept: what is on them; without the pictures that could not be read.
        unreadable: how many those are.
        images: a JPEG per pair, empty where it has no picture; ``()`` where the sheets were written to files.
    """

    look: Look
    kept: Kept
    unreadable: int
    images: tuple[bytes, ...] = ()


def find(folder: Path, pairs: Sequence[str], methods: Iterable[str]) -> Kept:
    """Look what pictures of these pairs and methods a run folder has."""
    root = Pictures(folder).folder
    listed = [Tile("sources"), Tile("targets")]
    # A name that would lead out of the folder has no pictures in it.
    safe = [method for method in methods if inside(root, method) is not None]
    listed += [Tile("swaps", method) for method in safe]
    listed += [Tile("masks", method) for method in safe]
    found: list[tuple[Tile, Flags]] = []
    for tile in listed:
        names = _names(root / tile.kind / tile.method)
        there = np.fromiter((f"{pair}.jpg" in names for pair in pairs), np.bool_, len(pairs))
        if there.any():
            found.append((tile, there))
    table = np.stack([there for _, there in found], 1) if found else np.zeros((len(pairs), 0), np.bool_)
    return Kept(root, tuple(pairs), tuple(tile for tile, _ in found), table)


def within(kept: Kept) -> Sheets | None:
    """The sheets in memory, as large as `INLINE_BYTES` allows; ``None`` where they belong beside the page."""
    for look in INLINE_LOOKS:
        if _promised(kept, look) * 4 / 3 > INLINE_BYTES * _MARGIN:
            continue
        images: dict[int, bytes] = {}
        sheets = _make(kept, look, images.__setitem__)
        if sum(map(len, images.values())) * 4 / 3 <= INLINE_BYTES:
            listed = tuple(images.get(index, b"") for index in range(len(kept.pairs)))
            return Sheets(look, sheets.kept, sheets.unreadable, listed)
    return None


def beside(kept: Kept, folder: Path) -> Sheets:
    """Write the sheets into an empty folder as `name` calls them, as large as `BESIDE_BYTES` allows."""
    fitting = (look for look in BESIDE_LOOKS if _promised(kept, look) <= BESIDE_BYTES * _MARGIN)
    return _make(kept, next(fitting, BESIDE_LOOKS[-1]), lambda pair, data: _save(folder / name(pair), data))


def name(pair: int) -> str:
    """The file of a pair's sheet: of its number, since names of pairs may be no good names of files on the web."""
    return f"{pair:05d}.jpg"


def _save(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _names(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()


def _promised(kept: Kept, look: Look) -> float:
    """Bytes that the sheets of all pairs take, judged by some of them."""
    some = np.flatnonzero(kept.there.any(1))
    chosen = some[np.linspace(0, len(some) - 1, min(_SAMPLE, len(some))).astype(int)] if len(some) else some
    sizes = [len(sheet(kept, int(pair), look)[0]) for pair in chosen]
    return float(np.mean(sizes)) * len(some) if sizes else 0.0


def _make(kept: Kept, look: Look, save: Callable[[int, bytes], Any]) -> Sheets:
    """Make all sheets; ``save`` gets the number of a pair and its sheet, from several threads."""
    there = np.zeros_like(kept.there)

    def one(pair: int) -> None:
        data, there[pair] = sheet(kept, pair, look)
        if there[pair].any():
            save(pair, data)

    # The processor spends its time in OpenCV, which leaves Python's lock to the others meanwhile.
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for _ in threads.map(one, np.flatnonzero(kept.there.any(1)).tolist()):
            pass
    read = Kept(kept.root, kept.pairs, kept.tiles, there)
    return Sheets(look, read, int(kept.there.sum() - there.sum()))


def sheet(kept: Kept, pair: int, look: Look) -> tuple[bytes, Flags]:
    """The sheet of one pair as JPEG, and which of its tiles hold a picture: those that could be read."""
    import cv2

    side = look.side_px
    canvas = np.full((kept.rows * side, kept.columns * side, 3), 128, np.uint8)
    shown = np.zeros(len(kept.tiles), np.bool_)
    for tile in np.flatnonzero(kept.there[pair]).tolist():
        image = _small(kept.path(pair, tile), side)
        if image is None:
            continue
        top, left = side * (tile // kept.columns), side * (tile % kept.columns)
        room = canvas[top : top + side, left : left + side]
        height, width = image.shape[:2]
        y, x = (side - height) // 2, (side - width) // 2
        room[:] = 0
        room[y : y + height, x : x + width] = image
        shown[tile] = True
    encoded = cv2.imencode(".jpg", canvas, (cv2.IMWRITE_JPEG_QUALITY, look.quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1))[1]
    return _commented(encoded.tobytes()), shown


def _small(path: Path, side_px: int) -> Pixels | None:
    """``(H, W, 3)`` BGR whose longer side is ``side_px``; ``None`` where it cannot be read."""
    import cv2

    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    if not data.size:
        return None
    image = None
    if side_px <= 128:
        # The decoder skips half of the detail of each block, which takes half the time; for small pictures it is too
        # much to skip.
        image = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2)
    if image is None or max(image.shape[:2]) < side_px:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        return None
    scale = side_px / max(image.shape[:2])
    size = tuple(max(1, min(side_px, round(scale * length))) for length in image.shape[1::-1])
    if size == image.shape[1::-1]:
        return np.asarray(image, np.uint8)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(small, np.uint8)


def _commented(jpeg: bytes) -> bytes:
    """A JPEG with `COMMENT`, behind its first segment, which names the format and must come first."""
    end = 4 + int.from_bytes(jpeg[4:6], "big")
    return jpeg[:end] + b"\xff\xfe" + (len(COMMENT) + 2).to_bytes(2, "big") + COMMENT + jpeg[end:]
