"""Products by torch: on a CUDA device, or on the processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from hifibench.device import choose
from hifibench.nearest.certificate import floor as certified
from hifibench.nearest.factors import Asked, Block
from hifibench.nearest.products import PIECE, Candidates
from hifibench.records import Floats


class TorchProducts:
    """See `hifibench.nearest.products.Products`; all but the candidates stays on the device.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: no such kind of device.
        MissingError: the device is not there.
    """

    cell_bytes = 4

    def __init__(self, device: str) -> None:
        self._device = torch.device(choose(device))
        self.name = f"torch on {self._device}"
        self.tile = (512, 16384) if self._device.type == "cpu" else (4096, 32768)

    def load(self, block: Block) -> None:
        """See `Products.load`."""
        self._block = block
        self._right = torch.from_numpy(block.right).to(self._device)
        self._error = torch.from_numpy(block.error).to(self._device)

    def candidates(self, asked: Asked, k: int, floor: Floats) -> Iterator[Candidates]:
        """See `Products.candidates`, and `NumpyProducts.candidates` for how."""
        there = len(self._block.columns)
        width = self._block.width
        with _full_precision():
            product = torch.from_numpy(asked.left).to(self._device) @ self._right.T
        product[:, there:] = -torch.inf
        product, error = product.view(len(product), width, -1), self._error.view(width, -1)
        highest, doubt = product.amax(dim=1), error.amax(dim=0)
        if highest.shape[1] >= k:
            surely = (highest - doubt).topk(k, dim=1).values[:, -1]
            floor = np.maximum(floor, certified(surely.double().cpu().numpy(), asked))
        least = torch.from_numpy(floor).to(self._device)
        row, chunk = torch.nonzero(highest + doubt >= least[:, None], as_tuple=True)
        step = PIECE // width
        for start in range(0, len(row), step):
            rows, chunks = row[start : start + step], chunk[start : start + step]
            score = product[rows, :, chunks]
            hit, within = torch.nonzero(score + error[:, chunks].T >= least[rows, None], as_tuple=True)
            column = within * product.shape[2] + chunks[hit]
            real = column < there
            found = rows[hit][real], column[real], score[hit, within][real]
            yield Candidates(*(part.cpu().numpy() for part in found))


@contextmanager
def _full_precision() -> Iterator[None]:
    """Products of float32 as such, whatever the rest of the program has chosen for its networks."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
