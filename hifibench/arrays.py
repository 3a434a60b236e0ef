"""Named arrays in files: written whole or not at all, and made again where they are damaged."""

from __future__ import annotations

import io
import logging
import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hifibench.files import atomic_write

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


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays in ``path``; ``None`` where there is no such file or it is damaged."""
    try:
        with _HEADERS, np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        _log.warning("%s is damaged (%s); it is made again.", path, error)
        path.unlink(missing_ok=True)
    return None
