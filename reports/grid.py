"""Pairs to look at: source, target and what each method made of them, as thumbnails."""

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


def columns(examples: Sequence[Example], methods: Sequence[str]) -> list[tuple[str, list[Path | None]]]:
    """Name and files of each column of the grid: source, target, then the methods; ``None`` where a swap failed."""
    return [
        ("source", [example.source for example in examples]),
        ("target", [example.target for example in examples]),
        *((method, [example.swaps.get(method) for example in examples]) for method in methods),
    ]


def thumbnail(path: Path, side_px: int) -> str:
    """A JPEG that fits into a square of ``side_px``, as a ``data:`` address.

    Raises:
        UsageError: the image cannot be read.
    """
    out = io.BytesIO()
    small(path, side_px).save(out, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def small(path: Path, side_px: int) -> Image:
    """An RGB picture that fits into a square of ``side_px``.

    Raises:
        UsageError: the image cannot be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            # Small images are enlarged, too: the grid is to compare methods, not resolutions.
            return ImageOps.contain(image.convert("RGB"), (side_px, side_px), Image.Resampling.LANCZOS)
    except (OSError, UnidentifiedImageError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Delete it and run the same command again.") from error
