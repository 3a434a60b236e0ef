"""The pairs that moved most between two runs, to look at: source, target, and the swaps of both runs.

Shown are the small pictures that runs keep of all pairs; where those are gone, the frames themselves, shrunk. What is
gone, too, or cannot be read leaves its place empty: a comparison is worth having without pictures.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hifibench.pipeline.pictures import Pictures
from reports.comparison.formats import heading, ranked, signed
from reports.comparison.records import Compared, Comparison, PairMove, Verdict
from reports.records import Metric, Run
from reports.tables import number

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

SIDE_PX = 160
"""Longer side of a picture."""
MOST_BLOCKS = 24
"""Comparisons that are shown with pictures."""
MOST_BYTES = 8_000_000
"""What all pictures of a page may take as text."""
DRAWN = 3
"""Comparisons in ``moved.png``."""

_QUALITY = 80
_GAP_PX, _LABEL_PX, _TITLE_PX, _CAPTION_PX = 6, 64, 34, 44
_PAPER, _INK, _SOFT, _EMPTY = (255, 255, 255), (20, 20, 20), (96, 104, 112), (228, 228, 228)
ROLES = ("source", "target", "A", "B")
"""What the four pictures of a pair show."""


class Shown(NamedTuple):
    """One pair: how it moved, and JPEG files of source, target and both swaps; ``None`` where there is none."""

    move: PairMove
    pictures: tuple[bytes | None, ...]


@dataclass(frozen=True)
class Block:
    """The pairs that moved most in one comparison.

    Attributes:
        one: the comparison.
        metric: what was measured.
        pairs: the pairs; without pictures where there was no room for them.
    """

    one: Comparison
    metric: Metric
    pairs: tuple[Shown, ...]

    @property
    def roles(self) -> tuple[int, ...]:
        """Which of `ROLES` there is a picture of at all."""
        return tuple(role for role in range(len(ROLES)) if any(pair.pictures[role] for pair in self.pairs))

    @property
    def title(self) -> str:
        """``hififace: Pose error (deg) ↓ mediapipe, worse``."""
        return f"{self.one.method.label}: {heading(self.metric)}, {self.one.verdict}"


@dataclass(frozen=True)
class Album:
    """What there is to look at.

    Attributes:
        blocks: the surest differences first, then those that were not told.
        missing: pictures that are gone.
        unreadable: pictures that are damaged.
        left_out: comparisons that there was no room to show with pictures.
    """

    blocks: tuple[Block, ...]
    missing: int = 0
    unreadable: int = 0
    left_out: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """What is not shown, in sentences."""
        told = []
        if self.missing:
            told.append(f"{self.missing} pictures are not there: the runs kept none, or they were deleted.")
        if self.unreadable:
            told.append(f"{self.unreadable} pictures are damaged and cannot be read.")
        if self.left_out:
            told.append(f"Of {self.left_out} more comparisons the pairs are named in compare.json, without pictures.")
        return tuple(told)


def album(made: Compared, a: Run, b: Run) -> Album:
    """Look for the pictures of the pairs that moved most."""
    rest = [one for one in made.comparisons if one.verdict is Verdict.UNTOLD]
    listed = [one for one in (*ranked(made.comparisons), *sorted(rest, key=lambda one: one.p or 1.0)) if one.moved]
    shelf, blocks, used = _Shelf(), [], 0
    for one in listed[:MOST_BLOCKS]:
        if used >= MOST_BYTES:
            break
        pairs = []
        for move in one.moved:
            pictures = tuple(shelf.first(places) for places in _places(a, b, one, move.pair))
            used += sum(len(picture or b"") for picture in pictures) * 4 // 3
            pairs.append(Shown(move, pictures))
        blocks.append(Block(one, made.metric(one), tuple(pairs)))
    return Album(tuple(blocks), shelf.missing, shelf.unreadable, len(listed) - len(blocks))


def address(picture: bytes) -> str:
    """A picture as a ``data:`` address."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"


def caption(block: Block, move: PairMove) -> str:
    """``3.10 → 4.25 (+1.15)``."""
    decimals = block.metric.decimals
    return f"{number(move.a, decimals)} → {number(move.b, decimals)} ({signed(move.difference, decimals)})"


