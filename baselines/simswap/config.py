"""The shape of SimSwap's generator."""

from __future__ import annotations

from dataclasses import dataclass

ID_DIM = 512
"""Length of the identity vector."""

_DEEPEST = 512


@dataclass(frozen=True)
class Config:
    """All that is needed to make the generator again.

    Attributes:
        size: side of the images in pixels; the network itself runs at any multiple of ``2 ** halvings``.
        width: channels relative to the authors' networks.
        blocks: ID blocks of the bottleneck.
        halvings: how often the encoder halves the size: 3 in the authors' network for 224 pixels, 4 in that for 512,
            which has half the channels at full size.
        identity_scale: what the identity vector of unit length is multiplied by. The authors' is 1; the square root of
            512 makes its entries of the size of one, so that a short training learns from them sooner.
        momentum: of the batch norms' running statistics.
    """

    size: int = 224
    width: float = 1.0
    blocks: int = 9
    halvings: int = 3
    identity_scale: float = 1.0
    momentum: float = 0.1

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels at full size, half of it and so on, down to the bottleneck's."""
        return tuple(round(self.width * _DEEPEST) // 2**step for step in range(self.halvings, -1, -1))


PUBLISHED_224 = Config()
"""The authors' network for 224 pixels."""

PUBLISHED_512 = Config(size=512, halvings=4)
"""The authors' network for 512 pixels."""
