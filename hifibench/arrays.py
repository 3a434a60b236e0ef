"""Arrays in files: named ones, written whole or not at all and made again where damaged, and large ones for a while."""

from __future__ import annotations

import io
import logging
import math
import os
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hifibench.errors import MissingError
from hifibench.files import TEMPORARY, atomic_write

_log = logging.getLogger("hifibench")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], compress: bool = False) -> None:
    """Write arrays as one ``.npz`` file, atomically; same arrays, same bytes."""
    buffer = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(buffer, **{name: arrays[name] for name in sorted(arrays)})  # type: ignore[arg-type]
    atomic_write(path, buffer.getvalue())


# NumPy reads the headers of arrays with Python's own parser. Where another thread parsed in between, Python 3.11 once
# ended a run with "SystemError: AST constructor recursion depth mismatch".
_HEADERS = threading.Lock()


def read_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray] | None:
    """The arrays in ``path``, or those of ``names`` that it has; ``None`` where there is no such file or damage."""
    try:
        with _HEADERS, np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if names is None or name in names}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        _log.warning("%s is damaged (%s); it is made again.", path, error)
        path.unlink(missing_ok=True)
    return None


class DiskArray:
    """An array of zeros on the disk, in memory only where it is read or written and only while it is.

    Its file has no name where the system allows that: a process that is killed leaves nothing behind.

    Args:
        folder: an existing folder on the disk to use; a temporary folder of the system's may lie in memory.
        shape: of the array.
        dtype: of the array.

    Raises:
        MissingError: the disk is full, or the folder cannot be written to.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: Any = np.float64) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        size = math.prod(shape) * self.dtype.itemsize
        try:
            self._file = tempfile.TemporaryFile(dir=folder, prefix=TEMPORARY)  # noqa: SIM115
            # All room is taken now: to find the disk full while writing to mapped memory would end the process.
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), 0, size)
            else:
                self._file.truncate(size)
        except OSError as error:
            raise MissingError(
                f"Cannot put {size / 1e6:.0f} MB aside in {folder} while scoring: {error.strerror or error}. "
                "Free some space. What was finished before is kept: the same command goes on from there."
            ) from error

    def _mapped(self) -> np.ndarray:
        if not math.prod(self.shape):
            return np.empty(self.shape, self.dtype)
        return np.memmap(self._file, self.dtype, "r+", shape=self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, at: Any) -> np.ndarray:
        """A copy of what stands there."""
        return np.array(self._mapped()[at])

    def __setitem__(self, at: Any, values: Any) -> None:
        self._mapped()[at] = values
