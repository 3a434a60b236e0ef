"""A finished run folder with made-up numbers, as the pipeline writes one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hifibench.records import ImageRef, Manifest, Pair

METRICS = [
    ("id_retrieval[edgeface,sources,top1]", "ID retrieval", "%", "up", 1, "identity"),
    ("id_retrieval[edgeface,sources,top5]", "ID retrieval", "%", "up", 1, "identity"),
    ("id_retrieval[edgeface,frames,top1]", "ID retrieval", "%", "up", 1, "identity"),
    ("id_retrieval[dlib,sources,top1]", "ID retrieval", "%", "up", 1, "identity"),
    ("id_cosine[edgeface]", "ID cosine to source", "", "up", 3, "identity"),
    ("id_leak[edgeface]", "ID cosine to target", "", "down", 3, "identity"),
    ("pose[mediapipe]", "Pose error", "deg", "down", 2, "attributes"),
    ("pose[mediapipe,yaw]", "Pose error", "deg", "down", 2, "attributes"),
    ("pose[3ddfa]", "Pose error", "deg", "down", 2, "attributes"),
    ("shape[3ddfa]", "Shape error", "", "down", 2, "attributes"),
    ("expression[mediapipe]", "Expression error", "", "down", 3, "attributes"),
    ("background[l1]", "Background L1", "", "down", 4, "background"),
    ("background[ssim]", "Background SSIM", "", "up", 4, "background"),
]
METHODS = {"target-copy": 0.0, "re-encode": 0.06, "source-paste": 0.95, "faceswap": 0.6, "hififace": 0.8}
REFERENCES = ("target-copy", "re-encode", "source-paste")


def _number(metric: str, strength: float) -> tuple[float, float]:
    base = metric.partition("[")[0]
    top, spread = {
        "id_retrieval": (100.0, 4.0),
        "id_cosine": (0.8, 0.03),
        "id_leak": (1.0, 0.03),
        "pose": (12.0, 0.4),
        "shape": (4.0, 0.2),
        "expression": (1.0, 0.04),
        "background": (0.02, 0.001),
    }[base]
    good = base in ("id_retrieval", "id_cosine")
    value = top * (strength if good else (1 - strength if base in ("id_leak", "shape") else strength))
    return value, spread


def results(methods: Sequence[str] = tuple(METHODS), n_failed: int = 2) -> dict[str, Any]:
    scores = []
    for method in methods:
        for name, *_ in METRICS:
            value, spread = _number(name, METHODS.get(method, 0.7))
            failed = n_failed if method == "faceswap" else 0
            worst = value * 0.98 if name.startswith("id_r") else value * 1.1
            scores.append(
                {"method": method, "metric": name, "value": value, "low": value - spread, "high": value + spread,
                 "n": 100, "n_failed": failed, "worst_case": worst if failed else value, "reason": ""}
            )  # fmt: skip
    return {
        "schema": 3,
        "suite": "demo",
        "title": "Generated portraits, 100 people, one swap each",
        "manifest": manifest().hash,
        "origin": "MobileStyleGAN FFHQ",
        "seed": 0,
        "n_pairs": 100,
        "galleries": {"frames": {"images": 200, "identities": 100}, "sources": {"images": 100, "identities": 100}},
        "protocol": {
            "detector": "scrfd",
            "identity map": "one person per video",
            "intervals": "95 % cluster bootstrap by video, 1000 draws",
        },
        "methods": [
            {
                "name": name,
                "kind": "reference" if name in REFERENCES else "method",
                "summary": f"what {name} does",
                "paper": "Wang et al., IJCAI 2021" if name == "hififace" else "",
                "licence": "Apache-2.0",
                "limits": "Copies lighting & shade" if name == "faceswap" else "",
                "trained_with": [],
                "card": "c0ffee00" * 8,
                "cost": {"params_trainable": 23_456_789, "params_frozen": 0, "macs": 102_400_000_000}
                if name == "hififace"
                else None,
                "status": {"ok": 98, "no face in source": 2} if name == "faceswap" else {"ok": 100},
                "messages": ["no face was found in portrait:seed=7;view=0"] if name == "faceswap" else [],
            }
            for name in methods
        ],
        "experts": [
            {"name": "edgeface", "summary": "EdgeFace-S", "paper": "", "licence": "research", "limits": "",
             "card": "ab" * 32},
            {"name": "mediapipe", "summary": "Face Landmarker", "paper": "", "licence": "Apache-2.0",
             "limits": "compresses large angles", "card": "cd" * 32},
        ],
        "metrics": [
            {"name": name, "title": title, "unit": unit, "direction": direction, "decimals": decimals, "group": group,
             "rate": name.startswith("id_r"), "whole": False, "calibration": None,
             "needs": name.partition("[")[2].rstrip("]").split(",")[:1],
             "leader": "hififace" if name.startswith("id_r") and "hififace" in methods else None}
            for name, title, unit, direction, decimals, group in METRICS
        ],
        "scores": scores,
        "splits": [],
        "checks": [
            {"name": "target-copy keeps the pose", "ok": True, "skipped": False, "detail": "0.00 deg"},
            {"name": "source-paste carries the identity", "ok": True, "skipped": False, "detail": "95.0 %"},
        ],
        "findings": [],
    }  # fmt: skip


def manifest(pairs: int = 8) -> Manifest:
    images = tuple(ImageRef(f"i{k}", f"portrait:seed={k};view=0", f"p{k}", f"v{k}") for k in range(pairs + 1))
    # Names whose order is not alphabetical: the report must follow the manifest.
    listed = tuple(Pair(f"p{(k * 3) % pairs:03d}", f"i{k}", f"i{k + 1}") for k in range(pairs))
    return Manifest(images, listed, {"sources": tuple(ref.image for ref in images)}, "test")


RUN = {
    "run_id": "4f1c2a9d",
    "suite_name": "demo",
    "seed": 0,
    "hifibench": "0.1.0",
    "python": "3.11.9",
    "libraries": {"numpy": "2.4.0", "torch": "2.15.0"},
    "commit": "0123abcd",
    "created": "2030-01-01T12:00:00+00:00",
    "command": ["hifibench", "run", "demo", "--out", "my runs/first"],
    "suite": {"name": "demo", "data": {"kind": "portraits", "identities": 100}},
    "licences": [
        {"asset": "edgeface-s", "licence": "research; non-commercial", "research_only": True},
        {"asset": "yunet", "licence": "MIT", "research_only": False},
    ],
    "acceptance": {"kept": 200, "tried": 233},
}
TIMING = {
    "hardware": {"cpu": "Example CPU", "cores": 2, "memory_gib": 16.0, "device": "cpu"},
    "methods": {"faceswap": {"n": 98, "ms_p50": 61.234, "ms_p90": 80.5, "scope": "swap"}},
}


def picture(index: int) -> Image.Image:
    rng = np.random.default_rng(index)
    small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((120, 120), Image.Resampling.BICUBIC)


def complete(content: dict[str, Any]) -> dict[str, Any]:
    """``content`` with all that the newest schema asks for: tests say of a run what matters to them."""
    score = {"reason": ""}
    calibration = {"floor": None, "ceiling": None, "series": "", "rho": None, "resolution": None, "pairs": 0,
                   "poor": False, "reason": "", "made_on": 0, "manifest": ""}  # fmt: skip
    values = {(one["method"], one["metric"]): one["value"] for one in content["scores"]}
    return {
        **{"origin": "", "galleries": {}, "protocol": {}, "experts": [], "checks": [], "splits": [], "findings": []},
        **content,
        "schema": 3,
        "metrics": [
            {"rate": False, "whole": False, **one, "calibration": {**calibration, **known} if known else None,
             "leader": one["leader"] if values.get((one["leader"], one["name"]), 0) is not None else None}
            for one in content["metrics"]
            for known in [one.get("calibration")]
        ],
        "scores": [{**score, **one} for one in content["scores"]],
        "checks": [{"skipped": False, "detail": "", **one} for one in content.get("checks", [])],
        "splits": [
            {**part, "scores": [{**score, **one} for one in part["scores"]]} for part in content.get("splits", [])
        ],
    }  # fmt: skip


def write(folder: Path, content: dict[str, Any], pictures: Sequence[Image.Image]) -> Path:
    """Write a run folder; every picture is the source of one pair and the target of the pair before it."""
    content = complete(content)
    (folder / "examples").mkdir(parents=True)
    for name, value in (("results.json", content), ("run.json", RUN), ("timing.json", TIMING)):
        (folder / name).write_text(json.dumps(value))
    (folder / "manifest.json").write_text(manifest().to_json())
    for k, pair in enumerate(manifest().pairs[: max(len(pictures) - 1, 0)]):
        pictures[k].save(folder / "examples" / f"{pair.pair}-source.png")
        pictures[k + 1].save(folder / "examples" / f"{pair.pair}-target.png")
        for method in (entry["name"] for entry in content["methods"]):
            if method == "faceswap" and k == 1:
                continue
            path = folder / "swaps" / method / f"{pair.pair}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.blend(pictures[k + 1], pictures[k], METHODS.get(method, 0.5)).save(path)
    return folder
