"""Both stages in one network, which is what is trained, averaged, exported and loaded."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from baselines.faceshifter.aei import AEINet
from baselines.faceshifter.config import ID_DIM, Config
from baselines.faceshifter.hear import HEARNet, heuristic_error
from hifibench.records import Cost
from hifibench.torch_swaps import cost


class Refined(NamedTuple):
    """What the two stages give, all ``(B, 3, S, S)`` RGB in [-1, 1].

    Attributes:
        y: Y_s,t, the swap; before it is cut to the range.
        y_hat: AEI-Net's swap.
        delta: the heuristic error dY_t, in [-2, 2].
    """

    y: Tensor
    y_hat: Tensor
    delta: Tensor


class FaceShifterNet(nn.Module):
    """AEI-Net and HEAR-Net. z_id are unit vectors outside; inside they are stretched to sqrt(512), one a number."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.aei = AEINet(config)
        self.hear = HEARNet(config)

    def first(self, x_t: Tensor, z_id: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Stage one: ``x_t`` (B, 3, S, S) in [-1, 1], unit vectors ``z_id`` (B, 512) -> the swap Y_hat, and z_att."""
        made: tuple[Tensor, list[Tensor]] = self.aei(x_t, z_id * ID_DIM**0.5)
        return made

    def forward(self, x_t: Tensor, z_source: Tensor, z_target: Tensor) -> Refined:
        """Both stages.

        Args:
            x_t: ``(B, 3, S, S)`` targets in [-1, 1].
            z_source: ``(B, 512)`` unit vectors of the sources.
            z_target: ``(B, 512)`` unit vectors of the targets, for the heuristic error.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and next(self.aei.parameters()).requires_grad):
            z_att = self.aei.encoder(x_t)
            twice = [torch.cat([one, one]) for one in z_att]
            both = torch.cat([z_source, z_target]) * ID_DIM**0.5
            y_hat, reconstructed = self.aei.generator(twice, both).chunk(2)
            delta = heuristic_error(x_t, reconstructed)
        return Refined(self.hear(y_hat, delta), y_hat, delta)


def count(config: Config) -> Cost:
    """Parameters and multiply-accumulates of one swap by both stages, the recogniser left out; makes no weights."""
    with torch.device("meta"):
        network = FaceShifterNet(config).requires_grad_(False).eval()
        x_t, z_id = torch.zeros(1, 3, config.size, config.size), torch.zeros(1, ID_DIM)
        return cost(lambda: network(x_t, z_id, z_id), network)
