"""Brings the pairs of two runs together, and reads what each metric said of every one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import MissingError, UsageError
from hifibench.records import Manifest
from metrics.statistics import mean
from reports import read
from reports.comparison.records import Pairing
from reports.records import Metric, Result, Run

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]
Names = NDArray[np.str_]

AS_MEAN = 1e-6
"""How near, in parts of it, a number must be to the mean of its pairs' values to be taken for that."""
SAYS_WHOLE = 3
"""The schema from which on ``results.json`` says which numbers belong to a set."""
DRAWS = 1000
"""Of the bootstrap, where a run does not say how many it made."""


@dataclass(frozen=True, eq=False)
class Brought:
    """The pairs of two runs, brought together.

    Attributes:
        pairing: how.
        all_a: names of all pairs of the first run.
        all_b: those of the second.
        rows_a: ``(n,)`` which of them are compared; where paired, entry i is the same pair in both.
        rows_b: the same of the second run.
        videos_a: ``(n,)`` the target's video of each, by which intervals are clustered.
        videos_b: the same of the second run.
        same_galleries: whether both runs search the same originals.
    """

    pairing: Pairing
    all_a: Names
    all_b: Names
    rows_a: NDArray[np.intp]
    rows_b: NDArray[np.intp]
    videos_a: Names
    videos_b: Names
    same_galleries: bool = True


def together(a: Run, b: Run, other_manifest: bool = False) -> Brought:
    """Bring the pairs of two runs together.

    Pairs of two manifests are the same where name, source, target and true swap are: images by the hash of their file
    and frame, those made by seed by their address and what made them.

    Args:
        a: the one to start from.
        b: the other.
        other_manifest: whether they may be of different images and pairs.

    Raises:
        UsageError: they are of different manifests, and may not be.
        MissingError: a run's manifest is gone.
    """
    hashes = [run.results.manifest for run in (a, b)]
    if hashes[0] == hashes[1]:
        pairs, videos = pairs_of(a if a.videos else b)
        rows = np.arange(len(pairs))
        return Brought("same manifest", pairs, pairs, rows, rows, videos, videos)
    if not other_manifest:
        raise UsageError(
            f"The runs are of different images and pairs: the manifest of {a.folder} is {hashes[0]}, that of "
            f"{b.folder} {hashes[1]}. Run the same suite with the same --seed and --limit, or add --other-manifest: "
            "then the pairs that are in both are compared, and where there are none the means."
        )
    (pairs_a, videos_a), (pairs_b, videos_b) = pairs_of(a), pairs_of(b)
    manifests = _manifest(a), _manifest(b)
    first, second = map(_keys, manifests)
    same = _galleries(manifests[0]) == _galleries(manifests[1])
    place = {str(pair): index for index, pair in enumerate(pairs_b)}
    found = [i for i, pair in enumerate(map(str, pairs_a)) if pair in second and first[pair] == second[pair]]
    if found:
        rows_a = np.array(found, np.intp)
        rows_b = np.array([place[str(pair)] for pair in pairs_a[rows_a]], np.intp)
        videos = videos_a[rows_a]
        return Brought("common pairs", pairs_a, pairs_b, rows_a, rows_b, videos, videos, same)
    every_a, every_b = np.arange(len(pairs_a)), np.arange(len(pairs_b))
    return Brought("unpaired", pairs_a, pairs_b, every_a, every_b, videos_a, videos_b, same)


