"""Products by faiss, an optional library, which finds the highest of each row as it goes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hifibench.errors import MissingError
from hifibench.nearest.certificate import floor as certified
from hifibench.nearest.factors import Asked, Block
from hifibench.nearest.products import PIECE, Candidates, kth
from hifibench.records import Floats

_MORE = 8
"""Highest entries asked for at first, beside the k."""


class FaissProducts:
    """See `hifibench.nearest.products.Products`.

    faiss hands over the highest entries of each row. Where the lowest of these may still be one of the k nearest, so
    may others behind it: then more are asked for, until it may not.

    Raises:
        MissingError: faiss is not installed.
    """

    name = "faiss"
    tile = (1024, 16384)
    # A row in which all entries are alike has to be handed over whole: scores, and columns of eight bytes.
    cell_bytes = 32

    def __init__(self) -> None:
        try:
            import faiss  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError as error:
            raise MissingError(
                "faiss is not installed: python -m pip install faiss-cpu. Without it NumPy finds the same neighbours."
            ) from error
        self._faiss = faiss

    def load(self, block: Block) -> None:
        """See `Products.load`."""
        self._block = block
        self._right = block.right[: len(block.columns)]
        self._error = block.error[: len(block.columns)]

    def candidates(self, asked: Asked, k: int, floor: Floats) -> Iterator[Candidates]:
        """See `Products.candidates`."""
        there, doubt = len(self._right), self._error.max()
        pending, wanted = np.arange(len(asked.left)), min(k + _MORE, there)
        while len(pending):
            score, column = self._faiss.knn(
                asked.left[pending], self._right, wanted, metric=self._faiss.METRIC_INNER_PRODUCT
            )
            surely = np.full(len(asked.left), -np.inf)
            surely[pending] = kth(score - self._error[column], k)
            floor = np.maximum(floor, certified(surely, asked))
            # Nothing that was not handed over has a higher score than the last that was.
            done = score[:, -1] + doubt < floor[pending] if wanted < there else np.ones(len(pending), np.bool_)
            mine, least = pending[done], floor[pending[done], None]
            hit, within = np.nonzero(score[done] + self._error[column[done]] >= least)
            row, columns, values = mine[hit], column[done][hit, within], score[done][hit, within]
            for start in range(0, len(row), PIECE):
                part = slice(start, start + PIECE)
                yield Candidates(row[part], columns[part].astype(np.int64), values[part])
            pending, wanted = pending[~done], min(4 * wanted, there)
