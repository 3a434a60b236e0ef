"""One plan in eight shares side by side, against one process: how much of the work goes to coordination.

What every start pays, whatever there is to do (imports, planning, loading networks), is measured by starts that find
all work done, eight side by side and one alone, and taken off: of a plan that is worth eight processes it is a trifle.
Numbers are not made at the end, since one process makes them for all. Every round has a new run folder and a cache that
holds the networks alone. The processors' time says what is lost whatever else they do; the clock, which also sees
shares that wait for nothing and processors that one process leaves idle, is printed beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hifibench.records import Frame

PAIRS = int(os.environ.get("HIFIBENCH_BENCH_PAIRS", "128"))
PEOPLE, SHARES, ROUNDS = 16, 8, 3
METHODS, METRICS = ("source-paste", "re-encode"), ("id_cosine[edgeface]", "pose[3ddfa]")
ALLOWED = 0.05


class Took(NamedTuple):
    """Seconds of the processors, of all processes together, and of the clock."""

    cpu: float
    wall: float


def test_eight_shares_lose_little_to_coordination(
    portrait: Callable[..., Frame], tmp_path: Path, benchmark: Any
) -> None:
    pairs = _photographs(tmp_path, [portrait(seed) for seed in range(PEOPLE)])
    losses: list[Took] = []
    one: list[Took] = []

    def once() -> None:
        here = tmp_path / str(len(losses))
        alone = _start(pairs, here / "alone", ["1/1"])
        alone_start = _start(pairs, here / "alone", ["1/1"], looks=SHARES)  # as many as all shares together
        shares = [f"{index + 1}/{SHARES}" for index in range(SHARES)]
        shared = _start(pairs, here / "shared", shares)
        shared_start = _start(pairs, here / "shared", shares, looks=1)
        assert _observed(here / "alone") == _observed(here / "shared")
        one.append(Took(*(whole - start for whole, start in zip(alone, alone_start, strict=True))))
        rest = [whole - start for whole, start in zip(shared, shared_start, strict=True)]
        losses.append(Took(*(many / few - 1 for many, few in zip(rest, one[-1], strict=True))))
        print(
            f"\nround {len(losses)}: alone {alone.cpu:.1f} s of processors, {alone.wall:.1f} s by the clock (start "
            f"{alone_start.cpu:.1f}, {alone_start.wall:.1f}); {SHARES} shares {shared.cpu:.1f} and {shared.wall:.1f} "
            f"(starts {shared_start.cpu:.1f}, {shared_start.wall:.1f})"
        )

    benchmark.pedantic(once, rounds=ROUNDS)
    cpu, wall = (np.array([100 * getattr(loss, name) for loss in losses]) for name in Took._fields)
    print(
        f"lost to coordination: {np.median(cpu):.1f} % of the processors' time ({cpu.min():.1f} to {cpu.max():.1f}), "
        f"{np.median(wall):.1f} % by the clock ({wall.min():.1f} to {wall.max():.1f}); {PAIRS} pairs, {len(METHODS)} "
        f"methods, {SHARES} shares, {os.cpu_count()} processors, {ROUNDS} rounds"
    )
    assert np.median(cpu) <= 100 * ALLOWED


def _photographs(folder: Path, faces: Sequence[Frame]) -> Path:
    """Distinct pictures of some people, moved by a few pixels each; each gives a face once and receives one once."""
    from hifibench.data.images import save_png

    rng = np.random.default_rng(0)
    for number in range(PAIRS):
        moved = np.roll(faces[number % len(faces)], rng.integers(-20, 21, 2), (0, 1))
        save_png(folder / f"{number:04d}.png", moved)
    rows = [f"{number:04d}.png,{(number + 1) % PAIRS:04d}.png" for number in range(PAIRS)]
    path = folder / "pairs.csv"
    path.write_text("\n".join(["source,target", *rows]) + "\n")
    return path


def _start(pairs: Path, out: Path, shares: Sequence[str], looks: int = 0) -> Took:
    """Start the shares side by side, with a cache of their own."""
    from hifibench import assets

    cache = out.with_name(f"{out.name}-cache")
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "assets").exists():
        (cache / "assets").symlink_to(assets.cache_root() / "assets")
    root = Path(__file__).parents[2]
    env = {**os.environ, "HIFIBENCH_CACHE": str(cache), "PYTHONPATH": str(root)}
    begin = time.perf_counter()
    children = [
        subprocess.Popen([sys.executable, __file__, str(pairs), str(out), share, str(looks)], env=env)
        for share in shares
    ]
    cpu = 0.0
    for child in children:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        cpu += used.ru_utime + used.ru_stime
    return Took(cpu, time.perf_counter() - begin)


def _observed(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in (out / "observations").rglob("*.npz")}


def _child(pairs: Path, out: Path, share: str, looks: int) -> None:
    """A share without scoring; besides, ``looks`` at an empty picture by every network."""
    from hifibench import registry
    from hifibench.contracts import Expert
    from hifibench.faces.detect import Detector
    from hifibench.pipeline import run as running
    from hifibench.pipeline.store import Shard
    from hifibench.suite import FileData, Suite

    source = FileData(kind="files", pairs_csv=pairs)
    suite = Suite(name="shares", title="Shares", data=source, methods=METHODS, metrics=METRICS)
    running.score = lambda *words: {}
    running.run(suite, out, shard=Shard.parse(share))
    if looks:
        detector = Detector()
        experts = [registry.experts.get(name).load("cpu") for name in suite.experts()]
        for _ in range(looks):
            detector.detect(np.zeros((512, 512, 3), np.uint8))
            for expert in experts:
                assert isinstance(expert, Expert)
                size = expert.card.crop.size
                expert.observe(np.zeros((1, 3, size, size), np.float32))


if __name__ == "__main__":
    _child(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
