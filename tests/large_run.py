"""A finished run of any size with made-up numbers and real pictures, to see how long reports of it take."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hifibench import registry, suite
from hifibench.pipeline.pictures import Part, Pictures, save
from hifibench.records import Frame, ImageRef, Manifest, Pair

METHODS = ("target-copy", "re-encode", "source-paste", "faceswap", "simswap", "faceshifter", "hififace")
REFERENCES = METHODS[:3]
SPLIT, LEVELS = "yaw[mediapipe]", ("near", "middle", "far")
FRAMES = 10
"""Of a video, as in the paper's Table 1."""


def write(
    folder: Path,
    pairs: int,
    *,
    methods: Sequence[str] = METHODS,
    faces: Sequence[Frame] = (),
    seed: int = 0,
    shift: float = 0.0,
) -> Path:
    """Write a run folder.

    Args:
        folder: where to.
        pairs: of the run, `FRAMES` a target video.
        methods: rows.
        faces: square frames to make the pictures of; without any there are none.
        seed: of the numbers; the pairs are the same under every seed.
        shift: added to all numbers.
    """
    folder.mkdir(parents=True)
    plan = manifest(pairs)
    names = [pair.pair for pair in plan.pairs]
    rng = np.random.default_rng(seed)
    table = {
        (method, metric): _values(rng, 0.4 + 0.05 * row + shift, pairs, registry.metric(metric).rate)
        for row, method in enumerate(methods)
        for metric in suite.load("demo").metrics
    }
    rows = [
        pd.DataFrame({"method": method, "pair": names, "metric": metric, "value": values})
        for (method, metric), values in table.items()
    ]
    pd.concat(rows, ignore_index=True).to_parquet(folder / "scores.parquet", index=False)
    levels = [LEVELS[index % len(LEVELS)] for index in range(pairs)]
    pd.DataFrame({"pair": names, "split": SPLIT, "level": levels}).to_parquet(folder / "splits.parquet", index=False)
    (folder / "manifest.json").write_text(plan.to_json())
    (folder / "results.json").write_text(json.dumps(_results(plan, methods, table, seed)))
    (folder / "run.json").write_text(json.dumps({"run_id": f"large-{seed}", "suite_name": "large", "seed": seed}))
    (folder / "timing.json").write_text(json.dumps({"hardware": {}, "methods": {}}))
    if faces:
        _pictures(folder, names, methods, faces)
    return folder


def manifest(pairs: int) -> Manifest:
    """Targets are frames of videos; every video has a source of its own."""
    videos = -(-pairs // FRAMES)
    images = [
        ImageRef(f"s{video:05d}", f"portrait:seed={video};view=0", f"p{video}", f"s{video}") for video in range(videos)
    ]
    listed = []
    for index in range(pairs):
        video, frame = divmod(index, FRAMES)
        name = f"t{video:05d}_{frame}"
        images.append(ImageRef(name, f"portrait:seed={video};view={frame + 1}", f"p{video}", f"t{video}", frame))
        listed.append(Pair(f"s{(video + 1) % videos:05d}_{name}", f"s{(video + 1) % videos:05d}", name))
    sources = {"sources": tuple(ref.image for ref in images[:videos])}
    return Manifest(tuple(images), tuple(listed), sources, "made up")


def _results(plan: Manifest, methods: Sequence[str], table: dict[tuple[str, str], Any], seed: int) -> dict[str, Any]:
    scores = []
    for (method, metric), values in table.items():
        value, half = float(values.mean()), float(1.96 * values.std() / np.sqrt(len(values)))
        scores.append(
            {"method": method, "metric": metric, "value": value, "low": value - half, "high": value + half,
             "n": len(values), "n_failed": 0, "worst_case": value, "reason": ""}
        )  # fmt: skip
    return {
        "schema": 3,
        "suite": "large",
        "title": "A large run",
        "manifest": plan.hash,
        "origin": plan.origin,
        "seed": seed,
        "n_pairs": len(plan.pairs),
        "galleries": {},
        "protocol": {},
        "methods": [
            {"name": name, "kind": "reference" if name in REFERENCES else "method", "summary": "", "paper": "",
             "licence": "", "limits": "", "trained_with": [], "card": "c0ffee00" * 8, "cost": None,
             "status": {"ok": len(plan.pairs)}, "messages": []}
            for name in methods
        ],
        "experts": [],
        "metrics": [_metric(name) for name in suite.load("demo").metrics],
        "scores": scores,
        "splits": [],
        "checks": [],
        "findings": [],
    }  # fmt: skip


def _values(rng: np.random.Generator, middle: float, pairs: int, rate: bool) -> Any:
    return 100.0 * (rng.random(pairs) < middle) if rate else rng.normal(middle, 0.25, pairs).round(6)


def _metric(name: str) -> dict[str, Any]:
    made = registry.metric(name)
    fields = ("name", "title", "unit", "direction", "decimals", "group", "rate")
    return {
        **{field: getattr(made, field) for field in fields},
        "whole": made.whole is not None,
        "needs": list(made.needs),
        "leader": None,
        "calibration": None,
    }


def _pictures(folder: Path, names: Sequence[str], methods: Sequence[str], faces: Sequence[Frame]) -> None:
    """Every picture is one of a few files under another name, so that a large run takes little of the disk."""
    pool = folder / "pool"
    for index, face in enumerate(faces):
        save(pool / f"{index}.jpg", face, Part(0, 0, *face.shape[1::-1]), {"generator": "made up"})
        save(pool / f"mask-{index}.jpg", _oval(face.shape[0], index), Part(0, 0, *face.shape[1::-1]))
    at = Pictures(folder)
    for number, name in enumerate(names):
        files = [(at.source(name), number), (at.target(name), number + 1)]
        files += [(at.swap(method, name), number + 2 + row) for row, method in enumerate(methods)]
        for path, which in files:
            _link(pool / f"{which % len(faces)}.jpg", path)
        for method in methods:
            _link(pool / f"mask-{number % len(faces)}.jpg", at.mask(method, name))


def _link(of: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(of, path)


def _oval(side: int, index: int) -> Frame:
    y, x = np.mgrid[:side, :side] / side - 0.5
    return (np.clip(4 - 18 * np.hypot(x - 0.01 * (index % 5), y * 0.8), 0, 1) * 255).astype(np.uint8)
