"""The suite `ci` against its golden numbers: what is planted fails, noise does not, and a run is the same twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hifibench import assets, data, registry, suites
from hifibench import suite as suite_file
from hifibench.contracts import Metric, Swapper, SwapperPlugin
from hifibench.faces import align, templates
from hifibench.pipeline import observe
from hifibench.pipeline import score as scoring
from hifibench.pipeline.run import run
from hifibench.pipeline.store import RunFolder, chunks
from hifibench.records import Floats, Manifest, Observed, Swap
from hifibench.suite import Suite
from reports import read
from reports.gates import golden
from reports.gates.gate import gate
from reports.gates.records import Gate

pytestmark = pytest.mark.slow

GOLDEN = suites.ci.with_name("ci.golden.json")

Key = tuple[str, str]


@dataclass(frozen=True)
class Ran:
    """A finished run, and the cache that it filled."""

    folder: Path
    cache: Path

    @property
    def manifest(self) -> Manifest:
        return Manifest.from_json((self.folder / "manifest.json").read_text(encoding="utf-8"))


def command(*words: str | Path, cache: Path, expect: int = 0) -> str:
    """What a command says; with one thread, as the golden was made, and since several would wait for each other."""
    done = subprocess.run(
        [sys.executable, "-m", "hifibench", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", "HIFIBENCH_CACHE": str(cache)},
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def ran(root: Path, *options: str) -> Ran:
    """A run by the command line from a cache that holds downloads alone."""
    assets.path("scrfd-500m")
    cache = root / "cache"
    cache.mkdir(parents=True)
    (cache / "assets").symlink_to(assets.cache_root() / "assets")
    command("run", suites.ci, "--out", root / "run", "--quiet", *options, cache=cache)
    return Ran(root / "run", cache)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("ci"))


@dataclass(frozen=True)
class Planted:
    """A copy of the finished run to plant a fault in, with a cache of its own, so that no fault gets out of it."""

    ran: Ran
    suite: Suite

    def scored_again(self) -> Gate:
        """The gate after the observations were scored again."""
        scoring.score(RunFolder(self.ran.folder), self.suite, self.ran.manifest, seed=0)
        return self.gate()

    def seen_again(self, *by: str) -> Gate:
        """The gate after some experts looked at everything again, the others' observations being kept."""
        shutil.rmtree(self.ran.folder / "observations")
        for expert in by:
            (stored,) = (self.ran.cache / "observations").glob(f"{expert}-*")
            shutil.rmtree(stored)
        return self.finished()

    def finished(self) -> Gate:
        """The gate after the run went on."""
        run(self.suite, self.ran.folder)
        return self.gate()

    def gate(self) -> Gate:
        return gate(read.run(self.ran.folder), golden.read(GOLDEN))


