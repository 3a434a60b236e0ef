"""What a study gives: a table, arrays, and a word on how both came about; written whole and read back exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from hifibench.errors import MissingError, UsageError
from hifibench.files import atomic_path, atomic_write

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Study:
    """The data of one figure.

    Attributes:
        name: of the study, and of its files.
        table: the numbers, a row per pair and whatever the study compares.
        arrays: pictures ``(n, S, S, 3)`` uint8 and maps ``(n, h, w)`` float32, and under ``pair`` the names of the n
            pairs; empty for a study without pictures.
        about: how it came about: method, weights, images, what was chosen.
    """

    name: str
    table: pd.DataFrame
    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, str]


def save(study: Study, folder: Path) -> list[Path]:
    """Write ``NAME.csv``, ``NAME.json`` and, where there are arrays, ``NAME.npz``, each atomically.

    Returns:
        The files.

    Raises:
        MissingError: the folder cannot be written to.
    """
    import numpy as np

    table, about, arrays = _files(folder, study.name)
    with atomic_path(table) as temporary:
        study.table.to_csv(temporary, index=False)
    atomic_write(about, json.dumps(dict(study.about), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    if not study.arrays:
        return [table, about]
    with atomic_path(arrays) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **dict(study.arrays))
    return [table, about, arrays]


def load(folder: Path, name: str) -> Study:
    """Read what `save` wrote.

    Raises:
        MissingError: the study was not made in this folder.
        UsageError: a file is damaged.
    """
    import zipfile

    import numpy as np
    import pandas as pd

    table, about, arrays = _files(folder, name)
    if not table.is_file() or not about.is_file():
        raise MissingError(
            f"There is no study {name!r} in {folder}. 'hifibench analyse {name} --out {folder}' makes it."
        )
    try:
        words = json.loads(about.read_text(encoding="utf-8"))
        # The quick parser of older versions may miss a number's last bit.
        numbers = pd.read_csv(table, engine="python", dtype={"pair": str})
        found: dict[str, NDArray[Any]] = {}
        if arrays.is_file():
            with np.load(arrays, allow_pickle=False) as archive:
                found = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"The study {name!r} in {folder} is damaged ({error}). Make it again.") from error
    return Study(name, numbers, found, words)


def _files(folder: Path, name: str) -> tuple[Path, Path, Path]:
    return folder / f"{name}.csv", folder / f"{name}.json", folder / f"{name}.npz"
