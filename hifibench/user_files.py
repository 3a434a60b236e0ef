"""Files that only the user can bring, such as weights under a licence of their own: place, refusal, hash.

Those of a registered method are looked for in ``<cache>/methods/<method>/``; a methods file may name any other place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hifibench.errors import MissingError


@dataclass(frozen=True)
class UserFile:
    """One file.

    Attributes:
        path: where it is looked for.
        origin: where to get it, as ``https://…`` or in words; empty where a methods file names it.
        licence: its terms.
    """

    path: Path
    origin: str = ""
    licence: str = ""

    def __str__(self) -> str:
        said = f"from {self.origin} (licence: {self.licence})" if self.origin else "named in the methods file"
        return f"{self.path}: {said}"


def place(method: str) -> Path:
    """The folder in which the files of a registered method are looked for."""
    from hifibench import assets

    return assets.cache_root() / "methods" / method


def need(method: str, files: Iterable[UserFile]) -> None:
    """Refuse to go on without a file.

    Raises:
        MissingError: names each file that is not there, where it comes from, its licence and its place.
    """
    missing = [file for file in files if not file.path.is_file()]
    if missing:
        count = "one file" if len(missing) == 1 else f"{len(missing)} files"
        raise MissingError(
            f"The method {method} lacks {count}, which hifibench does not fetch. Put it there, and run the command "
            "again:\n  " + "\n  ".join(map(str, missing))
        )


def digest(file: Path) -> str:
    """SHA-256 of a file for a card, hexadecimal; empty where there is none.

    Read once a process as long as its size and time stay the same: many are of hundreds of megabytes, and cards are
    made whenever methods are listed.
    """
    try:
        status = file.stat()
    except OSError:
        return ""
    return _digest(file, status.st_size, status.st_mtime_ns) if file.is_file() else ""


@cache
def _digest(file: Path, size: int, modified: int) -> str:
    from hifibench.fetching import sha256_of

    return sha256_of(file)
