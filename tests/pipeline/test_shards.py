"""However a run is cut, killed and taken up, by shares or by a group: the same bytes lie in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import shared_runs
from shared_runs import Start

from hifibench import registry
from hifibench.pipeline import store
from hifibench.pipeline.run import run

pytestmark = pytest.mark.slow

STAGES = {
    "looking at images": "observations/images/",
    "swapping": "swaps/shared/",
    "looking at swaps": "observations/mirrored/",
    "scoring": "results.json",
}
MOVING = ("run.json", "timing.json", "timing", "logs")
"""What tells when and where a run was made."""


class Made(NamedTuple):
    """What the runs left behind: folder, exit codes of each step by its name, and what was said."""

    root: Path
    codes: Mapping[str, list[int]]
    said: str

    def files(self, run: str) -> dict[str, bytes]:
        folder = self.root / run
        paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".hifibench-")]
        names = {path.relative_to(folder): path for path in paths}
        return {str(name): path.read_bytes() for name, path in names.items() if name.parts[0] not in MOVING}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, portrait: Callable[..., Any]) -> Made:
    """All runs of this file, in one child process that forks them."""
    root = tmp_path_factory.mktemp("shards")
    pairs = shared_runs.photographs(root, [portrait(seed) for seed in (1, 2)])

    def shares(run: str, count: int, cache: str = "") -> list[Start]:
        return [Start(f"{root}/{run}", f"{i + 1}/{count}", cache=cache and f"{root}/{cache}") for i in range(count)]

    def group(run: str, **first: str) -> list[Start]:
        return [Start(f"{root}/{run}", group=(0, 2)), Start(f"{root}/{run}", group=(1, 2), **first)]

    cache = {"cache": "cache"}
    steps = {"whole": shares("whole", 1, **cache), "2": shares("2", 2, "other"), "7": shares("7", 7, **cache)}
    for stage, text in STAGES.items():
        steps[f"{stage}, killed"] = [Start(f"{root}/{stage}", dies=text, cache=f"{root}/cache")]
        steps[f"{stage}, taken up"] = shares(stage, 2, **cache)
    steps["one of two dies"] = [*shares("dead", 2)[:1], Start(f"{root}/dead", "2/2", dies=STAGES["swapping"])]
    steps["one goes on alone"] = shares("dead", 1)
    steps["group"] = group("group")
    steps["group with a full disk"] = group("full", raises=STAGES["swapping"])
    steps["full disk"] = shares("full", 1)
    steps["group that cannot plan"] = [
        Start(f"{root}/pairs.csv", group=(rank, 2), cache=f"{root}/cache") for rank in (0, 1)
    ]
    codes, said = shared_runs.start(pairs, list(steps.values()))
    return Made(root, dict(zip(steps, codes, strict=True)), said)


@pytest.mark.parametrize("run", ["2", "7", "group"])
def test_two_and_seven_shares_and_a_group_end_as_one_process(made: Made, run: str) -> None:
    assert set(made.codes[run]) == {0}
    assert made.files(run) == made.files("whole")


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_killed_in_any_stage_is_taken_up_by_another_number_of_processes(made: Made, stage: str) -> None:
    assert made.codes[f"{stage}, killed"] == [-9] and made.codes[f"{stage}, taken up"] == [0, 0]
    assert made.files(stage) == made.files("whole")


def test_the_share_of_a_dead_process_is_taken_up_by_the_next_start(made: Made) -> None:
    assert made.codes["one of two dies"] == [0, -9]
    assert "parts of other shares are still to come" in made.said
    assert made.files("dead") == made.files("whole")


def test_a_full_disk_ends_the_group_with_a_clear_error_and_loses_nothing(made: Made) -> None:
    assert made.codes["group with a full disk"] == [1, 3]
    assert "process 2 of 2: Cannot write" in made.said and "No space left on device. Free some space" in made.said
    assert "Another process of the group ended before the others had met (end of all shares)" in made.said
    assert "Traceback" not in made.said
    assert made.codes["full disk"] == [0] and made.files("full") == made.files("whole")


def test_a_group_whose_first_process_cannot_plan_ends_as_a_whole(made: Made) -> None:
    assert made.codes["group that cannot plan"] == [2, 1]
    assert "pairs.csv is a file; --out names a folder." in made.said
    assert "process 2 of 2: Another process of the group ended before the others had met (planning)" in made.said


@pytest.fixture
def registered(made: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The methods and the cache of the forked runs in this process."""
    monkeypatch.setattr(store, "CHUNK", shared_runs.CHUNK)
    monkeypatch.setenv("HIFIBENCH_CACHE", str(made.root / "cache"))
    before = [(plugins._added, dict(plugins._added)) for plugins in (registry.experts, registry.swappers)]
    shared_runs.register()
    yield
    for added, kept in before:
        added.clear()
        added.update(kept)


@pytest.mark.parametrize(
    ("victim", "damage"),
    [
        ("observations/mirrored/probe/chunk-00001.npz", b"PK\x03\x04 broken"),
        ("observations/images/done/chunk-00000.json", b"[]"),
        ("swaps/shared/chunk-00001.json", b"\0\0"),
        ("swaps/shared/chunk-00003.json", b"[1]"),
    ],
    ids=["observation", "mark", "empty mark of swaps", "mark of swaps"],
)
def test_damaged_marks_and_observations_are_made_again(
    made: Made, registered: None, victim: str, damage: bytes
) -> None:
    folder = made.root / "whole"
    before = made.files("whole")
    (folder / victim).write_bytes(damage)
    assert run(shared_runs.suite(made.root / "pairs.csv"), folder, workers=1).results is not None
    after = made.files("whole")
    assert {name for name in before if before[name] != after.get(name)} == set()


def test_another_share_does_not_score_over_damage_that_it_does_not_own(made: Made, registered: None) -> None:
    folder = made.root / "whole"
    before = made.files("whole")
    (folder / "observations/mirrored/probe/chunk-00001.npz").write_bytes(b"PK\x03\x04 broken")
    chosen = shared_runs.suite(made.root / "pairs.csv")
    assert run(chosen, folder, workers=1, shard=store.Shard(1, 2)).results is None
    assert not (folder / "results.json").exists()
    assert run(chosen, folder, workers=1, shard=store.Shard(2, 2)).results == json.loads(before["results.json"])
    assert made.files("whole") == before
