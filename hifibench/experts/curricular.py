"""CurricularFace's improved residual network IR-101: crops of faces to identity embeddings.

Source: Y. Huang et al., "CurricularFace: Adaptive curriculum learning loss for deep face recognition", CVPR 2020, in
the form of its public backbone (HuangYG123/CurricularFace, MIT; the same as face.evoLVe's), whose names of weights the
modules below bear. Against `hifibench.experts.iresnet` its blocks lack the normalisation between the first convolution
and its slopes, a shortcut of equal width only drops every other pixel, and the last normalisation has no scale.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hifibench.errors import UsageError
from hifibench.experts import checkpoint
from hifibench.experts.frozen import Frozen

BLOCKS = {50: (3, 4, 14, 3), 101: (3, 13, 30, 3), 152: (3, 8, 36, 3)}
"""Layers -> residual blocks of the four stages."""

_WIDTHS = (64, 128, 256, 512)
_SIZE, _FEATURES = 112, 512


class Block(nn.Module):
    """Two convolutions beside a shortcut; the second one strides, and nothing follows the sum."""

    def __init__(self, inward: int, width: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer = (
            # Of a window of one pixel the largest is that pixel: a stride and nothing more.
            nn.MaxPool2d(1, stride)
            if inward == width
            else nn.Sequential(nn.Conv2d(inward, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inward),
            nn.Conv2d(inward, width, 3, padding=1, bias=False),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inward, H, W)`` to ``(B, width, H / stride, W / stride)``."""
        summed: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return summed


class CurricularFace(Frozen):
    """The network, with fresh weights, in evaluation mode for good.

    Args:
        layers: 50, 101 or 152.

    Raises:
        UsageError: no such depth is known.
    """

    def __init__(self, layers: int = 101) -> None:
        super().__init__()
        if layers not in BLOCKS:
            raise UsageError(f"There is no IR network of {layers} layers. Choose one of {', '.join(map(str, BLOCKS))}.")
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False), nn.BatchNorm2d(_WIDTHS[0]), nn.PReLU(_WIDTHS[0])
        )
        inward = (_WIDTHS[0], *_WIDTHS)
        self.body = nn.Sequential(
            *(
                Block(width if i else before, width, 1 if i else 2)
                for before, width, count in zip(inward, _WIDTHS, BLOCKS[layers], strict=False)
                for i in range(count)
            )
        )
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(_WIDTHS[-1]),
            nn.Dropout(),
            nn.Flatten(),
            nn.Linear(_WIDTHS[-1] * (_SIZE // 16) ** 2, _FEATURES),
            nn.BatchNorm1d(_FEATURES, affine=False),
        )
        self.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 112, 112)`` RGB in [-1, 1] (template ``arcface``) to ``(B, 512)``, not of unit length.

        Under autocast the trunk runs in the lower precision and the head in float32.
        """
        x = self.body(self.input_layer(crops))
        with torch.autocast(crops.device.type, enabled=False):
            embeddings: Tensor = self.output_layer(x.float())
        return embeddings


def load(file: Path, layers: int = 101) -> CurricularFace:
    """Load ``CurricularFace_Backbone.pth``: frozen, differentiable with respect to the crops.

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
        network = CurricularFace(layers)
    wanted = f"the state dict of an IR network of {layers} layers, such as CurricularFace_Backbone.pth (101)"
    return checkpoint.fill(network, checkpoint.state(file, wanted), file, wanted)
