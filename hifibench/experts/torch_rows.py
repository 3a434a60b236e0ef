"""Torch networks as experts: each crop by itself, so that a row never depends on its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hifibench.records import Floats

if TYPE_CHECKING:
    from torch import nn


def run_rows(network: nn.Module, inputs: Floats, device: str) -> tuple[Floats, ...]:
    """Run a network on each row by itself.

    Batched products round differently from single ones, so a batch would tie a row to its neighbours.

    Args:
        network: frozen and in evaluation mode, on ``device``; one input ``(1, …)`` float32, one output or a tuple of
            outputs ``(1, …)``.
        inputs: ``(B, …)`` float32, B at least 1.
        device: where the network is.

    Returns:
        Each output as ``(B, …)`` float32.
    """
    import torch

    rows = []
    with torch.inference_mode():
        for one in inputs:
            made = network(torch.from_numpy(np.ascontiguousarray(one[None])).to(device))
            made = made if isinstance(made, tuple) else (made,)
            rows.append([output.float().cpu().numpy()[0] for output in made])
    return tuple(np.stack(column) for column in zip(*rows, strict=True))
