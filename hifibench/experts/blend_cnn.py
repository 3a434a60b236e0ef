"""The embedded forgery detector: a compact network that was trained on self-blended portraits and saw no swapper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked
from hifibench.forensics.shipped import NETWORK, figures
from hifibench.records import Floats
from hifibench.user_files import digest

if TYPE_CHECKING:
    from torch import nn

SIZE, EMBEDDING = 192, 128

CARD = ExpertCard(
    name="blend-cnn",
    summary="compact network that looks for blends, 0.6 M parameters, trained on self-blended portraits",
    role="forgery",
    crop=Crop("dfdc", SIZE),
    outputs={
        "fake": "(1,) logit that the face is forged, the higher the likelier; no calibrated probability",
        "embedding": f"({EMBEDDING},) features before the last layer, for classifiers trained on them",
    },
    paper="trained as K. Shiohara and T. Yamasaki, Detecting deepfakes with self-blended images, CVPR 2022, on blends "
    "of our own; seam loss after L. Li et al., Face X-ray for more general face forgery detection, CVPR 2020",
    licence="code Apache-2.0; weights: research only, as the generated portraits they were trained on",
    limits="It knows seams and differences in colour, detail and geometry between a face and what surrounds it; a "
    "picture that was synthesised whole and keeps to itself passes, and so may a swap without a seam. Trained for well "
    "under an hour on one processor core, on generated portraits alone: on photographs never measured."
    + figures(NETWORK),
    weights=digest(NETWORK),
)


class BlendCnn:
    """The `blend-cnn` expert.

    Args:
        network: on ``device``, frozen, in evaluation mode.
        device: where it is.
    """

    card = CARD

    def __init__(self, network: nn.Module, device: str) -> None:
        self._network, self._device = network, device

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        import numpy as np

        from hifibench.experts.torch_rows import run_rows

        inputs = checked(CARD, crops)
        if not len(inputs):
            return {"fake": np.empty((0, 1), np.float32), "embedding": np.empty((0, EMBEDDING), np.float32)}
        fake, embedding = run_rows(self._network, inputs, self._device)
        return {"fake": fake, "embedding": embedding}


def load(device: str, file: Path = NETWORK) -> BlendCnn:
    """The expert with the weights of a file; raises as `hifibench.forensics.network.load`."""
    import torch

    from hifibench.forensics import network

    made = network.load(file).to(device)
    # The layout in which processors convolve quickest.
    return BlendCnn(made.to(memory_format=torch.channels_last), device)


blend_cnn = ExpertPlugin(CARD, load)
