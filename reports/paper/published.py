"""Figures that others published, as they stand in ``published_figures.csv``, and which methods they are about.

A figure is in the file only if it could be verified at the source that its row names. What is not in the file is not
known: tables print a dash, and no cell is ever filled from memory.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hifibench.errors import UsageError

FILE = Path(__file__).with_name("published_figures.csv")
FIELDS = ("block", "method", "metric", "value", "unit", "source")
"""Columns of the file."""

UNITS: Mapping[str, str] = MappingProxyType(
    {"id_retrieval": "%", "pose": "deg", "shape": "", "fid": "", "params": "M", "flops": "G"}
)
"""Metric -> the one unit that its figures may have."""

BLOCKS: Mapping[str, bool] = MappingProxyType(
    {"FF++ own paper": True, "FF++ re-measured by Face-Adapter": True, "CASIA Normal": False, "cost": False}
)
"""Block -> whether its figures were measured on images of FaceForensics++."""

PAPER_SOURCE = "Papers with Code page of arXiv 2106.09965"
"""The source of HifiFace's own figures, whose protocol `reports.paper.table_one` follows."""


@dataclass(frozen=True)
class Source:
    """Where figures come from.

    Attributes:
        key: the letter that stands for it in a table.
        block: which figures belong together.
        source: the page or the document.
    """

    key: str
    block: str
    source: str

    @property
    def on_ffpp(self) -> bool:
        """Whether its images are those of FaceForensics++."""
        return BLOCKS[self.block]


@dataclass(frozen=True)
class Figure:
    """One published number.

    Attributes:
        method: as the source names it.
        metric: a key of `UNITS`.
        text: the number with the digits it was published with.
        value: the number.
        unit: ``%``, ``deg``, ``M`` (million), ``G`` (thousand million), or empty.
        source: where it comes from.
    """

    method: str
    metric: str
    text: str
    value: float
    unit: str
    source: Source


@dataclass(frozen=True)
class Named:
    """A method that has one name in the literature and others here.

    Attributes:
        title: how the paper's tables, or else its source, call it.
        published: its names in the file.
        own: our methods that are its authors' own videos, weights or exports.
        others: our methods that somebody else wrote or trained; published figures are not about them.
    """

    title: str
    published: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


TABLE_1 = (
    Named("FaceSwap", (), ("faceswap-ffpp",), ("faceswap",)),
    Named("FaceShifter", ("FaceShifter", "FaceShifter stage 1"), ("faceshifter-ffpp",), ("faceshifter",)),
    Named("SimSwap", ("SimSwap",), ("simswap-224", "simswap-512"), ("simswap", "simswap-256-onnx")),
    Named("HifiFace", ("HifiFace-256", "HifiFace"), ("hififace-ffpp",), ("hififace", "hififace-unofficial-256")),
)
"""The rows of HifiFace's Table 1 (IJCAI 2021), in its order."""

FURTHER = (
    Named("Ours-n3d", others=("hififace-n3d",)),
    Named("Bare", others=("hififace-bare",)),
    Named("Blend", others=("hififace-blend",)),
    Named("Concat", others=("hififace-concat",)),
    Named("FSGAN", ("FSGAN",), ("fsgan-ffpp",)),
    Named("inswapper", ("InsightFace inswapper", "INSwapper_128"), ("inswapper-128",)),
    Named("BlendFace", ("BlendFace",), ("blendswap-256",)),
)
"""Ablations by the names of the paper's Fig. 7 and 8, and other methods of which figures are known."""


def named(method: str) -> Named | None:
    """The method of the literature that one of ours is; ``None`` if it is none of those listed here."""
    known = (one for one in (*TABLE_1, *FURTHER) if method in (*one.own, *one.others))
    return next(known, None)


def title(published: str) -> str:
    """What a table calls the method that a source calls ``published``."""
    known = (one.title for one in (*TABLE_1, *FURTHER) if published in one.published)
    return next(known, published)


def read(path: Path = FILE) -> tuple[Figure, ...]:
    """All figures, in the order of the file; sources get letters in the order in which they appear.

    Raises:
        UsageError: the file is absent or does not read: another heading, a missing or superfluous field, an unknown
            block or metric, another unit, no number, a figure that is there twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} does not read: {error}. Install hifibench anew.") from error
    if not rows or tuple(rows[0]) != FIELDS:
        raise UsageError(f"{path} has the columns {','.join(rows[0]) if rows else ''}, expected {','.join(FIELDS)}.")
    sources: dict[tuple[str, str], Source] = {}
    figures = tuple(_figure(row, f"{path}, line {number}", sources) for number, row in enumerate(rows[1:], 2))
    seen: set[tuple[str, str, Source]] = set()
    for number, figure in enumerate(figures, 2):
        one = (figure.method, figure.metric, figure.source)
        if one in seen:
            raise UsageError(f"{path}, line {number}: {figure.metric} of {figure.method} is there twice.")
        seen.add(one)
    return figures


def sources(figures: Iterable[Figure]) -> tuple[Source, ...]:
    """The sources of some figures, each once, by their letters."""
    return tuple(sorted({figure.source for figure in figures}, key=lambda source: (len(source.key), source.key)))


def _figure(row: list[str], where: str, sources: dict[tuple[str, str], Source]) -> Figure:
    if len(row) != len(FIELDS) or not all(cell.strip() for cell in (*row[:4], *row[5:])):
        raise UsageError(f"{where}: expected {', '.join(FIELDS)}, of which only unit may be empty.")
    block, method, metric, text, unit, source = (cell.strip() for cell in row)
    if block not in BLOCKS:
        raise UsageError(f"{where}: unknown block {block!r}; expected one of: {', '.join(BLOCKS)}.")
    if UNITS.get(metric) != unit:
        expected = ", ".join(f"{name} in {one!r}" for name, one in UNITS.items())
        raise UsageError(f"{where}: metric {metric!r} in {unit!r}; expected one of: {expected}.")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{where}: value {text!r} is no number.")
    key = (block, source)
    if key not in sources:
        sources[key] = Source(_letter(len(sources)), block, source)
    return Figure(method, metric, text, value, unit, sources[key])


def _letter(index: int) -> str:
    """``a`` to ``z``, then ``a2``, ``b2``: letters without an end."""
    return chr(ord("a") + index % 26) + (str(index // 26 + 1) if index >= 26 else "")
