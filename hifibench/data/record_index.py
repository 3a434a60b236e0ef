"""Where the records of a RecordIO file begin: from its index, or by scanning."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.data.recordio import MAGIC, Buffer, RecordError, header, scan
from hifibench.errors import UsageError

Numbers = NDArray[np.int64]

_PROBED = 64
"""Records looked at before an index is believed to be that of the file."""


class Index(NamedTuple):
    """The records of a file, by ascending key.

    Attributes:
        keys: ``(N,)``, each once.
        offsets: ``(N,)`` where each begins, in bytes.
        damaged: ``(M,)`` offsets of what should be records and is not, as a scan came upon them.
    """

    keys: Numbers
    offsets: Numbers
    damaged: Numbers


def index(file: Path, buffer: Buffer) -> Index:
    """List the records of a file.

    Args:
        file: ends in ``.rec``; its index ``.idx``, lines of a key and an offset, is looked for beside it.
        buffer: the content of the file.

    Raises:
        UsageError: the file is no RecordIO, or the index is broken or that of another file.
    """
    path = file.with_suffix(".idx")
    if path.exists():
        keys, offsets = _read(path)
        some = offsets[:: max(1, len(offsets) // _PROBED)]
        if not any(buffer[int(offset) : int(offset) + 4] == MAGIC for offset in some):
            raise UsageError(
                f"{path} is not the index of {file}: no record begins where it says. Give the two files that belong "
                "together, MXNet's RecordIO; without an .idx file the .rec file is scanned."
            )
        return Index(keys, offsets, np.empty(0, np.int64))
    scanned = _scanned(buffer)
    if not len(scanned.keys):
        raise UsageError(f"{file} is no RecordIO of MXNet: no record begins in it. Give a .rec file of that format.")
    return scanned


def _read(path: Path) -> tuple[Numbers, Numbers]:
    """Keys, ascending, and offsets; of a key that stands there twice the last line counts, as for MXNet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # for NumPy, text that holds no number is a matter of a warning
            numbers = np.fromstring(path.read_text(encoding="ascii"), np.int64, sep=" ").reshape(-1, 2)
    except (OSError, ValueError, DeprecationWarning) as error:
        raise UsageError(
            f"{path} is no index of a RecordIO file ({error}); expected lines of a key and an offset. Remove it, and "
            "the records are found by scanning."
        ) from error
    if not len(numbers) or numbers.min() < 0:
        raise UsageError(f"{path} names no record, or one before the first; remove it, and the records are scanned.")
    keys, last = np.unique(numbers[::-1, 0], return_index=True)
    return keys, numbers[::-1, 1][last]


def _scanned(buffer: Buffer) -> Index:
    """Keys are the ids in the headers, or, where these are not unique, the places in the file, from 0."""
    keys, offsets, damaged = [], [], []
    for offset, whole in scan(buffer):
        try:
            if not whole:
                raise RecordError
            keys.append(header(buffer, offset).id)
            offsets.append(offset)
        except RecordError:
            damaged.append(offset)
    unique = len(set(keys)) == len(keys) and max(keys, default=0) < 1 << 62
    numbers = np.array(keys if unique else range(len(keys)), np.int64)
    order = np.argsort(numbers)
    return Index(numbers[order], np.array(offsets, np.int64)[order], np.array(damaged, np.int64))
