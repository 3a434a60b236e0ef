from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from hifibench import registry, suite
from hifibench.errors import UsageError

GOOD = """
name: mine
title: Mine
data: {kind: portraits, identities: 4, views: 1, pairs: 4}
methods: [target-copy]
metrics: ["pose[mediapipe]", "background[l1]"]
"""


def test_the_demo_can_be_run() -> None:
    demo = suite.load("demo")
    demo.check()
    assert demo.data.kind == "portraits" and demo.data.pairs == 100


def test_the_ablation_sets_all_variants_side_by_side_on_the_pairs_of_the_demo() -> None:
    ablation = suite.load("ablation")
    ablation.check()
    assert ablation.methods == (
        "target-copy",
        *(f"hififace{end}" for end in ("", "-n3d", "-bare", "-blend", "-concat")),
    )
    assert ablation.data == suite.load("demo").data


def test_a_suite_comes_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(GOOD)
    assert suite.load(str(tmp_path / "mine.yaml")).name == "mine"


def test_experts_follow_from_metrics_with_those_that_comparisons_need() -> None:
    assert suite.parse(GOOD, "test").experts() == ("mediapipe", "pixels")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("methods:", "method:"), "Did you mean 'methods'"),
        (("identities: 4", "identites: 4"), "Did you mean 'identities'"),
        (("identities: 4", "identities: 1"), "greater than or equal to 2"),
        (("kind: portraits", "kind: portrait"), "portraits"),
        (("name: mine", "name: Mine!"), "pattern"),
        (("title: Mine", "title: [Mine"), "no YAML"),
    ],
)
def test_a_wrong_suite_is_refused_with_the_reason(change: tuple[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        suite.parse(GOOD.replace(*change), "test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[target-copy]", "[target-cpoy]"), "Unknown method 'target-cpoy'. Did you mean 'target-copy'"),
        (("pose[mediapipe]", "pse[mediapipe]"), "Unknown metric 'pse'. Did you mean 'pose'"),
        (("pose[mediapipe]", "pose[mediapipe"), "no metric name"),
        (("[target-copy]", "[target-copy, target-copy]"), "named twice"),
        (("background[l1]", "pose[ mediapipe ]"), "'pose\\[mediapipe\\]' is named twice"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_one(change: tuple[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        suite.parse(GOOD.replace(*change), "test").check()


def test_a_card_that_names_an_unknown_asset_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from hifibench import assets, doctor, needs

    known = {name: asset for name, asset in assets.CATALOGUE.items() if name != "scrfd-500m"}
    monkeypatch.setattr(assets, "CATALOGUE", known)
    with pytest.raises(UsageError, match="names the asset 'scrfd-500m'"):
        needs.of_suite(suite.parse(GOOD, "test"))
    told = dict(doctor._suites())
    assert told.keys() >= {*registry.suites.names()}
    assert all("cannot run" in said for said in told.values())


def test_an_unknown_suite_names_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="Did you mean 'demo'"):
        suite.load("dmeo")


def test_every_entry_of_the_project_loads_as_what_its_group_holds() -> None:
    for group in (registry.swappers, registry.experts, registry.metrics, registry.suites):
        for name in group.names():
            assert group.get(name) is not None
    for name in registry.swappers.names():
        assert registry.swappers.get(name).card.name == name
    for name in registry.experts.names():
        assert registry.experts.get(name).card.name == name


def test_an_expert_is_handed_what_it_needs_first_and_once() -> None:
    assert registry.seen_through(["pixels", "mediapipe"]) == ("mediapipe", "pixels")


def test_facts_that_an_expert_needs_are_refused_where_nobody_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    blind = replace(registry.metric("background[l1]"), needs=("truth-pixels",))
    monkeypatch.setattr(registry, "metric", lambda name: blind)
    with pytest.raises(UsageError, match="takes what is known of rendered heads alone"):
        suite.parse(GOOD.replace('"pose[mediapipe]", ', ""), "mine").check()


@pytest.mark.parametrize(
    ("own", "asked", "done"),
    [("mark", None, "mark"), ("mark", "refuse", "refuse"), ("refuse", "mark", "mark"), ("refuse", None, "refuse")],
)
def test_what_is_done_with_scores_by_a_teacher_is_the_suites_unless_the_user_says_otherwise(
    tmp_path: Path, own: str, asked: Literal["mark", "refuse"] | None, done: str
) -> None:
    from hifibench.commands import Changes, load_suite

    (tmp_path / "mine.yaml").write_text(f"{GOOD}trained_with: {own}\n")
    assert load_suite(str(tmp_path / "mine.yaml"), Changes(trained_with=asked)).trained_with == done
