"""Writing files so that a reader sees all of one or nothing of it, whenever the writer dies."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hifibench.errors import MissingError, UsageError

TEMPORARY = ".hifibench-"
"""How the names of temporary files and folders begin, so that what a killed process left is told from a user's."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it takes the place of ``path``, on failure it is removed.

    Raises:
        MissingError: the disk is full, or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY, suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise MissingError(_cannot_write(path, error)) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise MissingError(_cannot_write(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write(path: Path, data: bytes | str) -> None:
    """Write ``data`` to ``path`` atomically; text as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


@contextmanager
def held(lock: Path, busy: str) -> Iterator[None]:
    """Hold a lock file against all other processes; whoever comes second is refused.

    Args:
        lock: the file, which stays behind: to remove it would let two processes hold two files of one name.
        busy: what to say where another process holds it.

    Raises:
        UsageError: another process holds it.
        MissingError: the folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        taken = FileLock(lock).acquire(timeout=0)
    except Timeout as error:
        raise UsageError(busy) from error
    except OSError as error:
        raise MissingError(_cannot_write(lock.parent, error)) from error
    with taken:
        yield


def _cannot_write(path: Path, error: OSError) -> str:
    return (
        f"Cannot write {path}: {error.strerror or error}. Free some space or name a folder that can be written to "
        "(--out for the run, HIFIBENCH_CACHE for the cache). What was finished before is kept: "
        "the same command goes on from there."
    )
