"""How far a swapped frame is from the true swap, pixel by pixel, where a swap has anything to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.pixels import luma, ssim_map
from hifibench.faces.masks import DILATE
from hifibench.faces.segment import dilate
from hifibench.heads.labels import EAR, FACE, OCCLUDER
from hifibench.records import EXACT, Floats, Frame

HEAD = (*FACE, EAR)
"""Labels that belong to the source's person in the true swap: the head without its hair, which is the target's."""

MASK_SIZE = 64
"""Side of the grid that the exact face mask is stored on."""
BEST_PSNR_DB = 100.0
"""PSNR of equal pixels, which has no finite value of its own."""

REGION = f"the true swap's head without hair and neck, with what hides it, widened by {DILATE} square roots of its area"

CARD = ExpertCard(
    name="truth-pixels",
    summary="pixel differences between a swapped frame and the true swap, in and around the face",
    role="truth",
    crop=Crop("frame"),
    outputs={
        "truth_l1": "() mean absolute RGB difference in [0, 1], over the region",
        "truth_psnr": f"() peak signal-to-noise ratio over the region in dB, at most {BEST_PSNR_DB:g}",
        "truth_ssim": "() mean SSIM of the luma in [-1, 1], over the region",
        "face_mask": f"({MASK_SIZE}, {MASK_SIZE}) share of each cell of the true swap's frame that is face, 0..1; NaN "
        "where an occluder hides some of it",
        "frame_size": "(2,) width and height of the frame in pixels",
    },
    paper="Z. Wang et al., Image quality assessment: From error visibility to structural similarity, TIP 2004",
    licence="Apache-2.0",
    needs=(EXACT,),
    limits=f"The region is {REGION}. The neck and all beyond the region count nowhere. The SSIM window sees five "
    "pixels further than the region.",
)


class TruthPixels:
    """The `truth-pixels` expert."""

    card = CARD

    def compare(self, swap: Frame, target: Frame, seen: Mapping[str, Mapping[str, Floats]]) -> dict[str, Floats]:
        """See `hifibench.contracts.PairExpert.compare`; ``target`` is the true swap.

        Raises:
            ValueError: the frames, or the frame and its parsing map, differ in size.
        """
        parsing = parsing_of(self.card.name, swap, target, seen)
        if parsing is None:
            return {
                **{name: np.array(np.nan, np.float32) for name in ("truth_l1", "truth_psnr", "truth_ssim")},
                "face_mask": np.full((MASK_SIZE, MASK_SIZE), np.nan, np.float32),
                "frame_size": np.full(2, np.nan, np.float32),
            }
        region = changed_region(parsing)
        l1 = psnr = ssim = np.nan
        if region.any():
            difference = (swap[region].astype(np.float64) - target[region]) / 255
            l1, psnr = np.abs(difference).mean(), psnr_db(np.square(difference).mean())
            ssim = ssim_map(luma(swap), luma(target))[region].mean(dtype=np.float64)
        return {
            "truth_l1": np.array(l1, np.float32),
            "truth_psnr": np.array(psnr, np.float32),
            "truth_ssim": np.array(ssim, np.float32),
            "face_mask": coarse_face(parsing),
            "frame_size": np.array(parsing.shape[::-1], np.float32),
        }


def parsing_of(
    expert: str, swap: Frame, other: Frame, seen: Mapping[str, Mapping[str, Floats]]
) -> NDArray[np.uint8] | None:
    """The parsing map of the frame beside the swap, ``(H, W)`` labels; ``None`` where it is not known.

    Raises:
        ValueError: the frames, or the frame and its map, differ in size; the message names ``expert``.
    """
    if swap.shape != other.shape:
        raise ValueError(f"{expert} compares frames of one size; given {swap.shape} and {other.shape}.")
    facts = seen.get(EXACT)
    if facts is None or "parsing" not in facts:
        return None
    parsing = np.asarray(facts["parsing"])
    if parsing.shape != other.shape[:2]:
        raise ValueError(f"{expert} takes a parsing map of the frame's size {other.shape[:2]}; given {parsing.shape}.")
    return parsing.astype(np.uint8)


def changed_region(parsing: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a swap has something to change: the true swap's head without hair and neck, widened.

    Widened by `DILATE` square roots of its area, since a target's face may be wider than the true one: its rim then
    lies outside the true face, and what a swap leaves of it shall count. An occluder within the head's convex hull is
    part of the region: it is to be kept.

    Args:
        parsing: ``(H, W)`` labels of `hifibench.heads.labels.LABELS`.

    Returns:
        ``(H, W)``; all false where the map shows no head.
    """
    import cv2

    head = labelled(parsing, HEAD)
    if not head.any():
        return head
    corners = cv2.convexHull(np.argwhere(head)[:, ::-1].astype(np.int32))
    hull = cv2.fillConvexPoly(np.zeros(parsing.shape, np.uint8), corners, 1).astype(bool)
    return dilate(head | (labelled(parsing, [OCCLUDER]) & hull), DILATE)


def coarse_face(parsing: NDArray[np.uint8]) -> Floats:
    """How much of each cell of a `MASK_SIZE` grid over the frame is face.

    Returns:
        ``(MASK_SIZE, MASK_SIZE)`` float32 in [0, 1]; NaN where an occluder covers any of the cell.
    """
    face, hidden = (_cells(labelled(parsing, labels)) for labels in (FACE, [OCCLUDER]))
    return np.where(hidden > 0, np.float32(np.nan), face)


def labelled(parsing: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.bool_]:
    """The pixels that bear one of these labels of `hifibench.heads.labels`."""
    return np.isin(parsing, labels)


def psnr_db(mse: float) -> float:
    """Peak signal-to-noise ratio of values in [0, 1], at most `BEST_PSNR_DB`: -10 log10 of their mean squared error."""
    return BEST_PSNR_DB if mse <= 10 ** (-BEST_PSNR_DB / 10) else float(-10 * np.log10(mse))


def _cells(mask: NDArray[np.bool_]) -> Floats:
    import cv2

    shares = cv2.resize(mask.astype(np.float32), (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(shares, np.float32)


truth_pixels = ExpertPlugin(CARD, lambda device: TruthPixels())
