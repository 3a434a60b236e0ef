"""A profile of a whole run names all stages and experts, and no time of it is lost or counted twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hifibench.pipeline.profile import latest, records, write
from hifibench.pipeline.profile_table import ELSEWHERE, build
from hifibench.pipeline.run import run
from hifibench.pipeline.store import Shard
from hifibench.profiling import Profile
from hifibench.suite import PortraitData, Suite

pytestmark = pytest.mark.slow

SUITE = Suite(
    name="small",
    title="Small",
    data=PortraitData(kind="portraits", split="test", identities=100, views=2, pairs=20),
    methods=("target-copy", "source-paste"),
    metrics=("pose[3ddfa]", "id_cosine[edgeface]", "background[l1]"),
)


def test_a_profile_of_a_run_names_all_stages_and_experts_and_adds_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hifibench import assets

    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("assets", "portraits"):
        (assets.cache_root() / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(assets.cache_root() / name)
    monkeypatch.setenv("HIFIBENCH_CACHE", str(cache))  # no observation is in it: every expert has to look
    profile = Profile()
    begin = time.perf_counter()
    run(SUITE, tmp_path / "run", limit=4, workers=1, profile=profile)
    wall = time.perf_counter() - begin
    write(tmp_path / "run", profile, Shard(), workers=1)
    (record,) = latest(records(tmp_path / "run"), 1)
    tables = build([record])
    stages = {row.stage: row for row in tables.stages}
    assert list(stages) == ["plan", "images", "swap", "observe", "score", ELSEWHERE, "all"]
    parts = {(row.stage, row.part) for row in tables.parts}
    experts = {f"expert {name}" for name in SUITE.experts() if name not in ("l1", "background-l1")}
    assert {part for stage, part in parts if stage in ("images", "observe") and part.startswith("expert")} >= experts
    assert parts >= {("images", part) for part in ("decode", "hash", "detect", "crop", "cache", "write")}
    assert parts >= {("swap", part) for part in ("decode", "detect", "align", "swap", "paste", "write")}
    assert {row.method for row in tables.methods} == set(SUITE.methods)
    # Stages follow one another, so their walls add up to that of the run, and little is left to nobody.
    assert sum(row.wall for name, row in stages.items() if name != "all") == pytest.approx(wall, rel=0.05)
    assert stages[ELSEWHERE].wall < 0.05 * wall
