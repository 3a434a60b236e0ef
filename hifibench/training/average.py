"""The moving average of a generator's weights, which is what training gives away."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


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
        self._done: dict[nn.Parameter, int] = {}

    def follow(self, optimiser: torch.optim.Adam) -> None:
        """Take in the weights after a step of the optimiser.

        In a weight's first steps the average is over fewer of them, so that it forgets the random start sooner.
        Weights that got no gradient, frozen in a second stage, stay as they are on average. Buffers, such as a norm's
        running statistics, are averages already and are copied.
        """
        groups: dict[float, tuple[list[Tensor], list[Tensor]]] = {}
        for mine, live in zip(self.network.parameters(), self._live.parameters(), strict=True):
            if live.grad is not None:
                # Counted here: a fused optimiser counts on the device, and asking it each time would wait for it.
                if live not in self._done:
                    self._done[live] = int(optimiser.state[live]["step"]) - 1
                done = self._done[live]
                self._done[live] += 1
                group = groups.setdefault(1 - min(self._decay, (1 + done) / (10 + done)), ([], []))
                group[0].append(mine)
                group[1].append(live)
        with torch.no_grad():
            for weight, (averages, weights) in groups.items():
                torch._foreach_lerp_(averages, weights, weight)
            for copied, running in zip(self.network.buffers(), self._live.buffers(), strict=True):
                copied.copy_(running)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the live network has the averaged weights; afterwards its own again."""
        own = copy.deepcopy(self._live.state_dict())
        self._live.load_state_dict(self.network.state_dict())
        try:
            yield
        finally:
            self._live.load_state_dict(own)
