"""How near two embeddings are, in double precision: the numbers that decide."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hifibench.records import Floats

Similarity = Literal["cosine", "l2"]
"""``cosine``: rows need not be of unit length; ``l2``: Euclidean distance."""

PAIRS = 256
"""Pairs compared at once: their rows stay in the processor's cache."""


def lengths(rows: Floats) -> NDArray[np.float64]:
    """Euclidean length of each row, ``(r,)``, within a few roundings; NaN or infinite where an entry is.

    Args:
        rows: ``(r, d)`` in any float type; squares are formed in double precision, where those of float32 neither
            overflow nor vanish.
    """
    return np.sqrt(np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64), np.float64))


def comparable(length: NDArray[np.float64], similarity: Similarity) -> NDArray[np.bool_]:
    """Rows without NaN and, for the cosine, with a direction, from their `lengths`."""
    known = np.isfinite(length)
    return np.asarray(known & (length > 0) if similarity == "cosine" else known)


def nearness(
    queries: Floats, gallery: Floats, row: NDArray[np.int64], column: NDArray[np.int64], similarity: Similarity
) -> NDArray[np.float64]:
    """Cosine times the query's length, or minus the squared distance, of pairs of rows; higher is nearer.

    Every pair is computed by itself: equal pairs give equal numbers, to the last bit.

    Args:
        queries: ``(n, d)``.
        gallery: ``(m, d)``.
        row: ``(p,)`` rows of ``queries``.
        column: ``(p,)`` rows of ``gallery``, one for each of ``row``.
        similarity: which of the two.
    """
    near = np.empty(len(row))
    for start in range(0, len(row), PAIRS):
        part = slice(start, start + PAIRS)
        query, face = _double(queries, row[part]), _double(gallery, column[part])
        if similarity == "cosine":
            near[part] = np.einsum("ij,ij->i", query, face) / np.sqrt(np.einsum("ij,ij->i", face, face))
        else:
            query -= face
            near[part] = -np.einsum("ij,ij->i", query, query)
    return near


def _double(rows: Floats, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Some rows, as single precision holds them: a gallery of doubles is searched as one of floats."""
    return np.asarray(rows[index], np.float32).astype(np.float64)
