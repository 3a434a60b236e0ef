"""How well a forgery detector tells swapped frames from original ones.

Originals are the images of the gallery ``frames``, and pass through the same detector and cropper as the swaps. Images
without a face have no score: they are counted, and enter nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric, Whole
from hifibench.errors import UsageError
from hifibench.records import Observed
from metrics import detection, trained_detector
from metrics.inputs import gallery, judge, one_of, output, source_of_clip, videos_of
from metrics.resampling import FEWEST_CLUSTERS, Resampler

GALLERY = "frames"
"""The original frames that swaps are held against: every one that was sampled."""
VIDEO = "video"
"""The word for scores of clips."""


class Scores(NamedTuple):
    """What a detector says, as float64.

    Attributes:
        swap: ``(n,)`` of each pair, or of its clip; NaN where there is no face.
        real: ``(k,)`` of the originals that have a face, or of their videos.
        one: ``(u,)`` the pairs that count, of each clip one.
        swap_video: ``(n,)`` target video of each swap.
        real_video: ``(k,)`` video of each original.
        all_videos: every video of a pair or an original, be it scored or not.
        reason: why there are no scores at all, in words.
    """

    swap: NDArray[np.float64]
    real: NDArray[np.float64]
    one: NDArray[np.intp]
    swap_video: NDArray[np.str_]
    real_video: NDArray[np.str_]
    all_videos: NDArray[np.str_]
    reason: str = ""


def forgery_auc(detector: str, unit: str = "") -> Metric:
    """Forgery AUC: how often a detector finds the swap more suspicious than an original frame.

    ``forgery_auc[detector]``, ``forgery_auc[detector,video]``. The area under the ROC curve, swaps against the original
    frames (gallery ``frames``), ties counting half, in %. Lower is better: 50 is chance, 100 a detector that is never
    deceived, 0 one that takes swaps for more real than reality. Where every image has the same score, or one side has
    none, there is no number but a reason.

    Per pair the share of the originals whose score lies below the swap's, a tie counting half: of frames, the area is
    their mean. NaN where no face is found in the swap, or in no original. The worst case is 100.

    With ``video``, the scores of a clip (the swaps of one source, known by its video if it has one, onto one video,
    within one method) are averaged before, and those of each original video; images without a face are left out of the
    average.

    Intervals draw videos: the originals of a target's video and the swaps onto it are drawn together.

    Args:
        detector: an expert that gives ``fake``: the higher, the more likely forged; or ``trained-on-others``, which is
            trained on the other methods of the run (`metrics.trained_detector`).
        unit: ``video`` for clips; frames where left out.

    Raises:
        UsageError: no such detector or unit; while computing: the observations lack it, or the gallery.

    Source:
        Hanley and McNeil, Radiology 1982.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Gallery, Observed
        >>> scores = {"spectrum": {"fake": np.float32([[1], [2], [3], [4]])}}
        >>> gallery = Gallery(np.array(list("abcd")), np.array(list("abcd")), scores)
        >>> swap = {"spectrum": {"fake": np.float32([[2.5], [4], [np.nan]])}}
        >>> pairs = pd.DataFrame({"source": ["s", "s", "s"], "video": ["a", "b", "c"]})
        >>> observed = Observed(pairs, swap, {}, {}, {"frames": gallery})
        >>> forgery_auc("spectrum").compute(observed)
        array([50. , 87.5,  nan])
        >>> forgery_auc("spectrum").whole(observed, 0, 100).value
        68.75
    """
    return _metric("forgery_auc", "Forgery AUC", detector, unit, detection.auc, "down", _share_below)


def forgery_ap(detector: str, unit: str = "") -> Metric:
    """Forgery AP: average precision of a detector that points out the swaps among originals.

    ``forgery_ap[detector]``, ``forgery_ap[detector,video]``, in %. Lower is better: 50 is chance, 100 a detector that
    is never deceived. Swaps and originals weigh the same in all, so that it does not depend on how many originals there
    are (`metrics.detection.average_precision`). Per pair the detector's score, in its own unit. Everything else is as
    in `forgery_auc`.

    Args:
        detector: as in `forgery_auc`.
        unit: as there.

    Raises:
        UsageError: as there.
    """
    return _metric("forgery_ap", "Forgery AP", detector, unit, detection.average_precision, "down", _score)


def forgery_eer(detector: str, unit: str = "") -> Metric:
    """Forgery EER: the error of a detector that misses as many swaps as it calls originals forged.

    ``forgery_eer[detector]``, ``forgery_eer[detector,video]``, in %. Higher is better: 50 is chance, 0 a detector that
    is never deceived. Per pair the detector's score, in its own unit. Everything else is as in `forgery_auc`.

    Args:
        detector: as in `forgery_auc`.
        unit: as there.

    Raises:
        UsageError: as there.
    """
    return _metric("forgery_eer", "Forgery EER", detector, unit, detection.equal_error_rate, "up", _score)


def _metric(
    base: str,
    title: str,
    detector: str,
    unit: str,
    statistic: Callable[[detection.Roc], NDArray[np.float64]],
    direction: Literal["up", "down"],
    share: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> Metric:
    trained = detector == trained_detector.NAME
    if not trained:
        _judge(base, detector)
    if unit:
        one_of(base, "unit", unit, (VIDEO,))

    def compute(observed: Observed) -> NDArray[np.float64]:
        swap, real = (_scores(observed, detector, unit) if unit else _seen(observed, detector))[:2]
        return share(swap, real[np.isfinite(real)])

    def whole(observed: Observed, seed: int, draws: int) -> Whole:
        return _whole(_scores(observed, detector, unit), statistic, seed, draws)

    return Metric(
        name=f"{base}[{detector}{',' * bool(unit)}{unit}]",
        title=title,
        unit="%",
        direction=direction,
        needs=tuple(trained_detector.FEATURES) if trained else (detector,),
        compute=compute,
        worst=100.0 if direction == "down" else 0.0,
        decimals=1,
        group="realism",
        whole=whole,
        others=trained,
        scope="set" if trained else "clip" if unit else "pair",
    )


def _judge(base: str, detector: str) -> None:
    try:
        judge(base, "forgery detector", detector, lambda card: "fake" in card.outputs)
    except UsageError as error:
        raise UsageError(f"{error} Or {trained_detector.NAME!r}: trained on the other methods of the run.") from None


def _seen(observed: Observed, detector: str) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Scores of all swaps and all originals, NaN where there is no face, and why there are none at all."""
    originals = gallery(observed, GALLERY)
    if detector == trained_detector.NAME:
        return trained_detector.verdicts(observed, originals, videos_of(observed, originals))
    swap = output(observed.swap, detector, "fake", len(observed.pairs))[:, 0].astype(np.float64)
    real = output(originals.experts, detector, "fake", len(originals.image))[:, 0].astype(np.float64)
    return swap, real, ""


