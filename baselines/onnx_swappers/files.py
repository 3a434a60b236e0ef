"""The files of an ONNX swapper: where they lie, what is missing and where it comes from, and their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from baselines.onnx_swappers.table import EMBEDDED, Row, origins
from hifibench import user_files
from hifibench.user_files import UserFile

PROSE = {"summary", "paper", "licence", "limits", "trained_with"}
"""Fields of a row that change nothing of what it computes."""


class Files(NamedTuple):
    """Where the networks of a row lie; ``None`` where the row has none, or it is an asset of the project."""

    swapper: Path
    recogniser: Path | None
    converter: Path | None

    def all(self) -> Iterator[Path]:
        """Those that there are in the row, whether they are on disk or not."""
        return (file for file in self if file is not None)


def place(row: Row, folder: Path, given: Mapping[str, Any]) -> Files:
    """Where the files of a row are looked for.

    Args:
        row: the whole row.
        folder: of the file that gave it.
        given: the fields which stand in that file: paths in them are relative to its folder. Those of a published row
            are names, looked for beside the swapper.
    """
    swapper = folder / Path(row.file).expanduser()

    def beside(field: str, name: str) -> Path:
        return (folder if field in given else swapper.parent) / Path(name).expanduser()

    return Files(
        swapper,
        beside("recogniser", row.recogniser) if row.recogniser not in ("", EMBEDDED) else None,
        beside("converter", row.converter) if row.converter not in ("none", "emap") else None,
    )


def need(files: Files, method: str) -> None:
    """Refuse to go on without a file: `hifibench.user_files.need`."""
    known = ((file, origins().get(file.name)) for file in files.all())
    user_files.need(
        method, (UserFile(file, said.url, said.licence) if said else UserFile(file) for file, said in known)
    )


def _said(file: Path) -> UserFile:
    """A file with what the table of published ones says of it."""
    origin = origins().get(file.name)
    return UserFile(file, origin.url, origin.licence) if origin else UserFile(file)


def fingerprint(row: Row, files: Files) -> str:
    """SHA-256 over the row and the contents of its files, hexadecimal: another one may swap otherwise."""
    said = row.model_dump(mode="json", exclude=PROSE | {"file", "recogniser", "converter"})
    said["converter"] = "" if files.converter else row.converter
    said["files"] = [user_files.digest(file) if file else "" for file in files]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
