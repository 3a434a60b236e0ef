"""One plan in eight shares side by side, against eight processes that know nothing of one another.

Each of the latter has an eighth of the same pairs as a plan of its own, in a folder of its own: the same work on the
same machine at the same time, and no coordination. Against one process for the whole plan, either loses besides what
eight processes cost a machine: networks eight times in the caches, two processors that are threads of one core. That
is printed too.

What every start pays, whatever there is to do (imports, planning, loading networks, their first use), is taken off: of
a plan that is worth eight processes it is a trifle. It is measured by starts that find all work done, eight side by
side and one alone, and then do a plan of their own of a pair each, the one alone a plan of eight. Numbers are not made
at the end, since one process makes them for all. Every round has new run folders and caches that hold the networks
alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hifibench.records import Frame

SHARES, ROUNDS = 8, 3
PAIRS = int(os.environ.get("HIFIBENCH_BENCH_PAIRS", "128")) // SHARES * SHARES
PEOPLE = 16
METHODS, METRICS = ("source-paste", "re-encode"), ("id_cosine[edgeface]", "pose[3ddfa]")
ALLOWED = 0.05


@dataclass(frozen=True)
class Took:
    """Seconds of the processors, of all processes together, and of the clock; or ratios of them."""

    cpu: float
    wall: float

    def __sub__(self, other: Took) -> Took:
        return Took(self.cpu - other.cpu, self.wall - other.wall)

    def __truediv__(self, other: Took) -> Took:
        return Took(self.cpu / other.cpu, self.wall / other.wall)

    def __str__(self) -> str:
        return f"{self.cpu:.1f}/{self.wall:.1f}"


class Start(NamedTuple):
    """A process: a share of a plan, and a plan of its own of pairs ``then``, of pictures that are in no other."""

    plan: Path
    out: Path
    share: str
    then: Iterable[int] = ()


def test_eight_shares_lose_little_to_coordination(
    portrait: Callable[..., Frame], tmp_path: Path, benchmark: Any
) -> None:
    _photographs(tmp_path, [portrait(seed) for seed in range(PEOPLE)])
    each = PAIRS // SHARES
    parts = [_ring(range(first, first + each)) for first in range(0, PAIRS, each)]
    plan = _plan(tmp_path / "plan.csv", [pair for part in parts for pair in part])
    plans = [_plan(tmp_path / f"part-{number}.csv", part) for number, part in enumerate(parts)]
    names = [f"{index + 1}/{SHARES}" for index in range(SHARES)]
    lost: list[Took] = []
    crowded: list[Took] = []

    def once() -> None:
        here = tmp_path / f"round-{len(lost) + 1}"
        starts = {
            "one": [Start(plan, here / "one", "1/1")],
            "shares": [Start(plan, here / "shares", name) for name in names],
            "apart": [Start(part, here / "apart" / str(number), "1/1") for number, part in enumerate(plans)],
        }
        took = {name: _run(some, here / f"{name}-cache") for name, some in starts.items()}
        assert _observed(here / "one") == _observed(here / "shares") != {}
        assert _looks(here / "apart") == _looks(here / "one")
        one_start = _run(
            [starts["one"][0]._replace(then=range(SHARES))], here / "one-cache"
        )  # as many as all shares together
        start = _run([share._replace(then=[n]) for n, share in enumerate(starts["shares"])], here / "shares-cache")
        work = {name: took[name] - (one_start if name == "one" else start) for name in took}
        lost.append(work["shares"] / work["apart"])
        crowded.append(work["apart"] / work["one"])
        print(
            f"\nround {len(lost)}, seconds of processors and by the clock: one process {work['one']} and to start "
            f"{one_start}; {SHARES} shares {work['shares']}, {SHARES} apart {work['apart']}, and to start {start}"
        )

    benchmark.pedantic(once, rounds=ROUNDS)
    print(f"lost to coordination: {_percent(lost)}; lost by {SHARES} processes apart against one: {_percent(crowded)}")
    print(f"{PAIRS} pairs, {len(METHODS)} methods, {SHARES} shares, {os.cpu_count()} processors, {ROUNDS} rounds")
    assert np.median([loss.cpu - 1 for loss in lost]) <= ALLOWED


def _percent(ratios: Sequence[Took]) -> str:
    told = []
    for name, what in (("cpu", "of the processors' time"), ("wall", "by the clock")):
        loss = np.array([100 * (getattr(ratio, name) - 1) for ratio in ratios])
        told.append(f"{np.median(loss):.1f} % {what} ({loss.min():.1f} to {loss.max():.1f})")
    return ", ".join(told)


def _photographs(folder: Path, faces: Sequence[Frame]) -> None:
    """Distinct pictures of some people, moved by a few pixels each: one a pair, and two more for each share."""
    from hifibench.data.images import save_png

    rng = np.random.default_rng(0)
    for number in range(PAIRS + 2 * SHARES):
        moved = np.roll(faces[number % len(faces)], rng.integers(-20, 21, 2), (0, 1))
        save_png(folder / f"{number:04d}.png", moved)


def _ring(pictures: Sequence[int]) -> list[tuple[int, int]]:
    """Each gives a face once and receives one once."""
    return [(one, pictures[(place + 1) % len(pictures)]) for place, one in enumerate(pictures)]


def _plan(path: Path, pairs: Sequence[tuple[int, int]]) -> Path:
    rows = [f"{source:04d}.png,{target:04d}.png" for source, target in pairs]
    path.write_text("\n".join(["source,target", *rows]) + "\n")
    return path


def _run(starts: Sequence[Start], cache: Path) -> Took:
    """Start the processes side by side, with a cache of their own."""
    from hifibench import assets

    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "assets").exists():
        (cache / "assets").symlink_to(assets.cache_root() / "assets")
    root = Path(__file__).parents[2]
    env = {**os.environ, "HIFIBENCH_CACHE": str(cache), "PYTHONPATH": str(root)}
    begin = time.perf_counter()
    children = [
        subprocess.Popen(
            [sys.executable, __file__, str(plan), str(out), share, ",".join(map(str, then))],
            env=env,
        )
        for plan, out, share, then in starts
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


def _looks(out: Path) -> int:
    """How many rows all observation files under a folder hold."""
    total = 0
    for path in out.rglob("observations/**/*.npz"):
        with np.load(path) as held:
            total += len(held[held.files[0]])
    return total


def _child(pairs: Path, out: Path, share: str, own: str) -> None:
    """A share without scoring, and a plan of the process's own."""
    from hifibench.pipeline import run as running
    from hifibench.pipeline.store import Shard
    from hifibench.suite import FileData, Suite

    def suite(plan: Path) -> Suite:
        source = FileData(kind="files", pairs_csv=plan)
        return Suite(name="shares", title="Shares", data=source, methods=METHODS, metrics=METRICS)

    running.score = lambda *words: {}
    running.run(suite(pairs), out, shard=Shard.parse(share))
    if own:
        first = [PAIRS + 2 * int(number) for number in own.split(",")]
        name = f"own-{out.parent.name}-{out.name}-{own.replace(',', '-')}"
        running.run(
            suite(_plan(pairs.with_name(f"{name}.csv"), [(one, one + 1) for one in first])), out.with_name(name)
        )


if __name__ == "__main__":
    _child(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
