"""Taking named members out of an archive: those are read, nothing else is written anywhere."""

from __future__ import annotations

import bz2
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

Member = tuple[str, IO[bytes]]


@contextmanager
def members(path: Path, filename: str) -> Iterator[Iterator[Member]]:
    """The regular files in an archive, in the archive's order, each readable until the next one is asked for.

    Args:
        path: where the archive lies, under whatever name.
        filename: its real name, whose suffix says how it is packed: ``.whl``, ``.zip``, ``.tar.gz``,
            ``.bz2``; a file with any other suffix is its own only member.

    Yields:
        Pairs of the path inside the archive and a binary stream; the path is empty for what is no archive.
    """
    if filename.endswith((".whl", ".zip")):
        with zipfile.ZipFile(path) as archive:
            yield _of_zip(archive)
    elif filename.endswith((".tar.gz", ".tgz")):
        with tarfile.open(path, "r:gz") as archive:
            yield _of_tar(archive)
    else:
        with bz2.open(path) if filename.endswith(".bz2") else path.open("rb") as stream:
            yield iter([("", stream)])


def is_member(path: str, member: str) -> bool:
    """Whether ``path`` in an archive is ``member``; source archives put all below one folder of any name."""
    return path == member or path.partition("/")[2] == member


def _of_zip(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        if not info.is_dir():
            with archive.open(info) as stream:
                yield info.filename, stream


def _of_tar(archive: tarfile.TarFile) -> Iterator[Member]:
    for info in archive:
        stream = archive.extractfile(info) if info.isreg() else None
        if stream is not None:
            with stream:
                yield info.name, stream
