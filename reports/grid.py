"""Pairs to look at: source, target and what each method made of them, as one picture and as thumbnails."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hifibench.errors import UsageError
from reports.records import Example

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

TILE_PX = 256
_GAP_PX = 6
_HEADER_PX = 34
_FONT_PX = 20
_PAPER, _INK, _EMPTY = (255, 255, 255), (20, 20, 20), (228, 228, 228)


def columns(examples: Sequence[Example], methods: Sequence[str]) -> list[tuple[str, list[Path | None]]]:
    """Name and files of each column of the grid: source, target, then the methods; ``None`` where a swap failed."""
    return [
        ("source", [example.source for example in examples]),
        ("target", [example.target for example in examples]),
        *((method, [example.swaps.get(method) for example in examples]) for method in methods),
    ]


def draw(examples: Sequence[Example], methods: Sequence[str]) -> Image:
    """The grid as one RGB image: a header of names, a row per pair, tiles of `TILE_PX`.

    Raises:
        UsageError: an image of the run cannot be read.
    """
    from PIL import Image, ImageDraw, ImageFont

    listed = columns(examples, methods)
    step = TILE_PX + _GAP_PX
    grid = Image.new("RGB", (step * len(listed) + _GAP_PX, _HEADER_PX + step * len(examples) + _GAP_PX), _PAPER)
    pen = ImageDraw.Draw(grid)
    font = ImageFont.load_default(_FONT_PX)
    for across, (name, paths) in enumerate(listed):
        left = _GAP_PX + across * step
        pen.text((left + TILE_PX / 2, _HEADER_PX / 2), _shorten(name, font), _INK, font, anchor="mm")
        for down, path in enumerate(paths):
            top = _HEADER_PX + _GAP_PX + down * step
            pen.rectangle((left, top, left + TILE_PX - 1, top + TILE_PX - 1), _EMPTY)
            if path is None:
                pen.text((left + TILE_PX / 2, top + TILE_PX / 2), "no swap", _INK, font, anchor="mm")
                continue
            tile = _small(path, TILE_PX)
            grid.paste(tile, (left + (TILE_PX - tile.width) // 2, top + (TILE_PX - tile.height) // 2))
    return grid


def png(examples: Sequence[Example], methods: Sequence[str]) -> bytes:
    """`draw` as a PNG file."""
    out = io.BytesIO()
    draw(examples, methods).save(out, "PNG")
    return out.getvalue()


def thumbnail(path: Path, side_px: int) -> str:
    """A JPEG that fits into a square of ``side_px``, as a ``data:`` address.

    Raises:
        UsageError: the image cannot be read.
    """
    out = io.BytesIO()
    _small(path, side_px).save(out, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def _small(path: Path, side_px: int) -> Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            # Small images are enlarged, too: the grid is to compare methods, not resolutions.
            return ImageOps.contain(image.convert("RGB"), (side_px, side_px), Image.Resampling.LANCZOS)
    except (OSError, UnidentifiedImageError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Delete it and run the same command again.") from error


def _shorten(name: str, font: FreeTypeFont | ImageFont) -> str:
    short = name
    while font.getlength(short) > TILE_PX and len(short) > 1:
        short = short.removesuffix("…")[:-1] + "…"
    return short
