"""A compact residual network that tells blended faces from whole ones, and its file.

Beside the verdict it is asked, in training alone, where the seam lies: a picture then teaches hundreds of places in
place of one (L. Li et al., "Face X-ray for more general face forgery detection", CVPR 2020). The blocks
are those of K. He et al., "Deep residual learning for image recognition", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hifibench.errors import MissingError

FORM = "hifibench blend-cnn 1"
SIZE = 192
"""Side of the crops in pixels."""

WIDTHS = (24, 32, 64, 128)
"""Channels at a half, a quarter, an eighth and a sixteenth of the crop's resolution."""

EMBEDDING = WIDTHS[-1]

_GRAIN = 16.0


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.shortcut = (
            nn.Identity()
            if (inside, stride) == (outside, 1)
            else nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C', H / stride, W / stride)``."""
        made = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(made + self.shortcut(x))


class BlendNetwork(nn.Module):
    """The network with fresh weights.

    Args:
        widths: channels of the stages.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.widths = widths
        self.stem = nn.Conv2d(6, widths[0], 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        first, second, third, last = widths
        self.near = nn.Sequential(Block(first, second, 2), Block(second, third, 2))
        self.far = nn.Sequential(Block(third, last, 2), Block(last, last, 1))
        self.seam = nn.Conv2d(third, 1, 1)
        self.verdict = nn.Linear(widths[-1], 1)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Crops ``(B, 3, S, S)`` RGB in [0, 1] to logits ``(B, 1)`` of a forgery, and the features ``(B, 128)``."""
        features, _ = self._features(crops)
        return self.verdict(features), features

    def taught(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """What training looks at: logits ``(B, 1)``, and logits ``(B, S / 8, S / 8)`` of a seam at each place."""
        features, places = self._features(crops)
        return self.verdict(features), self.seam(places)[:, 0]

    def _features(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        # What the crop is about outweighs its grain by far: the grain is given besides, enlarged.
        grain = crops - F.avg_pool2d(crops, 3, 1, 1, count_include_pad=False)
        places = self.near(F.relu(self.bn(self.stem(torch.cat([4 * crops - 2, _GRAIN * grain], 1)))))
        return self.far(places).mean((2, 3)), places


def save(network: BlendNetwork, card: Mapping[str, Any], file: Path) -> None:
    """Write the weights as float16 with their card; raises as `hifibench.training.weights.save`."""
    from hifibench.training import weights

    weights.save(network, FORM, {"widths": list(network.widths)}, card, file)


def load(file: Path) -> BlendNetwork:
    """The network of a file, frozen, on the CPU in float32.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged or holds another network.
    """
    from hifibench.training import weights

    if not file.is_file():
        raise MissingError(
            f"There are no weights of blend-cnn at {file}. Train them: python -m hifibench.forensics.train."
        )
    network = BlendNetwork(tuple(weights.card(file, FORM)["config"]["widths"]))
    weights.fill(network, file)
    return network
