"""What ``results.json`` says of a run: scores, cards, protocol, checks. It holds no time and no date."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench import data, registry
from hifibench.contracts import ExpertCard, Metric, Split, SwapperCard, Whole
from hifibench.faces.detect import Detector
from hifibench.pipeline import precision
from hifibench.pipeline.judges import took_part
from hifibench.pipeline.store import RunFolder, chunks, read_json
from hifibench.pipeline.values import Values
from hifibench.records import Manifest, Score
from hifibench.suite import Suite

SCHEMA = 3
"""Version of ``results.json``; `reports.results.migrate` reads older ones, docs/results.md says what each holds."""


@dataclass(frozen=True)
class Part:
    """What the metrics say of one part of a split.

    Attributes:
        split: the split.
        level: the part.
        n: its pairs.
        scores: (method, score), in the order of methods and metrics.
    """

    split: Split
    level: str
    n: int
    scores: Sequence[tuple[str, Score]]


@dataclass(frozen=True)
class Scored:
    """All numbers of a run.

    Attributes:
        metrics: in the suite's order.
        values: of each method, metric and pair, NaN where it failed.
        wholes: method -> printed name of the metric -> the number for all pairs, of metrics that have one.
        scores: method -> printed name of the metric -> score.
        parts: the scores of parts of the pairs.
        clusters: ``(n,)`` video of each pair, by number.
    """

    metrics: list[Metric]
    values: Values
    wholes: Mapping[str, Mapping[str, Whole]]
    scores: Mapping[str, Mapping[str, Score]]
    parts: Sequence[Part]
    clusters: NDArray[np.intp]


def _number(value: float) -> float | None:
    """Nine significant digits: more than any metric resolves, and the same text on every run."""
    return float(f"{value:.9g}") if math.isfinite(value) else None


def aggregate(folder: RunFolder, suite: Suite, manifest: Manifest, seed: int, scored: Scored) -> dict[str, Any]:
    """What ``results.json`` holds; the same for the same suite, seed and machine."""
    from metrics.reference import check_order
    from metrics.true_row import findings

    scores, metrics, clusters = scored.scores, scored.metrics, scored.clusters

    cards = {name: registry.swappers.get(name).card for name in suite.methods}
    people = {
        name: len({manifest.image(member).identity for member in members})
        for name, members in manifest.galleries.items()
    }
    checks = check_order(scores, metrics, people)
    return {
        "schema": SCHEMA,
        "suite": suite.name,
        "title": suite.title,
        "manifest": manifest.hash,
        "origin": manifest.origin,
        "seed": seed,
        "n_pairs": len(manifest.pairs),
        "galleries": {
            name: {"images": len(members), "identities": people[name]} for name, members in manifest.galleries.items()
        },
        "protocol": {
            "detector": Detector.card.name,
            "face rule": "originals: the largest, most central face; swaps: the face that overlaps the target's most",
            "identity map": "as the manifest names people",
            "intervals": f"95 % cluster bootstrap by video, {suite.draws} draws, {len(np.unique(clusters))} videos; "
            "Wilson for rates of one pair a video, or of 0 and 100 %",
            **precision.protocol(folder, suite.methods),
            **data.notes(suite.data, manifest),
        },
        "methods": [_method(folder, manifest, name, cards[name], suite.experts()) for name in suite.methods],
        "experts": [_expert(Detector.card), *(_expert(registry.experts.get(name).card) for name in suite.experts())],
        "metrics": [
            {
                "name": metric.name,
                "title": metric.title,
                "unit": metric.unit,
                "direction": metric.direction,
                "decimals": metric.decimals,
                "group": metric.group,
                "rate": metric.rate,
                "whole": metric.whole is not None,
                "needs": list(metric.needs),
                "leader": _leader(suite, metric, scored, seed),
                "calibration": _calibration(metric, len(manifest.pairs)),
            }
            for metric in metrics
        ],
        "scores": [
            {**_score(method, one), "worst_case": _number(one.worst_case)}
            for method in suite.methods
            for one in scores[method].values()
        ],
        "splits": [
            {
                "split": part.split.name,
                "title": part.split.title,
                "unit": part.split.unit,
                "level": part.level,
                "n": part.n,
                "scores": [_score(method, one) for method, one in part.scores],
            }
            for part in scored.parts
        ],
        "checks": [
            {"name": check.name, "ok": check.ok, "skipped": check.skipped, "detail": check.detail} for check in checks
        ],
        "findings": findings(scores, metrics),
    }


def _score(method: str, one: Score) -> dict[str, Any]:
    return {
        "method": method,
        "metric": one.metric,
        "value": _number(one.value),
        "low": _number(one.low),
        "high": _number(one.high),
        "n": one.n,
        "n_failed": one.n_failed,
        "reason": one.reason,
    }


def _leader(suite: Suite, metric: Metric, scored: Scored, seed: int) -> str | None:
    """The method to print in bold; reference rows do not compete, nor do methods that were trained with the judge."""
    from metrics.summary import leader, leader_of_draws

    cards = {name: registry.swappers.get(name).card for name in suite.methods}
    competing = [name for name, card in cards.items() if card.kind == "method" and not took_part(card, metric.needs)]
    if metric.whole is not None:
        wholes = {name: scored.wholes[name][metric.name] for name in competing if metric.name in scored.wholes[name]}
        return leader_of_draws({name: whole.draws for name, whole in wholes.items()}, metric.direction)
    rows = scored.values.of_metric(metric.name, competing)
    return leader(rows, scored.clusters, metric.direction, seed=seed, draws=suite.draws)


def _calibration(metric: Metric, pairs: int) -> dict[str, Any] | None:
    """What is known of a metric where the truth is known: floor, correlation, resolution at the run's pairs."""
    from hifibench.calibration import store

    cards = {name: registry.experts.get(name).card.hash for name in registry.seen_through(metric.needs)}
    found = store.find(metric.name, cards)
    if found is None or (curve := found.entry.weakest) is None:
        return None
    entry = found.entry
    return {
        "floor": entry.floor.again,
        "ceiling": entry.ceiling,
        "series": curve.title,
        "rho": curve.rho,
        "resolution": curve.resolves(pairs),
        "pairs": pairs,
        "poor": entry.poor,
        "reason": entry.reason,
        "made_on": entry.pairs,
        "manifest": found.manifest,
    }


def _method(
    folder: RunFolder, manifest: Manifest, name: str, card: SwapperCard, experts: tuple[str, ...]
) -> dict[str, Any]:
    status: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    for index, _ in enumerate(chunks(manifest.pairs)):
        done = read_json(folder.swap_chunk(name, index)) or {"pairs": []}
        for pair in done["pairs"]:
            status[pair["status"]] += 1
            if pair["message"]:
                messages[pair["message"]] += 1
    return {
        **{field: getattr(card, field) for field in ("name", "kind", "summary", "paper", "licence", "limits")},
        "trained_with": sorted({*card.trained_with, *took_part(card, experts)}),
        "card": card.hash,
        "cost": read_json(folder.cost(name)),
        "status": dict(sorted(status.items())),
        "messages": [f"{text} ({count} x)" for text, count in sorted(messages.items())],
    }


def _expert(card: ExpertCard) -> dict[str, Any]:
    fields = ("name", "summary", "paper", "licence", "limits")
    return {**{field: getattr(card, field) for field in fields}, "card": card.hash}
