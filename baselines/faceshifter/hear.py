"""HEAR-Net, the second stage: what of the target AEI-Net lost is put back (Sec. 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.faceshifter.aei import Up, down
from baselines.faceshifter.config import Config


class HEARNet(nn.Module):
    """A U-Net that sees AEI-Net's swap and the heuristic error.

    The paper shows a U-Net and leaves its last layers open. Here the last convolution sees the input once more, its
    result is added to AEI-Net's swap, and it begins at zero: until it is trained, HEAR-Net changes nothing.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = config.hear_widths
        self.downs = nn.ModuleList(down(*pair) for pair in zip((6, *widths), widths, strict=False))
        # Every level above the coarsest comes with a skip as wide as itself.
        inputs = (widths[-1], *(2 * width for width in widths[-2::-1]))
        self.ups = nn.ModuleList(Up(*pair) for pair in zip(inputs, (*widths[-2::-1], widths[0]), strict=True))
        self.last = nn.Conv2d(widths[0] + 6, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, y_hat: Tensor, delta: Tensor) -> Tensor:
        """``Y_s,t = HEAR(Y_hat, dY)`` (Eq. 11).

        Args:
            y_hat: ``(B, 3, S, S)`` AEI-Net's swap in [-1, 1].
            delta: ``(B, 3, S, S)`` the heuristic error (`heuristic_error`) in [-2, 2].

        Returns:
            ``(B, 3, S, S)``, not limited to [-1, 1].
        """
        features = [torch.cat([y_hat, delta], dim=1)]
        for layer in self.downs:
            features.append(layer(features[-1]))
        x = features.pop()
        for layer in self.ups:
            x = layer(x, features.pop())
        made: Tensor = y_hat + self.last(x)
        return made


def heuristic_error(x_t: Tensor, reconstructed: Tensor) -> Tensor:
    """``dY_t = X_t - AEI(X_t, X_t)`` (Eq. 10): where AEI-Net cannot draw the target itself, it lost something of it."""
    return x_t - reconstructed
