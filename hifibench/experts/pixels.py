"""What a swap did to the pixels it had no business with, and to those it had."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.faces.align import apply, invert
from hifibench.faces.masks import DILATE, face_mask
from hifibench.records import Floats, Frame

CARD = ExpertCard(
    name="pixels",
    summary="pixel differences between a swapped frame and its target, outside and inside the face",
    role="comparison",
    crop=Crop("frame"),
    outputs={
        "background_l1": "() mean absolute difference in [0, 1], outside the dilated face mask",
        "background_ssim": "() mean SSIM of the luma in [-1, 1], where its window sees no face",
        "face_l1": "() mean absolute difference in [0, 1], inside the face outline",
    },
    paper="Z. Wang et al., Image quality assessment: From error visibility to structural similarity, TIP 2004",
    licence="Apache-2.0",
    needs=("mediapipe",),
    limits=f"The mask is the target's MediaPipe face oval, widened by {DILATE} square roots of its area. Means are "
    "taken over the whole frame: a small face in a large frame leaves more that cannot change.",
)

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


class Pixels:
    """The `pixels` expert."""

    card = CARD

    def compare(self, swap: Frame, target: Frame, seen: Mapping[str, Mapping[str, Floats]]) -> dict[str, Floats]:
        """See `hifibench.contracts.PairExpert.compare`.

        Raises:
            ValueError: the frames differ in shape.
        """
        if swap.shape != target.shape:
            raise ValueError(f"pixels compares frames of one size; given {swap.shape} and {target.shape}.")
        face = seen.get("mediapipe")
        if face is None or not np.isfinite(face["landmarks"]).all():
            return {output: np.array(np.nan, np.float32) for output in self.card.outputs}
        landmarks = apply(invert(face["matrix"].astype(np.float64)), face["landmarks"][:, :2])
        shape = target.shape[:2]
        outline, widened = face_mask(landmarks, shape, 0), face_mask(landmarks, shape)
        difference = np.abs(swap.astype(np.float32) - target.astype(np.float32)).mean(2) / 255
        return {
            "background_l1": _mean(difference, ~widened),
            "background_ssim": _mean(ssim_map(luma(swap), luma(target)), ~_reached_by_window(widened)),
            "face_l1": _mean(difference, outline),
        }


def luma(frame: Frame) -> Floats:
    """Rec. 601 luma of an RGB frame: ``(H, W)`` float32 in [0, 1]."""
    weights = np.array([0.299, 0.587, 0.114], np.float32) / np.float32(255)
    gray: Floats = frame.astype(np.float32) @ weights
    return gray


def ssim_map(a: Floats, b: Floats) -> Floats:
    """Structural similarity at every pixel (Wang et al. 2004, eq. 13), Gaussian window 11x11, sigma 1.5.

    Args:
        a: ``(H, W)`` in [0, 1].
        b: the same.

    Returns:
        ``(H, W)`` float32 in [-1, 1].
    """
    import cv2

    def local_mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
        blurred = cv2.GaussianBlur(image, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA, borderType=cv2.BORDER_REFLECT)
        return np.asarray(blurred, np.float64)

    # In double precision: variances are small differences of large numbers.
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = local_mean(x), local_mean(y)
    variance_x = local_mean(x * x) - mean_x**2
    variance_y = local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + SSIM_C1) * (2 * covariance + SSIM_C2)) / (
        (mean_x**2 + mean_y**2 + SSIM_C1) * (variance_x + variance_y + SSIM_C2)
    )
    return similarity.astype(np.float32)


def _reached_by_window(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels whose SSIM window touches ``mask``."""
    import cv2

    window = np.ones((SSIM_WINDOW, SSIM_WINDOW), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), window).astype(bool)


def _mean(values: Floats, where: NDArray[np.bool_]) -> Floats:
    """The mean over some pixels, NaN if there are none."""
    return np.array(values[where].mean(dtype=np.float64) if where.any() else np.nan, np.float32)


pixels = ExpertPlugin(card=CARD, load=lambda device: Pixels())
