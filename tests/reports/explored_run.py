"""A finished run whose single pairs can be looked at: pictures, scores, parts and how each swap ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import finished_run
import numpy as np
import pandas as pd
from PIL import Image

from reports import parts, read, tables
from reports import write as report
from reports.page import page
from reports.staging import staged

MakeRun = Callable[..., Path]
PAIRS = 28
EVIL = "</script><script>globalThis.broken = 1</script><!--"
FAILED = ("p003", "p006")
"""Pairs that faceswap failed on."""
NOTHING = "p009"
"""The pair in which there is no pose to score."""
SPLIT, LEVELS = "yaw[mediapipe]", ("near", "far")
SIDE_PX = 64


def value(row: int, column: int, pair: int) -> float:
    """What was measured of a method's pair: no two pairs of a method share it."""
    return 0.5 * row + 10 * column + (pair * 5 % PAIRS) / 8


def write(
    make_run: MakeRun,
    *,
    content: dict[str, Any] | None = None,
    rename: Callable[[str], str] = str,
    masks: Sequence[str] = ("faceswap", "hififace"),
) -> Path:
    """Write the run folder.

    Args:
        make_run: the fixture.
        content: of ``results.json``.
        rename: what the pairs are called in place of ``p000``.
        masks: methods that have some.
    """
    plan = finished_run.manifest(PAIRS)
    plan = type(plan)(
        plan.images,
        tuple(type(pair)(rename(pair.pair), pair.source, pair.target) for pair in plan.pairs),
        plan.galleries,
        plan.origin,
    )
    content = content or finished_run.results()
    content["manifest"] = plan.hash
    rng = np.random.default_rng(0)
    names = [pair.pair for pair in plan.pairs]
    methods = [method["name"] for method in content["methods"]]
    content["splits"] = [
        {"split": SPLIT, "title": "Yaw <i>", "unit": "deg", "level": level, "n": PAIRS // 2, "scores": []}
        for level in LEVELS
    ]
    folder = make_run(content)
    (folder / "manifest.json").write_text(plan.to_json())
    pd.DataFrame({"pair": names, "split": SPLIT, "level": [LEVELS[k % 2] for k in range(PAIRS)]}).to_parquet(
        folder / "splits.parquet", index=False
    )
    failed = {rename(pair) for pair in FAILED}
    rows = [
        (method, name, metric["name"], np.nan if method == "faceswap" and name in failed else value(row, column, pair))
        for row, method in enumerate(methods)
        for column, metric in enumerate(content["metrics"])
        for pair, name in enumerate(names)
    ]
    scores = pd.DataFrame(rows, columns=["method", "pair", "metric", "value"])
    scores.loc[(scores["pair"] == rename(NOTHING)) & (scores["metric"] == "pose[3ddfa]"), "value"] = np.inf
    scores.to_parquet(folder / "scores.parquet", index=False)
    for name in names:
        for kind in ("sources", "targets"):
            _picture(folder / "pictures" / kind / f"{name}.jpg", rng)
    for method in methods:
        ended = [(name, method == "faceswap" and name in failed) for name in names]
        marks = [
            {"pair": name, "status": "no face in source" if bad else "ok", "message": EVIL if bad else ""}
            for name, bad in ended
        ]
        (folder / "swaps" / method).mkdir(parents=True, exist_ok=True)
        (folder / "swaps" / method / "chunk-00000.json").write_text(json.dumps({"card": "", "pairs": marks}))
        for name, bad in ended:
            if not bad:
                _picture(folder / "pictures" / "swaps" / method / f"{name}.jpg", rng)
                if method in masks:
                    _picture(folder / "pictures" / "masks" / method / f"{name}.jpg", rng, grey=True)
    return folder


def _picture(path: Path, rng: np.random.Generator, grey: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (4, 4) if grey else (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).save(path, "JPEG", quality=90)


def write_page(folder: Path) -> list[Path]:
    """Write the page of a run folder where reports go."""
    run = read.run(folder)
    table = tables.build(run)
    place = folder / "report"
    with staged(place, report.owned) as made:
        written = page.write(run, table, None, None, parts.build(run, table), made)
    return [place / path.relative_to(made) for path in written]
