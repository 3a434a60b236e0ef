"""SphereFace's 20 layers as CosFace_pytorch trains them: crops of faces to identity embeddings.

Source: H. Wang et al., "CosFace: Large margin cosine loss for deep face recognition", CVPR 2018; the network is that of
W. Liu et al., "SphereFace: Deep hypersphere embedding for face recognition", CVPR 2017 (20 layers, no batch
normalisation), under the names of weights of the public code (MuggleWang/CosFace_pytorch, MIT).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hifibench.experts import checkpoint

WANTED = "the ACC99.28.pth of MuggleWang/CosFace_pytorch (sphere20, crops of 112x96)"

_WIDTHS, _BLOCKS = (64, 128, 256, 512), (1, 2, 4, 1)
_HEIGHT, _WIDTH, _FEATURES = 112, 96, 512

LEFT = 8
"""Columns of the ArcFace crop on either side that this network does not see: its template is ArcFace's less 8 in x."""


class Block(nn.Module):
    """Two convolutions, each with its own slopes, beside an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.prelu1 = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.prelu2 = nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, width, H, W)`` to the same shape."""
        summed: Tensor = x + self.prelu2(self.conv2(self.prelu1(self.conv1(x))))
        return summed


class Sphere20(nn.Module):
    """The network, with fresh weights, in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        inward = (3, *_WIDTHS)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(
                nn.Conv2d(before, width, 3, stride=2, padding=1),
                nn.PReLU(width),
                *(Block(width) for _ in range(count)),
            )
            for before, width, count in zip(inward, _WIDTHS, _BLOCKS, strict=False)
        )
        self.fc = nn.Linear(_WIDTHS[-1] * (_HEIGHT // 16) * (_WIDTH // 16), _FEATURES)
        self.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 112, 96)`` RGB in [-1, 1] to ``(B, 512)``, not of unit length."""
        x = self.layer4(self.layer3(self.layer2(self.layer1(crops))))
        embeddings: Tensor = self.fc(x.flatten(1))
        return embeddings


class CosFace(nn.Module):
    """The network as its authors compare faces: the crop's embedding, then that of the mirrored crop.

    Args:
        trunk: what sees one crop.
    """

    def __init__(self, trunk: Sphere20) -> None:
        super().__init__()
        self.trunk = trunk
        self.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 112, 112)`` RGB in [-1, 1] (template ``arcface``) to ``(B, 1024)``, not of unit length."""
        narrow = crops[..., LEFT : LEFT + _WIDTH]
        return torch.cat([self.trunk(narrow), self.trunk(narrow.flip(-1))], dim=1)


def load(file: Path) -> CosFace:
    """Load ``ACC99.28.pth``: frozen, on the CPU in float32, in evaluation mode.

    Args:
        file: a state dict, maybe under ``state_dict``, maybe with ``module.`` before every name.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, would run code, or holds another network.
    """
    with torch.device("meta"):
        trunk = Sphere20()
    return CosFace(checkpoint.fill(trunk, checkpoint.state(file, WANTED), file, WANTED))
