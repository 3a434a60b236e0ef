"""Which FaceShifter: size, width and depth as data; one set of values gives the network of GHOST."""

from __future__ import annotations

from dataclasses import dataclass

ID_DIM = 512
"""Length of the identity vector z_id of all recognisers used here."""

_SMALLEST = 2
"""Side of the coarsest maps, where the generator begins (paper: from the identity by a 2x2 deconvolution)."""


@dataclass(frozen=True)
class Config:
    """Shape of AEI-Net and HEAR-Net. The defaults of AEI-Net are the paper's and GHOST's.

    Attributes:
        size: side of the images in pixels, a power of two from 32 on. It sets the depth: all levels from half of the
            size down to 2x2 pixels are encoded.
        base: channels of the attributes encoder at half of the size, doubled from level to level.
        generator_base: channels of the generator at the full size, doubled from level to level the other way.
        widest: most channels of a level.
        blocks: AAD, ReLU, convolution this many times in the main branch of an AAD ResBlk.
        tanh: whether AEI-Net ends in one, as the rebuilds do. Where it saturates there is no gradient, and in a short
            training a saturated spot stood on every nose until HEAR-Net took it away; whether it stays away without a
            tanh was not tried to the end.
        hear_base: the same of HEAR-Net as ``base``.
        hear_widest: the same of HEAR-Net as ``widest``.
        hear_depth: how often HEAR-Net halves the image.
    """

    size: int = 256
    base: int = 32
    generator_base: int = 64
    widest: int = 1024
    blocks: int = 2
    tanh: bool = True
    hear_base: int = 64
    hear_widest: int = 512
    hear_depth: int = 5

    def __post_init__(self) -> None:
        if self.size < 32 or self.size & (self.size - 1):
            raise ValueError(f"size {self.size}: expected a power of two, at least 32 pixels")
        for name in ("base", "generator_base", "blocks", "hear_base"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}: expected 1 or more")
        if self.widest < max(self.base, self.generator_base) or self.hear_widest < self.hear_base:
            raise ValueError("the widest level has fewer channels than the first one")
        if not 2 <= self.hear_depth <= self.depth:
            raise ValueError(f"hear_depth {self.hear_depth}: expected 2 to {self.depth} for {self.size} pixels")

    @property
    def depth(self) -> int:
        """How often the attributes encoder halves the image; z_att has one level more (n = 8 at 256 pixels)."""
        return (self.size // _SMALLEST).bit_length() - 1

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Channels of the attributes encoder's way down, from half of the size to 2x2 pixels."""
        return tuple(min(self.base * 2**level, self.widest) for level in range(self.depth))

    @property
    def attribute_widths(self) -> tuple[int, ...]:
        """Channels of z_att^1 … z_att^n, from 2x2 pixels to the full size; all but the first hold a skip too."""
        down = self.encoder_widths
        return (down[-1], *(2 * width for width in down[-2::-1]), 2 * down[0])

    @property
    def generator_widths(self) -> tuple[int, ...]:
        """Channels that go into the generator's blocks, from 2x2 pixels to the full size."""
        return tuple(min(self.generator_base * 2**level, self.widest) for level in range(self.depth, -1, -1))

    @property
    def hear_widths(self) -> tuple[int, ...]:
        """Channels of HEAR-Net's way down, from half of the size on."""
        return tuple(min(self.hear_base * 2**level, self.hear_widest) for level in range(self.hear_depth))
