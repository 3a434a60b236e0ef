"""Pictures of pairs in rows under titled columns: what the qualitative figures have in common."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hifibench.errors import UsageError
from hifibench.pipeline.pictures import Pictures
from reports.figures import figure as page
from reports.figures.figure import NEUTRAL, SMALL, TINY, Sheet, plain, shorten
from reports.grid import small
from reports.records import Example, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_COLUMNS = 10
"""Pictures beside one another, at most: narrower ones show nothing."""
MOST_HEIGHT_IN = 6.5
"""Of a page's pictures: room for a caption is left."""
LARGEST_IN = 2.3
"""Of one picture."""
GROUP_GAP = 0.18
"""Between groups of columns, as a share of a column."""

EMPTY = 237
"""Grey of a square without a picture."""

_ABOUT_SQUARE = 0.1
_LINE_IN = 0.1


@dataclass(frozen=True)
class Column:
    """One column of pictures.

    Attributes:
        title: above it, from outside.
        pictures: a file for each row; ``None`` where there is none.
        under: a line below each picture, or none at all.
        bold: rows whose line is bold.
    """

    title: str
    pictures: tuple[Path | None, ...]
    under: tuple[str, ...] = ()
    bold: frozenset[int] = frozenset()

    def rows(self, start: int, stop: int) -> Column:
        """The column of some of its rows."""
        bold = frozenset(row - start for row in self.bold if start <= row < stop)
        return Column(self.title, self.pictures[start:stop], self.under[start:stop], bold)


