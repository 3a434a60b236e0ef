"""A forgery detector trained on the other methods of a run: what this method leaves of itself that theirs leave too.

Detectors with fixed weights know the forgeries of their day. This one knows those of the run, except the one it judges:
logistic regression on what two frozen experts see. It is cross-fitted: whoever scores an image has seen neither the
video it comes from nor the person it gives the face of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.records import Floats, Gallery, Observed
from metrics.inputs import output

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

NAME = "trained-on-others"
FEATURES: Mapping[str, str] = {"blend-cnn": "embedding", "spectrum": "spectrum"}
"""Expert -> the output that is a part of the features."""
FOLDS = 4
"""Parts that videos, and people, are divided into; there is one model for each part of videos and part of people."""
FEWEST_METHODS = 2
FEWEST = 2 * FOLDS
"""Videos, and people, that it takes at least."""
MOST_ROWS = 4000
"""Images of each kind that a model is trained on: more make it slower, not better."""
STRENGTH = 0.05
"""scikit-learn's C: features are many and images few, so that weights are held small."""


class Verdicts(NamedTuple):
    """What the detector says.

    Attributes:
        swap: ``(n,)`` log odds that each swap is forged; NaN where it was not scored.
        real: ``(m,)`` the same of the originals.
        reason: why there is no detector at all, in words.
    """

    swap: NDArray[np.float64]
    real: NDArray[np.float64]
    reason: str = ""


class _Rows(NamedTuple):
    """Images with what is known of them, row by row."""

    key: NDArray[Any]
    video: NDArray[np.intp]
    """Part of the videos."""
    people: NDArray[np.intp]
    """``(r, 1 or 2)`` parts of the people that may be known from the image."""
    features: NDArray[np.float64]

    def take(self, rows: NDArray[Any]) -> _Rows:
        return _Rows(*(column[rows] for column in self))


def verdicts(observed: Observed, originals: Gallery, videos: NDArray[Any]) -> Verdicts:
    """Train on the swaps of the other methods and on originals, and score the swaps of this method and the originals.

    A swap from target video v and source person s is scored by a model that has seen no original and no swap of a video
    from v's part, and nothing that shows a person from s's part, be it as the source or the target of a swap or as they
    are; an original of person s in video v likewise. Parts depend on the names alone, not on their order.

    Args:
        observed: with the other methods' swaps in ``others``, ``video``, ``source_id`` and ``target_id`` in ``pairs``.
        originals: the images that are real.
        videos: ``(m,)`` the video of each.

    Returns:
        Log odds; those of different models stand side by side. Bit by bit the same for any order of pairs and methods.
    """
    kept: Verdicts | None = observed.__dict__.get("_verdicts")
    # Every metric of this detector asks for it anew, and training takes a while.
    if kept is None:
        kept = _verdicts(observed, originals, videos)
        object.__setattr__(observed, "_verdicts", kept)
    return kept


def _verdicts(observed: Observed, originals: Gallery, videos: NDArray[Any]) -> Verdicts:
    pairs = {name: observed.pairs[name].to_numpy().astype(str) for name in ("pair", "video", "source_id", "target_id")}
    n = len(observed.pairs)
    nothing = Verdicts(np.full(n, np.nan), np.full(len(videos), np.nan))
    features = {name: _features(swap, n) for name, swap in sorted(observed.others.items())}
    features = {name: rows for name, rows in features.items() if _whole(rows).any()}
    shown = [pairs["source_id"], pairs["target_id"], originals.identity.astype(str)]
    video_part, person_part = _parts("video", [pairs["video"], videos]), _parts("person", shown)
    if reason := _missing(list(features), len(video_part), len(person_part)):
        return nothing._replace(reason=reason)

    def parts(of: Mapping[str, int], names: NDArray[Any]) -> NDArray[np.intp]:
        return np.array([of[name] for name in names.tolist()], np.intp)

    video = parts(video_part, pairs["video"])
    source, target, identity = (parts(person_part, names) for names in shown)
    real_features = _features(originals.experts, len(videos))
    real = _Rows(originals.image.astype(str), parts(video_part, videos), identity[:, None], real_features)
    swap = _Rows(pairs["pair"], video, source[:, None], _features(observed.swap, n))
    both = np.stack([source, target], axis=1)
    forged = [_sorted(_Rows(pairs["pair"], video, both, rows)) for rows in features.values()]
    known, sorted_real = _joined(forged), _sorted(real)
    for part in product(range(FOLDS), repeat=2):
        unseen = [rows.take(_unseen(rows, *part)) for rows in (known, sorted_real)]
        model = _classifier(_thinned(unseen[0].features), _thinned(unseen[1].features))
        if model is None:
            continue
        for rows, said in ((swap, nothing.swap), (real, nothing.real)):
            asked = (rows.video == part[0]) & (rows.people[:, 0] == part[1]) & _whole(rows.features)
            if asked.any():
                said[asked] = model.decision_function(rows.features[asked])
    scored = np.isfinite(nothing.swap).any()
    return nothing if scored else nothing._replace(reason="no swap is left to judge, or nothing to train on without it")


def _missing(methods: Sequence[str], videos: int, people: int) -> str:
    if len(methods) < FEWEST_METHODS:
        found = f"{len(methods)} other method{'s' * (len(methods) != 1)} with swaps that were observed"
        return f"{found}{': ' + methods[0] if methods else ''}; a detector trained on others needs {FEWEST_METHODS}"
    for count, noun in ((videos, "videos"), (people, "people")):
        if count < FEWEST:
            return f"{count} {noun}; a detector trained on others needs {FEWEST}, to judge none that it has seen"
    return ""


def _features(seen: Mapping[str, Mapping[str, Floats]], rows: int) -> NDArray[np.float64]:
    """``(rows, d)``; NaN in rows that were not seen, and in all (d = 2) if an expert saw nothing at all."""
    parts = [output(seen, expert, name, rows) for expert, name in FEATURES.items()]
    if any(not seen[expert] for expert in FEATURES):
        return np.full((rows, len(parts)), np.nan)
    return np.concatenate(parts, axis=1).astype(np.float64)


def _whole(features: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(features).all(axis=1))


def _parts(salt: str, names: Sequence[NDArray[Any]]) -> dict[str, int]:
    """Name -> part, parts of equal size: dealt out in an order that has nothing to do with what is named."""
    known = sorted(set(np.concatenate(names).tolist()), key=lambda name: _shuffled(salt, name))
    return {name: place % FOLDS for place, name in enumerate(known)}


def _shuffled(salt: str, name: str) -> str:
    return hashlib.sha256(f"{salt}\n{name}".encode()).hexdigest()


def _sorted(rows: _Rows) -> _Rows:
    """Rows with features in the order of their names: what is learned must not depend on the order of pairs."""
    rows = rows.take(_whole(rows.features))
    return rows.take(np.argsort(rows.key, kind="stable"))


def _joined(rows: Sequence[_Rows]) -> _Rows:
    return _Rows(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _unseen(rows: _Rows, video: int, person: int) -> NDArray[np.bool_]:
    return np.asarray((rows.video != video) & (rows.people != person).all(axis=1))


def _thinned(features: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(features) <= MOST_ROWS:
        return features
    return features[np.linspace(0, len(features) - 1, MOST_ROWS).astype(np.intp)]


def _classifier(forged: NDArray[np.float64], real: NDArray[np.float64]) -> Pipeline | None:
    """A model whose `decision_function` is higher for what looks forged; ``None`` with nothing to learn from."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if not len(forged) or not len(real):
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000))
    return model.fit(np.concatenate([forged, real]), np.repeat([1, 0], [len(forged), len(real)]))
