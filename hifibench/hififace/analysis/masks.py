"""What the two masks of Semantic Facial Fusion cover: M_low among the features, M_r in the image (paper, Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import UsageError
from hifibench.faces.segment import FaceSegmenter
from hifibench.hififace.analysis.faces import AlignedPair, ends, flat, picture
from hifibench.hififace.analysis.regions import THRESHOLD, overlap, shrunk, split_mean, target_mask
from hifibench.hififace.analysis.study import Study
from hifibench.hififace.config import Config
from hifibench.hififace.swapper import HifiFace

NAME = "masks"

ABOUT = {
    "m_tar": "the target's dilated face mask, as in training; M_low is held against its mean over blocks of pixels",
    "iou": f"intersection over union of the mask and M_tar, both cut at {THRESHOLD}",
}


def learned(config: Config) -> tuple[str, ...]:
    """The masks that a variant has: of ``m_low`` and ``m_r``."""
    has = {"m_low": config.feature_fusion == "mask", "m_r": config.image_fusion}
    return tuple(name for name, there in has.items() if there)


def study(
    swapper: HifiFace,
    pairs: Sequence[AlignedPair],
    segmenter: FaceSegmenter,
    advance: Callable[[], None] = lambda: None,
) -> Study:
    """The masks for n pairs.

    Args:
        swapper: trained; a variant with at least one mask.
        pairs: to swap.
        segmenter: gives M_tar.
        advance: called after each pair.

    Returns:
        Table: a row per pair and mask: ``pair, mask, in_face, off_face, iou``. Arrays: ``i_out``, ``swap``
        ``(n, S, S, 3)``, ``m_tar``, and ``m_low``, ``m_r`` where the variant has them, beside ``pair, source, target``.

    Raises:
        UsageError: the variant has no mask.
    """
    import pandas as pd

    names = learned(swapper.generator.config)
    if not names:
        raise UsageError(
            f"{swapper.card.name} is the variant 'bare', which has no masks. Name one of full, n3d, blend or concat."
        )
    rows: list[dict[str, object]] = []
    shown: dict[str, list[NDArray[np.generic]]] = {name: [] for name in ("i_out", "swap", "m_tar", *names)}
    for pair in pairs:
        made, _ = swapper.generate(pair.source.batch, pair.target.batch)
        face = target_mask(segmenter, pair)
        for name, value in (("i_out", picture(made.i_out)), ("swap", picture(made.i_r)), ("m_tar", face)):
            shown[name].append(value)
        for name in names:
            mask = flat(getattr(made, name))
            at_size = shrunk(face, len(mask))
            split = split_mean(mask, at_size)
            rows.append({"pair": pair.pair, "mask": name, **split._asdict(), "iou": overlap(mask, at_size)})
            shown[name].append(mask)
        advance()
    arrays = {**ends(pairs), **{name: np.stack(values) for name, values in shown.items()}}
    return Study(NAME, pd.DataFrame(rows), arrays, ABOUT)
