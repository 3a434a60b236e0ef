"""Memory and time of scoring: from a thousand to a hundred thousand pairs it needs hardly more memory.

Each figure is the peak of a process of its own, over made-up observations of the demo's experts. Once the experts that
look are in memory too, as in a run that observes and then scores, the peak may grow by a tenth at most. A process that
scores and nothing else is so small that the names of the pairs alone show.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import large_observations
import numpy as np
import pytest

SMALL, LARGE = 1_000, 100_000
ROUNDS = 3
METHODS = ("faceswap", "simswap")
MOST_GROWTH, MOST_GROWTH_ALONE = 1.10, 1.30
WIDE = 10_000
WIDE_METHODS = (
    "target-copy", "re-encode", "source-paste", "faceswap", "simswap", "simswap-224", "faceshifter",
    "hififace", "hififace-blend", "truth",
)  # fmt: skip
WIDE_LIMIT_S = 600.0
"""On two cores with nothing else to do it takes about one."""


def test_peak_memory_hardly_grows_with_the_pairs(benchmark: Any, tmp_path: Path) -> None:
    runs = {}
    for pairs in (SMALL, LARGE):
        runs[pairs] = tmp_path / str(pairs)
        large_observations.write(runs[pairs], pairs, METHODS)

    found: dict[tuple[bool, int], list[dict[str, float]]] = {(load, n): [] for load in (False, True) for n in runs}

    def measure() -> None:
        for (load, pairs), seen in found.items():
            seen.append(_child(runs[pairs], pairs, METHODS, load))

    benchmark.pedantic(measure, rounds=ROUNDS)
    growths = {}
    for load in (False, True):
        small, large = found[load, SMALL], found[load, LARGE]
        each = [after["peak"] / before["peak"] for before, after in zip(small, large, strict=True)]
        growths[load] = median(each)
        print(
            f"\n{'experts in memory, then scoring' if load else 'scoring alone'}: peak {_of(small, 'peak'):.0f} MiB at "
            f"{SMALL:,} pairs, {_of(large, 'peak'):.0f} at {LARGE:,}: {growths[load]:.3f} times ({min(each):.3f} to "
            f"{max(each):.3f} over {ROUNDS} rounds; private memory {_of(small, 'private'):.0f} and "
            f"{_of(large, 'private'):.0f}); {_of(small, 'seconds'):.1f} and {_of(large, 'seconds'):.1f} s"
        )
    assert growths[True] <= MOST_GROWTH
    assert growths[False] <= MOST_GROWTH_ALONE


def _of(seen: list[dict[str, float]], what: str) -> float:
    return median(one[what] for one in seen)


def test_ten_methods_on_ten_thousand_pairs(benchmark: Any, tmp_path: Path) -> None:
    from hifibench import registry

    methods = [name for name in WIDE_METHODS if name in registry.swappers.names()]
    large_observations.write(tmp_path / "run", WIDE, methods)
    found = benchmark.pedantic(_child, (tmp_path / "run", WIDE, methods, False), rounds=1)
    print(f"\n{len(methods)} methods, {WIDE:,} pairs: {found['seconds']:.0f} s, peak {found['peak']:.0f} MiB")
    assert found["seconds"] <= WIDE_LIMIT_S


def _child(run: Path, pairs: int, methods: Any, load: bool) -> dict[str, float]:
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc to read memory from")
    here = Path(__file__)
    path = os.pathsep.join([str(here.parents[2]), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, str(here), str(run), str(pairs), ",".join(methods), "load" * load]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _load_experts(names: tuple[str, ...]) -> list[Any]:
    """All that observing has in memory, after it has looked at faces."""
    from hifibench import registry
    from hifibench.contracts import Expert
    from hifibench.faces.detect import Detector

    held: list[Any] = [Detector()]
    held[0].detect(np.zeros((512, 512, 3), np.uint8))
    for name in names:
        expert = registry.experts.get(name).load("cpu")
        held.append(expert)
        if isinstance(expert, Expert):
            size = expert.card.crop.size
            expert.observe(np.full((16, 3, size, size), 0.5, np.float32))
    return held


def _main(run: str, pairs: str, methods: str, load: str) -> None:
    from hifibench.pipeline.score import score
    from hifibench.pipeline.store import RunFolder
    from hifibench.suite import load as suite

    terms = suite("demo").model_copy(update={"methods": tuple(methods.split(","))})
    held = _load_experts(terms.experts()) if load else []
    plan = large_observations.manifest(int(pairs))
    private, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            now = next(float(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            private[0] = max(private[0], now / 1024)

    watching = threading.Thread(target=watch)
    watching.start()
    begin = time.perf_counter()
    score(RunFolder(Path(run)), terms, plan, seed=0)
    seconds = time.perf_counter() - begin
    done.set()
    watching.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    del held
    print(json.dumps({"peak": peak, "private": private[0], "seconds": seconds}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
