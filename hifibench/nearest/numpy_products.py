"""Products by NumPy: the processor's matrix library, on as many threads as it was told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hifibench.nearest.certificate import floor as certified
from hifibench.nearest.factors import Asked, Block
from hifibench.nearest.products import PIECE, Candidates, kth
from hifibench.records import Floats


class NumpyProducts:
    """See `hifibench.nearest.products.Products`."""

    name = "NumPy"
    tile = (512, 16384)
    cell_bytes = 4

    def load(self, block: Block) -> None:
        """See `Products.load`."""
        self._block = block

    def candidates(self, asked: Asked, k: int, floor: Floats) -> Iterator[Candidates]:
        """See `Products.candidates`.

        Entry c of a row stands in chunk c modulo their number. Most chunks are done with by looking at their highest
        entry; that takes a few hundredths of the time of the product.
        """
        block, there = self._block, len(self._block.columns)
        width = block.width
        product = (asked.left @ block.right.T).reshape(len(asked.left), width, -1)
        product.reshape(len(product), -1)[:, there:] = -np.inf
        error = block.error.reshape(width, -1)
        highest, doubt = product.max(axis=1), error.max(axis=0)
        floor = np.maximum(floor, certified(kth(highest - doubt, k).astype(np.float64), asked))
        row, chunk = np.nonzero(highest + doubt >= floor[:, None])
        step = PIECE // width
        for start in range(0, len(row), step):
            rows, chunks = row[start : start + step], chunk[start : start + step]
            score = product[rows, :, chunks]
            hit, within = np.nonzero(score + error[:, chunks].T >= floor[rows, None])
            column = within * product.shape[2] + chunks[hit]
            real = column < there
            yield Candidates(rows[hit][real], column[real], score[hit, within][real])
