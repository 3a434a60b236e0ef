"""The improved residual networks of the ArcFace family, in PyTorch: crops of faces to identity embeddings.

Source: J. Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019, section 3.1 (the
blocks BN-conv-BN-PReLU-conv-BN and the head BN-dropout-FC-BN), in the form of InsightFace's ``arcface_torch``, whose
names of weights the modules below bear.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hifibench.errors import UsageError
from hifibench.experts import checkpoint
from hifibench.experts.frozen import Frozen

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Layers -> residual blocks of the four stages."""

WIDTHS = (64, 128, 256, 512)
SIZE, FEATURES = 112, 512


class Block(nn.Module):
    """Two convolutions beside a shortcut; the second one strides, and nothing follows the sum."""

    def __init__(self, inward: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inward)
        self.conv1 = nn.Conv2d(inward, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inward, width, 1, stride, bias=False), nn.BatchNorm2d(width))
            if stride > 1
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inward, H, W)`` to ``(B, width, H / stride, W / stride)``."""
        branch = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        summed: Tensor = self.bn3(self.conv2(branch)) + self.downsample(x)
        return summed


class IResNet(Frozen):
    """The network, with fresh weights, in evaluation mode for good.

    Args:
        layers: 18, 34, 50 or 100.

    Raises:
        UsageError: no such depth is known.
    """

    def __init__(self, layers: int = 100) -> None:
        super().__init__()
        if layers not in BLOCKS:
            raise UsageError(f"There is no IResNet of {layers} layers. Choose one of {', '.join(map(str, BLOCKS))}.")
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.prelu = nn.PReLU(WIDTHS[0])
        inward = (WIDTHS[0], *WIDTHS)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(*(Block(width if i else before, width, 1 if i else 2) for i in range(count)))
            for before, width, count in zip(inward, WIDTHS, BLOCKS[layers], strict=False)
        )
        self.bn2 = nn.BatchNorm2d(WIDTHS[-1])
        self.fc = nn.Linear(WIDTHS[-1] * (SIZE // 16) ** 2, FEATURES)
        self.features = nn.BatchNorm1d(FEATURES)
        self.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 112, 112)`` RGB in [-1, 1] (template ``arcface``) to ``(B, 512)``, not of unit length.

        The dropout of the head, idle in evaluation, is left out. Under autocast the trunk runs in the lower precision
        and the head in float32.
        """
        x = self.prelu(self.bn1(self.conv1(crops)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        x = self.bn2(x).flatten(1)
        with torch.autocast(crops.device.type, enabled=False):
            embeddings: Tensor = self.features(self.fc(x.float()))
        return embeddings


def load(file: Path, layers: int = 100) -> IResNet:
    """Load an ArcFace backbone, such as GHOST's ``backbone.pth``: frozen, differentiable with respect to the crops.

    Args:
        file: a state dict, maybe under ``state_dict``, maybe with ``module.`` before every name.
        layers: its depth.

    Returns:
        The network on the CPU in float32, in evaluation mode.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, would run code, or holds another network; or the depth is unknown.
    """
    with torch.device("meta"):
        network = IResNet(layers)
    wanted = f"the state dict of an IResNet of {layers} layers as InsightFace's arcface_torch writes it (backbone.pth)"
    return checkpoint.fill(network, checkpoint.state(file, wanted), file, wanted)
