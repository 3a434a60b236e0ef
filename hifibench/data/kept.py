"""Pictures that are made when first asked for and then kept: reading them, and who may make them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hifibench.data import images
from hifibench.errors import ImageError, MissingError
from hifibench.records import Frame

_log = logging.getLogger(__name__)


def read(path: Path, size: int, noun: str) -> Frame | None:
    """A kept square picture; ``None`` where there is none, or a broken one, which is reported to the log and removed.

    Args:
        path: of the PNG file.
        size: its side in pixels.
        noun: what the log calls it, such as ``portrait``.
    """
    if not path.exists():
        return None
    try:
        frame = images.load(path)
    except ImageError as error:
        _log.warning("A cached %s cannot be read and is made again: %s", noun, error)
        path.unlink(missing_ok=True)
        return None
    if frame.shape != (size, size, 3):
        _log.warning("The cached %s %s has the shape %s and is made again.", noun, path, frame.shape)
        path.unlink(missing_ok=True)
        return None
    return frame


@contextmanager
def sole_maker(lock: Path, nouns: str) -> Iterator[None]:
    """Hold the right to make what a lock stands for, among all threads and processes that share the cache.

    Args:
        lock: the file, beside what is made.
        nouns: what the error calls it, such as ``Portraits``.

    Raises:
        MissingError: the folder cannot be written to.
    """
    from filelock import FileLock

    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock).acquire()
    except OSError as error:
        raise MissingError(
            f"{nouns} are kept in {lock.parent}, which cannot be written to: {error.strerror or error}. "
            "Name another folder in HIFIBENCH_CACHE, or make room."
        ) from error
    with held:
        yield
