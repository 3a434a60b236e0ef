"""Opening pickles that others made, without running what they may carry."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from hifibench.errors import UsageError


def load_arrays(path: Path) -> Any:
    """Load a pickle made of NumPy arrays, dtypes, scalars and plain containers.

    Pickles of Python 2 and of NumPy 1 load too. Nothing but the constructors of these types is ever called.

    Args:
        path: of a file whose hash was checked, or of any other.

    Returns:
        What was pickled. Byte strings of Python 2 come back as text in Latin-1, byte by byte.

    Raises:
        UsageError: the pickle names anything else (the message says what), or is no whole pickle.
    """
    try:
        with path.open("rb") as stream:
            return _ArraysOnly(stream, encoding="latin1").load()
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    except _BROKEN as error:
        raise UsageError(
            f"{path} is no whole pickle of NumPy arrays ({type(error).__name__}: {error}). Get the file again."
        ) from error


_BROKEN = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)
"""What unpickling raises, by its documentation, where the bytes are not what a pickler wrote."""


def _encode(text: str, encoding: str) -> bytes:
    """The way protocol 2 writes bytes: as text, to be encoded as Latin-1."""
    if encoding not in ("latin1", "latin-1"):
        raise UsageError(f"it asks for the encoding {encoding!r}, expected latin1. It was not opened.")
    return text.encode("latin-1")


def _numpy_functions() -> dict[tuple[str, str], Any]:
    """What NumPy's own pickles call, taken from such pickles: NumPy has no public names for it."""
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    frombuffer = np.zeros(1).__reduce_ex__(5)[0]
    return {
        ("numpy.core.multiarray", "_reconstruct"): reconstruct,
        ("numpy.core.multiarray", "scalar"): scalar,
        ("numpy.core.numeric", "_frombuffer"): frombuffer,
    }


_ADMITTED: dict[tuple[str, str], Any] = {
    **_numpy_functions(),
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "complex"): complex,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "slice"): slice,
    ("builtins", "bytearray"): bytearray,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The admitted object of that name, under its names in NumPy 1 and 2, Python 2 and 3."""
        known = re.sub(r"^numpy\._core\b", "numpy.core", module).replace("__builtin__", "builtins")
        if (known, name) in _ADMITTED:
            return _ADMITTED[known, name]
        raise UsageError(
            f"the pickle asks for {module}.{name}, expected nothing but NumPy arrays, dtypes, scalars and "
            "plain containers. It was not opened, since such a file can run any code. "
            "Get it from where the catalogue says."
        )
