"""The two residual blocks that all of the generator is made of (paper, Fig. 12)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Resample = Literal["down", "up", "none"]
NormLrelu = Callable[[Tensor, Tensor, Tensor], Tensor]
SLOPE = 0.2
"""Of every leaky ReLU."""


def resample(x: Tensor, how: Resample) -> Tensor:
    """Half the size by average pooling, twice the size bilinearly, or as it is."""
    if how == "down":
        return F.avg_pool2d(x, 2)
    if how == "up":
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return x


def norm_lrelu(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """``LReLU(scale * IN(x) + shift)``: ``x`` (B, C, H, W), ``scale`` and ``shift`` (1 or B, C, 1, 1)."""
    return F.leaky_relu(scale.to(x.dtype) * F.instance_norm(x) + shift.to(x.dtype), SLOPE)


def _fusible(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """`norm_lrelu` in elementary operations, which the compiler makes into two passes over ``x``."""
    wide = x.float()
    variance, mean = torch.var_mean(wide, (2, 3), keepdim=True, correction=0)
    slope = torch.rsqrt(variance + 1e-5) * scale
    return F.leaky_relu((wide - mean) * slope + shift, SLOPE).to(x.dtype)


@cache
def _fused() -> NormLrelu:
    # All sizes go through one code object: without room for them it would fall back to single operations.
    torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
    compiled: NormLrelu = torch.compile(_fusible, dynamic=False)
    return compiled


def fuse_norms(model: nn.Module) -> None:
    """Let all blocks of a model run `norm_lrelu` as compiled code.

    PyTorch's own instance norm goes through ``(1, B C, H, W)`` and so leaves ``channels_last``; every convolution
    after it then pays for the way back. Compiled, the norm stays in the layout it was given. Needs a C++ compiler (on
    CUDA: Triton); compiles once per size, some seconds in all.
    """
    for module in model.modules():
        if isinstance(module, ResBlock):
            module.norm_lrelu = _fused()


class AdaIN(nn.Module):
    """Adaptive instance normalisation: ``(1 + gamma(v)) * IN(x) + beta(v)`` (Huang & Belongie, ICCV 2017).

    gamma and beta begin at zero, so that the decoder learns to draw a face at all before identities pull at it.
    """

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.style = nn.Linear(style_dim, 2 * channels)
        nn.init.zeros_(self.style.weight)
        nn.init.zeros_(self.style.bias)

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """``v`` (B, style_dim) -> scale and shift, (B, C, 1, 1) each."""
        gamma, beta = self.style(v)[:, :, None, None].chunk(2, dim=1)
        return 1 + gamma, beta


class Affine(nn.Module):
    """Scale and shift of an instance norm that are learned and the same for all images."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self) -> tuple[Tensor, Tensor]:
        """Scale and shift, (1, C, 1, 1) each."""
        return self.weight[None, :, None, None], self.bias[None, :, None, None]


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
        self.normed = norm or self.styled
        self.norm_lrelu: NormLrelu = norm_lrelu
        if self.normed:
            self.norm1, self.norm2 = (
                AdaIN(channels, style_dim) if self.styled else Affine(channels) for channels in (inputs, outputs)
            )
        # The second norm would take out whatever a bias put in.
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not self.normed)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, v: Tensor | None = None) -> Tensor:
        """``x`` (B, inputs, H, W) -> (B, outputs, H', W'); ``v`` (B, style_dim) where the block is styled."""
        # The 1x1 convolution and the resampling commute; the order with fewer pixels in the convolution is cheaper.
        short = resample(self.skip(x), "up") if self.how == "up" else self.skip(resample(x, self.how))
        if self.normed:
            styles = (v,) if self.styled else ()
            h = self.conv1(self.norm_lrelu(x, *self.norm1(*styles)))
            h = self.conv2(self.norm_lrelu(resample(h, self.how), *self.norm2(*styles)))
        else:
            h = resample(self.conv1(F.leaky_relu(x, SLOPE)), self.how)
            h = self.conv2(F.leaky_relu(h, SLOPE))
        total: Tensor = (short + h) * 0.5**0.5
        return total
