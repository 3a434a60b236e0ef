"""Stage four: from observations to numbers with intervals.

Reads the run folder only: opens no image, loads no network. The statistics come from the package ``metrics``, which
holds them for whoever scores outside a run too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench import registry
from hifibench.arrays import read_arrays
from hifibench.contracts import Metric, Split, Whole
from hifibench.errors import MissingError, UsageError
from hifibench.files import atomic_path
from hifibench.pipeline.judges import took_part
from hifibench.pipeline.observe import COMPARING, DETECTOR
from hifibench.pipeline.plan import pairs_table
from hifibench.pipeline.results import Part, Scored, aggregate
from hifibench.pipeline.store import RunFolder, chunks, write_json
from hifibench.records import EXACT, Floats, Gallery, Manifest, Observed, Score
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
        # Who looked at the originals, and who at the swaps, is decided in `hifibench.pipeline.share.Share`.
        self._of_swaps = [DETECTOR, *(name for name, card in cards.items() if card.role != "facts")]
        single = [DETECTOR, *(name for name, card in cards.items() if card.role not in COMPARING)]
        images = load_observations(folder, "images", single, list(manifest.images))
        position = {ref.image: index for index, ref in enumerate(manifest.images)}

        def take(names: list[str]) -> Stacked:
            return _rows(images, np.array([position[name] for name in names], np.int64))

        self.pairs = pairs_table(manifest)
        self._source = take([pair.source for pair in manifest.pairs])
        self._target = take([pair.target for pair in manifest.pairs])
        known = all(pair.truth for pair in manifest.pairs)
        self._truth = take([pair.truth for pair in manifest.pairs]) if known else {}
        self.galleries = {
            name: Gallery(
                identity=np.array([manifest.image(member).identity for member in members]),
                image=np.array(members),
                experts=take(list(members)),
                video=np.array([manifest.image(member).video for member in members]),
            )
            for name, members in manifest.galleries.items()
        }

    def of(self, swap: Stacked, others: Mapping[str, Stacked]) -> Observed:
        """What a metric may look at, for one method.

        Args:
            swap: what was seen in its swaps; nothing for who asks of the pairs alone.
            others: what was seen in the swaps of those it competes with.
        """
        return Observed(self.pairs, swap, self._source, self._target, self.galleries, self._truth, others)

    def swaps(self, method: str) -> Stacked:
        """What the experts saw in the swaps of one method."""
        return load_observations(self._folder, method, self._of_swaps, list(self._manifest.pairs))


def score(folder: RunFolder, suite: Suite, manifest: Manifest, seed: int) -> dict[str, Any]:
    """Score every method, write ``scores.parquet`` and ``results.json``, return what the latter holds."""
    metrics = [registry.metric(name) for name in suite.metrics]
    observations = Observations(folder, manifest, suite.experts())
    refused = _refused(suite, metrics)
    values: dict[str, dict[str, NDArray[np.float64]]] = {}
    wholes: dict[str, dict[str, Whole]] = {}
    competing = {
        name: observations.swaps(name)
        for name in suite.methods
        if any(metric.others for metric in metrics) and registry.swappers.get(name).card.kind == "method"
    }
    for method in suite.methods:
        others = {name: swap for name, swap in competing.items() if name != method}
        observed = observations.of(competing.get(method) or observations.swaps(method), others)
        measured = [metric for metric in metrics if (method, metric.name) not in refused]
        unmeasured = np.full(len(manifest.pairs), np.nan)
        values[method] = dict.fromkeys([metric.name for metric in metrics], unmeasured)
        values[method] |= {metric.name: _values(metric, observed) for metric in measured}
        wholes[method] = {
            metric.name: metric.whole(observed, seed, suite.draws)
            for metric in measured
            if metric.whole is not None and _swapped(metric, observed)
        }
    for metric in metrics:
        _agree(values, metric.name)
    clusters = observations.pairs["video"].to_numpy().astype(str)
    scores = _summarise(suite, metrics, Values(values, wholes, refused), clusters, seed)
    _write_scores(folder, observations.pairs["pair"].to_numpy(), values)
    divided = _divide(suite, observations.of({}, {}))
    _write_levels(folder, observations.pairs["pair"].to_numpy(), divided)
    parts = _parts(suite, metrics, values, refused, divided, clusters, seed)
    results = aggregate(folder, suite, manifest, seed, Scored(metrics, values, wholes, scores, parts, clusters))
    write_json(folder["results.json"], results)
    return results


class Values(NamedTuple):
    """What the metrics said: one value per pair, one for all, or nothing and why."""

    pairs: Mapping[str, Mapping[str, NDArray[np.float64]]]
    wholes: Mapping[str, Mapping[str, Whole]]
    refused: Mapping[tuple[str, str], str]


def _refused(suite: Suite, metrics: Sequence[Metric]) -> dict[tuple[str, str], str]:
    """(method, metric) -> why it is not scored: an expert is no judge of what it has taught."""
    if suite.trained_with == "mark":
        return {}
    why = {}
    for method in suite.methods:
        card = registry.swappers.get(method).card
        for metric in metrics:
            if judges := took_part(card, metric.needs):
                why[method, metric.name] = f"{', '.join(judges)} took part in the training of {method}"
    return why


def _swapped(metric: Metric, observed: Observed) -> bool:
    """Whether there is a swap at all that a metric could look at."""
    seen = [name for name in metric.needs if name != EXACT]
    return all(observed.swap.get(expert) for expert in (DETECTOR, *seen))


def _values(metric: Metric, observed: Observed) -> NDArray[np.float64]:
    if not _swapped(metric, observed):
        return np.full(len(observed.pairs), np.nan)
    values = np.asarray(metric.compute(observed), np.float64)
    if values.shape != (len(observed.pairs),):
        raise UsageError(f"{metric.name} returned shape {values.shape}, expected one value per pair.")
    return values


def _agree(values: Mapping[str, dict[str, NDArray[np.float64]]], metric: str) -> None:
    """Let a pair in which there is nothing to score for one method be none for all.

    That depends on the pair alone, but is not seen where a method gave no swap, or none with a face: the pair would
    count as failed there, and as the worst value.
    """
    nothing = np.any([np.isinf(rows[metric]) for rows in values.values()], axis=0)
    for rows in values.values():
        rows[metric] = np.where(nothing & np.isnan(rows[metric]), np.inf, rows[metric])


class Divided(NamedTuple):
    """A split, the part of each pair, and the order of the parts."""

    split: Split
    labels: NDArray[np.str_]
    order: Sequence[str]


def _divide(suite: Suite, observed: Observed) -> list[Divided]:
    """The parts of the suite's splits."""
    splits = [registry.split(name) for name in suite.splits]
    return [Divided(split, *split.labels(observed)) for split in splits]


