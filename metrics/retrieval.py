"""Nearest neighbours in a gallery of embeddings, as `hifibench.nearest` finds them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.nearest.search import nearest
from hifibench.nearest.similarity import Similarity
from hifibench.records import Floats

__all__ = ["Similarity", "retrieve"]


def retrieve(
    queries: Floats, gallery: Floats, k: int, similarity: Similarity, names: NDArray[np.str_]
) -> NDArray[np.int64]:
    """The k nearest gallery rows of every query, nearest first: see `hifibench.nearest.search.nearest`.

    It uses the memory and the device that hold where it is called (`hifibench.nearest.resources.using`).

    Args:
        queries: ``(n, d)`` float32 embeddings; a row with NaN finds nothing.
        gallery: ``(m, d)`` embeddings; a row with NaN is never found.
        k: neighbours wanted, at least 1.
        similarity: ``cosine`` or ``l2``.
        names: ``(m,)`` names of the gallery images, none twice; of equally near images the first name wins.

    Returns:
        ``(n, k)`` row numbers in ``gallery``; -1 where there is no (further) neighbour.

    Raises:
        ValueError: the shapes do not fit, a name comes twice, ``k`` < 1 or the similarity is unknown.
        UsageError: the memory is too little.

    Example:
        >>> faces = np.eye(3, dtype=np.float32)
        >>> retrieve(np.float32([[0.1, 0.9, 0.1]]), faces, 2, "cosine", np.array(["c", "b", "a"]))
        array([[1, 2]])
    """
    return nearest(queries, gallery, k, similarity, names)
