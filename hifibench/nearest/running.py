"""The k nearest found so far of every query, whatever comes in whatever order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Running:
    """The k nearest of n queries: nearest first, equally near ones by their rank.

    Attributes:
        near: ``(n, k)`` float64 nearness; -inf where nothing was found yet.
        rank: ``(n, k)`` int64 ranks; ``none`` where nothing was found yet.
    """

    def __init__(self, n: int, k: int, none: int) -> None:
        self.near = np.full((n, k), -np.inf)
        self.rank = np.full((n, k), none, np.int64)

    def add(self, row: NDArray[np.int64], near: NDArray[np.float64], rank: NDArray[np.int64]) -> None:
        """Take some more pairs in, ``(p,)`` each, none of which was there before."""
        k = self.near.shape[1]
        touched, place = np.unique(row, return_inverse=True)
        row = np.concatenate((np.repeat(np.arange(len(touched)), k), place))
        near = np.concatenate((self.near[touched].ravel(), near))
        rank = np.concatenate((self.rank[touched].ravel(), rank))
        order = np.lexsort((rank, -near, row))
        row = row[order]
        # Every query brought k of its own along, so that the first k of its run fill its places.
        first = order[np.arange(len(row)) - np.searchsorted(row, row) < k]
        self.near[touched] = near[first].reshape(-1, k)
        self.rank[touched] = rank[first].reshape(-1, k)
