"""Finished runs with chosen values of every pair, to hold against each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from hifibench.records import ImageRef, Manifest, Pair

Key = tuple[str, str]


@dataclass(frozen=True)
class Measured:
    """A metric of a made-up run."""

    name: str
    title: str = "Error"
    direction: str = "down"
    unit: str = ""
    needs: tuple[str, ...] = ("judge",)
    rate: bool = False
    whole: bool = False
    decimals: int = 2


POSE = Measured("pose[judge]", "Pose error", "down", "deg")
COSINE = Measured("id_cosine[judge]", "ID cosine", "up", decimals=3)
RETRIEVAL = Measured("id_retrieval[judge,frames,top1]", "ID retrieval", "up", "%", rate=True, decimals=1)
AUC = Measured("forgery_auc[judge]", "Forgery AUC", "down", "%", whole=True, decimals=1)
AP = Measured("forgery_ap[judge]", "Forgery AP", "down", "%", whole=True, decimals=1)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(
    names: Sequence[str], videos: Sequence[str] | None = None, *, views: int = 0, origin: str = "made up"
) -> Manifest:
    """Pairs of these names; images of another view are other images."""
    listed, images = [], []
    for k, name in enumerate(names):
        video = videos[k] if videos is not None else f"v{k:04d}"
        for role, of in (("s", f"source {name}"), ("t", video)):
            images.append(ImageRef(f"{role}-{name}", f"portrait:seed={k};view={views}{role}", f"{role}{k}", of, k))
        listed.append(Pair(name, f"s-{name}", f"t-{name}"))
    return Manifest(tuple(images), tuple(listed), {"frames": tuple(f"t-{name}" for name in names)}, origin)


def write(
    folder: Path,
    values: Mapping[Key, Sequence[float] | np.ndarray],
    metrics: Sequence[Measured],
    plan: Manifest,
    *,
    sets: Mapping[Key, tuple[float, float | None, float | None]] | None = None,
    reasons: Mapping[Key, str] | None = None,
    cards: Mapping[str, str] | None = None,
    experts: Mapping[str, str] | None = None,
    run: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write a run folder.

    Args:
        folder: where to.
        values: (method, metric) -> value of every pair.
        metrics: what was measured.
        plan: images and pairs.
        sets: (method, metric) -> number of a set and its interval.
        reasons: (method, metric) -> why there is no number.
        cards: method -> what its card's hash is made of.
        experts: expert -> the same.
        run: more of ``run.json``.
        seed: of the run.
    """
    folder.mkdir(parents=True)
    methods = list(dict.fromkeys(method for method, _ in values))
    experts = experts or {"scrfd": "", "judge": ""}
    scores = []
    for (method, metric), given in values.items():
        column = np.asarray(given, float)
        scored = column[np.isfinite(column)]
        value = float(scored.mean()) if len(scored) else None
        low, high = (None, None) if value is None else (value - 1.0, value + 1.0)
        if sets and (method, metric) in sets:
            value, low, high = sets[method, metric]
        reason = (reasons or {}).get((method, metric), "")
        failed = int(np.isnan(column).sum()) * (not reason)
        scores.append(
            {"method": method, "metric": metric, "value": None if reason else value, "low": None if reason else low,
             "high": None if reason else high, "n": len(column), "n_failed": failed, "reason": reason,
             "worst_case": None if reason else value}
        )  # fmt: skip
    results = {
        "schema": 3, "suite": "made-up", "title": "Made-up pairs", "manifest": plan.hash, "origin": plan.origin,
        "seed": seed, "n_pairs": len(plan.pairs), "protocol": {"detector": "scrfd"},
        "galleries": {name: {"images": len(of), "identities": len(of)} for name, of in plan.galleries.items()},
        "methods": [
            {"name": name, "kind": "method", "summary": "", "paper": "", "licence": "", "limits": "",
             "trained_with": [], "card": sha(name + (cards or {}).get(name, "")), "cost": None,
             "status": {"ok": len(plan.pairs)}, "messages": []}
            for name in methods
        ],
        "experts": [
            {"name": name, "summary": "", "paper": "", "licence": "", "limits": "", "card": sha(name + version)}
            for name, version in experts.items()
        ],
        "metrics": [
            {"name": one.name, "title": one.title, "unit": one.unit, "direction": one.direction,
             "decimals": one.decimals, "group": "", "needs": list(one.needs), "leader": None, "calibration": None,
             "rate": one.rate, "whole": one.whole}
            for one in metrics
        ],
        "scores": scores, "splits": [], "checks": [], "findings": [],
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "manifest.json").write_text(plan.to_json())
    said = {"run_id": folder.name, "hifibench": "0.1.0", "commit": "c0ffee", "seed": seed, "suite": {"draws": 500}}
    (folder / "run.json").write_text(json.dumps({**said, **(run or {})}))
    (folder / "timing.json").write_text(json.dumps({"hardware": {"device": "no GPU"}, "methods": {}}))
    names = [pair.pair for pair in plan.pairs]
    rows = [
        pd.DataFrame({"method": method, "pair": names, "metric": metric, "value": np.asarray(column, float)})
        for (method, metric), column in values.items()
    ]
    pd.concat(rows, ignore_index=True).to_parquet(folder / "scores.parquet", index=False)
    return folder


def paint(folder: Path, methods: Sequence[str], names: Sequence[str], side_px: int = 96) -> None:
    """Give a run small pictures, each of its own colour."""
    for k, name in enumerate(names):
        places = [f"sources/{name}.jpg", f"targets/{name}.jpg", *(f"swaps/{method}/{name}.jpg" for method in methods)]
        for row, place in enumerate(places):
            path = folder / "pictures" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            colour = (40 * k % 256, 80 * row % 256, 50 * sum(map(ord, folder.name)) % 256)
            Image.new("RGB", (side_px, side_px), colour).save(path)