def png(found: Album) -> bytes | None:
    """The surest differences as one picture, a column per pair; ``None`` where there is no picture at all."""
    blocks = [block for block in found.blocks if block.roles][:DRAWN]
    if not blocks:
        return None
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    from hifibench.data.images import XMP

    step = SIDE_PX + _GAP_PX
    width = _LABEL_PX + max(len(block.pairs) for block in blocks) * step + _GAP_PX
    tops = list(accumulate((_TITLE_PX + len(block.roles) * step + _CAPTION_PX for block in blocks), initial=0))
    sheet = Image.new("RGB", (width, tops[-1]), _PAPER)
    pen, large, small = ImageDraw.Draw(sheet), _font(17), _font(12)
    for top, block in zip(tops, blocks, strict=False):
        title = _fitting(block.title, large, width - 2 * _GAP_PX)
        pen.text((_GAP_PX, top + _TITLE_PX / 2), title, _INK, large, anchor="lm")
        for row, role in enumerate(block.roles):
            middle = top + _TITLE_PX + row * step + SIDE_PX / 2
            pen.text((_LABEL_PX - _GAP_PX, middle), ROLES[role], _INK, small, anchor="rm")
        for column, shown in enumerate(block.pairs):
            left = _LABEL_PX + column * step
            for row, role in enumerate(block.roles):
                at = left, top + _TITLE_PX + row * step
                pen.rectangle((*at, at[0] + SIDE_PX - 1, at[1] + SIDE_PX - 1), _EMPTY)
                picture = shown.pictures[role]
                if picture is None:
                    pen.text((at[0] + SIDE_PX / 2, at[1] + SIDE_PX / 2), "no picture", _SOFT, small, anchor="mm")
                    continue
                with Image.open(io.BytesIO(picture)) as image:
                    sheet.paste(image, (at[0] + (SIDE_PX - image.width) // 2, at[1] + (SIDE_PX - image.height) // 2))
            below = top + _TITLE_PX + len(block.roles) * step
            for line, (text, ink) in enumerate(((caption(block, shown.move), _INK), (shown.move.pair, _SOFT))):
                pen.text((left, below + 16 * line), _fitting(text, small, SIDE_PX), ink, small)
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP)
    out = io.BytesIO()
    sheet.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def _places(a: Run, b: Run, one: Comparison, pair: str) -> Iterator[Sequence[Path]]:
    """Where each of the four pictures may lie, the best place first."""
    if Path(pair).name != pair:
        yield from [()] * len(ROLES)
        return
    for role, small in (("source", Pictures.source), ("target", Pictures.target)):
        yield [
            *(small(Pictures(run.folder), pair) for run in (b, a)),
            *(run.folder / "examples" / f"{pair}-{role}.png" for run in (b, a)),
        ]
    for run, method in ((a, one.method.a), (b, one.method.b)):
        inside = Path(method).name == method
        yield (
            [
                Pictures(run.folder).swap(method, pair),
                run.folder / "swaps" / method / f"{pair}.png",
            ]
            if inside
            else []
        )


@dataclass
class _Shelf:
    """Small pictures by their path, each read once, and how many of those asked for are not to be had."""

    read: dict[Path, bytes | None] = field(default_factory=dict)
    missing: int = 0
    unreadable: int = 0

    def first(self, places: Sequence[Path]) -> bytes | None:
        """The first of these pictures that can be read; what is not there or damaged is counted."""
        there = [path for path in places if path.is_file()]
        for path in there:
            if path not in self.read:
                self.read[path] = _small(path)
            if (picture := self.read[path]) is not None:
                return picture
        self.unreadable += bool(there)
        self.missing += not there
        return None


def _small(path: Path) -> bytes | None:
    from PIL import Image, UnidentifiedImageError

    from hifibench.data.images import XMP

    out = io.BytesIO()
    try:
        with Image.open(path) as image:
            image.draft("RGB", (SIDE_PX, SIDE_PX))
            made: Image.Image = image.convert("RGB")
        made.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    made.save(out, "JPEG", quality=_QUALITY, optimize=True, xmp=XMP.encode())
    return out.getvalue()


def _font(size_px: int) -> FreeTypeFont:
    """The one that matplotlib brings: Pillow's own has neither arrows nor marks."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size_px)


def _fitting(text: str, font: FreeTypeFont, width: float) -> str:
    while font.getlength(text) > width and len(text) > 1:
        text = text.removesuffix("…")[:-1] + "…"
    return text
