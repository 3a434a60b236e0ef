"""The winner of the Deepfake Detection Challenge: an ensemble of EfficientNets. The user brings its seven files.

Source: S. Seferbekov, first place in the Deepfake Detection Challenge (2020); the trunk is M. Tan and Q. Le's
EfficientNet-B7 (ICML 2019), trained by noisy student, in timm's layout, whose names have stayed the same since.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from hifibench.errors import UsageError
from hifibench.experts import checkpoint, pickled_module
from hifibench.experts.timm_trunks import standardised, trunk

TRUNK = "tf_efficientnet_b7.ns_jft_in1k"

WANTED = "final_…_DeepFakeClassifier_tf_efficientnet_b7_ns_… of the DFDC winner's release 0.0.1"

# Beside the weights lies the best loss, which may be a scalar of NumPy.
_CLASSES = pickled_module.ignored(
    ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "_codecs.encode")
)


class DeepFakeClassifier(nn.Module):
    """One network with fresh weights, in evaluation mode.

    Args:
        trunk_name: of an EfficientNet, as timm calls it.
    """

    def __init__(self, trunk_name: str = TRUNK) -> None:
        super().__init__()
        self.encoder = trunk(trunk_name)
        width = self.encoder.num_features
        assert isinstance(width, int)
        self.fc = nn.Linear(width, 1)
        self.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 380, 380)`` RGB in [0, 1] (template ``dfdc``) to ``(B, 1)`` probabilities of a forgery."""
        features: Tensor = self.encoder.forward_features(standardised(crops))  # type: ignore[operator]
        return torch.sigmoid(self.fc(features.mean((2, 3))))


def load(file: Path, trunk_name: str = TRUNK) -> DeepFakeClassifier:
    """Load one network of the release: frozen, on the CPU in float32.

    Args:
        file: its weights, maybe under ``state_dict``, maybe with ``module.`` before every name.
        trunk_name: of its EfficientNet, as timm calls it.

    Raises:
        MissingError: there is no such file, or timm is not installed.
        UsageError: it is damaged, would run code, or holds another network.
    """
    saved = pickled_module.read(file, WANTED, _CLASSES)
    held = saved.get("state_dict", saved) if isinstance(saved, Mapping) else {}
    weights = {str(name).removeprefix("module."): value for name, value in held.items()}
    if not weights or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UsageError(f"{file} holds no state dict. Give {WANTED}.")
    with torch.device("meta"):
        network = DeepFakeClassifier(trunk_name)
    return checkpoint.fill(network, weights, file, WANTED)
