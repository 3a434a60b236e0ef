"""The recogniser that methods train with, on images of whatever alignment they are trained on."""

from __future__ import annotations

from torch import Tensor, nn

from hifibench.contracts import Crop
from hifibench.faces.recrop import recrop

ID_CROP = Crop("arcface", 112)
"""What the recognisers see."""


class AlignedRecogniser(nn.Module):
    """Identity vectors of aligned images; gradients flow to the images.

    Args:
        network: from crops ``(B, 3, S, S)`` in [0, 1], cut as ``wanted`` says, to vectors.
        given: the crop that the images are aligned by.
        wanted: the crop that the network looks at.
    """

    def __init__(self, network: nn.Module, given: Crop, wanted: Crop = ID_CROP) -> None:
        super().__init__()
        self.network, self._given, self._wanted = network, given, wanted

    def forward(self, images: Tensor) -> Tensor:
        """``images`` (B, 3, S, S) RGB in [0, 1] -> ``(B, 512)`` vectors of unit length."""
        vectors: Tensor = nn.functional.normalize(self.network(recrop(images, self._given, self._wanted)), dim=1)
        return vectors


def w600k(given: Crop, device: str = "cpu") -> AlignedRecogniser:
    """The embedded recogniser that lite methods train with, frozen.

    Raises:
        MissingError: its file is absent and cannot be fetched.
    """
    import torch

    from hifibench.experts.recognition import w600k_module

    made = AlignedRecogniser(w600k_module(device), given).requires_grad_(False).eval()
    return made.to(memory_format=torch.channels_last)
