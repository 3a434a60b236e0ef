"""The Xception of FaceForensics++, which tells forged faces from real ones. The user brings its file.

Source: A. Rössler et al., "FaceForensics++: Learning to detect manipulated facial images", ICCV 2019; the network is
F. Chollet's Xception (CVPR 2017) in Cadene's layout, which timm keeps as ``legacy_xception``. The release holds whole
pickled modules (`hifibench.experts.pickled_module`).
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from hifibench.errors import UsageError
from hifibench.experts import checkpoint, pickled_module
from hifibench.experts.pickled_module import StandIn
from hifibench.experts.timm_trunks import trunk

WANTED = "face_detection/xception/all_c23.p of FaceForensics++, or a state dict of that network"

_CLASSES = pickled_module.stand_ins(
    (
        "network.models.TransferModel",
        *(f"network.xception.{name}" for name in ("Xception", "Block", "SeparableConv2d")),
        "torch.nn.modules.conv.Conv2d",
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.activation.ReLU",
        "torch.nn.modules.pooling.MaxPool2d",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.linear.Linear",
        "torch.nn.modules.dropout.Dropout",
        # Modules of PyTorch up to 1.1 hold what this returned.
        "torch.nn.backends.thnn._get_thnn_function_backend",
    )
)


class Xception(nn.Module):
    """The network with fresh weights, in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.network = trunk("legacy_xception", num_classes=2)
        self.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 299, 299)`` RGB in [0, 1] to ``(B, 1)`` probabilities that the face is forged (class 1)."""
        probabilities: Tensor = torch.softmax(self.network(2 * crops - 1), dim=1)
        return probabilities[:, 1:]


def load(file: Path) -> Xception:
    """Load a network of the release, or a state dict of it: frozen, on the CPU in float32.

    Raises:
        MissingError: there is no such file, or timm is not installed.
        UsageError: it is damaged, asks for any class but those of the release (none is ever called), or holds another
            network.
    """
    saved = pickled_module.read(file, WANTED, _CLASSES)
    with torch.device("meta"):
        network = Xception()
    if isinstance(saved, StandIn):
        held = {_ours(path): module for path, module in pickled_module.modules(saved).items()}
        if wrong := pickled_module.differences(held, network.network):
            raise UsageError(f"{file} holds another network: {'; '.join(wrong[:3])}. Give {WANTED}.")
        weights = pickled_module.tensors(saved)
    else:
        weights = checkpoint.state(file, WANTED)
    named = {_ours(name): value for name, value in weights.items()}
    # Files of PyTorch 0.4.0 and older lack these counters, which take no part in evaluation.
    counters = {name for name in network.network.state_dict() if name.endswith("num_batches_tracked")}
    named = {**{name: torch.tensor(0) for name in counters}, **named}
    checkpoint.fill(network.network, named, file, WANTED)
    return network


def _ours(name: str) -> str:
    """The release's name of a weight or module as timm has it; its last layer may stand behind a dropout."""
    return re.sub(r"^last_linear\.(1\.)?", "fc.", re.sub(r"^model\.?", "", name))