def values(run: Run, methods: Sequence[str], metrics: Sequence[str], pairs: Names) -> Values:
    """What each metric said of each pair, ``(n, methods * metrics)``, the metrics of one method side by side.

    Args:
        run: the run.
        methods: its methods to look at, in this order, some perhaps again.
        metrics: printed names.
        pairs: ``(n,)`` its pairs to look at.

    Raises:
        MissingError: ``scores.parquet`` is gone.
        UsageError: it is damaged, or of other pairs, methods or metrics than the run.
    """
    rows, unique = read.scores(run.folder), list(dict.fromkeys(methods))
    places = [
        # By category: a long run has millions of rows, and a few thousand names.
        _places(rows[column].astype("category"), wanted)
        for column, wanted in (("pair", pairs), ("method", unique), ("metric", metrics))
    ]
    said = rows["value"].to_numpy(np.float64)
    kept = np.all([place >= 0 for place in places], axis=0)
    shape = (len(pairs), len(unique), len(metrics))
    flat = np.ravel_multi_index(tuple(place[kept] for place in places), shape)
    times = np.bincount(flat, minlength=int(np.prod(shape)))
    if (times != 1).any():
        first = int((times != 1).argmax())
        row, column = divmod(first, len(unique) * len(metrics))
        pair, method, metric = pairs[row], unique[column // len(metrics)], metrics[column % len(metrics)]
        found = "more than one value" if times[first] else "no value"
        raise UsageError(
            f"{run.folder / 'scores.parquet'} holds {found} of {method!r} on {metric!r} for pair {str(pair)!r}. Delete "
            "it and run the same suite again, which writes it anew."
        )
    table = np.empty(times.size)
    table[flat] = said[kept]
    # A method may be held against several.
    return table.reshape(shape)[:, [unique.index(name) for name in methods]].reshape(len(pairs), -1)


def is_mean(column: Values, metric: Metric, score: Result | None) -> bool:
    """Whether a number is the mean of what the pairs say, so that its difference can be drawn pair by pair.

    An AUC belongs to the set, and is the mean of what each swap contributes; an AP is not.

    Args:
        column: ``(n,)`` values of all pairs of the run.
        metric: what was measured.
        score: the number; ``None`` where there is none.
    """
    if score is None or score.value is None or not np.isfinite(column).any():
        return not metric.whole
    return math.isclose(mean(column), score.value, rel_tol=AS_MEAN, abs_tol=AS_MEAN)


def contradicts(column: Values, metric: Metric, score: Result | None, schema: int) -> bool:
    """Whether the values of the pairs cannot be those of a number: it belongs to no set, and is not their mean.

    Args:
        column: as in `is_mean`; so are ``metric`` and ``score``.
        metric: what was measured.
        score: the number.
        schema: of the run; an older one does not say which of a plugin's numbers belong to a set.
    """
    return schema >= SAYS_WHOLE and not metric.whole and not is_mean(column, metric, score)


def draws_of(run: Run) -> int:
    """Bootstrap samples that a run made."""
    suite = run.provenance.get("suite")
    draws = suite.get("draws") if isinstance(suite, Mapping) else None
    return draws if isinstance(draws, int) and draws > 0 else DRAWS


def _places(column: pd.Series[Any], wanted: Sequence[str] | Names) -> NDArray[np.intp]:
    """Where the name of each row stands among the wanted ones, -1 for others."""
    place = {str(name): index for index, name in enumerate(wanted)}
    # A missing name has the code -1, and so takes the last entry.
    of_category = np.array([*(place.get(str(name), -1) for name in column.cat.categories), -1], np.intp)
    return np.asarray(of_category[column.cat.codes.to_numpy()], np.intp)


def pairs_of(run: Run) -> tuple[Names, Names]:
    """Names and target videos of a run's pairs, ``(n,)`` each.

    Raises:
        MissingError: the manifest is gone.
    """
    if not run.videos:
        raise MissingError(
            f"{run.folder / 'manifest.json'} is gone: it tells which pairs share a video. Run the same suite again; it "
            "writes it."
        )
    return np.array(list(run.videos), np.str_), np.array(list(run.videos.values()), np.str_)


def _manifest(run: Run) -> Manifest:
    pairs_of(run)
    return Manifest.from_json((run.folder / "manifest.json").read_text(encoding="utf-8"))


def _image(manifest: Manifest, name: str) -> tuple[str, int, str]:
    """What an image is, whatever it is called."""
    ref = manifest.image(name)
    # The same file may lie elsewhere; the same seed gives another face in another generator.
    return ("", ref.frame, ref.content) if ref.content else (ref.uri, ref.frame, manifest.origin)


def _keys(manifest: Manifest) -> dict[str, tuple[tuple[str, int, str] | None, ...]]:
    return {
        pair.pair: tuple(_image(manifest, name) if name else None for name in (pair.source, pair.target, pair.truth))
        for pair in manifest.pairs
    }


def _galleries(manifest: Manifest) -> dict[str, set[tuple[str, int, str]]]:
    return {name: {_image(manifest, image) for image in images} for name, images in manifest.galleries.items()}
