"""Whether the swaps of a clip's frames belong together: still landmarks, still colours, one identity.

A clip is what pairs of one source (known by its video if it has one, else by its image) and one target video show,
frame after frame. What the target does itself is taken off where something is measured against it: ``target-copy``
scores exactly 0 in `jitter` and `flicker`. Pairs in no clip that is long enough have nothing to score: infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.errors import UsageError
from hifibench.faces.masks import FACE_OVAL
from hifibench.faces.mesh_shape import HALVES
from hifibench.records import Observed
from metrics.inner_points import LANDMARKERS, in_frame, inter_ocular
from metrics.inputs import judge, one_of, output, source_of_clip
from metrics.skin_tone import N_VERTICES

Values = NDArray[np.float64]
Rows = NDArray[np.int64]

# fmt: off
BROWS = (
    70, 63, 105, 66, 107, 46, 53, 52, 65, 55,
    300, 293, 334, 296, 336, 276, 283, 282, 295, 285,
)
# fmt: on
"""MediaPipe's points on the eyebrows."""
SKIN: NDArray[np.int64] = np.setdiff1d(HALVES, [*FACE_OVAL, *BROWS])
"""MediaPipe's points on skin: no eyes, lips and brows, nor the outline of the face, where hair and background begin."""


def jitter(landmarker: str) -> Metric:
    """Jitter: how much the swap's landmarks tremble against the target's, from frame to frame.

    ``jitter[landmarker]``. With d(t) the swap's point less the target's, in pixels of the frame: the length of the
    second difference d(t-1) - 2 d(t) + d(t+1), mean over the inner points (`metrics.inner_points.INNER`), in % of the
    distance of the target's outer eye corners in frame t. The target's own motion is in both and cancels; so does what
    a swap moves once for all, or steadily, such as the features of another face. Lower is better; a copy of the target
    scores 0. The estimator's own tremble on two different pictures is part of the number: portraits in smooth motion
    against themselves through JPEG 90 read 0.24 (`mediapipe`) and 0.14 (`3ddfa`).

    One value per frame of a clip of at least 3 consecutive frames; the first and last frame take their neighbour's.
    NaN where the swap or the target shows no face, or has no two neighbours that do. The error has no bound: a failed
    pair counts as the largest of the run in the worst case.

    Args:
        landmarker: one of `metrics.inner_points.LANDMARKERS`.

    Raises:
        UsageError: no such landmarker; while computing: no clip is long enough.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> still = np.zeros((3, 68, 3), np.float32)
        >>> still[:, 36, 0] = 100  # the eyes are 100 pixels apart
        >>> moved = still + np.float32([0, 3, 0])[:, None, None] * np.float32([1, 0, 0])
        >>> seen = [{"3ddfa": {"landmarks": p, "matrix": np.tile(np.eye(2, 3), (3, 1, 1))}} for p in (moved, still)]
        >>> pairs = pd.DataFrame({"source": "ann", "video": "bob", "frame": [0, 1, 2]})
        >>> jitter("3ddfa").compute(Observed(pairs, seen[0], {}, seen[1], {}))
        array([6., 6., 6.])
    """
    one_of("jitter", "landmarker", landmarker, LANDMARKERS)
    name = f"jitter[{landmarker}]"
    points = LANDMARKERS[landmarker].points

    def compute(observed: Observed) -> Values:
        rows = len(observed.pairs)
        parts = clips(observed, 3, name)
        target = in_frame(observed.target, landmarker, points, rows)
        d = in_frame(observed.swap, landmarker, points, rows) - target
        eyes = inter_ocular(target)

        def within(clip: Rows) -> Values:
            before, now, after = d[clip[:-2]], d[clip[1:-1]], d[clip[2:]]
            trembled = np.linalg.norm(before - 2 * now + after, axis=2).mean(axis=1)
            return np.pad(100 * trembled / eyes[clip[1:-1]], 1, mode="edge")

        return along(parts, np.asarray(np.isfinite(d).all(axis=(1, 2)) & (eyes > 0)), 3, within)

    return _metric(name, "Jitter", "%", landmarker, compute, decimals=2, frames=3)


def flicker(landmarker: str) -> Metric:
    """Flicker: how much the swap's skin changes its colours from frame to frame where the target's does not.

    ``flicker[landmarker]``. With c(t) the swap's colours less the target's, at the mesh's points on skin (`SKIN`): the
    mean absolute difference |c(t) - c(t-1)| over points and RGB, in % of full scale. What the target's light does is in
    both and cancels, as far as both have one skin; so does another skin that stays as it is. Lower is better; a copy of
    the target scores 0, the target through JPEG 90 0.34.

    One value per frame of a clip of at least 2 consecutive frames; the first frame takes the second's. NaN where the
    swap or the target shows no face, or no neighbour does. 100 is out of reach, so a failed pair counts as the largest
    of the run in the worst case.

    Args:
        landmarker: ``mediapipe``: its ``colours`` are read.

    Raises:
        UsageError: no such landmarker; while computing: no clip is long enough.
    """
    one_of("flicker", "landmarker", landmarker, ("mediapipe",))
    name = f"flicker[{landmarker}]"

    def compute(observed: Observed) -> Values:
        rows = len(observed.pairs)
        parts = clips(observed, 2, name)
        swap, target = (
            output(seen, landmarker, "colours", rows).astype(np.float64) for seen in (observed.swap, observed.target)
        )
        if min(swap.shape[1], target.shape[1]) == 1:  # no face in any picture
            swap = target = np.full((rows, 3 * N_VERTICES), np.nan)
        c = (swap - target).reshape(rows, -1, 3)[:, SKIN]

        def within(clip: Rows) -> Values:
            changed = np.abs(np.diff(c[clip], axis=0)).reshape(len(clip) - 1, -1)
            known = np.isfinite(changed)
            mean = np.where(known, changed, 0.0).sum(axis=1) / known.sum(axis=1)
            return np.pad(100 * mean, (1, 0), mode="edge")

        # Points beyond the edge of a crop have no colour: most of the skin must.
        coloured = np.asarray(np.isfinite(c).all(axis=2).mean(axis=1) > 0.75)
        return along(parts, coloured, 2, within)

    return _metric(name, "Flicker", "%", landmarker, compute, decimals=2, frames=2)


