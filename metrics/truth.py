"""How far a swap is from the true swap, where that is known: on rendered heads.

What is measured in pixels needs no estimator. Pose, landmarks, geometry and outline of the swap are an estimator's, the
true ones are exact, so the estimator's own error is part of each number: the row ``truth`` shows how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.errors import UsageError
from hifibench.faces.masks import FACE_OVAL
from hifibench.records import EXACT, Observed
from metrics.inner_points import INNER, LANDMARKERS, aligned, coverage, in_frame, inter_ocular
from metrics.inputs import judge, one_of, output
from metrics.pose import difference_deg

Values = NDArray[np.float64]


PIXELS: Mapping[str, str] = MappingProxyType(
    {"l1": "truth-pixels", "psnr": "truth-pixels", "ssim": "truth-pixels", "lpips": "truth-lpips"}
)
"""Measure -> the expert that compares a swapped frame with the true swap by it."""
BROW_ENDS = (17, 26)
"""The outer ends of the brows among iBUG's points."""
ESTIMATED = ("mask_iou", "landmarks", "pose", "vertices")
"""Measures that take an estimator."""


def truth(measure: str, estimator: str = "") -> Metric:
    """Distance to the true swap: the source's shape and skin in the target's picture, as it was rendered.

    Over the true swap's head without hair and neck, widened (`hifibench.experts.truth_pixels`):

    * ``truth[l1]``: mean absolute RGB difference in [0, 1]; lower is better, 1 in the worst case.
    * ``truth[psnr]``: peak signal-to-noise ratio in dB, 100 for equal pixels; higher is better, 0 in the worst case.
    * ``truth[ssim]``: mean structural similarity of the luma (Wang et al., IEEE TIP 2004); higher is better, -1 in the
      worst case.
    * ``truth[lpips]``: mean learned perceptual distance (Zhang et al., CVPR 2018, AlexNet); lower is better, unbounded.

    By what an estimator sees in the swap, against the exact facts of the true swap:

    * ``truth[mask_iou,mediapipe]``: intersection over union, in %, of MediaPipe's face oval and the exact face, below
      the line through the outer ends of the exact brows, where the oval ends as the face does; on a grid of 64 x 64
      cells over the frame without those that an occluder touches. Higher is better, 0 in the worst case.
    * ``truth[landmarks,e]``: normalised mean error: mean distance in the frame of the inner points
      (`metrics.inner_points.INNER`) that can be seen, in % of the exact distance of the outer eye corners; lower is
      better. A point that ``e`` puts beside where the facts have it adds a constant. Infinite, and so not asked for,
      where none of the points can be seen.
    * ``truth[pose,e]``: length of the difference in (yaw, pitch, roll), in degrees; lower is better.
    * ``truth[vertices,e]``: mean distance of the inner points in space, in mm, once the estimator's are laid onto the
      exact ones by the similarity transform with least squares: shape and expression, without pose, place and size;
      lower is better. All points count, hidden ones too.

    Errors without a bound leave the worst case to the largest of the run. NaN where the swap shows no face, or nothing
    is known of the true swap.

    Args:
        measure: one of `PIXELS` or `ESTIMATED`.
        estimator: for `ESTIMATED`: who looks at the swap; nobody for `PIXELS`.

    Raises:
        UsageError: a word makes no sense; while computing: the observations lack the true swap, or an expert.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> swap = {"mediapipe": {"pose_deg": np.float32([[13, 4, 0]])}, "truth-pixels": {"truth_l1": np.array([0.5])}}
        >>> facts = {"exact": {"pose_deg": np.float32([[10, 0, 0]])}}
        >>> observed = Observed(pd.DataFrame(index=range(1)), swap, {}, {}, {}, truth=facts)
        >>> truth("pose", "mediapipe").compute(observed)
        array([5.])
        >>> truth("l1").compute(observed)
        array([0.5])
    """
    one_of("truth", "measure", measure, (*PIXELS, *ESTIMATED))
    if measure in PIXELS:
        if estimator:
            raise UsageError(f"truth[{measure}] compares pixels and takes no estimator; given {estimator!r}.")
        return _MADE[measure](PIXELS[measure])
    noun = f"estimator of truth[{measure},...]"
    if measure == "pose":
        judge("truth", noun, estimator, lambda card: "pose_deg" in card.outputs and card.role != "facts")
    else:
        one_of("truth", noun, estimator, ("mediapipe",) if measure == "mask_iou" else LANDMARKERS)
    return _MADE[measure](estimator)


def _l1(expert: str) -> Metric:
    return _metric("l1", "", "Truth L1", "", "down", (expert,), _read(expert, "truth_l1"), worst=1.0, decimals=4)


def _psnr(expert: str) -> Metric:
    return _metric("psnr", "", "Truth PSNR", "dB", "up", (expert,), _read(expert, "truth_psnr"), worst=0.0)


def _ssim(expert: str) -> Metric:
    return _metric("ssim", "", "Truth SSIM", "", "up", (expert,), _read(expert, "truth_ssim"), worst=-1.0, decimals=4)


def _lpips(expert: str) -> Metric:
    return _metric("lpips", "", "Truth LPIPS", "", "down", (expert,), _read(expert, "truth_lpips"), decimals=4)


