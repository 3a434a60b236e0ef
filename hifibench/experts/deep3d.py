"""Deep3DFaceRecon: a ResNet-50 that sees a face as 257 coefficients. The user brings its checkpoint.

Source: Y. Deng et al., "Accurate 3D face reconstruction with weakly-supervised learning: from single image to image
set", CVPRW 2019, in the form of its PyTorch release, whose layout the constants below restate.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hifibench.contracts import Crop
from hifibench.errors import MissingError, UsageError
from hifibench.experts import checkpoint as reader
from hifibench.experts.frozen import Frozen

CROP = Crop("deep3d", 224)
"""What the network sees: RGB in [0, 1], not standardised."""

HEADS = (80, 64, 80, 3, 27, 2, 1)
"""Widths of the seven heads: identity, expression, texture, angles, light, translation in x and y, and in z."""

WANTED = "the epoch_20.pth of Deep3DFaceRecon's PyTorch release"
"""What the checkpoint should be, for messages."""

_FEATURES = 2048


class Deng(NamedTuple):
    """The 257 coefficients of B crops.

    Attributes:
        identity: ``(B, 80)``, alpha, in standard deviations of the Basel model.
        expression: ``(B, 64)``, beta, likewise.
        texture: ``(B, 80)``, likewise.
        angles: ``(B, 3)`` radians about x, y and z; the head is turned about x first.
        light: ``(B, 27)``, spherical harmonics of three bands for red, then green, then blue.
        translation: ``(B, 3)`` decimetres.
    """

    identity: Tensor
    expression: Tensor
    texture: Tensor
    angles: Tensor
    light: Tensor
    translation: Tensor


class Deep3dNetwork(Frozen):
    """The network, frozen and in evaluation mode for good, differentiable with respect to the crops.

    Args:
        checkpoint: ``epoch_20.pth`` of the release, or one of the same layout: ``net_recon`` holds the state of a
            torchvision ResNet-50 without its last layer (``backbone.*``) and of seven 1x1 convolutions
            (``final_layers.0`` to ``final_layers.6``). Whatever else it holds is left alone.

    Raises:
        UsageError: there is no such file, it is damaged, would run code, or holds another network.
        MissingError: torchvision is not installed.
    """

    def __init__(self, checkpoint: Path) -> None:
        super().__init__()
        # Without storage, since every weight comes from the file.
        with torch.device("meta"):
            self.backbone = _resnet50()
            self.final_layers = nn.ModuleList(nn.Conv2d(_FEATURES, width, 1) for width in HEADS)
        reader.fill(self, _state(checkpoint), checkpoint, WANTED)

    def forward(self, crops: Tensor) -> Deng:
        """Crops ``(B, 3, 224, 224)`` RGB in [0, 1] by `CROP` to coefficients in float32.

        Under autocast the trunk runs in the lower precision and the heads in float32.
        """
        features = self.backbone(crops)[:, :, None, None]
        with torch.autocast(crops.device.type, enabled=False):
            of_heads = [head(features.float()).flatten(1) for head in self.final_layers]
        identity, expression, texture, angles, light, *shifts = of_heads
        return Deng(identity, expression, texture, angles, light, torch.cat(shifts, dim=1))


def _resnet50() -> nn.Module:
    try:
        from torchvision.models import resnet50
    except ImportError as error:
        raise MissingError(
            f"Deep3DFaceRecon needs the package torchvision, which cannot be imported: {error}. "
            "Install it with 'python -m pip install torchvision'."
        ) from error
    network: nn.Module = resnet50(weights=None)
    network.fc = nn.Identity()
    return network


def _state(checkpoint: Path) -> Mapping[str, Tensor]:
    """``net_recon`` of a checkpoint, read without running any code that the file may carry."""
    if not checkpoint.is_file():
        raise UsageError(f"There is no checkpoint {checkpoint}. Give {WANTED}.")
    saved = reader.read(checkpoint, WANTED)
    state = saved.get("net_recon") if isinstance(saved, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        held = ", ".join(map(str, saved)) if isinstance(saved, dict) and len(saved) < 10 else type(saved).__name__
        raise UsageError(f"{checkpoint} has no network 'net_recon' (it holds: {held}). Give {WANTED}.")
    return state
