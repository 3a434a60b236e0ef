"""The paths that a run walks thousands of times, each in units of fixed work that is timed between its own rounds.

A processor that is slower, or busy, is so for both; so the ratio of the two can be held against the one that is stored
in ``hot_paths.json``, on any machine. What differs between processors is what each is good at: hence the wide bound.
``pytest tests/benchmarks/test_bench_hot_paths.py --benchmark-only --override-ini=addopts= --store-baseline`` stores the
ratios of a run; they are changed together with the code that changes them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import large_run
import numpy as np
import pandas as pd
import pytest

from hifibench.contracts import Crop
from hifibench.data import images
from hifibench.faces import paste, templates
from hifibench.pipeline import pictures
from hifibench.records import Face, Observed
from metrics.pose import pose
from metrics.resampling import cluster_weights
from metrics.retrieval import retrieve
from metrics.statistics import cluster_bootstrap
from reports import read, tables

STORED = Path(__file__).with_name("hot_paths.json")
SLOWER = 1.6
"""Times the stored ratio that a path may take: above what processors and libraries differ by, below a factor of two."""
ROUNDS = 15


def yardstick() -> None:
    """The fixed work of a few ms: arithmetic on arrays, memory, the interpreter, as the paths themselves mix them."""
    rng = np.random.default_rng(0)
    square = rng.standard_normal((256, 256), np.float32)
    for _ in range(3):
        square = np.tanh(square @ square / 16)
    cv2.resize(np.repeat(square[..., None], 3, 2), (512, 512))
    sum(hash(str(number)) & 7 for number in range(5000))


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable[[], Any]]]:
    """Name -> the path, ready to be walked."""
    folder = tmp_path_factory.mktemp("hot")
    rng = np.random.default_rng(0)
    frame = cv2.resize(rng.integers(0, 256, (32, 32, 3), np.uint8), (512, 512), interpolation=cv2.INTER_CUBIC)
    face = Face(templates.mean_face(0.0).box, templates.mean_face(0.0).landmarks, 1.0)
    crop = Crop("ffhq", 256)
    cut, matrix = templates.take(frame, face, crop)
    mask = paste.soft_mask(crop)
    images.save_png(folder / "frame.png", frame)
    angles = rng.normal(0, 10, (2, 10_000, 3)).astype(np.float32)
    seen = ({"mediapipe": {"pose_deg": one}} for one in angles)
    observed = Observed(pd.DataFrame(index=range(10_000)), next(seen), {}, next(seen), {})
    gallery = rng.standard_normal((2000, 512), np.float32)
    names = np.array([f"{index:05d}" for index in range(2000)])
    table, videos = rng.standard_normal((1000, 20)), np.repeat(np.arange(100), 10).astype(str)
    run = large_run.write(folder / "run", 200)
    finished = read.run(run)

    def bootstrap() -> None:
        cluster_weights.cache_clear()  # the draws belong to the path: a run makes them once
        cluster_bootstrap(table, videos, seed=0, draws=1000)

    yield {
        "cut a crop": partial(templates.take, frame, face, crop),
        "paste a crop": partial(paste.paste_back, frame, cut, matrix, mask),
        "spread a mask": partial(paste.spread, mask, matrix, frame.shape),
        "write a frame": partial(images.save_png, folder / "out.png", frame, {"hifibench:method": "none"}),
        "read a frame": partial(images.load, folder / "frame.png"),
        "hash a frame": partial(images.content_hash, frame),
        "keep a picture": partial(pictures.save, folder / "small.jpg", frame, pictures.around(frame, None), {}),
        "pose of 10,000 pairs": partial(pose("mediapipe").compute, observed),
        "retrieval, 2,000 among 2,000": partial(retrieve, gallery, gallery, 1, "cosine", names),
        "bootstrap, 1,000 pairs, 20 columns": bootstrap,
        "read a run": partial(read.run, run),
        "build the table": partial(tables.build, finished),
    }


PATHS = (
    "cut a crop", "paste a crop", "spread a mask", "write a frame", "read a frame", "hash a frame", "keep a picture",
    "pose of 10,000 pairs", "retrieval, 2,000 among 2,000", "bootstrap, 1,000 pairs, 20 columns", "read a run",
    "build the table",
)  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_a_hot_path_takes_no_longer_than_it_did(
    benchmark: Any, paths: dict[str, Callable[[], Any]], name: str, request: pytest.FixtureRequest
) -> None:
    fixed: list[float] = []

    def between() -> None:
        begin = time.perf_counter()
        yardstick()
        fixed.append(time.perf_counter() - begin)

    yardstick()
    benchmark.pedantic(paths[name], setup=between, rounds=ROUNDS, warmup_rounds=2)
    ratio = benchmark.stats.stats.min / min(fixed)
    stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.is_file() else {}
    benchmark.extra_info |= {"ratio": ratio, "stored": stored.get(name)}
    print(f"{name}: {ratio:.4f} of the fixed work of {1000 * min(fixed):.2f} ms; stored {stored.get(name)}")
    if request.config.getoption("--store-baseline", default=False):
        stored[name] = float(f"{ratio:.3g}")
        STORED.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert name in stored, "no ratio is stored: run with --store-baseline"
    assert ratio <= SLOWER * stored[name]


def test_every_stored_ratio_is_of_a_path() -> None:
    assert set(json.loads(STORED.read_text(encoding="utf-8"))) == set(PATHS)
