"""Torch networks as experts: what a row becomes never depends on its neighbours.

On a processor each row goes by itself: batched products round differently from single ones. On a GPU that would leave
most of it idle; there batches always have the same size, filled up with zeros, and the network is tried first: a row
must give the same bits at any place of a batch, beside whatever rows. If it does not, it goes row by row there, too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from hifibench.errors import MissingError
from hifibench.records import Floats

if TYPE_CHECKING:
    from torch import nn

BATCH = 32
"""Rows in a batch on a GPU."""

Outputs = tuple[Floats, ...]

_log = logging.getLogger("hifibench")

# What was found out about a network lasts as long as the network does.
_fitting: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
_trying = threading.Lock()


def run_rows(network: nn.Module, inputs: Floats, device: str, batch: int | None = None) -> Outputs:
    """Run a network on rows, each as if it were alone.

    Args:
        network: frozen and in evaluation mode, on ``device``; one input ``(b, …)`` float32, one output or a tuple of
            outputs ``(b, …)``; b is 1 on a processor.
        inputs: ``(B, …)`` float32, B at least 1.
        device: where the network is.
        batch: rows at a time; default 1 on a processor and `BATCH` elsewhere, fewer where those do not fit.

    Returns:
        Each output as ``(B, …)`` float32.

    Raises:
        MissingError: the GPU's memory is full.
    """
    import torch

    size = batch or (1 if torch.device(device).type == "cpu" else BATCH)
    with torch.inference_mode():
        if size > 1:
            with _trying:
                if network not in _fitting:
                    _fitting[network] = _fit(lambda rows: _run(network, rows, device), inputs.shape[1:], size)
                size = _fitting[network]
        try:
            parts = [_run(network, _filled(rows, size), device) for rows in _parts(inputs, size)]
        except torch.cuda.OutOfMemoryError as error:
            raise MissingError(
                f"{size} crops a time do not fit into what is left of the memory of {device}. Free some of it and run "
                "the same command again (what is finished is kept), or use --device cpu."
            ) from error
    return tuple(np.concatenate(column)[: len(inputs)] for column in zip(*parts, strict=True))


@contextmanager
def exact(device: str) -> Iterator[None]:
    """On a GPU, products in full float32 and the same algorithms every time, for all threads, until the block ends."""
    import torch

    if torch.device(device).type != "cuda":
        yield
        return
    matmul = torch.backends.cuda.matmul.allow_tf32
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = matmul


def _run(network: nn.Module, rows: Floats, device: str) -> Outputs:
    import torch

    made = network(torch.from_numpy(np.ascontiguousarray(rows)).to(device))
    made = made if isinstance(made, tuple) else (made,)
    return tuple(output.float().cpu().numpy() for output in made)


def _parts(inputs: Floats, size: int) -> list[Floats]:
    return [inputs[start : start + size] for start in range(0, len(inputs), size)]


def _filled(rows: Floats, size: int) -> Floats:
    """Rows with as many zeros after them as make a whole batch."""
    if len(rows) == size:
        return rows
    return np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), np.float32)])


def _fit(run: Callable[[Floats], Outputs], shape: tuple[int, ...], size: int) -> int:
    """The batch to use: ``size``, halved until it fits into memory, or 1 where rows would depend on their company."""
    import torch

    while size > 1:
        try:
            if _independent(run, shape, size):
                return size
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            size //= 2
            _log.warning("%d crops a time do not fit into the GPU's memory; trying %d.", 2 * size, size)
            continue
        _log.warning("In batches of %d a row's bits depend on its neighbours here: an expert goes row by row.", size)
        return 1
    return 1


def _independent(run: Callable[[Floats], Outputs], shape: tuple[int, ...], size: int) -> bool:
    """Whether rows give the same bits at other places of a batch, and beside other rows.

    The rows are always the same, so that all processes of one machine find the same.
    """
    rows = np.random.default_rng(0).random((size, *shape), np.float32)
    half = size // 2
    together, turned, apart = run(rows), run(rows[::-1]), run(_filled(rows[:half], size))
    return all(
        np.array_equal(whole[::-1], elsewhere, equal_nan=True)
        and np.array_equal(whole[:half], beside[:half], equal_nan=True)
        for whole, elsewhere, beside in zip(together, turned, apart, strict=True)
    )
