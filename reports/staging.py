"""Writing many files so that a reader sees all of them or none, as far as a file system allows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hifibench.errors import MissingError
from hifibench.files import TEMPORARY


@contextmanager
def staged(folder: Path, owned: Callable[[Path], set[str]]) -> Iterator[Path]:
    """Give an empty folder beside ``folder``; on success what is in it takes its place there, on failure nothing does.

    ``folder`` is changed by renaming alone, in the order in which the files were written, so that a full disk leaves
    it as it was. Files of other names in it stay.

    Args:
        folder: to write into; made where it is not there.
        owned: what in a folder belongs to its writer alone, by names relative to it: a folder among them is replaced
            as a whole, and what was not made again is removed.

    Raises:
        MissingError: the disk is full, or the folder cannot be written to.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=TEMPORARY))
    except OSError as error:
        raise MissingError(_cannot_write(folder, error)) from error
    try:
        yield made
        _place(made, folder, owned)
    except OSError as error:
        raise MissingError(_cannot_write(folder, error)) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _place(made: Path, folder: Path, owned: Callable[[Path], set[str]]) -> None:
    folder.mkdir(exist_ok=True)
    before, now = owned(folder), owned(made)
    whole = {name for name in now if (made / name).is_dir()}
    files = [path for path in made.rglob("*") if path.is_file() and path.relative_to(made).parts[0] not in whole]
    for name in whole:
        if (folder / name).exists():
            (folder / name).replace(made / f"{TEMPORARY}{name}")
        (made / name).replace(folder / name)
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        place = folder / path.relative_to(made)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
    for name in before - now:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


def _cannot_write(folder: Path, error: OSError) -> str:
    return (
        f"Cannot write {folder}: {error.strerror or error}. Free some space there, or make it a folder that can be "
        "written to. What was there before is as it was."
    )