def _parts(
    suite: Suite,
    metrics: Sequence[Metric],
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
    refused: Mapping[tuple[str, str], str],
    divided: Sequence[Divided],
    clusters: NDArray[np.str_],
    seed: int,
) -> list[Part]:
    """Every metric of every method over the parts of the suite's splits; sets are too small there for whole numbers."""
    from metrics.summary import summarise_all

    single = [metric for metric in metrics if metric.whole is None]
    columns = [(method, metric) for method in suite.methods for metric in single]
    parts = []
    for split, labels, order in divided:
        for level in order:
            inside = labels == level
            if not inside.any():
                continue
            table = np.stack([values[method][metric.name][inside] for method, metric in columns], axis=1)
            made = summarise_all([metric for _, metric in columns], table, clusters[inside], seed, suite.draws)
            rows = [
                (method, _or_refused(one, refused.get((method, metric.name))))
                for (method, metric), one in zip(columns, made, strict=True)
            ]
            parts.append(Part(split, level, int(inside.sum()), rows))
    return parts


def _summarise(
    suite: Suite,
    metrics: list[Metric],
    said: Values,
    clusters: NDArray[np.str_],
    seed: int,
) -> dict[str, dict[str, Score]]:
    from metrics.summary import summarise_all

    values = said.pairs
    columns = [(method, metric) for method in suite.methods for metric in metrics]
    table = np.stack([values[method][metric.name] for method, metric in columns], axis=1)
    largest = {metric.name: _largest([values[method][metric.name] for method in suite.methods]) for metric in metrics}
    worst = [largest[metric.name] for _, metric in columns]
    made = summarise_all([metric for _, metric in columns], table, clusters, seed, suite.draws, worst)
    scores: dict[str, dict[str, Score]] = {method: {} for method in suite.methods}
    for (method, metric), one in zip(columns, made, strict=True):
        refused = said.refused.get((method, metric.name))
        if metric.whole is not None and not refused:
            one = _of_all(metric, one, said.wholes[method].get(metric.name))
        scores[method][metric.name] = _or_refused(one, refused)
    return scores


def _or_refused(one: Score, reason: str | None) -> Score:
    """The score, or that there is none: no pair has failed where nobody was to judge it."""
    return one if reason is None else replace(one, n_failed=0, worst_case=math.nan, reason=reason)


def _of_all(metric: Metric, pairs: Score, whole: Whole | None) -> Score:
    """The score of a set: what the pairs say of failures, and the number of all of them."""
    from metrics.resampling import percentiles

    if whole is None:
        return replace(pairs, value=math.nan, low=math.nan, high=math.nan, worst_case=math.nan)
    low, high = map(float, percentiles(whole.draws))
    worst = whole.value
    if pairs.n_failed:
        # Each failed pair counts as the worst value, as it would in a mean.
        share = pairs.n_failed / pairs.n
        worst = math.nan if metric.worst is None else (1 - share) * whole.value + share * metric.worst
    return replace(pairs, value=whole.value, low=low, high=high, worst_case=worst, reason=whole.reason)


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


def _write_levels(folder: RunFolder, pairs: NDArray[Any], divided: Sequence[Divided]) -> None:
    """Which part of each split a pair is in, for reports; a pair that is in none has no row."""
    import pandas as pd

    frames = [
        pd.DataFrame({"pair": pairs, "split": split.name, "level": labels})[np.isin(labels, order)]
        for split, labels, order in divided
    ]
    table = pd.concat(frames) if frames else pd.DataFrame(columns=["pair", "split", "level"], dtype=str)
    with atomic_path(folder["splits.parquet"]) as temporary:
        table.to_parquet(temporary, index=False)
