"""MobileStyleGAN in torch: the mapping and the synthesis network, frozen, differentiable with respect to their input.

Source: Belousov 2021, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis",
arXiv:2104.04767, cited below by section. The weights are the constants of the same files that OpenVINO runs in
`hifibench.data.generator`.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hifibench import assets
from hifibench.data.openvino_ir import Array, constants

_SLOPE = 0.2
"""Of every leaky rectifier."""

_BLOCKS = 7
"""Synthesis blocks; each doubles the side, from 4 pixels to 512."""


class Weights(dict[str, Array]):
    """The float32 constants of a network by name, in the order of the file.

    The exporter kept the names of most parameters; those that it computed beforehand stand before one it kept.
    """

    @classmethod
    def of(cls, network: Literal["mapping", "synthesis"]) -> Weights:
        """Read a network's asset files.

        Raises:
            MissingError: an asset is absent.
        """
        xml, binary = (assets.path(f"mobilestylegan-{network}-{kind}") for kind in ("xml", "bin"))
        return cls((name, array) for name, array in constants(xml, binary).items() if array.dtype == np.float32)

    def up_to(self, name: str, count: int) -> list[Array]:
        """The ``count`` constants of which the named one is the last."""
        names = list(self)
        end = names.index(name) + 1
        return [self[one] for one in names[end - count : end]]


class MappingNetwork(nn.Module):
    """Points of the prior to styles: scaled to unit mean square, then eight layers (Karras et al. 2019, section 2).

    Autocast has no effect on it: the style decides the person.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        layers = [array for array in weights.values() if array.size > 1]
        self.weights = nn.ParameterList(map(_frozen, layers[::2]))
        self.biases = nn.ParameterList(map(_frozen, layers[1::2]))

    def forward(self, latents: Tensor) -> Tensor:
        """``(N, 512)`` standard normal to ``(N, 512)`` styles, not truncated."""
        with torch.autocast(latents.device.type, enabled=False):
            x = latents * torch.rsqrt(latents.square().mean(1, keepdim=True) + 1e-8)
            for weight, bias in zip(self.weights, self.biases, strict=True):
                x = F.leaky_relu(F.linear(x, weight, bias), _SLOPE) * math.sqrt(2)
            return x


class Modulation(nn.Module):
    """One factor per channel, affine in the style; computed in the weights' precision also under autocast."""

    def __init__(self, weights: Weights, name: str, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = _frozen(weights[f"{name}.modulation.weight"] * np.float32(gain))
        self.bias = _frozen(weights[f"{name}.modulation.bias"][0] * np.float32(gain))

    def forward(self, x: Tensor, styles: Tensor) -> Tensor:
        """Features ``(N, C, H, W)`` times the factors that belong to styles ``(N, 512)``."""
        with torch.autocast(x.device.type, enabled=False):
            factors = F.linear(styles.to(self.weight.dtype), self.weight, self.bias)
        return x * factors.to(x.dtype)[:, :, None, None]


class StyledConv(nn.Module):
    """Modulation, convolution, fixed noise, bias, leaky rectifier.

    The convolution is 3 x 3 in the first layer, depthwise 3 x 3 and then pointwise in the others. Demodulation does
    not depend on the style in this network and is part of the stored weights (section 3.3).
    """

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        weight, noise, bias = weights.up_to(f"{name}.bias", 3)
        depthwise = weights.get(f"{name}.conv.weight_dw")
        # The gain of weights that learn at one rate, sqrt(1 / fan-in of 3 x 3), is applied to the factors.
        self.modulation = Modulation(weights, f"{name}.conv", 1 / math.sqrt(9 * weight.shape[1]))
        self.depthwise = None if depthwise is None else _frozen(depthwise[:, 0])
        self.weight, self.noise, self.bias = _frozen(weight), _frozen(noise), _frozen(bias.ravel())

    def forward(self, x: Tensor, styles: Tensor) -> Tensor:
        """``(N, C, H, W)`` and ``(N, 512)`` to ``(N, C', H, W)``."""
        x = self.modulation(x, styles)
        if self.depthwise is not None:
            x = F.conv2d(x, self.depthwise, padding=1, groups=len(self.depthwise))
        x = F.conv2d(x, self.weight, self.bias, padding=self.weight.shape[-1] // 2)
        x += self.noise.to(x.dtype)  # in place, as is the rectifier: these are the largest tensors there are
        return F.leaky_relu(x, _SLOPE, inplace=True)


class SynthesisBlock(nn.Module):
    """Modulation, inverse wavelet, two styled convolutions (section 3.2)."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.up = Modulation(weights, f"{name}.up")
        self.conv1 = StyledConv(weights, f"{name}.conv1")
        self.conv2 = StyledConv(weights, f"{name}.conv2")

    def forward(self, x: Tensor, styles: Tensor) -> Tensor:
        """``(N, C, H, W)`` and ``(N, 512)`` to ``(N, C', 2 H, 2 W)``."""
        x = inverse_haar(self.up(x, styles))
        result: Tensor = self.conv2(self.conv1(x, styles), styles)
        return result


class SynthesisNetwork(nn.Module):
    """Styles to images. Under autocast the factors of the styles and the last layer keep the weights' precision.

    Args:
        weights: of the network ``synthesis``.
        size: side of the images: 1024, or 512 for the low band before the last inverse wavelet, which is twice the
            mean over 2 x 2 pixels.
    """

    def __init__(self, weights: Weights, size: Literal[512, 1024]) -> None:
        super().__init__()
        self.size = size
        self.input = _frozen(weights["m.input.input"])
        self.conv1 = StyledConv(weights, "m.conv1")
        self.blocks = nn.ModuleList(SynthesisBlock(weights, f"m.layers.{i}") for i in range(_BLOCKS))
        last = f"m.layers.{_BLOCKS - 1}.to_img"
        weight, bias = weights[f"{last}.conv.weight"], weights[f"{last}.bias"].ravel()
        if size == 512:
            weight, bias = weight[:3] / 2, bias[:3] / 2
        self.to_img = Modulation(weights, f"{last}.conv", 1 / math.sqrt(weight.shape[1]))
        self.weight, self.bias = _frozen(weight), _frozen(bias)

    def forward(self, styles: Tensor) -> Tensor:
        """``(N, 512)`` to ``(N, 3, size, size)`` RGB, nominally in [-1, 1], not clipped."""
        x = self.conv1(self.input.expand(len(styles), -1, -1, -1), styles)
        for block in self.blocks:
            x = block(x, styles)
        with torch.autocast(x.device.type, enabled=False):
            image = F.conv2d(self.to_img(x.to(self.weight.dtype), styles), self.weight, self.bias)
            return image if self.size == 512 else inverse_haar(image)


def inverse_haar(bands: Tensor) -> Tensor:
    """One level of the inverse orthonormal Haar wavelet transform.

    Args:
        bands: ``(N, 4 C, H, W)``: C low bands, then for each of them its differences down, across and both.

    Returns:
        ``(N, C, 2 H, 2 W)``.
    """
    n, channels, height, width = bands.shape
    low, differences = bands.tensor_split([channels // 4], 1)
    down, across, both = differences.reshape(n, channels // 4, 3, height, width).unbind(2)
    upper, upper_across = low + down, across + both
    lower, lower_across = low - down, across - both
    quads = torch.stack([upper + upper_across, upper - upper_across, lower + lower_across, lower - lower_across], 2)
    return F.pixel_shuffle(quads.flatten(1, 2) / 2, 2)


def _frozen(array: Array) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(array.copy()), requires_grad=False)
