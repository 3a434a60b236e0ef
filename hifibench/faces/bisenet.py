"""BiSeNet for face parsing, as the common release of CelebAMask-HQ weights has it. The user brings the file.

Source: C. Yu et al., "BiSeNet: Bilateral segmentation network for real-time semantic segmentation", ECCV 2018, sections
3.2 and 3.3, with a ResNet-18 as context path. The release (face-parsing.PyTorch) has no spatial path of its own: the
trunk's features at an eighth of the resolution take its place. The modules below bear the names of its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hifibench.errors import MissingError, UsageError
from hifibench.experts import checkpoint

WANTED = "the 79999_iter.pth of face-parsing.PyTorch, or a training of that network"


class _ConvBnRelu(nn.Module):
    """A convolution that keeps the resolution, normalised and rectified."""

    def __init__(self, inward: int, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inward, width, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x)))


class _Attention(nn.Module):
    """Attention refinement: channels are scaled by what their means say."""

    def __init__(self, inward: int, width: int) -> None:
        super().__init__()
        self.conv = _ConvBnRelu(inward, width)
        self.conv_atten = nn.Conv2d(width, width, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.conv(x)
        scale = torch.sigmoid(self.bn_atten(self.conv_atten(features.mean((2, 3), keepdim=True))))
        return features * scale


class _ContextPath(nn.Module):
    """ResNet-18 and the way back up to an eighth of the resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = _resnet18()
        self.arm16 = _Attention(256, 128)
        self.arm32 = _Attention(512, 128)
        self.conv_head32 = _ConvBnRelu(128, 128)
        self.conv_head16 = _ConvBnRelu(128, 128)
        self.conv_avg = _ConvBnRelu(512, 128, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The trunk's features at an eighth, ``(B, 128, H / 8, W / 8)``, and the context there, of the same shape."""
        trunk: Any = self.resnet
        x = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(x))))
        at_8 = trunk.layer2(trunk.layer1(x))
        at_16 = trunk.layer3(at_8)
        at_32 = trunk.layer4(at_16)
        context = self.arm32(at_32) + self.conv_avg(at_32.mean((2, 3), keepdim=True))
        context = self.conv_head32(interpolate(context, at_16.shape[2:], mode="nearest")) + self.arm16(at_16)
        return at_8, self.conv_head16(interpolate(context, at_8.shape[2:], mode="nearest"))


class _Fusion(nn.Module):
    """Feature fusion: both paths, and what their means say added to them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convblk = _ConvBnRelu(width, width, 1)
        self.conv1 = nn.Conv2d(width, width // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(width // 4, width, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        features: Tensor = self.convblk(torch.cat([spatial, context], 1))
        scale = torch.sigmoid(self.conv2(torch.relu(self.conv1(features.mean((2, 3), keepdim=True)))))
        return features * scale + features


class _Head(nn.Module):
    """Scores of the classes."""

    def __init__(self, inward: int, width: int, classes: int) -> None:
        super().__init__()
        self.conv = _ConvBnRelu(inward, width)
        self.conv_out = nn.Conv2d(width, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.conv_out(self.conv(x))
        return scores


class BiSeNet(nn.Module):
    """The network with fresh weights, in evaluation mode.

    Args:
        classes: how many it tells apart.

    Raises:
        MissingError: torchvision is not installed.
    """

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.cp = _ContextPath()
        self.ffm = _Fusion(256)
        self.conv_out = _Head(256, 256, classes)
        # These two take part in training alone.
        self.conv_out16 = _Head(128, 64, classes)
        self.conv_out32 = _Head(128, 64, classes)
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` RGB, standardised as for ImageNet, to scores ``(B, C, H, W)``."""
        scores = self.conv_out(self.ffm(*self.cp(image)))
        return interpolate(scores, image.shape[2:], mode="bilinear", align_corners=True)


def fits(weights: Mapping[str, Tensor]) -> bool:
    """Whether the names of a state dict are those of this network."""
    return any(name.startswith("cp.resnet.") for name in weights) and "conv_out.conv_out.weight" in weights


def build(weights: Mapping[str, Tensor], file: Path) -> BiSeNet:
    """The network of these weights: frozen, on the CPU in float32.

    Args:
        weights: a state dict; how many classes there are is read from its last layer.
        file: where it comes from, for messages.

    Raises:
        MissingError: torchvision is not installed.
        UsageError: they are another network's.
    """
    last = weights["conv_out.conv_out.weight"]
    if last.ndim != 4:
        raise UsageError(f"{file} holds another network: its last layer has shape {tuple(last.shape)}. Give {WANTED}.")
    with torch.device("meta"):
        network = BiSeNet(len(last))
    return checkpoint.fill(network, weights, file, WANTED)


def _resnet18() -> nn.Module:
    try:
        from torchvision.models import resnet18
    except ImportError as error:
        raise MissingError(
            f"BiSeNet needs the package torchvision, which cannot be imported: {error}. "
            "Install it with 'python -m pip install torchvision'."
        ) from error
    network: nn.Module = resnet18(weights=None)
    network.fc = nn.Identity()
    return network
