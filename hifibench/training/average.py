"""The moving average of a generator's weights, which is what training gives away."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class WeightAverage:
    """Exponential moving average of a network's weights.

    Args:
        network: what is averaged; its weights now are the first average.
        decay: per step.

    Attributes:
        network: a copy of the network with the averaged weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._live, self._decay = network, decay

    def follow(self, step: int) -> None:
        """Take in the weights after step ``step``, counted from 0.

        In the first steps the average is over fewer of them, so that it forgets the random start sooner. Buffers, such
        as a norm's running statistics, are averages already and are copied.
        """
        weight = 1 - min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.network.parameters()), list(self._live.parameters()), weight)
            for mine, live in zip(self.network.buffers(), self._live.buffers(), strict=True):
                mine.copy_(live)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the live network has the averaged weights; afterwards its own again."""
        own = copy.deepcopy(self._live.state_dict())
        self._live.load_state_dict(self.network.state_dict())
        try:
            yield
        finally:
            self._live.load_state_dict(own)
