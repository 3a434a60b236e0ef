"""Finished runs on FaceForensics++ with made-up numbers: Table 1 and Fig. 6 of HifiFace."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import finished_run
import numpy as np
import pandas as pd

MakeRun = Callable[..., Path]
METHODS = ("target-copy", "re-encode", "source-paste", "faceswap-ffpp", "faceshifter-ffpp", "simswap-224", "hififace")
PAPER = ("id_retrieval[cosface,frames,top1]", "pose[hopenet]", "shape[ringnet]")
EMBEDDED = (
    "id_retrieval[edgeface,sources,top1]", "id_retrieval[edgeface,frames,top1]", "pose[mediapipe,yaw]",
    "pose[mediapipe]", "shape[3ddfa]", "shape[mediapipe]",
)  # fmt: skip
UNITS = {"id_retrieval": "%", "pose": "deg", "shape": ""}


def results(
    metrics: Sequence[str] = PAPER,
    methods: Sequence[str] = METHODS,
    suite: str = "ffpp-table1",
    whole: bool = True,
) -> dict[str, Any]:
    """``results.json``; ``whole``: of all of FaceForensics++."""
    content = finished_run.results(methods, n_failed=0)
    experts = dict.fromkeys(name.partition("[")[2].rstrip("]").split(",")[0] for name in metrics)
    content |= {
        "suite": suite,
        "title": "FaceForensics++",
        "n_pairs": 10_000 if whole else 100,
        "galleries": {"frames": {"images": 10_000 if whole else 200, "identities": 100}},
        "metrics": [
            {"name": name, "title": "Title", "unit": UNITS[name.partition("[")[0]], "decimals": 2,
             "direction": "up" if name.startswith("id") else "down", "group": "identity",
             "rate": name.startswith("id_r"), "whole": False,
             "needs": [name.partition("[")[2].rstrip("]").split(",")[0]], "leader": None, "calibration": None}
            for name in metrics
        ],
        "experts": [
            {"name": name, "summary": "", "paper": "", "licence": "", "limits": "", "card": "ab" * 32}
            for name in experts
        ],
        "scores": [
            {"method": method, "metric": name, "value": 10.0 * row + column, "low": 10.0 * row + column - 0.5,
             "high": 10.0 * row + column + 0.5, "n": 100, "n_failed": 0, "worst_case": 10.0 * row + column,
             "reason": ""}
            for row, method in enumerate(methods)
            for column, name in enumerate(metrics)
        ],
    }  # fmt: skip
    for method in content["methods"]:
        if method["name"] == "hififace":
            method["trained_with"] = ["3ddfa", "w600k"]
            method["cost"] = {"params_trainable": 4_855_256, "params_frozen": 6_660_030, "macs": None}
    return content


def unavailable(content: dict[str, Any], method: str, why: str) -> dict[str, Any]:
    for one in content["methods"]:
        if one["name"] == method:
            one |= {"status": {"not available": 100}, "messages": [f"{why} (100 x)"], "cost": None}
    for score in content["scores"]:
        if score["method"] == method:
            score |= {"value": None, "low": None, "high": None, "n_failed": 100, "worst_case": None}
    return content


def write(make_run: MakeRun, content: dict[str, Any], kind: str = "ffpp", name: str = "run") -> Path:
    """Write the run, with ``kind`` as that of its images."""
    folder = make_run(content, examples=0, name=name)
    suite = {"name": content["suite"], "data": {"kind": kind}}
    (folder / "run.json").write_text(json.dumps(finished_run.RUN | {"suite": suite, "suite_name": content["suite"]}))
    timing = {"hardware": {}, "methods": {"hififace": {"n": 100, "ms_p50": 78.5, "ms_p90": 80.0, "scope": "swap"}}}
    (folder / "timing.json").write_text(json.dumps(timing))
    return folder


def write_scores(folder: Path, values: Mapping[str, Sequence[float]], metrics: Sequence[str]) -> None:
    """``scores.parquet`` with the same values of a method in every metric."""
    pairs = [pair.pair for pair in finished_run.manifest().pairs]
    parts = [
        pd.DataFrame({"method": method, "pair": pairs, "metric": metric, "value": np.asarray(row, np.float64)})
        for method, row in values.items()
        for metric in metrics
    ]
    pd.concat(parts).to_parquet(folder / "scores.parquet", index=False)
