"""Both similarities as one matrix product of *factors*, and how far to trust it.

An entry of that product is a *score*: the higher, the nearer. Each gallery row comes with the most by which its scores
can be off in single precision, in whatever order a library forms its sums of d products:

    |fl(l·r) - l·r|  ≤  d u / (1 - d u) · |l| |r|,   u = 2⁻²⁴

(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hifibench.nearest.similarity import Similarity, comparable, lengths
from hifibench.records import Floats

_U = 2.0**-24
_TINY, _HUGE = 1e-30, 1e30
"""Beyond these lengths squares and inverses leave the range of float32."""
_SUBNORMAL = 2.0**-126
"""What may be lost in every sum and product where small numbers are flushed to zero, as GPUs and some libraries do."""
_WIDEST = 64
"""Columns in a chunk, at most."""


@dataclass(frozen=True)
class Block:
    """Some of the gallery, as the right factor of the product.

    Attributes:
        similarity: what the product ranks by.
        rows: ``(c, d)`` the rows themselves, as they stand in the gallery.
        first: where in the gallery these begin.
        columns: ``(b,)`` which of ``rows`` can be near anything.
        width: of a chunk of columns, a power of two (`chunk_width`).
        right: ``(b + padding, d')`` float32 factors of these; rows of zeros fill the last chunk.
        error: ``(b + padding,)`` float32, the most by which scores of a column are off; infinite where unknown.
        scale: of the last entry of the factors, for ``l2``.
    """

    similarity: Similarity
    rows: Floats
    first: int
    columns: NDArray[np.int64]
    width: int
    right: Floats
    error: Floats
    scale: float


@dataclass(frozen=True)
class Asked:
    """Some of the queries, as the left factor of the product with a block: ``score = (nearness + offset) · factor``.

    Attributes:
        left: ``(q, d')`` float32, of unit length.
        offset: ``(q,)`` what nearness lacks to a score.
        factor: ``(q,)`` of a score.
        size: ``(q,)`` how large the numbers are whose difference a score is.
    """

    left: Floats
    offset: NDArray[np.float64]
    factor: NDArray[np.float64]
    size: NDArray[np.float64]


def chunk_width(columns: int, k: int) -> int:
    """Columns per chunk, a power of two: the highest entries of k chunks are k entries, found in a fraction of them.

    Example:
        >>> chunk_width(16384, 5), chunk_width(300, 5), chunk_width(3, 5)
        (64, 4, 1)
    """
    return 1 << int(np.clip(columns // (8 * k), 1, _WIDEST)).bit_length() - 1


def block(rows: Floats, first: int, similarity: Similarity, k: int) -> Block:
    """The factors of some gallery rows, and how far to trust them.

    Args:
        rows: ``(c, d)`` any float type.
        first: their place in the gallery.
        similarity: what to rank by.
        k: neighbours wanted, for the width of the chunks.
    """
    rows = rows if rows.dtype in (np.float16, np.float32) else rows.astype(np.float32)
    length = lengths(rows)
    columns = np.flatnonzero(comparable(length, similarity))
    chosen = rows if len(columns) == len(rows) else rows[columns]
    length, d = length[columns], rows.shape[1]
    terms = d + (similarity == "l2")
    width = chunk_width(len(columns), k)
    right = np.zeros((-(-len(columns) // width) * width, terms), np.float32)
    scale = 1.0
    if similarity == "cosine":
        reach = np.ones(len(columns))
        tame = (length > _TINY) & (length < _HUGE)
        weight = np.divide(1.0, length, out=np.zeros(len(columns)), where=tame)
    else:
        # |q - g|² falls where q·g - |g|²/2 rises; the factors' last entries are scale and -|g|²/(2 scale).
        scale = float(np.clip(np.median(length), 1e-15, 1e15)) if length.any() else 1.0
        last = -np.square(length) / (2 * scale)
        reach = np.hypot(length, last)
        tame = reach < _HUGE
        weight = tame.astype(np.float64)
        right[: len(columns), d] = np.where(tame, last, 0.0)
    np.multiply(chosen, weight.astype(np.float32)[:, None], out=right[: len(columns), :d])
    # Sixteen more for the rounding of the factors, of this bound and of what is compared with it.
    off = (terms + 16) * _U
    share = off / (1 - off) if off < 1 else np.inf
    error = np.zeros(len(right), np.float32)
    error[: len(columns)] = np.where(tame, share * reach + 4 * terms * _SUBNORMAL, np.inf)
    return Block(similarity, rows, first, columns, width, right, error, scale)


def ask(queries: Floats, block: Block) -> Asked:
    """The factors of some queries, all of them `comparable`, for the product with a block.

    Args:
        queries: ``(q, d)`` any float type.
        block: what they are to be compared with.
    """
    rows = np.asarray(queries, np.float32).astype(np.float64)
    squares = np.einsum("ij,ij->i", rows, rows)
    if block.similarity == "cosine":
        length = np.sqrt(squares)
        rows /= length[:, None]
        return Asked(rows.astype(np.float32), np.zeros(len(rows)), 1 / length, np.ones(len(rows)))
    length = np.sqrt(squares + block.scale**2)
    rows /= length[:, None]
    left = np.empty((len(rows), rows.shape[1] + 1), np.float32)
    left[:, :-1], left[:, -1] = rows, block.scale / length
    return Asked(left, squares, 0.5 / length, squares / length)
