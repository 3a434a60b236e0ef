"""How far a swapped frame is from the true swap, to an eye that learned from people's judgements.

Source: R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.background_lpips import lpips_map, mapping_network
from hifibench.experts.perceptual import ASSETS
from hifibench.experts.truth_pixels import REGION, changed_region, parsing_of
from hifibench.records import EXACT, Floats, Frame

CARD = ExpertCard(
    name="truth-lpips",
    summary="LPIPS (AlexNet) between a swapped frame and the true swap, in and around the face",
    role="truth",
    crop=Crop("frame"),
    outputs={"truth_lpips": "() mean LPIPS over the region; 0 is the true swap"},
    paper="R. Zhang et al., The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018",
    licence="BSD-2-Clause",
    assets=(ASSETS["alex"],),
    needs=(EXACT,),
    limits=f"The region is {REGION}, as for truth-pixels. The network sees far around each pixel: a change just "
    "outside the region weighs a little inside it.",
)


class TruthLpips:
    """The `truth-lpips` expert."""

    card = CARD

    def __init__(self, device: str) -> None:
        self._network, self._device = mapping_network(device), device

    def compare(self, swap: Frame, target: Frame, seen: Mapping[str, Mapping[str, Floats]]) -> dict[str, Floats]:
        """See `hifibench.contracts.PairExpert.compare`; ``target`` is the true swap.

        Raises:
            ValueError: the frames, or the frame and its parsing map, differ in size.
        """
        parsing = parsing_of(self.card.name, swap, target, seen)
        mean = np.nan
        if parsing is not None and (region := changed_region(parsing)).any():
            mean = lpips_map(self._network, swap, target, self._device)[region].mean(dtype=np.float64)
        return {"truth_lpips": np.array(mean, np.float32)}


truth_lpips = ExpertPlugin(CARD, TruthLpips)