def _scores(observed: Observed, detector: str, unit: str) -> Scores:
    swap, real, reason = _seen(observed, detector)
    video = observed.pairs["video"].to_numpy().astype(str)
    real_video = videos_of(observed, gallery(observed, GALLERY))
    everything = np.unique(np.concatenate([video, real_video]))
    one, kept = (np.flatnonzero(np.isfinite(side)) for side in (swap, real))
    if unit:
        source = source_of_clip(observed)
        clip = np.unique(np.stack([source, video]), axis=1, return_inverse=True)[1].reshape(-1)
        original = np.unique(real_video, return_inverse=True)[1]
        swap, real = _averaged(swap, clip), _averaged(real, original)
        one, kept = (rows[np.unique(of[rows], return_index=True)[1]] for rows, of in ((one, clip), (kept, original)))
    return Scores(swap, real[kept], one, video, real_video[kept], everything, reason)


def _averaged(values: NDArray[np.float64], group: NDArray[np.intp]) -> NDArray[np.float64]:
    seen = np.flatnonzero(np.isfinite(values))
    # By size: a sum must not depend on the order of frames.
    seen = seen[np.lexsort((values[seen], group[seen]))]
    size = int(group.max(initial=-1)) + 1
    sums, counts = np.bincount(group[seen], values[seen], size), np.bincount(group[seen], minlength=size)
    result = np.full(len(values), np.nan)
    result[seen] = sums[group[seen]] / counts[group[seen]]
    return result


def _share_below(swap: NDArray[np.float64], real: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per swap the % of the originals that score lower, a tie counting half; NaN without a score."""
    values = np.full(len(swap), np.nan)
    seen, real = np.isfinite(swap), np.sort(real)
    if real.size:
        below, not_above = (np.searchsorted(real, swap[seen], side) for side in ("left", "right"))
        values[seen] = 100.0 * (below + not_above) / (2 * real.size)
    return values


def _score(swap: NDArray[np.float64], real: NDArray[np.float64]) -> NDArray[np.float64]:
    return swap if real.size else np.full(len(swap), np.nan)


def _whole(scores: Scores, statistic: Callable[[detection.Roc], NDArray[np.float64]], seed: int, draws: int) -> Whole:
    """The statistic in %, and over bootstrap samples of videos, originals and swaps alike."""
    swap, real = scores.swap[scores.one], scores.real
    if reason := scores.reason or detection.undefined(swap, real):
        return Whole(np.nan, np.empty(0), reason)
    ranking = detection.Ranking(swap, real)
    value = 100.0 * float(statistic(ranking.roc()))
    sides = scores.swap_video[scores.one], scores.real_video
    if any(len(np.unique(videos)) < FEWEST_CLUSTERS for videos in sides):
        return Whole(value, np.empty(0))
    # All videos, so that the samples are the same for every method, whatever it failed on.
    resampler = Resampler.over(scores.all_videos, seed=seed, draws=draws)
    place, real_place = (resampler.index(videos) for videos in sides)
    drawn = np.empty(draws)
    for block, weights in resampler.blocks(len(place) + len(real_place)):
        drawn[block] = 100.0 * statistic(ranking.resampled(weights, place, real_place))
    return Whole(value, drawn)
