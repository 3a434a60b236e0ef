"""Stage four: from observations to numbers with intervals.

Reads the run folder only: opens no image, loads no network. The statistics come from the package ``metrics``, which
holds them for whoever scores outside a run too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hifibench import registry
from hifibench.contracts import Metric, Split, Whole
from hifibench.pipeline.judges import took_part
from hifibench.pipeline.observations import Observations
from hifibench.pipeline.results import Part, Scored, aggregate
from hifibench.pipeline.scores_file import write_levels, write_scores
from hifibench.pipeline.store import RunFolder, write_json
from hifibench.pipeline.values import Values, measure
from hifibench.profiling import NOTHING, Profile
from hifibench.records import Manifest, Score
from hifibench.suite import Suite

TABLE = 2**19
"""Values that are summarised at once: 4 MiB, and a few times that on the way."""

T = TypeVar("T")


def score(folder: RunFolder, suite: Suite, manifest: Manifest, seed: int, profile: Profile = NOTHING) -> dict[str, Any]:
    """Score every method, write ``scores.parquet`` and ``results.json``, return what the latter holds."""
    metrics = [registry.metric(name) for name in suite.metrics]
    with profile.span("score", "load", len(manifest.images)):
        observations = Observations(folder, manifest, suite.experts())
    refused = _refused(suite, metrics)
    values = Values(folder.root, suite.methods, [metric.name for metric in metrics], len(manifest.pairs))
    competing = {
        name: observations.swaps(name, observations.all)
        for name in suite.methods
        if any(metric.others for metric in metrics) and registry.swappers.get(name).card.kind == "method"
    }
    wholes = {
        method: measure(
            method,
            [metric for metric in metrics if (method, metric.name) not in refused],
            observations,
            {name: swap for name, swap in competing.items() if name != method},
            values,
            seed,
            suite.draws,
            profile,
        )
        for method in suite.methods
    }
    for metric in metrics:
        values.agree(metric.name)
    said = Said(values, wholes, refused)
    clusters = _clusters(manifest)
    with profile.span("score", "intervals", len(manifest.pairs)):
        scores = _summarise(suite, metrics, said, clusters, seed)
        divided = _divide(suite, observations)
        parts = _parts(suite, metrics, said, divided, clusters, seed)
    with profile.span("score", "write"):
        pairs = [pair.pair for pair in manifest.pairs]
        write_scores(folder, pairs, values)
        write_levels(folder, pairs, ((one.split.name, one.labels, np.isin(one.labels, one.order)) for one in divided))
        results = aggregate(folder, suite, manifest, seed, Scored(metrics, values, wholes, scores, parts, clusters))
        write_json(folder["results.json"], results)
    return results


class Said(NamedTuple):
    """What the metrics said: one value per pair, one for all, or nothing and why."""

    pairs: Values
    wholes: Mapping[str, Mapping[str, Whole]]
    refused: Mapping[tuple[str, str], str]


def _clusters(manifest: Manifest) -> NDArray[np.intp]:
    """The target's video of each pair, by its place among them in the order of their names.

    Samples are drawn of videos in that order, so that numbers do as well as the names, and take less room.
    """
    from metrics.resampling import cluster_names

    names = sorted({manifest.image(pair.target).video for pair in manifest.pairs})
    cluster_names(names)
    place = {name: index for index, name in enumerate(names)}
    return np.array([place[manifest.image(pair.target).video] for pair in manifest.pairs], np.intp)


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


class Divided(NamedTuple):
    """A split, the part of each pair, and the order of the parts."""

    split: Split
    labels: NDArray[np.str_]
    order: Sequence[str]


def _divide(suite: Suite, observations: Observations) -> list[Divided]:
    """The parts of the suite's splits."""
    splits = [registry.split(name) for name in suite.splits]
    if not splits:
        return []
    observed = observations.of({}, observations.all)
    return [Divided(split, *split.labels(observed)) for split in splits]


def _some(columns: Sequence[T], pairs: int) -> Iterator[Sequence[T]]:
    """Columns of a table of values, some at a time."""
    step = max(1, TABLE // max(1, pairs))
    for start in range(0, len(columns), step):
        yield columns[start : start + step]


def _parts(
    suite: Suite,
    metrics: Sequence[Metric],
    said: Said,
    divided: Sequence[Divided],
    clusters: NDArray[np.intp],
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
            rows: list[tuple[str, Score]] = []
            for some in _some(columns, len(labels)):
                table = said.pairs.table([(method, metric.name) for method, metric in some], inside)
                made = summarise_all([metric for _, metric in some], table, clusters[inside], seed, suite.draws)
                rows += [
                    (method, _or_refused(one, said.refused.get((method, metric.name))))
                    for (method, metric), one in zip(some, made, strict=True)
                ]
            parts.append(Part(split, level, int(inside.sum()), rows))
    return parts


def _summarise(
    suite: Suite,
    metrics: Sequence[Metric],
    said: Said,
    clusters: NDArray[np.intp],
    seed: int,
) -> dict[str, dict[str, Score]]:
    from metrics.summary import summarise_all

    columns = [(method, metric) for method in suite.methods for metric in metrics]
    largest = {metric.name: said.pairs.largest(metric.name) for metric in metrics}
    scores: dict[str, dict[str, Score]] = {method: {} for method in suite.methods}
    for some in _some(columns, len(clusters)):
        table = said.pairs.table([(method, metric.name) for method, metric in some])
        worst = [largest[metric.name] for _, metric in some]
        made = summarise_all([metric for _, metric in some], table, clusters, seed, suite.draws, worst)
        for (method, metric), one in zip(some, made, strict=True):
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
