"""The user's own files of frozen networks, kept in the cache by content.

Weights name the networks they were trained with by hash. Kept here, these are found again when the weights are used,
wherever the user's own copies have gone.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from hifibench import assets
from hifibench.errors import MissingError, UsageError
from hifibench.files import atomic_path


def keep(file: Path) -> str:
    """Copy a file into the cache, unless it is there.

    Returns:
        Its SHA-256, hexadecimal; `kept` finds it by that.

    Raises:
        UsageError: there is no such file.
        MissingError: the cache cannot be written to.
    """
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"The file {file} cannot be read: {error.strerror or error}.") from error
    place = _place(digest, file.suffix)
    if not place.is_file():
        with atomic_path(place) as temporary:
            shutil.copyfile(file, temporary)
    return digest


def kept(digest: str) -> Path:
    """Where the file of that SHA-256 lies.

    Raises:
        MissingError: it is not in the cache.
    """
    folder = _place(digest, "").parent
    found = sorted(folder.glob(f"{digest}*")) if folder.is_dir() else []
    if not found:
        raise MissingError(
            f"These weights were trained with a network of yours that is not here: put the file whose SHA-256 is "
            f"{digest} into {folder} under that name, with its own ending."
        )
    return found[0]


def _place(digest: str, suffix: str) -> Path:
    return assets.cache_root() / "teachers" / f"{digest}{suffix}"
