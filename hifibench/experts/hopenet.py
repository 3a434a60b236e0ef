"""Hopenet: a ResNet-50 with three heads of 66 bins, one an angle. The user brings its state dict.

Source: N. Ruiz, E. Chong, J. M. Rehg, "Fine-grained head pose estimation without keypoints", CVPRW 2018, sections 3.2
and 3.3: an angle is the expectation over bins of three degrees.

Its signs, by the axes that its own code draws into images and by the rotation of its training labels (300W-LP): a
positive yaw turns the nose to the image's left, a positive pitch lifts it, a positive roll turns the head clockwise as
seen. Only yaw differs from this project's.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hifibench.experts import checkpoint
from hifibench.experts.frozen import Frozen
from hifibench.experts.timm_trunks import standardised, trunk

BINS, BIN_DEG, FIRST_DEG = 66, 3, -99

WANTED = "the hopenet_robust_alpha1.pkl of deep-head-pose"
"""What the file should be, for messages."""

_FEATURES = 2048
_HEADS = ("fc_yaw", "fc_pitch", "fc_roll")
_LEFTOVER = "fc_finetune."


class Hopenet(Frozen):
    """The network, with fresh weights, in evaluation mode for good.

    Raises:
        MissingError: timm is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = trunk("resnet50", num_classes=0)
        self.fc_yaw, self.fc_pitch, self.fc_roll = (nn.Linear(_FEATURES, BINS) for _ in _HEADS)
        self.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 224, 224)`` RGB in [0, 1] to yaw, pitch and roll ``(B, 3)`` in degrees and project signs."""
        features = self.trunk(standardised(crops))
        places = torch.arange(BINS, device=crops.device, dtype=torch.float32)
        yaw, pitch, roll = (
            head(features).float().softmax(dim=1) @ places * BIN_DEG + FIRST_DEG
            for head in (self.fc_yaw, self.fc_pitch, self.fc_roll)
        )
        return torch.stack([-yaw, pitch, roll], dim=1)


def load(file: Path) -> Hopenet:
    """Load a published snapshot.

    Args:
        file: a state dict with the names of a torchvision ResNet-50 and those of the three heads. Its fourth layer,
            ``fc_finetune``, takes no part in the angles and is left alone. Snapshots of 2017 lack the counters of the
            batch normalisations, which evaluation does not read.

    Returns:
        The network on the CPU in float32, frozen, in evaluation mode.

    Raises:
        MissingError: there is no such file, or timm is not installed.
        UsageError: it is damaged, would run code, or holds another network.
    """
    with torch.device("meta"):
        network = Hopenet()
    found = {
        name if name.startswith(_HEADS) else f"trunk.{name}": value
        for name, value in checkpoint.state(file, WANTED).items()
        if not name.startswith(_LEFTOVER)
    }
    counters = {
        name: torch.zeros((), dtype=torch.int64)
        for name in network.state_dict()
        if name.endswith("num_batches_tracked")
    }
    return checkpoint.fill(network, {**counters, **found}, file, WANTED)
