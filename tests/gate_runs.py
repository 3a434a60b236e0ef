"""Finished runs with made-up numbers, to hold against golden files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from hifibench.records import Cost
from reports.records import Check, Expert, Method, Metric, Result, Results, Run, Timing

RETRIEVAL, POSE, SHAPE, LEAK = "id_retrieval[edgeface]", "pose[mediapipe]", "shape[mediapipe]", "id_leak[edgeface]"
METHODS = ("target-copy", "faceswap", "hififace")
VIDEOS = {f"p{index:03d}": f"v{index:03d}" for index in range(100)}


def run(manifest: str = "aa" * 32, videos: dict[str, str] | None = None) -> Run:
    """Three methods on four metrics, 100 pairs; one number is not there."""
    metrics = (
        Metric(RETRIEVAL, "ID retrieval", "%", "up", 1, "identity", ("edgeface",), rate=True),
        Metric(LEAK, "ID leak", "", "down", 3, "identity", ("edgeface",)),
        Metric(POSE, "Pose error", "deg", "down", 2, "attributes", ("mediapipe",)),
        Metric(SHAPE, "Shape error", "mm", "down", 2, "attributes", ("mediapipe",)),
    )
    middle = {RETRIEVAL: (80.0, 8.0), LEAK: (0.4, 0.02), POSE: (5.0, 0.4), SHAPE: (3.0, 0.2)}
    scores = tuple(
        Result(method, name, value, value - half, value + half, 100, 2, value)
        for method in METHODS
        for name, (value, half) in middle.items()
    )
    refused = Result("hififace", SHAPE, None, None, None, 100, 0, None, "mediapipe took part in its training")
    scores = tuple(refused if (one.method, one.metric) == ("hififace", SHAPE) else one for one in scores)
    results = Results(
        suite="ci",
        title="A small suite",
        manifest=manifest,
        seed=0,
        n_pairs=100,
        methods=(
            Method("target-copy", "reference", card="01" * 32, status={"ok": 100}),
            Method("faceswap", "method", card="02" * 32, cost=Cost(0, 1_300_706, None), status={"ok": 100}),
            Method("hififace", "method", card="03" * 32, cost=Cost(4_855_256, 6_660_030, 1_793_139_900)),
        ),
        metrics=metrics,
        scores=scores,
        origin="heads: version 1",
        protocol={"detector": "scrfd"},
        experts=tuple(Expert(name, card=2 * digit * 32) for name, digit in (("edgeface", "e"), ("mediapipe", "d"))),
        checks=(Check("target-copy keeps the pose", True), Check("a check of other rows", True, skipped=True)),
    )
    return Run(Path("runs/ci"), results, Timing(), {"hifibench": "0.1.0"}, (), VIDEOS if videos is None else videos)


def other(made: Run) -> Run:
    """The same with another manifest, as another seed has it."""
    return replace(made, results=replace(made.results, manifest="bb" * 32, seed=1))


def changed(made: Run, method: str, metric: str, change: Callable[[Result], Result]) -> Run:
    """A run with one score changed."""
    scores = tuple(change(one) if (one.method, one.metric) == (method, metric) else one for one in made.results.scores)
    assert scores != made.results.scores, "nothing was changed"
    return replace(made, results=replace(made.results, scores=scores))


def moved(made: Run, method: str, metric: str, by: float) -> Run:
    """A run with one number and its interval moved."""

    def move(one: Result) -> Result:
        assert one.value is not None and one.low is not None and one.high is not None
        return replace(one, value=one.value + by, low=one.low + by, high=one.high + by, worst_case=one.value + by)

    return changed(made, method, metric, move)


def write(made: Run, folder: Path) -> Path:
    """The run's folder, as far as a gate reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({"schema": 3, **asdict(made.results)}))
    (folder / "run.json").write_text(json.dumps(dict(made.provenance)))
    return folder
