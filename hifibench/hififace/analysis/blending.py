"""The same I_out blended with the target in four ways (paper, Fig. 9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hifibench.faces.segment import FaceSegmenter
from hifibench.hififace.analysis.faces import AlignedPair, ends, picture
from hifibench.hififace.analysis.judge import Column, Judge, Judged
from hifibench.hififace.analysis.regions import target_mask
from hifibench.hififace.analysis.study import Study
from hifibench.hififace.generator import Generated
from hifibench.hififace.swapper import HifiFace, blended, dilated

NAME = "blending"
BLENDS = ("blend-t", "blend-dt", "blend-r", "own")
"""By the target's face mask, by that mask dilated, by the face mask of the result I_r, by the model's own M_r."""
REFERENCE = "target"
"""Under this name the table measures the target itself: what a blend that keeps nothing of the swap would score."""

DILATION = 1 / 32
"""How far ``blend-dt`` reaches beyond ``blend-t``, in sides of the crop: 4 pixels of 128. The paper does not say."""

COLUMNS = {
    "cosine_source": Column("id_cosine[edgeface]", "source"),
    "cosine_target": Column("id_cosine[edgeface]", "target"),
    "shape_source_mm": Column("shape[mediapipe]", "source"),
    "background_l1": Column("background[l1]"),
}
"""What the harness's metrics say of every blend; the face contour stands beside them."""

ABOUT = {
    "blend-t": "I_out in the target's face mask, as in training, hard edge",
    "blend-dt": f"the same mask, dilated by 1/{1 / DILATION:.0f} of the crop's side",
    "blend-r": "I_out in the face mask of the result I_r",
    "own": "I_r: I_out in the model's M_r",
    "contour_error": "mean distance in the image of the 17 jaw points from those of q_fuse, in % of the distance of "
    "the outer eye corners; by the 3D face model that took part in training",
}

_JAW, _EYE_CORNERS = slice(0, 17), (36, 45)


class Blend(NamedTuple):
    """A blended image ``(1, 3, S, S)`` and the mask ``(1, 1, S, S)`` that it was blended by."""

    image: Tensor
    mask: Tensor


def blends(made: Generated, target: Tensor, face: Tensor, face_of_result: Tensor) -> dict[str, Blend]:
    """`BLENDS` of one I_out.

    Args:
        made: what the generator gave.
        target: ``(1, 3, S, S)``.
        face: ``(1, 1, S, S)`` the target's face mask.
        face_of_result: the same of I_r.
    """
    masks = {
        "blend-t": face,
        "blend-dt": dilated(face, round(DILATION * face.shape[-1])),
        "blend-r": face_of_result,
        "own": made.m_r,
    }
    return {name: Blend(blended(made, target, mask), mask) for name, mask in masks.items()}


def contour_error(landmarks: Tensor, expected: Tensor) -> float:
    """Mean distance of the jaw points of ``(1, 68, 3)`` landmarks (iBUG order) in the image, x and y.

    Returns:
        Percent of the distance of the expected outer eye corners in space, which does not shrink in a turned head.
    """
    jaw = (landmarks - expected)[0, _JAW, :2].norm(dim=1).mean()
    left, right = expected[0, list(_EYE_CORNERS)]
    return float(100 * jaw / (left - right).norm())


def study(
    swapper: HifiFace,
    pairs: Sequence[AlignedPair],
    judge: Judge,
    segmenter: FaceSegmenter,
    advance: Callable[[], None] = lambda: None,
) -> Study:
    """Fig. 9 for n pairs.

    Args:
        swapper: trained.
        pairs: prepared with ``judge.observer``.
        judge: made for `COLUMNS`.
        segmenter: gives the face masks of target and result.
        advance: called after each pair.

    Returns:
        Table: a row per pair and blend, the target itself among them: ``pair, blend, contour_error`` and `COLUMNS`.
        Arrays: ``i_out`` ``(n, S, S, 3)``, ``swaps`` ``(n, 4, S, S, 3)`` and ``masks`` ``(n, 4, S, S)`` in the order of
        `BLENDS`, beside ``pair, source, target``.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    judged, swaps, masks, outs = [], [], [], []
    for pair in pairs:
        target = pair.target.batch
        made, sid = swapper.generate(pair.source.batch, target)
        face = torch.from_numpy(target_mask(segmenter, pair))[None, None]
        of_result = torch.from_numpy(segmenter.segment(picture(made.i_r)).astype(np.float32))[None, None]
        device = made.i_out.device
        done = blends(made, *(one.to(device) for one in (target, face, of_result)))
        nothing = Blend(target.to(device), torch.zeros_like(made.m_r))
        for name, blend in {REFERENCE: nothing, **done}.items():
            with torch.no_grad():
                landmarks = swapper.extractor.landmarks(blend.image, swapper.card.target)
            rows.append({"pair": pair.pair, "blend": name, "contour_error": contour_error(landmarks, sid.q_fuse)})
            judged.append(Judged(pair, pair.paste(*blend)))
        outs.append(picture(made.i_out))
        swaps.append(np.stack([picture(blend.image) for blend in done.values()]))
        masks.append(np.stack([blend.mask[0, 0].float().cpu().numpy() for blend in done.values()]))
        advance()
    table = pd.DataFrame(rows).assign(**judge.score(judged))
    arrays = {**ends(pairs), "i_out": np.stack(outs), "swaps": np.stack(swaps), "masks": np.stack(masks)}
    return Study(NAME, table, arrays, ABOUT)
