"""From a finished run of doses to a calibration: reads the run folder, opens no image, loads no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hifibench
from baselines import doses
from hifibench import registry
from hifibench.calibration.amounts import amounts
from hifibench.calibration.records import SCHEMA, Calibration, Curve, Entry, Floor, Resolution, number
from hifibench.calibration.series import SERIES, Series
from hifibench.contracts import Metric
from hifibench.errors import UsageError
from hifibench.records import Manifest
from metrics.calibration import ALSO, ceiling_row, expected, verdict
from metrics.dose_response import Response, respond

LEAST_PAIRS = 3
"""Fewer pairs, or pairs of fewer target videos, give no interval, and so no calibration."""

Values = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Metric -> method -> ``(n,)``, one value per pair, NaN where it was not scored."""


def analyse(folder: Path, seed: int, draws: int = 1000) -> Calibration:
    """What a finished run of the suite of `hifibench.calibration.suite` says of its metrics.

    Args:
        folder: the run folder.
        seed: of the intervals.
        draws: of the intervals.

    Raises:
        UsageError: too few pairs, or the run is of another suite.
    """
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    manifest = Manifest.from_json((folder / "manifest.json").read_text(encoding="utf-8"))
    names = {method["name"] for method in results["methods"]}
    if missing := sorted({doses.UNDAMAGED, doses.AGAIN, doses.RE_ENCODE} - names):
        raise UsageError(f"{folder} holds no calibration: its run has no row {missing[0]!r}.")
    clusters = np.array([manifest.image(pair.target).video for pair in manifest.pairs])
    if (videos := len(set(clusters))) < LEAST_PAIRS:
        raise UsageError(
            f"{len(manifest.pairs)} pairs of {videos} target videos are too few to calibrate on: it takes "
            f"{LEAST_PAIRS} videos. Give a larger --limit, or none."
        )
    values = _values(folder, [pair.pair for pair in manifest.pairs])
    table = {(score["metric"], score["method"]): score["value"] for score in results["scores"]}
    cards = {expert["name"]: expert["card"] for expert in results["experts"]}
    moved = amounts(folder, manifest)
    entries = [
        _entry(registry.metric(name), values[name], table, cards, moved, clusters, seed, draws)
        for name in (metric["name"] for metric in results["metrics"])
    ]
    return Calibration(
        schema=SCHEMA,
        heads=doses.version(),
        hifibench=hifibench.__version__,
        pairs=len(manifest.pairs),
        seed=seed,
        manifest=manifest.hash,
        metrics=tuple(entries),
    )


def _values(folder: Path, pairs: list[str]) -> Values:
    import pandas as pd

    scores = pd.read_parquet(folder / "scores.parquet")
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for (metric, method), rows in scores.groupby(["metric", "method"], sort=False):
        column = rows.set_index("pair")["value"].reindex(pairs).to_numpy(np.float64)
        found.setdefault(str(metric), {})[str(method)] = column
    return found


def _entry(
    metric: Metric,
    values: Mapping[str, NDArray[np.float64]],
    table: Mapping[tuple[str, str], float | None],
    cards: Mapping[str, str],
    moved: Mapping[str, NDArray[np.float64]],
    clusters: NDArray[np.str_],
    seed: int,
    draws: int,
) -> Entry:
    ceiling_of = ceiling_row(metric.name)
    floor, ceiling = table.get((metric.name, doses.AGAIN)), table.get((metric.name, ceiling_of))
    # Where there is one number for all pairs, values are contributions: of another unit, unless it is their mean.
    undamaged, told = values[doses.UNDAMAGED], table.get((metric.name, doses.UNDAMAGED))
    whole = metric.whole is not None and not (told is not None and np.isclose(np.nanmean(undamaged), told))
    curves, judged = [], {}
    for series in SERIES:
        if not set(series.methods) <= set(values):
            continue
        way = expected(series.name, metric.name)
        # Contributions are scores of suspicion and distances: they rise with damage, whichever way the number goes.
        sign = way * (1 if whole or metric.direction == "down" else -1)
        response = respond(
            np.stack([values[method] for method in series.methods], axis=1),
            undamaged,
            moved[series.name],
            clusters,
            sign=sign,
            seed=seed,
            draws=draws,
            rate=metric.rate,
        )
        if way:
            judged[series.name] = (response, sign)
        also = bool(expected(series.name, metric.name, ALSO))
        scale = None if whole or floor is None or ceiling is None else abs(ceiling - floor)
        curves.append(_curve(series, response, bool(way), also, scale, whole))
    poor, reason = verdict(judged)
    return Entry(
        name=metric.name,
        title=metric.title,
        unit=metric.unit,
        direction=metric.direction,
        decimals=metric.decimals,
        group=metric.group,
        pairs=len(clusters),
        floor=Floor(number(floor), number(table.get((metric.name, doses.RE_ENCODE)))),
        ceiling=number(ceiling),
        ceiling_of=ceiling_of,
        series=tuple(curves),
        poor=poor,
        reason=reason,
        experts={name: cards[name] for name in sorted(registry.seen_through(metric.needs))},
    )


def _curve(series: Series, response: Response, responds: bool, also: bool, scale: float | None, whole: bool) -> Curve:
    largest = float(np.nanmax(np.abs(response.means))) if np.isfinite(response.means).any() else None
    return Curve(
        name=series.name,
        title=series.title,
        unit=series.unit,
        doses=series.doses,
        amounts=_numbers(response.amounts),
        means=_numbers(response.means),
        low=_numbers(response.low),
        high=_numbers(response.high),
        n=tuple(int(count) for count in response.n),
        rho=number(response.rho),
        rho_low=number(response.rho_low),
        rho_high=number(response.rho_high),
        slope=number(response.slope),
        resolution={
            n: Resolution(None if whole else number(one.metric), number(one.dose))
            for n, one in response.smallest.items()
        },
        responds=responds,
        expected=also,
        effect=None if largest is None or not scale else number(largest / scale),
    )


def _numbers(values: NDArray[Any]) -> tuple[float | None, ...]:
    return tuple(number(float(value)) for value in values)
