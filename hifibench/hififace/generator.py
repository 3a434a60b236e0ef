"""The generator: encoder, decoder conditioned on v_sid, Semantic Facial Fusion (paper, Sec. 3.1-3.2, Fig. 2 and 12)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, cat, nn
from torch.nn import functional as F

from hifibench.hififace.blocks import SLOPE, ResBlock
from hifibench.hififace.config import Config


class Generated(NamedTuple):
    """What the generator returns, all RGB and masks in [0, 1].

    Attributes:
        i_r: ``(B, 3, S, S)`` the swap.
        i_out: ``(B, 3, S, S)`` what F_up draws, before it is blended with the target.
        m_r: ``(B, 1, S, S)`` image-level mask, ones where the variant has none.
        i_low: ``(B, 3, S/4, S/4)`` low-resolution swap for auxiliary losses (a quarter of the encoder's size).
        m_low: ``(B, 1, S/4, S/4)`` feature-level mask; ones where the variant has none.
        features: the maps of SFF-0..3 (Fig. 10): after the two AdaIN blocks and the two res-blocks of F_up.
    """

    i_r: Tensor
    i_out: Tensor
    m_r: Tensor
    i_low: Tensor
    m_low: Tensor
    features: tuple[Tensor, ...]


class Generator(nn.Module):
    """G: target and v_sid to the swap."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        c64, c128, c256, c512 = (config.channels(n) for n in (64, 128, 256, 512))
        style = config.style_dim
        # At 128 pixels the fifth block would leave 4 x 4: too few places for an expression. All sizes meet at 8 x 8.
        deep = config.encoder_size > 128
        self.stem = nn.Conv2d(3, c64, 3, padding=1)
        self.encoder = nn.ModuleList(
            [
                ResBlock(c64, c128, "down"),
                ResBlock(c128, c256, "down"),
                ResBlock(c256, c512, "down"),
                ResBlock(c512, c512, "down"),
                ResBlock(c512, c512, "down" if deep else "none"),
                ResBlock(c512, c512),
                ResBlock(c512, c512),
            ]
        )
        self.decoder = nn.ModuleList(
            [
                ResBlock(c512, c512, style_dim=style),
                ResBlock(c512, c512, style_dim=style),
                ResBlock(c512, c512, "up" if deep else "none", style),
                ResBlock(c512, c512, "up", style),
                ResBlock(c512, c256, "up", style),
            ]
        )
        if config.feature_fusion != "none":
            self.sigma = ResBlock(c256, c256)
        if config.feature_fusion == "mask":
            self.m_low = nn.Conv2d(c256, 1, 3, padding=1)
        if config.feature_fusion == "concat":
            self.merge = nn.Conv2d(2 * c256, c256, 1)
        self.fused = nn.ModuleList([ResBlock(c256, c256, style_dim=style) for _ in range(2)])
        self.to_low = nn.Conv2d(c256, 3, 3, padding=1)
        steps = [(c256, c128), (c128, c64)] + ([(c64, c64)] if config.size == 512 else [])
        self.f_up = nn.ModuleList([ResBlock(inputs, outputs, "up") for inputs, outputs in steps])
        self.to_image = nn.Conv2d(c64, 4 if config.image_fusion else 3, 3, padding=1)

    def forward(self, target: Tensor, v_sid: Tensor) -> Generated:
        """Swap.

        Args:
            target: I_t, ``(B, 3, S, S)`` RGB in [0, 1].
            v_sid: ``(B, config.style_dim)``.
        """
        z_enc, z = self.encode(target)
        for block in self.decoder:
            z = block(z, v_sid)
        z_fuse, m_low = self.fuse(z, z_enc)
        features = []
        for block in self.fused:
            z_fuse = block(z_fuse, v_sid)
            features.append(z_fuse)
        i_low = self.to_low(F.leaky_relu(z_fuse, SLOPE)).float().sigmoid()
        for block in self.f_up:
            z_fuse = block(z_fuse)
            features.append(z_fuse)
        # The last sums are formed in float32 also under autocast: I_r must equal I_t exactly where M_r is 0.
        drawn = self.to_image(F.leaky_relu(z_fuse, SLOPE)).float().sigmoid()
        i_out = drawn[:, :3]
        m_r = drawn[:, 3:] if self.config.image_fusion else drawn.new_ones((len(drawn), 1, *drawn.shape[2:]))
        return Generated(blend(i_out, m_r, target), i_out, m_r, i_low, m_low, tuple(features[:4]))

    def encode(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """I_t -> z_enc, the output of the second block, and the bottleneck."""
        side = self.config.encoder_size
        if target.shape[-1] != side:
            target = F.interpolate(target, size=(side, side), mode="area")
        z = self.stem(target * 2 - 1)
        z_enc = z
        for index, block in enumerate(self.encoder):
            z = block(z)
            if index == 1:
                z_enc = z
        return z_enc, z

    def fuse(self, z_dec: Tensor, z_enc: Tensor) -> tuple[Tensor, Tensor]:
        """Feature-level SFF: ``M_low * z_dec + (1 - M_low) * sigma(z_enc)`` (paper, Eq. 2), and M_low."""
        ones = z_dec.new_ones((len(z_dec), 1, *z_dec.shape[2:])).float()
        if self.config.feature_fusion == "none":
            return z_dec, ones
        kept = self.sigma(z_enc)
        if self.config.feature_fusion == "concat":
            return self.merge(cat([z_dec, kept], dim=1)), ones
        m_low = self.m_low(z_dec).float().sigmoid()
        return blend(z_dec, m_low.to(z_dec.dtype), kept), m_low


def blend(inside: Tensor, mask: Tensor, outside: Tensor) -> Tensor:
    """``mask * inside + (1 - mask) * outside``, exactly ``outside`` where the mask is 0."""
    return mask * inside + (1 - mask) * outside
