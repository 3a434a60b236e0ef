"""Nearest neighbours in a gallery of embeddings: exact, in blocks, and the same in whatever order the gallery stands.

A matrix product in single precision finds the candidates. Its sums depend on where a row stands in the matrix, so
whatever lies within its rounding error of the k-th best is compared again in double precision, pair by pair. What is
equal then comes in the order of the images' names.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hifibench.records import Floats

Similarity = Literal["cosine", "l2"]

_BLOCK = 2**23
"""Similarities held at once: 32 MiB."""
_PAIRS = 2**14
"""Candidate pairs compared again at once."""


def retrieve(
    queries: Floats, gallery: Floats, k: int, similarity: Similarity, names: NDArray[np.str_]
) -> NDArray[np.int64]:
    """The k nearest gallery rows of every query, nearest first.

    The answer for a query depends on that query and on the set of gallery images alone: not on the order of the
    gallery, on the other queries or on the number of threads.

    Args:
        queries: ``(n, d)`` float32 embeddings; a row with NaN finds nothing.
        gallery: ``(m, d)`` float32 embeddings; a row with NaN is never found.
        k: neighbours wanted, at least 1.
        similarity: ``cosine`` (rows need not be of unit length) or ``l2`` (Euclidean distance).
        names: ``(m,)`` names of the gallery images, none twice; of equally near images the first name wins.

    By cosine, a row of zeros is like one with NaN.

    Returns:
        ``(n, k)`` row numbers in ``gallery``; -1 where there is no (further) neighbour.

    Raises:
        ValueError: the shapes do not fit, a name comes twice, ``k`` < 1 or the similarity is unknown.

    Example:
        >>> faces = np.eye(3, dtype=np.float32)
        >>> retrieve(np.float32([[0.1, 0.9, 0.1]]), faces, 2, "cosine", np.array(["c", "b", "a"]))
        array([[1, 2]])
    """
    queries, gallery = np.asarray(queries, np.float32), np.asarray(gallery, np.float32)
    _check(queries, gallery, k, similarity, names)
    found = np.full((len(queries), k), -1, np.int64)
    # In the order of their names, so that equal neighbours need only their position to be told apart.
    known = np.argsort(names)
    known = known[_comparable(gallery[known], similarity)]
    if not len(known):
        return found
    gallery = gallery[known]
    left, right = _factors(queries, gallery, similarity)
    doubt = _rounding(left, right)
    step = max(32, _BLOCK // len(known))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        product = left[block] @ right.T
        # Nothing is at least NaN: a query with NaN gets no candidates.
        limit = _kth_largest(product, k) - doubt[block]
        row, column = np.divmod(np.flatnonzero(product >= limit), len(known))
        nearness = _nearness(queries[block], gallery, row, column, similarity)
        order = np.lexsort((column, -nearness, row))
        row, column = row[order], column[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        near = place < k
        found[start + row[near], place[near]] = known[column[near]]
    return found


def _check(queries: Floats, gallery: Floats, k: int, similarity: str, names: NDArray[np.str_]) -> None:
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries {queries.shape} and gallery {gallery.shape}: expected (n, d) and (m, d)")
    if names.shape != gallery.shape[:1]:
        raise ValueError(f"names {names.shape}: expected one for each of the {len(gallery)} gallery images")
    if len(np.unique(names)) != len(names):
        raise ValueError("names: every gallery image needs a name of its own")
    if k < 1:
        raise ValueError(f"k = {k}: expected at least 1")
    if similarity not in get_args(Similarity):
        raise ValueError(f"similarity {similarity!r}: expected one of {', '.join(get_args(Similarity))}")


def _comparable(rows: Floats, similarity: Similarity) -> NDArray[np.bool_]:
    """Rows without NaN and, for the cosine, with a direction."""
    known = np.isfinite(rows).all(axis=1)
    return np.asarray(known & rows.any(axis=1) if similarity == "cosine" else known)


def _length(rows: Floats) -> Floats:
    """Euclidean length of each row, ``(n, 1)``, summed in double precision."""
    squares = np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64), np.float64)
    return np.sqrt(squares).astype(np.float32)[:, None]


def _factors(queries: Floats, gallery: Floats, similarity: Similarity) -> tuple[Floats, Floats]:
    """Matrices whose product ranks the gallery, within `_rounding`."""
    if similarity == "cosine":
        # A query of zeros has no direction: it becomes NaN.
        with np.errstate(invalid="ignore"):
            return queries / _length(queries), gallery / _length(gallery)
    # |q - g|² falls where q·g - |g|²/2 rises. The longest |g| takes part on both sides, to keep them of like size.
    length = _length(gallery)
    longest = length.max() or np.float32(1)
    aside = np.full((len(queries), 1), longest)
    return np.hstack((queries, aside)), np.hstack((gallery, -np.square(length) / (2 * longest)))


def _rounding(left: Floats, right: Floats) -> Floats:
    """How far two entries of a row of the product can be misplaced against each other, at most, ``(n, 1)``.

    A sum of d products is off by less than d·u·|l||r| / (1 - d·u) (Higham, Accuracy and Stability of Numerical
    Algorithms, 2002, section 3.1), u = eps / 2. Twice that, for two entries, and some for the factors' own rounding.
    """
    eps = float(np.finfo(np.float32).eps)
    doubt: Floats = _length(left) * _length(right).max() * np.float32((left.shape[1] + 8) * eps)
    return doubt


def _kth_largest(rows: Floats, k: int) -> Floats:
    """The k-th largest entry of each row, ``(n, 1)``; the smallest where there are fewer."""
    if k == 1:
        largest: Floats = rows.max(axis=1, keepdims=True)
        return largest
    k = min(k, rows.shape[1])
    return np.partition(rows, -k, axis=1)[:, -k, None]


def _nearness(
    queries: Floats, gallery: Floats, row: NDArray[np.int64], column: NDArray[np.int64], similarity: Similarity
) -> NDArray[np.float64]:
    """Cosine times the query's length, or minus the squared distance, of pairs of rows; higher is nearer.

    Every pair is computed by itself: equal pairs give equal numbers, to the last bit.
    """
    near = np.empty(len(row))
    for start in range(0, len(row), _PAIRS):
        part = slice(start, start + _PAIRS)
        query = queries[row[part]].astype(np.float64)
        face = gallery[column[part]].astype(np.float64)
        if similarity == "cosine":
            near[part] = np.einsum("ij,ij->i", query, face) / np.sqrt(np.einsum("ij,ij->i", face, face))
        else:
            near[part] = -np.einsum("ij,ij->i", query - face, query - face)
    return near
