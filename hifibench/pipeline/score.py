"""Stage four: from observations to numbers with intervals.

Reads the run folder only: opens no image, loads no network. The statistics come from the package ``metrics``, which
holds them for whoever scores outside a run too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench import registry
from hifibench.contracts import Metric
from hifibench.errors import MissingError, UsageError
from hifibench.files import atomic_path
from hifibench.pipeline.observe import DETECTOR
from hifibench.pipeline.plan import pairs_table
from hifibench.pipeline.results import Scored, aggregate
from hifibench.pipeline.store import RunFolder, chunks, read_arrays, write_json
from hifibench.records import Floats, Gallery, Manifest, Observed, Score
from hifibench.suite import Suite

Stacked = dict[str, dict[str, Floats]]


def load_observations(folder: RunFolder, of: str, experts: list[str], items: list[Any]) -> Stacked:
    """What the experts saw in all images, or in all swaps of a method, in the manifest's order.

    Raises:
        MissingError: a part is not there.
    """
    seen: Stacked = {}
    for expert in experts:
        parts = []
        for index, _ in enumerate(chunks(items)):
            part = read_arrays(folder.observations(of, expert, index))
            if part is None:
                raise MissingError(
                    f"{folder.observations(of, expert, index)} is missing or damaged: "
                    "run the same command again, it makes only what is missing."
                )
            parts.append(part)
        seen[expert] = _join(parts)
    return seen


def _join(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    """Chunks one after another. A chunk in which nothing was seen holds no outputs and counts as rows of NaN."""
    shapes = {name: part[name].shape[1:] for part in parts for name in part if name != "rows"}
    joined = {}
    for name, shape in sorted(shapes.items()):
        rows = [
            part[name] if name in part else np.full((int(part["rows"]), *shape), np.nan, np.float32) for part in parts
        ]
        joined[name] = np.concatenate(rows)
    return joined


def _rows(seen: Stacked, index: NDArray[np.int64]) -> Stacked:
    return {expert: {name: array[index] for name, array in outputs.items()} for expert, outputs in seen.items()}


class Observations:
    """The observations of one run, read once per method."""

    def __init__(self, folder: RunFolder, manifest: Manifest, experts: tuple[str, ...]) -> None:
        self._folder = folder
        self._manifest = manifest
        cards = {name: registry.experts.get(name).card for name in experts}
        self._experts = [DETECTOR, *experts]
        self._single = [DETECTOR, *(name for name, card in cards.items() if card.role != "comparison")]
        images = load_observations(folder, "images", self._single, list(manifest.images))
        position = {ref.image: index for index, ref in enumerate(manifest.images)}

        def take(names: list[str]) -> Stacked:
            return _rows(images, np.array([position[name] for name in names], np.int64))

        self.pairs = pairs_table(manifest)
        self._source = take([pair.source for pair in manifest.pairs])
        self._target = take([pair.target for pair in manifest.pairs])
        self.galleries = {
            name: Gallery(
                identity=np.array([manifest.image(member).identity for member in members]),
                image=np.array(members),
                experts=take(list(members)),
            )
            for name, members in manifest.galleries.items()
        }

    def of(self, method: str) -> Observed:
        """What a metric may look at, for one method."""
        swap = load_observations(self._folder, method, self._experts, list(self._manifest.pairs))
        return Observed(self.pairs, swap, self._source, self._target, self.galleries)


def score(folder: RunFolder, suite: Suite, manifest: Manifest, seed: int) -> dict[str, Any]:
    """Score every method, write ``scores.parquet`` and ``results.json``, return what the latter holds."""
    metrics = [registry.metric(name) for name in suite.metrics]
    observations = Observations(folder, manifest, suite.experts())
    values: dict[str, dict[str, NDArray[np.float64]]] = {}
    for method in suite.methods:
        observed = observations.of(method)
        values[method] = {metric.name: _values(metric, observed) for metric in metrics}
    clusters = observations.pairs["video"].to_numpy().astype(str)
    scores = _summarise(suite, metrics, values, clusters, seed)
    _write_scores(folder, observations.pairs["pair"].to_numpy(), values)
    results = aggregate(folder, suite, manifest, seed, Scored(metrics, values, scores, clusters))
    write_json(folder["results.json"], results)
    return results


def _values(metric: Metric, observed: Observed) -> NDArray[np.float64]:
    # Where no swap succeeded at all, there is nothing that a metric could look at.
    if any(not observed.swap.get(expert) for expert in (DETECTOR, *metric.needs)):
        return np.full(len(observed.pairs), np.nan)
    values = np.asarray(metric.compute(observed), np.float64)
    if values.shape != (len(observed.pairs),):
        raise UsageError(f"{metric.name} returned shape {values.shape}, expected one value per pair.")
    return values


def _summarise(
    suite: Suite,
    metrics: list[Metric],
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
    clusters: NDArray[np.str_],
    seed: int,
) -> dict[str, dict[str, Score]]:
    from metrics.summary import summarise_all

    columns = [(method, metric) for method in suite.methods for metric in metrics]
    table = np.stack([values[method][metric.name] for method, metric in columns], axis=1)
    largest = {metric.name: _largest([values[method][metric.name] for method in suite.methods]) for metric in metrics}
    worst = [largest[metric.name] for _, metric in columns]
    made = summarise_all([metric for _, metric in columns], table, clusters, seed, suite.draws, worst)
    scores: dict[str, dict[str, Score]] = {method: {} for method in suite.methods}
    for (method, metric), one in zip(columns, made, strict=True):
        scores[method][metric.name] = one
    return scores


def _largest(rows: list[NDArray[np.float64]]) -> float:
    """The largest value of the run: what a failed pair counts under a metric without a bound."""
    finite = np.concatenate(rows)
    finite = finite[np.isfinite(finite)]
    return float(finite.max()) if finite.size else math.nan


def _write_scores(
    folder: RunFolder, pairs: NDArray[Any], values: Mapping[str, Mapping[str, NDArray[np.float64]]]
) -> None:
    import pandas as pd

    frames = [
        pd.DataFrame({"method": method, "pair": pairs, "metric": metric, "value": row})
        for method, rows in values.items()
        for metric, row in rows.items()
    ]
    with atomic_path(folder["scores.parquet"]) as temporary:
        pd.concat(frames, ignore_index=True).to_parquet(temporary, index=False)
