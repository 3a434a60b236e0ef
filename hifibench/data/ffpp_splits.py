"""Which videos of FaceForensics++ are paired: by its split files, or by the names of the released swaps.

A split file is a list of unordered pairs, ``[["720", "672"], …]``; each stands for two swaps, either video being the
target once.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from hifibench.data import ffpp_layout as layout
from hifibench.data.ffpp_layout import VideoPair
from hifibench.errors import MissingError, UsageError

SPLITS = ("train", "val", "test")

_PLACES = ("splits", "dataset/splits")
_ORIGIN = "the folder dataset/splits of https://github.com/ondyari/FaceForensics"


class Pairing(NamedTuple):
    """The pairs of videos of a split.

    Attributes:
        pairs: sorted by target, then source.
        origin: how they are known, for the manifest.
    """

    pairs: tuple[VideoPair, ...]
    origin: str


def pairing(root: Path, split: str, compression: str) -> Pairing:
    """The pairs of a split.

    Args:
        root: of the dataset.
        split: one of `SPLITS`, or ``all``.
        compression: whose names are read where ``all`` is asked for and there are no split files.

    Raises:
        MissingError: the split file is not there, or without split files there are no released swaps either.
        UsageError: a split file has another form.
    """
    there = {name: file for name in SPLITS if (file := _file(root, name)) is not None}
    wanted = SPLITS if split == "all" else (split,)
    missing = [name for name in wanted if name not in there]
    if split == "all" and not there:
        return Pairing(_by_names(root, compression), "all (by the names of released swaps: no split files)")
    if missing:
        files = " and ".join(f"{name}.json" for name in missing)
        raise MissingError(
            f"The split {split} of FaceForensics++ needs {files}: put it into {root / _PLACES[0]}; it comes from "
            f"{_ORIGIN}."
        )
    found = [pair for name in wanted for pair in read(there[name])]
    return Pairing(tuple(sorted(set(found))), split)


def by_files(root: Path) -> dict[str, list[VideoPair]]:
    """The pairs of each split whose file is there.

    Raises:
        UsageError: as `read`.
    """
    return {name: read(file) for name in SPLITS if (file := _file(root, name)) is not None}


def read(file: Path) -> list[VideoPair]:
    """A split file's pairs, each both ways.

    Raises:
        UsageError: it has another form, or names a pair twice.
    """
    try:
        listed = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"The split file {file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise UsageError(f"The split file {file} is no JSON: {error}.") from error
    if not isinstance(listed, list):
        raise UsageError(f'The split file {file} holds no list; expected [["720", "672"], …].')
    pairs: list[VideoPair] = []
    for row in listed:
        if not _is_pair(row):
            raise UsageError(
                f'The split file {file} holds {json.dumps(row)}; expected two numbers of videos, as ["720", "672"].'
            )
        if VideoPair(*row) in pairs:
            raise UsageError(f"The split file {file} names the pair {row[0]}, {row[1]} twice.")
        pairs += [VideoPair(row[0], row[1]), VideoPair(row[1], row[0])]
    return pairs


def _is_pair(row: object) -> bool:
    return (
        isinstance(row, list)
        and len(row) == 2
        and all(isinstance(video, str) and re.fullmatch("[0-9]{3}", video) for video in row)
        and row[0] != row[1]
    )


def _by_names(root: Path, compression: str) -> tuple[VideoPair, ...]:
    """Every pair of which any method has a swap; names that do not fit are left to `hifibench data verify ffpp`."""
    pairs: set[VideoPair] = set()
    for method in layout.METHODS:
        for file in layout.files(root, method, compression):
            try:
                name = layout.parse(method, file)
            except UsageError:
                continue
            pairs.add(VideoPair(name.target, name.source))
    if not pairs:
        raise MissingError(
            f"There are neither split files in {root / _PLACES[0]} nor swaps of compression {compression} in "
            f"{root / 'manipulated_sequences'}, so that nothing says which videos are paired. The split files come "
            f"from {_ORIGIN}; put train.json, val.json and test.json there."
        )
    return tuple(sorted(pairs))


def _file(root: Path, split: str) -> Path | None:
    files = (root / place / f"{split}.json" for place in _PLACES)
    return next((file for file in files if file.is_file()), None)
