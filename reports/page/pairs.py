"""The pairs of a run as the page shows them: inside of it where that is small enough, beside it where not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hifibench.files import atomic_write
from reports.examples import inside
from reports.page import assets as page_assets
from reports.page import data as page_data
from reports.page import pictures
from reports.page.data import Flags, PairData
from reports.page.pictures import Kept, Sheets
from reports.records import Run
from reports.tables import Table

SCRIPT = "pairs.js"
"""What holds the numbers of the pairs, beside a page that is too small for them."""


@dataclass(frozen=True)
class Explored:
    """What the page's section of pairs is made of.

    Attributes:
        data: the pairs.
        json: what the page's script reads, without the sheets.
        sheets: their pictures; ``None`` where there are none.
        lost: sentences on what is missing.
        beside: whether numbers and sheets are files beside the page.
    """

    data: PairData
    json: Mapping[str, Any]
    sheets: Sheets | None
    lost: tuple[str, ...]
    beside: bool = False


def within(run: Run, table: Table) -> Explored:
    """The pairs for a page that needs nothing beside it; without pictures where they are too many."""
    data, kept = _read(run, table)
    return _explored(run, table, data, kept, pictures.within(kept))


def write(run: Run, table: Table, folder: Path) -> tuple[Explored, list[Path]]:
    """The pairs for a page in ``folder``; `SCRIPT` and the sheets are written there if they are too large for it.

    Args:
        run: the finished run.
        table: its numbers.
        folder: of the page, beside that of the run or nowhere near it; without pictures of another page.

    Returns:
        The pairs, and the files that were written.

    Raises:
        MissingError: the folder cannot be written to.
        UsageError: a file of the run is damaged.
    """
    data, kept = _read(run, table)
    sheets = pictures.within(kept) if data.small else None
    if data.small and (sheets is not None or not kept.tiles):
        return _explored(run, table, data, kept, sheets), []
    written: list[Path] = []
    if kept.tiles:
        (folder / pictures.FOLDER).mkdir(parents=True, exist_ok=True)
        sheets = pictures.beside(kept, folder / pictures.FOLDER)
        written = sorted((folder / pictures.FOLDER).iterdir())
    full = _full(run, data) if folder.resolve().parent == run.folder.resolve() else None
    explored = _explored(run, table, data, kept, sheets, full, beside=True)
    atomic_write(folder / SCRIPT, f"globalThis.hifibenchPairs = {page_assets.data(explored.json)};\n")
    return explored, [*written, folder / SCRIPT]


def _read(run: Run, table: Table) -> tuple[PairData, Kept]:
    data = page_data.build(run, table)
    return data, pictures.find(run.folder, data.pairs, data.methods)


def _explored(
    run: Run,
    table: Table,
    data: PairData,
    kept: Kept,
    sheets: Sheets | None,
    full: Mapping[str, Flags] | None = None,
    beside: bool = False,
) -> Explored:
    made = kept if sheets is None else sheets.kept
    lost = page_data.lost(run, data, made, 0 if sheets is None else sheets.unreadable)
    if sheets is None and kept.tiles:
        lost.append("The pictures are too many to stand inside of the page.")
    content = page_data.as_json(data, run, table)
    content["tiles"] = None if sheets is None or not made.tiles else page_data.tiles(made, data.methods)
    content["full"] = None if full is None else [page_data.as_text(full[method]) for method in data.methods]
    content["folder"] = pictures.FOLDER if beside else None
    # Tells the files of this report from those that another one left.
    content["key"] = hashlib.sha256(page_assets.data(content).encode()).hexdigest()[:16]
    return Explored(data, content, sheets, tuple(lost), beside)


def _full(run: Run, data: PairData) -> dict[str, Flags]:
    """Method -> ``(pairs,)``, whether the full frame of its swap lies in the run's folder."""
    found = {}
    for method in data.methods:
        folder = inside(run.folder / "swaps", method)
        names = {path.name for path in folder.iterdir()} if folder is not None and folder.is_dir() else set()
        found[method] = np.fromiter((f"{pair}.png" in names for pair in data.pairs), np.uint8, len(data.pairs))
    return found
