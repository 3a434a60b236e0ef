"""How well scores tell forged images from real ones: area under the ROC curve, average precision, equal error rate.

Every function takes weights, how often a bootstrap sample holds each image, and many samples at once. Nothing depends
on the order of the images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.resampling import StatisticError


class Roc(NamedTuple):
    """What is called forged at each threshold, from the strictest to the loosest; ``(…, k + 1)`` float64 of both.

    Attributes:
        caught: weight of the forged images whose score reaches the threshold, from 0 to the weight of all.
        alarms: the same of the real images.
    """

    caught: NDArray[np.float64]
    alarms: NDArray[np.float64]


class Ranking:
    """The order of forged and real scores, made once for any number of weights.

    Args:
        forged: ``(n,)`` finite scores; higher is more likely forged.
        real: ``(m,)`` finite scores.

    Raises:
        StatisticError: a score is NaN or infinite: images without a score are to be left out and counted.
    """

    def __init__(self, forged: NDArray[np.floating], real: NDArray[np.floating]) -> None:
        sides: list[NDArray[np.float64]] = [np.asarray(side, np.float64) for side in (forged, real)]
        scores = np.concatenate(sides)
        if not np.isfinite(scores).all():
            raise StatisticError(
                f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} scores are NaN or infinite: leave out the "
                "images without a face, and count them."
            )
        self._orders = [np.argsort(-side, kind="stable") for side in sides]
        # Images of one score pass a threshold together: how many of each side have passed each one.
        thresholds = -np.unique(scores)[::-1]
        self._passed = [
            np.searchsorted(-side[order], thresholds, "right") for side, order in zip(sides, self._orders, strict=True)
        ]

    def roc(self, forged: NDArray[np.floating] | None = None, real: NDArray[np.floating] | None = None) -> Roc:
        """The curve under one weight per image.

        Args:
            forged: ``(n,)`` or ``(d, n)`` weights, whole numbers such as counts of a bootstrap; 1 where left out.
            real: ``(m,)`` or ``(d, m)``.

        Raises:
            StatisticError: the shapes do not fit.
        """
        sizes = tuple(len(order) for order in self._orders)
        w_forged, w_real = (np.ones(n) if w is None else w for w, n in zip((forged, real), sizes, strict=True))
        if (w_forged.shape[-1], w_real.shape[-1]) != sizes or w_forged.shape[:-1] != w_real.shape[:-1]:
            raise StatisticError(
                f"weights {w_forged.shape} and {w_real.shape}: expected (…, {sizes[0]}) and (…, {sizes[1]}), "
                "one per score."
            )
        return Roc(*(self._curve(side, w[..., self._orders[side]]) for side, w in enumerate((w_forged, w_real))))

    def resampled(self, weights: NDArray[np.float64], forged: NDArray[np.intp], real: NDArray[np.intp]) -> Roc:
        """The curves of bootstrap samples of clusters: `roc` under the weights of the images' clusters.

        Args:
            weights: ``(d, c)`` how often each sample holds each cluster.
            forged: ``(n,)`` index of the cluster of each forged image.
            real: ``(m,)`` of each real one.
        """
        drawn = (np.take(weights, at[order], axis=1) for at, order in zip((forged, real), self._orders, strict=True))
        return Roc(*(self._curve(side, w) for side, w in enumerate(drawn)))

    def _curve(self, side: int, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """What has passed each threshold, of the weights of one side from the highest score to the lowest."""
        total = np.zeros((*weights.shape[:-1], weights.shape[-1] + 1))
        # Sums of whole numbers are exact, in any order.
        np.cumsum(weights, axis=-1, out=total[..., 1:])
        return np.take(total, np.concatenate([[0], self._passed[side]]), axis=-1)


def auc(roc: Roc) -> NDArray[np.float64]:
    """Area under the ROC curve: how often a forged image scores higher than a real one, a tie counting half.

    Returns:
        ``(…)`` in [0, 1], 0.5 is chance; NaN where it is undefined, see `undefined`.

    Source:
        Hanley and McNeil, Radiology 1982.

    Example:
        >>> float(auc(Ranking(np.array([2.0, 3.0]), np.array([1.0, 2.0])).roc()))
        0.875
    """
    caught, alarms = roc
    # Trapezia; the doubled sum is one of whole numbers, and so exact.
    doubled = (np.diff(alarms) * (caught[..., 1:] + caught[..., :-1])).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(_defined(roc), doubled / (2 * caught[..., -1] * alarms[..., -1]), np.nan)


def average_precision(roc: Roc) -> NDArray[np.float64]:
    """Average precision of calling images forged, as if there were as many forged as real ones.

    ``AP = Σ (R_k - R_{k-1}) P_k`` over the thresholds from the strictest, R recall, P precision. Both sides weigh the
    same in P, whatever their numbers: with the numbers as they are, twice as many originals would lower every method's
    precision, and figures of two runs could not be compared.

    Returns:
        ``(…)`` in [0, 1], chance is 0.5; NaN where it is undefined.

    Example:
        >>> float(average_precision(Ranking(np.array([2.0, 3.0]), np.array([1.0, 2.5])).roc()))
        0.8333333333333333
    """
    caught, alarms = roc
    with np.errstate(invalid="ignore", divide="ignore"):
        # Alarms as if there were as many real images as forged ones.
        called = caught[..., 1:] + alarms[..., 1:] * (caught[..., -1:] / alarms[..., -1:])
        gained = np.diff(caught) * caught[..., 1:]
        # Where nothing has passed the threshold yet, nothing is gained by it.
        np.divide(gained, called, out=gained, where=called > 0)
        return np.where(_defined(roc), gained.sum(axis=-1) / caught[..., -1], np.nan)


def equal_error_rate(roc: Roc) -> NDArray[np.float64]:
    """The rate at which as many forged images are missed as real ones are called forged.

    Between two thresholds the curve is a straight line, as if one tossed a coin between them.

    Returns:
        ``(…)`` in [0, 1], 0.5 is chance, 0 a perfect detector; NaN where it is undefined.

    Example:
        >>> float(equal_error_rate(Ranking(np.array([2.0, 3.0]), np.array([1.0, 2.5])).roc()))
        0.5
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        caught, alarm = (side / side[..., -1:] for side in roc)
        excess = caught + alarm - 1  # from -1 to 1: false alarms less misses
        first = np.argmax(excess >= 0, axis=-1)[..., None]
        before, after = (np.take_along_axis(excess, at, -1) for at in ((first - 1).clip(0), first))
        low, high = (np.take_along_axis(alarm, at, -1) for at in ((first - 1).clip(0), first))
        rate = low + (high - low) * (-before / (after - before))
        return np.where(_defined(roc), rate[..., 0], np.nan)


def undefined(forged: NDArray[np.floating], real: NDArray[np.floating]) -> str:
    """Why no detector can be judged by these scores, in words; empty where it can.

    Example:
        >>> undefined(np.array([0.5]), np.array([0.5, 0.5]))
        'all 3 scores are 0.5: the detector tells nothing apart'
    """
    sides = {"swaps": forged, "originals": real}
    if empty := [name for name, scores in sides.items() if not len(scores)]:
        return f"none of the {' and none of the '.join(empty)} has a score"
    scores = np.concatenate([forged, real])
    if (scores == scores[0]).all():
        return f"all {len(scores)} scores are {scores[0]:.6g}: the detector tells nothing apart"
    return ""


def _defined(roc: Roc) -> NDArray[np.bool_]:
    """Where there are forged and real images, and not all of one score."""
    caught, alarms = roc
    called = caught + alarms
    # With one score, the first images to pass a threshold are all of them.
    first = np.take_along_axis(called, np.argmax(called > 0, axis=-1)[..., None], -1)[..., 0]
    return np.asarray((caught[..., -1] > 0) & (alarms[..., -1] > 0) & (first < called[..., -1]))
