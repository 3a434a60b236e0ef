"""The two residual blocks that all of the generator is made of (paper, Fig. 12)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Resample = Literal["down", "up", "none"]
SLOPE = 0.2
"""Of every leaky ReLU."""


def resample(x: Tensor, how: Resample) -> Tensor:
    """Half the size by average pooling, twice the size bilinearly, or as it is."""
    if how == "down":
        return F.avg_pool2d(x, 2)
    if how == "up":
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return x


class AdaIN(nn.Module):
    """Adaptive instance normalisation: ``(1 + gamma(v)) * IN(x) + beta(v)`` (Huang & Belongie, ICCV 2017)."""

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels)
        self.style = nn.Linear(style_dim, 2 * channels)

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """``x`` (B, C, H, W), ``v`` (B, style_dim) -> (B, C, H, W)."""
        gamma, beta = self.style(v)[:, :, None, None].chunk(2, dim=1)
        moved: Tensor = (1 + gamma) * self.norm(x) + beta
        return moved


class ResBlock(nn.Module):
    """norm, LReLU, conv3, resample, norm, LReLU, conv3; the skip is a 1x1 convolution with the same resampling.

    The norms are AdaIN where ``style_dim`` is given, else instance norms with learned scale and shift, or none at all
    (``norm=False``, for the discriminator). The sum is divided by sqrt(2), so that the variance does not grow from
    block to block.
    """

    def __init__(
        self, inputs: int, outputs: int, how: Resample = "none", style_dim: int = 0, norm: bool = True
    ) -> None:
        super().__init__()
        self.how: Resample = how
        self.styled = style_dim > 0

        def make(channels: int) -> nn.Module:
            if self.styled:
                return AdaIN(channels, style_dim)
            return nn.InstanceNorm2d(channels, affine=True) if norm else nn.Identity()

        self.norm1 = make(inputs)
        # The second norm would take out whatever a bias put in.
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not (self.styled or norm))
        self.norm2 = make(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, v: Tensor | None = None) -> Tensor:
        """``x`` (B, inputs, H, W) -> (B, outputs, H', W'); ``v`` (B, style_dim) where the block is styled."""
        styles = (v,) if self.styled else ()
        # The 1x1 convolution and the resampling commute; the order with fewer pixels in the convolution is cheaper.
        short = resample(self.skip(x), "up") if self.how == "up" else self.skip(resample(x, self.how))
        h = self.conv1(F.leaky_relu(self.norm1(x, *styles), SLOPE))
        h = self.conv2(F.leaky_relu(self.norm2(resample(h, self.how), *styles), SLOPE))
        total: Tensor = (short + h) * 0.5**0.5
        return total
