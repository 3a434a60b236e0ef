"""Who forms the products, behind one contract, and how much of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import UsageError
from hifibench.nearest.factors import Asked, Block, chunk_width
from hifibench.nearest.resources import Resources
from hifibench.records import Floats

PIECE = 2**15
"""Candidates handed over at once."""
_FEWEST = 64
"""Gallery rows at once, at least."""


class Candidates(NamedTuple):
    """Pairs that may be among the nearest; ``(p,)`` each.

    Attributes:
        row: rows of `Asked.left`.
        column: rows of `Block.right`.
        score: float32 products of these.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    score: Floats


class Products(Protocol):
    """Forms the products of factors and tells which may be among the k nearest."""

    name: str
    """For messages."""
    tile: tuple[int, int]
    """Queries and gallery rows at once, where memory allows: more would be no quicker."""
    cell_bytes: int
    """Memory for each entry of the product."""

    def load(self, block: Block) -> None:
        """Make a block the right factor of what follows."""
        ...

    def candidates(self, asked: Asked, k: int, floor: Floats) -> Iterator[Candidates]:
        """All pairs whose score could be among the k highest of the block and reach ``floor``, in pieces.

        Args:
            asked: the left factor.
            k: neighbours wanted.
            floor: ``(q,)`` float32, what a score and its error together have to reach; -inf: nothing.

        Yields:
            `PIECE` pairs or fewer at a time, each pair once. Others than the said may be among them.
        """
        ...


def make(resources: Resources) -> Products:
    """What the resources name.

    Raises:
        MissingError: the library or the device is not there.
        UsageError: a device that does not go with it.
    """
    if resources.finder == "torch":
        from hifibench.nearest.torch_products import TorchProducts

        return TorchProducts(resources.device)
    if resources.finder == "faiss":
        from hifibench.nearest.faiss_products import FaissProducts

        return FaissProducts()
    from hifibench.nearest.numpy_products import NumpyProducts

    return NumpyProducts()


def tile(n: int, m: int, d: int, k: int, products: Products, resources: Resources) -> tuple[int, int]:
    """Queries and gallery rows to compare at once, within the memory; the number of the latter is a power of two.

    Raises:
        UsageError: nothing is small enough.
    """
    budget = resources.memory_mib * 2**20 - _held(n, m, k)
    rows, columns = products.tile
    rows, columns = min(rows, n), min(columns, 1 << max(m - 1, 63).bit_length())
    while _needed(rows, columns, d, k, products) > budget:
        # Half of what is larger: small queries or small galleries at once make products slow.
        if rows == 1 and columns <= _FEWEST:
            least = (_held(n, m, k) + _needed(1, _FEWEST, d, k, products)) / 2**20
            raise UsageError(
                f"memory of {resources.memory_mib:g} MiB: the {k} nearest of {n} faces among {m}, {d} numbers each, "
                f"take {least:.1f} MiB at least. Allow more (--memory)."
            )
        if (columns > 16 * rows and columns > _FEWEST) or rows == 1:
            columns //= 2
        else:
            rows //= 2
    return rows, columns


def _held(n: int, m: int, k: int) -> int:
    """Bytes held from beginning to end: ranks and order of the names, what was found, which queries take part."""
    return 24 * m + 24 * n * k + 24 * n


def _needed(rows: int, columns: int, d: int, k: int, products: Products) -> int:
    """Bytes for a tile: the factors and what they are made from, the product, candidates and their merging."""
    width = chunk_width(columns, k)
    factors = 16 * (d + 1) * rows + 10 * (d + 1) * columns + 64 * (rows + columns)
    cells = rows * (columns * products.cell_bytes + columns // width * 40)
    return factors + cells + 128 * (PIECE + min(PIECE, rows) * k) + 32 * 256 * d


def kth(values: Floats, k: int) -> Floats:
    """The k-th largest entry of each row, ``(q,)``; -inf where there are fewer."""
    if values.shape[1] < k:
        return np.full(len(values), -np.inf, np.float32)
    if k == 1:
        return np.asarray(values.max(axis=1))
    return np.asarray(np.partition(values, -k, axis=1)[:, -k])
