"""The k nearest of every query in a gallery of any size."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from hifibench.nearest import certificate, factors
from hifibench.nearest.products import Products, make, tile
from hifibench.nearest.resources import Resources, current
from hifibench.nearest.running import Running
from hifibench.nearest.similarity import Similarity, comparable, lengths, nearness
from hifibench.records import Floats

_ROWS = 2**12
"""Rows and names looked at at once where nothing is compared."""


def nearest(
    queries: Floats,
    gallery: Floats,
    k: int,
    similarity: Similarity,
    names: NDArray[np.str_],
    resources: Resources | None = None,
) -> NDArray[np.int64]:
    """The k nearest gallery rows of every query, nearest first.

    The answer for a query depends on that query and on the set of gallery images alone: not on the order of the
    gallery, on the other queries, on memory, device or library, or on the number of threads. It is what sorting all
    pairs by their nearness in double precision gives.

    Args:
        queries: ``(n, d)`` float32 embeddings; a row with NaN finds nothing.
        gallery: ``(m, d)`` float32 or float16 embeddings, in memory or in a file (`numpy.memmap`): read block by block,
            never copied as a whole. A row with NaN is never found.
        k: neighbours wanted, at least 1.
        similarity: ``cosine`` (rows need not be of unit length) or ``l2`` (Euclidean distance).
        names: ``(m,)`` names of the gallery images, none twice; of equally near images the first name wins.
        resources: memory, device and library; ``None``: what holds here (`hifibench.nearest.resources.using`).

    By cosine, a row of zeros is like one with NaN.

    Returns:
        ``(n, k)`` row numbers in ``gallery``; -1 where there is no (further) neighbour.

    Raises:
        ValueError: the shapes do not fit, a name comes twice, ``k`` < 1 or the similarity is unknown.
        UsageError: the memory is too little even for one query at a time.
        MissingError: the device or the library is not there.
        HifibenchError: the device's products are not of single precision.

    Example:
        >>> faces = np.eye(3, dtype=np.float32)
        >>> nearest(np.float32([[0.1, 0.9, 0.1]]), faces, 2, "cosine", np.array(["c", "b", "a"]))
        array([[1, 2]])
    """
    _check(queries, gallery, k, similarity, names)
    order = _by_name(names)
    found = np.full((len(queries), k), -1, np.int64)
    asking = _asking(queries, similarity)
    if not len(asking) or not len(gallery):
        return found
    resources = resources or current()
    products = make(resources)
    rows, columns = tile(len(asking), len(gallery), gallery.shape[1], k, products, resources)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    running = Running(len(asking), k, none=len(order))
    for first in range(0, len(gallery), columns):
        part = gallery[first : first + columns]
        block = factors.block(part, first, similarity, k)
        if len(block.columns):
            products.load(block)
            for start in range(0, len(asking), rows):
                _compare(queries, asking[start : start + rows], start, block, products, running, rank)
    there = running.rank < len(order)
    answers = np.full(running.rank.shape, -1, np.int64)
    answers[there] = order[running.rank[there]]
    found[asking] = answers
    return found


def _compare(
    queries: Floats,
    asking: NDArray[np.int64],
    start: int,
    block: factors.Block,
    products: Products,
    running: Running,
    rank: NDArray[np.int64],
) -> None:
    """Take what a block holds for some of the queries into what was found so far.

    Args:
        queries: all of them.
        asking: ``(q,)`` those of this tile.
        start: the row of ``running`` where these begin.
        block: loaded into ``products``.
        products: what finds the candidates.
        running: what was found so far.
        rank: ``(m,)`` of the gallery's names.
    """
    asked = factors.ask(queries[asking], block)
    reached = certificate.scores(running.near[start : start + len(asking), -1], asked)
    for row, column, score in products.candidates(asked, running.near.shape[1], certificate.floor(reached, asked)):
        seen = block.columns[column]
        near = nearness(queries, block.rows, asking[row], seen, block.similarity)
        exact = certificate.scores(near, asked, row)
        terms = asked.left.shape[1]
        certificate.verify(score, exact, block.error[column], asked.size[row], products.name, terms)
        running.add(start + row, near, rank[block.first + seen])


def _check(queries: Floats, gallery: Floats, k: int, similarity: str, names: NDArray[np.str_]) -> None:
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries {queries.shape} and gallery {gallery.shape}: expected (n, d) and (m, d)")
    if names.shape != gallery.shape[:1]:
        raise ValueError(f"names {names.shape}: expected one for each of the {len(gallery)} gallery images")
    if k < 1:
        raise ValueError(f"k = {k}: expected at least 1")
    if similarity not in get_args(Similarity):
        raise ValueError(f"similarity {similarity!r}: expected one of {', '.join(get_args(Similarity))}")


def _by_name(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Positions in the order of the names.

    Raises:
        ValueError: a name comes twice.
    """
    order = np.argsort(names)
    for start in range(0, len(order), _ROWS):
        part = names[order[start : start + _ROWS + 1]]
        if (twice := part[1:] == part[:-1]).any():
            raise ValueError(
                f"names: every gallery image needs a name of its own; {str(part[1:][twice][0])!r} comes twice"
            )
    return order


def _asking(queries: Floats, similarity: Similarity) -> NDArray[np.int64]:
    """Queries that can be near anything."""
    parts = (queries[start : start + _ROWS] for start in range(0, len(queries), _ROWS))
    known = [comparable(lengths(np.asarray(part, np.float32)), similarity) for part in parts]
    return np.flatnonzero(np.concatenate(known)) if known else np.empty(0, np.int64)
