"""The demo's observing and scoring against a script per metric, both over the same swaps in the same run.

Run by hand, on a quiet machine of two cores:

    pytest tests/benchmarks/test_bench_demo_loop.py --benchmark-only --override-ini=addopts= -s

`PAIRS` pairs of the demo's hundred keep a round of the loop at a minute or two. Its time grows with their number, and
so does that of observing; scoring has a part that does not, so with a hundred pairs both ratios are higher.
"""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference_loop import Loop

from hifibench import data
from hifibench import suite as suites
from hifibench.pipeline.observe import Observer
from hifibench.pipeline.observing import Observing
from hifibench.pipeline.plan import open_run
from hifibench.pipeline.progress import Reporter
from hifibench.pipeline.run import run
from hifibench.pipeline.score import score
from hifibench.pipeline.share import Share
from hifibench.pipeline.store import RunFolder, Shard
from hifibench.profiling import NOTHING

PAIRS, ROUNDS = 4, 3


def test_observing_and_scoring_the_demo_is_six_times_as_fast_as_a_script_per_metric_and_again_a_hundred_times(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suites.load("demo")
    finished = run(suite, tmp_path / "run", limit=PAIRS)
    folder, manifest = open_run(suite, 0, PAIRS, finished.folder)
    load = data.loader(suite.data)
    loop = Loop(suite.metrics, load)
    swaps = {method: partial(folder.swap_image, method) for method in suite.methods}

    observer = Observer(suite.experts())
    observe(suite, folder, manifest, observer, load)  # loads the networks

    script: list[float] = []
    first: list[float] = []
    again: list[float] = []

    def both(number: int) -> None:
        found: list[dict[str, dict[str, Any]]] = []
        script.append(timed(lambda: found.append(loop.run(manifest, swaps))))
        check(found[0], folder, [pair.pair for pair in manifest.pairs])
        monkeypatch.setattr(observer._cache, "_root", tmp_path / f"cache-{number}")
        shutil.rmtree(folder.root / "observations")

        def anew() -> None:
            observe(suite, folder, manifest, observer, load)
            score(folder, suite, manifest, 0)

        first.append(timed(anew))
        again.append(timed(lambda: score(folder, suite, manifest, 0)))

    benchmark.pedantic(lambda: [both(number) for number in range(ROUNDS)], rounds=1)
    print(f"\n{PAIRS} pairs, {len(suite.methods)} methods, {len(suite.metrics)} metrics, {ROUNDS} rounds in turn")
    told = {"observe and score": first, "score again": again}
    for what, seconds in told.items():
        ratios = np.array(script) / np.array(seconds)
        print(
            f"{what}: script {spread(script)} s, here {spread(seconds)} s, "
            f"{np.median(ratios):.1f} times as fast ({spread(ratios.tolist())})"
        )
    assert np.median(script) / np.median(first) >= 6
    assert np.median(script) / np.median(again) >= 100


def observe(suite: Any, folder: RunFolder, manifest: Any, observer: Observer, load: data.Loader) -> None:
    share = Share(folder, manifest, suite, Shard(), observer.cards)
    observing = Observing(folder, manifest, share, observer, load, None, Reporter(quiet=True), NOTHING)
    observing.images()
    for method in suite.methods:
        observing.observations(method)


def check(loop: dict[str, dict[str, Any]], folder: RunFolder, pairs: list[str]) -> None:
    """The script's numbers are the run's: both did the same work."""
    scores = pd.read_parquet(folder["scores.parquet"])
    compared = 0
    for metric, methods in loop.items():
        for method, values in methods.items():
            of = scores[(scores.metric == metric) & (scores.method == method)].set_index("pair")
            ours = of.value.reindex(pairs).to_numpy()
            if np.isfinite(ours).any():  # scores that a method's training spoils are not given
                np.testing.assert_allclose(values, ours, rtol=1e-3, atol=2e-3, err_msg=f"{metric} of {method}")
                compared += 1
    assert compared > len(loop)


def timed(work: Any) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def spread(seconds: list[float]) -> str:
    return f"{np.median(seconds):.3g} [{min(seconds):.3g}, {max(seconds):.3g}]"
