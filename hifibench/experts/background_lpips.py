"""How much a swap changed around the face, to an eye that learned from people's judgements.

Source: R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.perceptual import ASSETS, lpips_module
from hifibench.faces.align import apply, chw, invert
from hifibench.faces.masks import DILATE, face_mask
from hifibench.records import Floats, Frame

if TYPE_CHECKING:
    from torch import nn

ImageT = TypeVar("ImageT", Frame, Floats)

MOST_PIXELS = 1 << 22
"""Frames with more are shrunk to as many: the maps of the network would take gigabytes."""

CARD = ExpertCard(
    name="lpips",
    summary="LPIPS (AlexNet) between a swapped frame and its target, outside the face",
    role="comparison",
    crop=Crop("frame"),
    outputs={"background_lpips": "() mean LPIPS outside the dilated face mask; 0 is unchanged"},
    paper="R. Zhang et al., The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018",
    licence="BSD-2-Clause",
    assets=(ASSETS["alex"],),
    needs=("mediapipe",),
    limits=f"The mask is the target's MediaPipe face oval, widened by {DILATE} square roots of its area, as for "
    "pixels. The network sees far around each pixel, so the face is first put back to the target's: what changed "
    "inside the mask counts nowhere. Means are over the whole frame, in its own resolution up to 4 megapixels.",
)


class BackgroundLpips:
    """The `lpips` expert."""

    card = CARD

    def __init__(self, device: str) -> None:
        self._network, self._device = mapping_network(device), device

    def compare(self, swap: Frame, target: Frame, seen: Mapping[str, Mapping[str, Floats]]) -> dict[str, Floats]:
        """See `hifibench.contracts.PairExpert.compare`.

        Raises:
            ValueError: the frames differ in shape.
        """
        if swap.shape != target.shape:
            raise ValueError(f"lpips compares frames of one size; given {swap.shape} and {target.shape}.")
        face = seen.get("mediapipe")
        if face is None or not np.isfinite(face["landmarks"]).all():
            return {"background_lpips": np.array(np.nan, np.float32)}
        landmarks = apply(invert(face["matrix"].astype(np.float64)), face["landmarks"][:, :2])
        mask = face_mask(landmarks, target.shape[:2])
        if mask.all():
            return {"background_lpips": np.array(np.nan, np.float32)}
        background = np.where(mask[..., None], target, swap)
        outside = _shrunk((~mask).astype(np.float32))
        distances = lpips_map(self._network, _shrunk(background), _shrunk(target), self._device)
        mean = np.average(distances.astype(np.float64), weights=outside)
        return {"background_lpips": np.array(mean, np.float32)}


def mapping_network(device: str) -> nn.Module:
    """The network of `lpips_map`: LPIPS on AlexNet that gives maps instead of their means."""
    network = lpips_module("alex", device)
    inner: Any = network.network
    inner.spatial = True
    return network


def lpips_map(network: nn.Module, one: Frame, other: Frame, device: str) -> Floats:
    """LPIPS at every pixel.

    Args:
        network: see `mapping_network`.
        one: ``(H, W, 3)`` uint8 RGB.
        other: the same.
        device: where the network is.

    Returns:
        ``(H, W)`` float32, not negative.
    """
    import torch

    with torch.inference_mode():
        first, second = (torch.from_numpy(chw(frame))[None].to(device) for frame in (one, other))
        distances: Floats = network(first, second).reshape(one.shape[:2]).cpu().numpy()
    return distances


def _shrunk(image: ImageT) -> ImageT:
    """An image of at most `MOST_PIXELS`, averaged where it has more."""
    import cv2

    height, width = image.shape[:2]
    if height * width <= MOST_PIXELS:
        return image
    scale = (MOST_PIXELS / (height * width)) ** 0.5
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    shrunk: Any = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    made: ImageT = shrunk
    return made


lpips = ExpertPlugin(CARD, BackgroundLpips)
