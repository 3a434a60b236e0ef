"""Adam as the loop uses it: fused, resumed with the device's own choice, safe from gradients laid out otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hifibench.training.contract import Optimiser

FUSED_ON = ("cpu", "cuda")
"""Kinds of devices on which PyTorch has a fused Adam that is used here; elsewhere it takes the quickest that it has."""


def adam(parameters: Iterable[nn.Parameter], made: Optimiser) -> torch.optim.Adam:
    """Adam that takes all weights in one kernel where the device has one, which reads and writes each of them once.

    The same weights, gradients and device give the same bits, whatever the number of threads. Other implementations
    round otherwise: 6e-8 after eight steps, with weights near 1.

    Args:
        parameters: all on one device.
        made: rate and betas.
    """
    weights = list(parameters)
    fused = all(one.device.type in FUSED_ON and one.is_floating_point() for one in weights)
    return torch.optim.Adam(weights, lr=made.lr, betas=made.betas, fused=fused or None)


def restore(optimiser: torch.optim.Adam, state: Mapping[str, Any]) -> None:
    """Go on from ``optimiser.state_dict()`` of a checkpoint, which may come from another device.

    Which implementation works is this device's affair, and a checkpoint would decide it otherwise. Moments are laid
    out as their weights are: see `as_weights`.
    """
    own = {name: optimiser.param_groups[0][name] for name in ("fused", "foreach")}
    optimiser.load_state_dict({**state, "param_groups": [{**group, **own} for group in state["param_groups"]]})
    for weight, moments in optimiser.state.items():
        moments |= {name: _laid_out(one, weight) for name, one in moments.items() if one.shape == weight.shape}


def as_weights(parameters: Iterable[nn.Parameter]) -> None:
    """Lay out gradients in memory as their weights are.

    Autograd does so by itself, but a gradient that someone assigned may lie otherwise. Fused kernels walk through
    memory and would, without a word, add it to the wrong weights.
    """
    for one in parameters:
        if one.grad is not None:
            one.grad = _laid_out(one.grad, one)


def _laid_out(tensor: Tensor, weight: Tensor) -> Tensor:
    if tensor.stride() == weight.stride():
        return tensor
    return torch.empty_like(weight, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
