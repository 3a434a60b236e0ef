"""Networks that are never trained here, whatever they are a part of."""

from __future__ import annotations

from typing import Self

from torch import nn


class Frozen(nn.Module):
    """A network that stays in evaluation mode for good: a trainer that switches all its parts leaves it as it is."""

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode."""
        del mode
        return super().train(False)
