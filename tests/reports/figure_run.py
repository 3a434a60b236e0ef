"""Finished runs with what figures need besides: more methods, values of single pairs, pictures, parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import finished_run
import numpy as np
import pandas as pd
from PIL import Image

from hifibench.records import Cost
from reports import read
from reports.records import Latency, Method, Part, Result, Run, Timing

MakeRun = Callable[..., Path]
HOSTILE = (
    "<script>alert(1)</script>",
    "$x_1$ & 50 % of \\it",
    "ein sehr langer Name mit Umläuten äöü " * 3,
    "a|b\n\x07c",
)
PAIRS = tuple(pair.pair for pair in finished_run.manifest().pairs)


def run(make_run: MakeRun, methods: Sequence[str] = tuple(finished_run.METHODS), examples: int = 2) -> Run:
    """A finished run; methods that the made-up numbers do not know get numbers of their own."""
    known = [name for name in methods if name in finished_run.METHODS]
    made = read.run(make_run(finished_run.results(tuple(known)), examples=examples))
    for index, name in enumerate(name for name in methods if name not in finished_run.METHODS):
        made = with_method(made, name, 0.3 + 0.05 * index)
    return made


def with_method(made: Run, name: str, strength: float) -> Run:
    """The run with one method more."""
    scores = []
    for metric in made.results.metrics:
        value, spread = finished_run._number(metric.name, strength)
        scores.append(Result(name, metric.name, value, value - spread, value + spread, 100, 0, value))
    method = Method(name, "method", cost=Cost(3_000_000, 1_000_000, None))
    timed = {**made.timing.methods, name: Latency(100, 20.0 * (1 + strength), 40.0, "swap")}
    return dataclasses.replace(
        made,
        results=dataclasses.replace(
            made.results, methods=(*made.results.methods, method), scores=(*made.results.scores, *scores)
        ),
        timing=Timing(made.timing.hardware, timed),
    )


def changed(made: Run, change: Callable[[Result], Result]) -> Run:
    """The run with every score changed."""
    scores = tuple(change(score) for score in made.results.scores)
    return dataclasses.replace(made, results=dataclasses.replace(made.results, scores=scores))


def parted(made: Run, split: str = "yaw[mediapipe]", levels: Mapping[str, int] | None = None) -> Run:
    """The run with a split, whose parts have numbers of their own."""
    parts = []
    for k, (level, n) in enumerate((levels or {"easy": 40, "hard": 60}).items()):
        scores = tuple(
            dataclasses.replace(one, value=(one.value or 0) * (1 + k), low=(one.low or 0) * (1 + k),
                                high=(one.high or 0) * (1 + k), n=n)
            for one in made.results.scores
        )  # fmt: skip
        parts.append(Part(split, "Yaw of the target", "deg", level, n, scores))
    return dataclasses.replace(made, results=dataclasses.replace(made.results, splits=tuple(parts)))


def write_scores(folder: Path, values: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """``scores.parquet``: metric -> method -> a value for each of `PAIRS`."""
    tables = [
        pd.DataFrame({"method": method, "pair": PAIRS, "metric": metric, "value": np.asarray(row, np.float64)})
        for metric, rows in values.items()
        for method, row in rows.items()
    ]
    pd.concat(tables).to_parquet(folder / "scores.parquet", index=False)


def shade(pair: str, role: int) -> tuple[int, int, int]:
    """The colour of a picture: tells pair and role (0 source, 1 target, from 2 on methods)."""
    return 20 + 25 * PAIRS.index(pair), 40 * role, 200


def write_pictures(folder: Path, methods: Sequence[str]) -> None:
    """``pictures/`` of flat colours, see `shade`."""
    for pair in PAIRS:
        places = [("sources", 0), ("targets", 1), *((f"swaps/{name}", k) for k, name in enumerate(methods, 2))]
        for place, role in places:
            path = folder / "pictures" / place / f"{pair}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), shade(pair, role)).save(path, quality=95)
