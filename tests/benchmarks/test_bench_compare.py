"""``compare`` of two runs of ten thousand pairs, 7 methods x 25 metrics, 1000 draws: at most 10 s on two cores."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "reports"))
from compare_runs import Measured, manifest, write

from hifibench.commands_compare import compare
from metrics.resampling import cluster_weights
from reports import read
from reports.comparison.compare import build

PAIRS, METHODS, DRAWS = 10_000, 7, 1000
METRICS = [
    *(Measured(f"pose[judge,{k}]", "Pose error", "down", "deg") for k in range(20)),
    *(Measured(f"id_retrieval[judge,{k}]", "ID retrieval", "up", "%", rate=True) for k in range(5)),
]
LIMIT_S = 10.0


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs whose frames are ten of a video; the second has other noise and a small shift."""
    root = tmp_path_factory.mktemp("large")
    plan = manifest([f"p{k:05d}" for k in range(PAIRS)], [f"v{k // 10:04d}" for k in range(PAIRS)])
    made = []
    for name, seed, shift in (("a", 0, 0.0), ("b", 1, 0.02)):
        rng = np.random.default_rng(seed)
        values = {}
        for method in range(METHODS):
            for metric in METRICS:
                column = rng.normal(5 + shift, 0.25, PAIRS) if not metric.rate else 100.0 * (rng.random(PAIRS) < 0.9)
                column[rng.random(PAIRS) < 0.01] = np.nan
                values[f"method-{method}", metric.name] = column
        made.append(write(root / name, values, METRICS, plan, run={"suite": {"draws": DRAWS}}))
    return made[0], made[1]


def forget() -> None:
    # The samples are drawn anew in every round, as a command draws them once.
    cluster_weights.cache_clear()


def test_the_command(benchmark, runs, tmp_path: Path) -> None:
    """Reading, numbers, files, page and terminal; the runs keep no pictures."""
    benchmark.pedantic(compare, (*runs, None, tmp_path), setup=forget, rounds=3)
    raw = json.loads((tmp_path / "compare.json").read_text())
    assert len(raw["comparisons"]) == METHODS * len(METRICS)
    assert all(0.97 * PAIRS < one["n_both"] < 0.99 * PAIRS for one in raw["comparisons"])
    assert (tmp_path / "index.html").stat().st_size < 10_000_000
    assert benchmark.stats.stats.min <= LIMIT_S


def test_the_numbers(benchmark, runs) -> None:
    a, b = map(read.run, runs)
    made = benchmark.pedantic(build, (a, b), setup=forget, rounds=3)
    # Noise of 0.25 sqrt(2) over ten thousand pairs: the shift is more than five standard errors.
    shifted = [one for one in made.comparisons if one.metric.startswith("pose")]
    assert sum(one.survives for one in shifted) > 0.95 * len(shifted)
    assert benchmark.stats.stats.min <= LIMIT_S / 2
