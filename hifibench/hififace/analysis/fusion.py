"""Where Semantic Facial Fusion puts the source: feature maps with the source minus those without (paper, Fig. 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hifibench.faces.segment import FaceSegmenter
from hifibench.hififace.analysis.faces import AlignedPair, ends, picture
from hifibench.hififace.analysis.regions import shrunk, split_mean, target_mask
from hifibench.hififace.analysis.study import Study
from hifibench.hififace.swapper import HifiFace
from hifibench.records import Floats

NAME = "fusion"
LEVELS = 4
"""SFF-0 and SFF-1: the two AdaIN blocks after the blend; SFF-2 and SFF-3: the first two res-blocks of F_up."""

ABOUT = {
    "map": "mean over channels of |features of (I_s, I_t) - features of (I_t, I_t)|",
    "normalisation": "each map is divided by its scale, the mean of |features of (I_t, I_t)| over channels and pixels: "
    "1 is a change as large as the features are on average",
}


class Difference(NamedTuple):
    """What the source changes at one level.

    Attributes:
        relative: ``(h, w)`` float32, in units of ``scale``.
        scale: mean magnitude of the features without the source.
    """

    relative: Floats
    scale: float


def difference(with_source: Tensor, without: Tensor) -> Difference:
    """Mean absolute difference over channels of two feature maps ``(1, C, h, w)``, in units of the second's size.

    A map that differs nowhere is zero, also where the features are zero themselves.
    """
    with_source, without = with_source.float(), without.float()
    absolute = (with_source - without).abs().mean(dim=1)[0].cpu().numpy()
    scale = float(without.abs().mean())
    relative = np.divide(absolute, scale, out=np.zeros_like(absolute), where=absolute > 0)
    return Difference(relative, scale)


def study(
    swapper: HifiFace,
    pairs: Sequence[AlignedPair],
    segmenter: FaceSegmenter,
    advance: Callable[[], None] = lambda: None,
) -> Study:
    """Fig. 10 for n pairs.

    Args:
        swapper: trained.
        pairs: to swap.
        segmenter: says where the target's face is.
        advance: called after each pair.

    Returns:
        Table: a row per pair and level: ``pair, level, side_px, scale``, and of the normalised map ``mean, largest,
        in_face, off_face`` (means inside and outside M_tar). Arrays: ``swap`` ``(n, S, S, 3)`` and ``sff_0`` …
        ``sff_3`` ``(n, h, w)`` beside ``pair, source, target``.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    swaps: list[NDArray[np.uint8]] = []
    maps: list[list[Floats]] = [[] for _ in range(LEVELS)]
    for pair in pairs:
        made, _ = swapper.generate(pair.source.batch, pair.target.batch)
        still, _ = swapper.generate(pair.target.batch, pair.target.batch)
        face = target_mask(segmenter, pair)
        swaps.append(picture(made.i_r))
        for level, (with_source, without) in enumerate(zip(made.features, still.features, strict=True)):
            relative, scale = difference(with_source, without)
            in_face, off_face = split_mean(relative, shrunk(face, len(relative)))
            numbers = {"mean": float(relative.mean()), "largest": float(relative.max())}
            rows.append(
                {"pair": pair.pair, "level": level, "side_px": len(relative), "scale": scale, **numbers}
                | {"in_face": in_face, "off_face": off_face}
            )
            maps[level].append(relative)
        advance()
    arrays = {**ends(pairs), "swap": np.stack(swaps)}
    arrays |= {f"sff_{level}": np.stack(one) for level, one in enumerate(maps)}
    return Study(NAME, pd.DataFrame(rows), arrays, ABOUT)