def pages(fixed: Sequence[Column], others: Sequence[Column], names: Sequence[str]) -> Iterator[Figure]:
    """Pictures in as many pages as they take: every page begins with the columns ``fixed``.

    Where there are so few columns that they leave room, two or more blocks of rows stand side by side; where there are
    too many, the rest follows on a further page.

    Args:
        fixed: source and target.
        others: a column for each method.
        names: of the rows, short.
    """
    room = max(1, MOST_COLUMNS - len(fixed))
    count = -(-len(others) // room) or 1
    share = -(-len(others) // count) or 1
    for start in range(0, max(1, len(others)), share):
        columns = [*fixed, *others[start : start + share]]
        blocks = max(1, min(MOST_COLUMNS // len(columns), -(-len(names) // 2)))
        most = max(1, int(MOST_HEIGHT_IN / _sheet(columns, blocks, 1).step)) * blocks
        # As many rows on every page, so that none stands alone on the last.
        rows = -(-len(names) // -(-len(names) // most))
        for first in range(0, len(names), rows):
            listed = names[first : first + rows]
            yield grouped([column.rows(first, first + rows) for column in columns], listed, blocks)


def grouped(columns: Sequence[Column], names: Sequence[str], blocks: int) -> Figure:
    """One page: the rows in ``blocks`` side by side, each with all columns."""
    share = -(-len(names) // blocks)
    board = Board(_sheet(columns, blocks, share))
    for row, name in enumerate(names):
        block, down = divmod(row, share)
        at = block * (len(columns) + GROUP_GAP)
        board.name(down, at, name)
        for index, column in enumerate(columns):
            board.show(down, at + index, column, row)
    for block in range(-(-len(names) // share)):
        for index, column in enumerate(columns):
            board.title(block * (len(columns) + GROUP_GAP) + index, column.title)
    return board.done()


def _sheet(columns: Sequence[Column], blocks: int, rows: int) -> Sheet:
    lines = max((one.count("\n") + 1 for column in columns for one in column.under if one), default=0)
    below = 0.05 + lines * _LINE_IN if lines else 0.0
    across = blocks * len(columns) + (blocks - 1) * GROUP_GAP
    # Fewer columns than fit are not blown up.
    return Sheet(max(across, page.WIDTH_IN / LARGEST_IN), rows, top=0.22, left=0.16, below=below)


class Board:
    """A page of pictures that becomes one image: a hundred axes of matplotlib would take a second in every format."""

    def __init__(self, sheet: Sheet) -> None:
        # Whole pixels high, so that pixels of pictures are pixels of the page.
        spare = math.ceil(round(sheet.height * page.DPI, 6)) / page.DPI - sheet.height
        self.sheet = replace(sheet, bottom=sheet.bottom + spare)
        self.figure = self.sheet.figure()
        self.side_px = round(self.sheet.side * page.DPI)
        size = (round(self.sheet.height * page.DPI), round(page.WIDTH_IN * page.DPI), 3)
        self._pixels = np.full(size, 255, np.uint8)

    def show(self, row: int, at: float, column: Column, index: int) -> None:
        """Put a picture of a column, in the middle of its square, and the line under it."""
        sheet, side = self.sheet, self.side_px
        top = round((sheet.top + row * sheet.step) * page.DPI)
        left = round(sheet.x(at) * page.WIDTH_IN * page.DPI)
        middle = (left + side / 2) / self._pixels.shape[1]
        room = self._pixels[top : top + side, left : left + side]
        room[:] = EMPTY
        path = column.pictures[index]
        try:
            picture = None if path is None else np.asarray(small(path, side), np.uint8)
        except UsageError:
            picture = None
        if picture is None:
            y = sheet.y((top + side / 2) / page.DPI)
            self.figure.text(middle, y, "no image", ha="center", va="center", fontsize=TINY, color=NEUTRAL)
        else:
            high, wide = picture.shape[:2]
            y_px, x_px = (side - high) // 2, (side - wide) // 2
            room[y_px : y_px + high, x_px : x_px + wide] = picture
        if column.under and column.under[index]:
            weight = "bold" if index in column.bold else "normal"
            y = sheet.y(sheet.top + row * sheet.step + sheet.side + 0.03)
            text = plain(column.under[index])
            self.figure.text(middle, y, text, ha="center", va="top", fontsize=TINY, fontweight=weight)

    def name(self, row: int, at: float, name: str) -> None:
        """The short name of a row, left of its first picture."""
        sheet = self.sheet
        x, y = sheet.x(at) - 0.03 / page.WIDTH_IN, sheet.y(sheet.top + row * sheet.step + sheet.side / 2)
        self.figure.text(x, y, plain(shorten(name, 3)), ha="right", va="center", fontsize=TINY, color=NEUTRAL)

    def title(self, at: float, text: str) -> None:
        """A column's title, cut to its width."""
        most = max(4, int(self.sheet.side * 72 / (0.6 * SMALL)))
        self.sheet.title(self.figure, at, plain(shorten(text, most)), fontsize=SMALL)

    def done(self) -> Figure:
        """The page with all that was put on it."""
        axes = self.figure.add_axes((0, 0, 1, 1), zorder=-1)
        axes.set_axis_off()
        axes.imshow(self._pixels, interpolation="nearest", aspect="auto")
        return self.figure


def looked_at(run: Run) -> tuple[tuple[Example, ...], str]:
    """The pairs that the run kept to look at, and in a few words what is seen of them.

    Whole frames where they are about square; otherwise, as of videos, the squares around the faces, where the run has
    kept them.
    """
    examples = run.examples
    if all(_square(path) for one in examples for path in (one.source, one.target)):
        return examples, "whole frames"
    crops = tuple(crop(run, one.pair, one.swaps) for one in examples)
    if all(one.source.is_file() and one.target.is_file() for one in crops):
        return crops, "the square around the face"
    return examples, "whole frames"


def crop(run: Run, pair: str, methods: Iterable[str]) -> Example:
    """The small pictures of a pair that a run keeps, the squares around the faces; swaps that are gone are left out."""
    at = Pictures(run.folder)
    swaps = {method: at.swap(method, pair) for method in methods}
    return Example(
        pair, at.source(pair), at.target(pair), {method: path for method, path in swaps.items() if path.is_file()}
    )


def _square(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            wide, high = image.size
    except (OSError, ValueError):
        return True
    return abs(wide - high) <= _ABOUT_SQUARE * max(wide, high)