def _mask_iou(estimator: str) -> Metric:
    def compute(observed: Observed) -> Values:
        rows = len(observed.pairs)
        face = output(observed.swap, "truth-pixels", "face_mask", rows).astype(np.float64)
        frame_size = output(observed.swap, "truth-pixels", "frame_size", rows).astype(np.float64)
        brows = _exact(observed, "landmarks").reshape(rows, -1, 2)[:, BROW_ENDS]
        outlines = in_frame(observed.swap, estimator, FACE_OVAL, rows)
        values = np.full(rows, np.nan)
        known = np.isfinite(frame_size).all(axis=1) & np.isfinite(np.hstack([outlines, brows])).all(axis=(1, 2))
        for row in np.flatnonzero(known):
            side = round(face.shape[1] ** 0.5)
            cell = frame_size[row] / side
            oval = coverage((outlines[row] + 0.5) / cell, side).ravel()
            asked = np.isfinite(face[row]) & _below(brows[row], side, cell)
            a, b = oval[asked], face[row, asked]
            union = np.maximum(a, b).sum()
            values[row] = 100 * np.minimum(a, b).sum() / union if union else np.nan
        return values

    needs = (EXACT, "truth-pixels", estimator)
    return _metric("mask_iou", estimator, "Truth mask IoU", "%", "up", needs, compute, worst=0.0, decimals=1)


def _below(line: Values, side: int, cell: Values) -> NDArray[np.bool_]:
    """The cells of a grid whose middle lies below a line, as the head stands.

    Args:
        line: ``(2, 2)`` points of the frame, the one on the head's image-left side first.
        side: cells along each side of the grid.
        cell: ``(2,)`` width and height of a cell in pixels.

    Returns:
        ``(side * side,)`` row by row.
    """
    rows, columns = np.divmod(np.arange(side * side), side)
    x, y = (np.stack([columns, rows], axis=1) + 0.5).T * cell[:, None] - 0.5 - line[0][:, None]
    (along, down) = line[1] - line[0]
    return np.asarray(along * y - down * x > 0)


def _landmarks(estimator: str) -> Metric:
    def compute(observed: Observed) -> Values:
        rows = len(observed.pairs)
        swap = in_frame(observed.swap, estimator, LANDMARKERS[estimator].points, rows)
        exact = _exact(observed, "landmarks").reshape(rows, -1, 2)[:, INNER]
        visible = _exact(observed, "visible")[:, INNER] > 0.5
        with np.errstate(invalid="ignore", divide="ignore"):
            distances = np.where(visible, np.linalg.norm(swap - exact, axis=2), 0.0)
            error: Values = 100 * distances.sum(axis=1) / visible.sum(axis=1) / inter_ocular(exact)
        hidden = np.isfinite(exact).all(axis=(1, 2)) & ~visible.any(axis=1)
        return np.where(hidden, np.inf, error)

    return _metric("landmarks", estimator, "Truth landmark error", "%", "down", (EXACT, estimator), compute)


def _pose(estimator: str) -> Metric:
    def compute(observed: Observed) -> Values:
        swap = output(observed.swap, estimator, "pose_deg", len(observed.pairs))
        error: Values = np.linalg.norm(difference_deg(swap, _exact(observed, "pose_deg")), axis=1)
        return error

    return _metric("pose", estimator, "Truth pose error", "deg", "down", (EXACT, estimator), compute)


def _vertices(estimator: str) -> Metric:
    points, to_head = LANDMARKERS[estimator]

    def compute(observed: Observed) -> Values:
        rows = len(observed.pairs)
        seen = output(observed.swap, estimator, "landmarks", rows)
        exact = _exact(observed, "landmarks3d").reshape(rows, -1, 3)[:, INNER]
        values = np.full(rows, np.nan)
        known = np.isfinite(seen).all(axis=1) & np.isfinite(exact).all(axis=(1, 2))
        if known.any():
            swap = seen[known].astype(np.float64).reshape(int(known.sum()), -1, 3)[:, points] * to_head
            values[known] = np.linalg.norm(aligned(swap, exact[known]) - exact[known], axis=2).mean(axis=1)
        return values

    return _metric("vertices", estimator, "Truth vertex error", "mm", "down", (EXACT, estimator), compute)


_MADE: Mapping[str, Callable[[str], Metric]] = MappingProxyType(
    {
        "l1": _l1,
        "psnr": _psnr,
        "ssim": _ssim,
        "lpips": _lpips,
        "mask_iou": _mask_iou,
        "landmarks": _landmarks,
        "pose": _pose,
        "vertices": _vertices,
    }
)


def _metric(
    measure: str,
    estimator: str,
    title: str,
    unit: str,
    direction: Literal["up", "down"],
    needs: tuple[str, ...],
    compute: Callable[[Observed], Values],
    worst: float | None = None,
    decimals: int = 2,
) -> Metric:
    name = f"truth[{measure},{estimator}]" if estimator else f"truth[{measure}]"
    return Metric(
        name, title, unit, direction, needs, compute, worst, decimals, group="truth", truth=True, scope="pair"
    )


def _read(expert: str, name: str) -> Callable[[Observed], Values]:
    return lambda observed: output(observed.swap, expert, name, len(observed.pairs))[:, 0].astype(np.float64)


def _exact(observed: Observed, name: str) -> Values:
    """A fact of the true swaps, ``(n, d)``; raises `UsageError` where they are not known."""
    if not observed.truth.get(EXACT):
        raise UsageError(
            "truth[...] compares with the true swap, and of these pairs nothing is known of it. It is known of "
            "rendered heads: run a suite whose data are heads, such as 'truth', or leave the metric out."
        )
    return output(observed.truth, EXACT, name, len(observed.pairs)).astype(np.float64)