@pytest.fixture
def planted(base: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    cache = tmp_path / "cache"
    cache.mkdir()
    for shared in ("assets", "heads"):
        (cache / shared).symlink_to(base.cache / shared)
    shutil.copytree(base.cache / "observations", cache / "observations", copy_function=os.link)
    monkeypatch.setenv("HIFIBENCH_CACHE", str(cache))
    shutil.copytree(base.folder, tmp_path / "run")
    return Planted(Ran(tmp_path / "run", cache), suite_file.load(str(suites.ci)))


def failed(made: Gate) -> set[Key]:
    """Method and metric of what failed, checks of the run apart."""
    return {(line.method, line.metric) for line in made.failed if line.method != "checks"}


def margin(made: Gate, metric: str) -> float:
    """The largest move of a metric, in tolerances."""
    lines = [line for line in made.lines if line.metric == metric and line.tolerance]
    return max(abs(line.difference or 0.0) / (line.tolerance or 1.0) for line in lines)


def test_the_golden_numbers_are_of_the_pairs_that_are_planned_now() -> None:
    suite = suite_file.load(str(suites.ci))
    kept = golden.read(GOLDEN)
    assert kept.manifest == data.plan(suite.data, 0, None).hash, (
        "The pairs of the suite, or the code that draws heads, have changed: make the golden numbers anew (docs/ci.md)."
    )
    scored = {(method, registry.metric(metric).name) for method in suite.methods for metric in suite.metrics}
    assert {one.key for one in kept.numbers} == scored


def test_the_run_holds(base: Ran) -> None:
    assert "within tolerance" in command("gate", base.folder, "--golden", GOLDEN, cache=base.cache)


def test_a_second_run_is_the_same_to_the_byte(base: Ran, tmp_path: Path) -> None:
    second = ran(tmp_path)
    for name in ("results.json", "manifest.json"):
        assert (second.folder / name).read_bytes() == (base.folder / name).read_bytes()


def test_other_people_hold(tmp_path: Path) -> None:
    made = gate(read.run(ran(tmp_path, "--seed", "1").folder), golden.read(GOLDEN))
    assert not made.same_pairs
    assert made.ok, made.failed


def reading(base_name: str, **instead: str) -> Callable[[str], Metric]:
    """`registry.metric`, with metrics of one kind that read other observations than they should."""
    right = registry.metric

    def compute(metric: Metric, observed: Any) -> Any:
        return metric.compute(replace(observed, **{role: getattr(observed, other) for role, other in instead.items()}))

    def metric(name: str) -> Metric:
        made = right(name)
        return replace(made, compute=partial(compute, made)) if name.startswith(f"{base_name}[") else made

    return metric


@pytest.mark.parametrize(
    ("metric", "instead", "expect"),
    [
        ("pose", {"target": "source"}, "pose[mediapipe]"),
        ("expression", {"target": "source"}, "expression[3ddfa]"),
        ("id_leak", {"target": "source"}, "id_leak[edgeface]"),
        ("id_cosine", {"source": "target"}, "id_cosine[edgeface]"),
        ("shape", {"source": "target"}, "shape[3ddfa]"),
    ],
)
def test_arguments_in_the_wrong_order(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, metric: str, instead: dict[str, str], expect: str
) -> None:
    monkeypatch.setattr(registry, "metric", reading(metric, **instead))
    made = planted.scored_again()
    assert {name.partition("[")[0] for _, name in failed(made)} == {metric}
    assert margin(made, expect) > 100


def test_what_moved_is_named_on_the_command_line(base: Ran, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "metric", reading("id_cosine", source="target"))
    planted.scored_again()
    said = command("gate", planted.ran.folder, "--golden", GOLDEN, cache=base.cache, expect=1)
    assert all(word in said for word in ("id_cosine[edgeface]", "target-copy", "hififace", "worse", "improved"))
    assert "pose" not in said


class Late(scoring.Observations):
    """Observations in which each swap stands beside the target's next frame; the last of a clip beside its own."""

    def of(self, swap: Any, rows: Any, others: Any = None) -> Observed:
        seen = super().of(swap, rows, others)
        video = seen.pairs["video"].to_numpy()
        here = np.arange(len(video))
        after = np.minimum(here + 1, len(video) - 1)
        late = super().of(swap, rows[np.where(video[after] == video, after, here)], others)
        return replace(seen, target=late.target)


def test_targets_one_frame_late(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "Observations", Late)
    made = planted.scored_again()
    for metric in ("pose[mediapipe]", "landmarks[mediapipe]", "jitter[mediapipe]"):
        assert ("target-copy", metric) in failed(made)
        assert margin(made, metric) > 50
    assert not {metric for _, metric in failed(made) if metric.startswith(("id_cosine", "shape"))}


def test_one_methods_swaps_one_frame_late(planted: Planted) -> None:
    folder, method = RunFolder(planted.ran.folder), "faceswap"
    names = [pair.pair for pair in planted.ran.manifest.pairs]
    later = {name: after for name, after in pairwise(names) if after[:-5] == name[:-5]}
    marks = [(folder.swap_chunk(method, i), part) for i, part in enumerate(chunks(names))]
    rows = {row["pair"]: row for path, _ in marks for row in json.loads(path.read_text())["pairs"]}
    frames = {name: folder.swap_image(method, name) for name in names}
    frames = {name: path.read_bytes() if path.exists() else b"" for name, path in frames.items()}
    for path, part in marks:
        moved = [{**rows[later.get(name, name)], "pair": name} for name in part]
        path.write_text(json.dumps({**json.loads(path.read_text()), "pairs": moved}))
        for name in part:
            if frame := frames[later.get(name, name)]:
                folder.swap_image(method, name).write_bytes(frame)
    made = planted.finished()
    assert {line.method for line in made.failed} == {method}
    assert margin(made, "background[l1]") > 10


def looking_through(change: Callable[[Floats], Floats]) -> SimpleNamespace:
    """`hifibench.faces.templates` as the observer uses it, with something done to every crop."""

    def take(*words: Any) -> tuple[Floats, align.Matrix]:
        crop, matrix = templates.take(*words)
        return np.ascontiguousarray(change(crop), np.float32), matrix

    return SimpleNamespace(take=take)


def bgr(crop: Floats) -> Floats:
    return crop[::-1]


def taken_for_minus_one_to_one(crop: Floats) -> Floats:
    return (crop + 1) / 2


def of_half_the_size(crop: Floats) -> Floats:
    """Every second pixel alone."""
    return crop[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)


@pytest.mark.parametrize(
    ("expert", "change", "expect"),
    [
        ("edgeface", bgr, "id_leak[edgeface]"),
        ("mediapipe", bgr, "truth[pose,mediapipe]"),
        ("3ddfa", bgr, "shape[3ddfa]"),
        ("edgeface", taken_for_minus_one_to_one, "id_leak[edgeface]"),
        ("edgeface", of_half_the_size, "id_leak[edgeface]"),
    ],
)
def test_an_expert_sees_other_pictures(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, expert: str, change: Callable[[Floats], Floats], expect: str
) -> None:
    monkeypatch.setattr(observe, "templates", looking_through(change))
    made = planted.seen_again(expert)
    assert all(expert in metric for _, metric in failed(made))
    assert margin(made, expect) > 10


class Blue:
    """A method whose swaps have red and blue exchanged."""

    def __init__(self, plugin: SwapperPlugin, device: str) -> None:
        right = plugin.load(device)
        assert isinstance(right, Swapper)
        self._right, self.card, self.cost = right, right.card, right.cost

    def swap(self, source: Any, target: Any) -> Swap:
        made = self._right.swap(source, target)
        return replace(made, image=made.image.flip(1))


def test_a_method_gives_bgr(planted: Planted) -> None:
    plugin = registry.swappers.get("hififace")
    shutil.rmtree(planted.ran.folder / "swaps" / "hififace")
    with registry.swappers.standing_in({"hififace": replace(plugin, load=partial(Blue, plugin))}):
        made = planted.finished()
    assert {line.method for line in made.failed} == {"hififace"}
    assert {"id_cosine[edgeface]", "background[l1]"} <= {metric for _, metric in failed(made)}
    assert margin(made, "skin_tone[mediapipe,target]") > 10 and margin(made, "truth[l1]") > 3
