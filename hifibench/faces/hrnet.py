"""HRNetV2 for segmentation, as its authors' code has it (without OCR). The user brings the file.

Source: J. Wang et al., "Deep high-resolution representation learning for visual recognition", TPAMI 2020, section 3 and
figure 4 (b): four branches, exchanged again and again, brought to the resolution of the first and classified by two
1x1 convolutions. The trunk is timm's, whose weights bear the same names; for classification it repeats pixels on the
way up, for segmentation they are interpolated.

HifiFace parses faces with an HRNet that it does not name; no public weights of one were found. The labels are
therefore those of the two common data sets, by their number, and weights of a training in this layout are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hifibench.errors import UsageError
from hifibench.experts import checkpoint
from hifibench.experts.timm_trunks import trunk

WIDTHS = (18, 30, 32, 40, 44, 48, 64)
"""Channels of the first branch that are known; the others have 2, 4 and 8 times as many."""

WANTED = "a training of HRNet-Semantic-Segmentation's HRNetV2 without OCR (its best.pth or final_state.pth)"

_SCALES = 1 + 2 + 4 + 8


class HrNet(nn.Module):
    """The network with fresh weights, in evaluation mode.

    Args:
        width: one of `WIDTHS`.
        classes: how many it tells apart.
        kernel: side of the last convolution, 1 or 3.
        align_corners: how maps are interpolated: false in the authors' branches ``master`` and ``pytorch-v1.1``, a
            setting in their branch ``HRNet-OCR``. A file does not tell; the wrong one moves outlines by parts of a
            map's pixel, which are four of the image's.

    Raises:
        MissingError: timm is not installed.
        UsageError: the width is not known.
    """

    def __init__(self, width: int = 18, classes: int = 19, kernel: int = 1, align_corners: bool = False) -> None:
        super().__init__()
        if width not in WIDTHS:
            raise UsageError(f"There is no HRNet of width {width}. Choose one of {', '.join(map(str, WIDTHS))}.")
        self.trunk = trunk(f"hrnet_w{width}", features_only=True, feature_location="", out_indices=(1, 2, 3, 4))
        for module in self.trunk.modules():
            if isinstance(module, nn.Upsample):
                module.mode, module.align_corners = "bilinear", align_corners
        self.align_corners = align_corners
        channels = _SCALES * width
        self.last_layer = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, classes, kernel, padding=kernel // 2),
        )
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` RGB, standardised as for ImageNet, to scores ``(B, C, H, W)``; 32 divides H and W."""
        first, *others = self.trunk(image)
        maps = [first, *(self._resized(one, first) for one in others)]
        return self._resized(self.last_layer(torch.cat(maps, 1)), image)

    def _resized(self, one: Tensor, like: Tensor) -> Tensor:
        return interpolate(one, like.shape[2:], mode="bilinear", align_corners=self.align_corners)


def fits(weights: Mapping[str, Tensor]) -> bool:
    """Whether the names of a state dict are those of this network, maybe with the ``model.`` of its training."""
    names = _ours(weights)
    return "trunk.stage4.0.branches.0.0.conv1.weight" in names and "last_layer.3.weight" in names


def build(weights: Mapping[str, Tensor], file: Path) -> HrNet:
    """The network of these weights: frozen, on the CPU in float32.

    Args:
        weights: a state dict; the width and the number of classes are read from it.
        file: where it comes from, for messages.

    Raises:
        MissingError: timm is not installed.
        UsageError: they are another network's, the small variants' or one with OCR.
    """
    named = _ours(weights)
    width, last = len(named["trunk.stage4.0.branches.0.0.conv1.weight"]), named["last_layer.3.weight"]
    if width not in WIDTHS or last.ndim != 4:
        raise UsageError(
            f"{file} holds another network: its first branch has {width} channels, expected one of "
            f"{', '.join(map(str, WIDTHS))}, and its last layer has shape {tuple(last.shape)}. Give {WANTED}."
        )
    with torch.device("meta"):
        network = HrNet(width, len(last), last.shape[-1])
    return checkpoint.fill(network, named, file, WANTED)


def _ours(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' names as ours: their training wraps the network as ``model`` and its loss beside it."""
    prefix = "model." if any(name.startswith("model.") for name in weights) else ""
    kept = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    return {name if name.startswith("last_layer.") else f"trunk.{name}": value for name, value in kept.items()}
