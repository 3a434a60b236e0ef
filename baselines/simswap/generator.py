"""SimSwap's generator: an encoder, ID blocks that inject the source's identity, a decoder (Sec. 3.1).

Source: R. Chen et al., "SimSwap", ACM Multimedia 2020. Names and shapes of weights are those of the authors' files, so
that these load strictly; what the paper leaves open (padding, norms, upsampling) is as their network computes it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.simswap.config import ID_DIM, Config
from hifibench.records import Cost
from hifibench.torch_swaps import cost

Adain = Callable[[Tensor, Tensor, Tensor], Tensor]

_EPSILON = 1e-8
_FIRST_NAME = 4
"""The levels' names count from that of 32 channels in the network for 512 pixels: ``down0``; the bottleneck is 4."""


def adain(feat: Tensor, sigma_s: Tensor, mu_s: Tensor) -> Tensor:
    """``sigma_s * (Feat - mu(Feat)) / sigma(Feat) + mu_s`` (Eq. 1).

    Args:
        feat: ``(B, C, H, W)``.
        sigma_s: ``(B, C, 1, 1)`` scale, from the identity.
        mu_s: ``(B, C, 1, 1)`` shift, from the identity.
    """
    wide = feat.float()
    variance, mean = torch.var_mean(wide, (2, 3), keepdim=True, correction=0)
    return ((wide - mean) * (torch.rsqrt(variance + _EPSILON) * sigma_s.float()) + mu_s.float()).to(feat.dtype)


@cache
def _fused() -> Adain:
    # All sizes go through one code object: without room for them it would fall back to single operations.
    torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
    compiled: Adain = torch.compile(adain, dynamic=False)
    return compiled


def fuse_adain(model: nn.Module) -> None:
    """Let all ID blocks of a model run `adain` as compiled code, which makes two passes over the features of it.

    Needs a C++ compiler (on CUDA: Triton); compiles once per size, some seconds in all.
    """
    for module in model.modules():
        if isinstance(module, IDBlock):
            module.adain = _fused()


class Style(nn.Module):
    """sigma_s - 1 and mu_s from the identity vector by one fully connected layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(ID_DIM, 2 * channels)
        # So that all identities begin alike; the vectors are too short for the usual start to mean much.
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, v_s: Tensor) -> tuple[Tensor, Tensor]:
        """``v_s`` (B, 512) -> sigma_s and mu_s, (B, C, 1, 1) each."""
        scale, shift = self.linear(v_s)[:, :, None, None].chunk(2, dim=1)
        return 1 + scale, shift


class IDBlock(nn.Module):
    """Convolution, AdaIN, ReLU, convolution, AdaIN, beside the identity; nothing follows the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.adain: Adain = adain
        self.conv1, self.conv2 = (
            nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3)) for _ in range(2)
        )
        self.style1, self.style2 = (Style(channels) for _ in range(2))

    def forward(self, x: Tensor, v_s: Tensor) -> Tensor:
        """``x`` (B, C, H, W), ``v_s`` (B, 512) -> like ``x``."""
        y = F.relu(self.adain(self.conv1(x), *self.style1(v_s)))
        return x + self.adain(self.conv2(y), *self.style2(v_s))


class Generator(nn.Module):
    """SimSwap's generator, with fresh weights.

    Args:
        config: its shape. `PUBLISHED_224` and `PUBLISHED_512` give the authors' two networks.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        channels, momentum = config.channels, config.momentum
        self.first_layer = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, channels[0], 7), _norm(channels[0], momentum), nn.ReLU()
        )
        levels = range(_FIRST_NAME - config.halvings, _FIRST_NAME)
        for level, (outer, inner) in zip(levels, pairwise(channels), strict=True):
            self.add_module(
                f"down{level}",
                nn.Sequential(nn.Conv2d(outer, inner, 3, stride=2, padding=1), _norm(inner, momentum), nn.ReLU()),
            )
        self.BottleNeck = nn.Sequential(*(IDBlock(channels[-1]) for _ in range(config.blocks)))
        for level, (outer, inner) in reversed(list(zip(levels, pairwise(channels), strict=True))):
            self.add_module(
                f"up{level}",
                nn.Sequential(
                    nn.Upsample(scale_factor=2, mode="bilinear"),
                    nn.Conv2d(inner, outer, 3, padding=1),
                    _norm(outer, momentum),
                    nn.ReLU(),
                ),
            )
        self.last_layer = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(channels[0], 3, 7), nn.Tanh())
        self._down = tuple(f"down{level}" for level in levels)
        self._up = tuple(f"up{level}" for level in reversed(levels))

    def forward(self, target: Tensor, v_s: Tensor) -> Tensor:
        """The swap I_R.

        Args:
            target: I_T, ``(B, 3, S, S)`` RGB in [0, 1], S a multiple of ``2 ** halvings``.
            v_s: ``(B, 512)`` identity of the source, of unit length.

        Returns:
            ``(B, 3, S, S)`` RGB in [0, 1].
        """
        x = self.first_layer(target)
        for name in self._down:
            x = self.get_submodule(name)(x)
        v_s = v_s * self.config.identity_scale
        for block in self.BottleNeck:
            x = block(x, v_s)
        for name in self._up:
            x = self.get_submodule(name)(x)
        image: Tensor = (self.last_layer(x) + 1) / 2
        return image


def count(config: Config) -> Cost:
    """Parameters and multiply-accumulates of one swap by the generator alone; makes no weights."""
    with torch.device("meta"):
        generator = Generator(config).requires_grad_(False).eval()
        target, v_s = torch.zeros(1, 3, config.size, config.size), torch.zeros(1, ID_DIM)
        return cost(lambda: generator(target, v_s), generator)


def _norm(channels: int, momentum: float) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=momentum)