def id_variance(recogniser: str) -> Metric:
    """ID variance: how far a recogniser finds the frames of a clip from the person it sees in the clip as a whole.

    ``id_variance[recogniser]``. For recognisers trained for the cosine: 1 less the cosine of the frame's embedding with
    the mean direction of its clip's; for those trained for the L2 distance: the squared distance to the clip's mean
    embedding. Lower is better. Nothing is taken off: turning the head moves an embedding too, so the row
    ``target-copy`` shows what the target itself varies.

    One value per frame of a clip of at least 2 frames with a face, consecutive or not. NaN where the swap has no
    embedding. A failed pair counts as the largest of the run in the worst case.

    Args:
        recogniser: an expert whose role is ``recognition``.

    Raises:
        UsageError: no such recogniser; while computing: no clip is long enough.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> swap = {"edgeface": {"embedding": np.float32([[1, 0], [0, 1]])}}  # 45 degrees from their mean
        >>> pairs = pd.DataFrame({"source": "ann", "video": "bob", "frame": [0, 9]})
        >>> id_variance("edgeface").compute(Observed(pairs, swap, {}, {}, {})).round(3)
        array([0.293, 0.293])
    """
    card = judge("id_variance", "recogniser", recogniser, lambda card: card.role == "recognition" and card.similarity)
    name = f"id_variance[{recogniser}]"
    distance = _from_direction if card.similarity == "cosine" else _from_mean

    def compute(observed: Observed) -> Values:
        parts = clips(observed, 2, name, gaps=True)
        embedding = output(observed.swap, recogniser, "embedding", len(observed.pairs)).astype(np.float64)
        seen = np.asarray(np.isfinite(embedding).all(axis=1))
        values = np.full(len(embedding), np.inf)
        for clip in parts:
            values[clip] = np.nan
            frames = clip[seen[clip]]
            if len(frames) >= 2:
                values[frames] = distance(embedding[frames])
        return values

    return _metric(name, "ID variance", "", recogniser, compute, decimals=4)


def _from_direction(embeddings: Values) -> Values:
    """1 - cosine with the mean direction; NaN where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        mean = unit.mean(axis=0)
        cosine: Values = unit @ mean / np.linalg.norm(mean)
    return 1 - cosine.clip(-1, 1)


def _from_mean(embeddings: Values) -> Values:
    squared: Values = np.square(embeddings - embeddings.mean(axis=0)).sum(axis=1)
    return squared


def _metric(
    name: str, title: str, unit: str, expert: str, compute: Callable[[Observed], Values], decimals: int, frames: int = 1
) -> Metric:
    return Metric(
        name, title, unit, "down", (expert,), compute, decimals=decimals, group="video", frames=frames, scope="clip"
    )


def clips(observed: Observed, frames: int, metric: str, gaps: bool = False) -> list[Rows]:
    """The clips among the pairs: one source, one target video, frames in order.

    Args:
        observed: its ``pairs`` are read: ``source_video`` (or ``source``), ``video``, ``frame``, in any order of rows.
        frames: how many a clip must have.
        metric: printed name of the metric, for the message.
        gaps: whether a clip goes on where frames are left out.

    Returns:
        The rows of each clip that is long enough.

    Raises:
        UsageError: none is.
    """
    frame = observed.pairs["frame"].to_numpy().astype(np.int64)
    source, video = (
        np.unique(names, return_inverse=True)[1]
        for names in (source_of_clip(observed), observed.pairs["video"].to_numpy().astype(str))
    )
    order = np.lexsort((frame, video, source))
    broken = (np.diff(source[order]) != 0) | (np.diff(video[order]) != 0)
    if not gaps:
        broken |= np.diff(frame[order]) != 1
    parts = np.split(order, np.flatnonzero(broken) + 1)
    kept = [clip for clip in parts if len(clip) >= frames]
    if not kept:
        consecutive = "" if gaps else "consecutive "
        raise UsageError(
            f"{metric} needs clips of at least {frames} {consecutive}frames of one target video with one source; the "
            f"longest clip of these {len(frame)} pairs has {max(map(len, parts))}. Run a suite of clips, such as "
            "'truth-video', or leave the metric out."
        )
    return kept


def along(parts: Sequence[Rows], seen: NDArray[np.bool_], frames: int, within: Callable[[Rows], Values]) -> Values:
    """Apply a function of consecutive frames to all clips.

    Args:
        parts: rows of clips.
        seen: ``(n,)`` whether there is anything to compare; a frame where not parts its clip.
        frames: how many consecutive frames the function needs.
        within: rows of consecutive seen frames -> a value for each.

    Returns:
        ``(n,)``; infinite where a row is in no clip, NaN where it is in no stretch that is long enough.
    """
    values = np.full(len(seen), np.inf)
    for clip in parts:
        values[clip] = np.nan
        for stretch in np.split(clip, np.flatnonzero(np.diff(seen[clip])) + 1):
            if len(stretch) >= frames and seen[stretch[0]]:
                values[stretch] = within(stretch)
    return values
