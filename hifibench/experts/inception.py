"""Inception features of face crops, in which sets of images are compared (FID, KID).

Source: C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016; the weights are
TensorFlow's of 2015, as M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium", NIPS 2017, use them. The asset is TorchScript: a program of tensor operations that is run, but no Python.
Its hash is pinned, so no other program can take its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked, to_bytes
from hifibench.records import Floats

if TYPE_CHECKING:
    from torch import nn

SIZE = 299
"""Side in pixels of what the network sees."""

CARD = ExpertCard(
    name="inception",
    summary="Inception-v3 features for FID and KID",
    role="features",
    # Swappers work in this crop at this size: finer ones would show what pasting back has blurred in all of them alike,
    # tighter ones would leave out the seam.
    crop=Crop("ffhq", 256),
    outputs={"features": "(2048,) of the last pooling, not negative"},
    paper="C. Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016",
    licence="as StyleGAN3's copy, research or evaluation",
    assets=("inception-fid",),
    limits="Trained on objects of ImageNet, not on faces. Crops are rounded to 8 bits and enlarged to 299 pixels as "
    "TensorFlow 1 did, so that distances compare with StyleGAN's of 256-pixel images.",
)


class Inception:
    """The `inception` expert."""

    card = CARD

    def __init__(self, device: str) -> None:
        self._network, self._device = _load(device), device

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        from hifibench.experts.torch_rows import run_rows

        images = to_bytes(checked(CARD, crops)).transpose(0, 3, 1, 2).astype(np.float32)
        [features] = run_rows(self._network, scaled(enlarged(images)), self._device)
        return {"features": features}


def enlarged(images: Floats) -> Floats:
    """Images resized to 299 as TensorFlow 1's bilinear resize does: output pixel i shows place ``i * side / 299``.

    Args:
        images: ``(B, 3, S, S)``.

    Returns:
        ``(B, 3, 299, 299)`` float32.
    """
    side = images.shape[-1]
    places = np.arange(SIZE) * (side / SIZE)
    lower = np.floor(places).astype(np.int64)
    upper = np.minimum(lower + 1, side - 1)
    share = (places - lower).astype(np.float32)
    rows = images[:, :, lower] * (1 - share)[:, None] + images[:, :, upper] * share[:, None]
    both: Floats = rows[..., lower] * (1 - share) + rows[..., upper] * share
    return both


def scaled(images: Floats) -> Floats:
    """Values of bytes as the network was trained on them: from -1 to 127/128."""
    return (images - np.float32(128)) / np.float32(128)


def _load(device: str) -> nn.Module:
    import warnings

    import torch

    with warnings.catch_warnings():
        # Deprecated by torch, but the network exists in no other form.
        warnings.simplefilter("ignore", FutureWarning)
        network: nn.Module = torch.jit.load(  # type: ignore[no-untyped-call]
            str(assets.path(CARD.assets[0])), map_location=device
        )
    return network.eval()


inception = ExpertPlugin(CARD, Inception)
