"""The suites on FaceForensics++ from the command line, on a tree of real videos in small."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from clips import FaceTree, face_tree

from hifibench import assets, registry, suite
from hifibench.pipeline.examples import EXAMPLES, exemplary
from hifibench.records import Frame, ImageRef, Manifest, Pair

VIDEOS = ("000", "001", "002", "003")
SUITES = ("ffpp-table1", "ffpp-table2", "ffpp-ablation", "ffpp-fig6")


@pytest.fixture(scope="module")
def tree(portrait: Callable[..., Frame], tmp_path_factory: pytest.TempPathFactory) -> FaceTree:
    faces = {video: portrait(11 + number) for number, video in enumerate(VIDEOS)}
    return face_tree(tmp_path_factory.mktemp("tree"), faces, compressions=("c23",))


@pytest.fixture(scope="module")
def finished(tree: FaceTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of Table 1 with the embedded estimators."""
    import os
    import subprocess
    import sys

    out = tmp_path_factory.mktemp("table1") / "run"
    words = ["run", "ffpp-table1", "--estimators", "embedded", "--ffpp", str(tree.root), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "hifibench", *words],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (out / "stdout").write_text(done.stdout)
    return out


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_names_experts_and_methods_that_there_are_by_either_choice_of_estimators(name: str) -> None:
    paper, embedded = suite.load(name).by("paper"), suite.load(name).by("embedded")
    for one in (paper, embedded):
        one.check()
    assert (embedded.name, paper.name) == (f"{name}-embedded", name)
    brought = {*assets.brought()}
    for expert in embedded.experts():
        assert not brought & {*registry.experts.get(expert).card.assets}, "embedded means that nothing is to be brought"
    assert any(brought & {*registry.experts.get(expert).card.assets} for expert in paper.experts())


@pytest.mark.slow
def test_table_1_sets_released_and_generated_rows_beside_published_figures(finished: Path) -> None:
    results = json.loads((finished / "results.json").read_text())
    rows = {method["name"]: method for method in results["methods"]}
    for name in ("faceswap-ffpp", "faceshifter-ffpp", "simswap", "hififace"):
        assert rows[name]["status"] == {"ok": 40}
    assert all(check["ok"] for check in results["checks"])
    # Table 1 has no forgery detectors.
    assert all("forgery" in check["name"] for check in results["checks"] if check["skipped"])
    shown = (finished / "stdout").read_text()
    for words in ("FaceSwap", "FaceShifter", "SimSwap", "HifiFace", "98.48 ≠", "87.99 ≠", "do not compare", "MegaFS"):
        assert words in shown
    with (finished / "report/table1.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) > 20
    page = (finished / "report/index.html").read_text()
    assert "Table 1 of the paper" in page and "98.48" in page


@pytest.mark.slow
def test_scores_are_of_the_right_pair_side_and_frame(finished: Path, tree: FaceTree) -> None:
    """Mixed-up pairs, sides or frames would show: a released face is the source's, where the target's would be."""
    scores = pd.read_parquet(finished / "scores.parquet").pivot(
        index=["method", "pair"], columns="metric", values="value"
    )
    for method in ("faceswap-ffpp", "faceshifter-ffpp"):
        row = scores.loc[method]
        assert (row["id_cosine[edgeface]"] > row["id_leak[edgeface]"] + 0.1).all(), "the face is that of BBB in AAA_BBB"
        assert (row["background[l1]"] < 0.03).all(), "a frame off by a few shows the background elsewhere"
    pairs = pd.read_parquet(finished / "pairs.parquet")
    assert sorted({tuple(name.split("-")[0].split("_")) for name in pairs["pair"]}) == list(tree.pairs)
    assert (pairs["video"] == pairs["pair"].str[:3]).all() and (pairs["target_id"] == pairs["video"]).all()
    assert (pairs["source_id"] == pairs["pair"].str[4:7]).all()


@pytest.mark.slow
def test_a_manifest_made_before_is_run_again_elsewhere_and_one_of_another_tree_is_refused(
    cli: Callable[..., Any], tree: FaceTree, finished: Path, tmp_path: Path
) -> None:
    shown = cli("data", "manifest", "ffpp", tree.root, "--out", tmp_path / "m.json").stdout
    here = json.loads((finished / "results.json").read_text())["manifest"]
    assert here in shown
    copy = shutil.copytree(tree.root, tmp_path / "elsewhere")
    words = (
        "run",
        "ffpp-fig6",
        "--estimators",
        "embedded",
        "--manifest",
        tmp_path / "m.json",
        "--out",
        tmp_path / "run",
    )
    cli(*words, "--ffpp", copy, "--methods", "target-copy,faceshifter-ffpp")
    assert json.loads((tmp_path / "run/results.json").read_text())["manifest"] == here
    videos = copy / "original_sequences/youtube/c23/videos"
    shutil.copy(videos / "001.mp4", videos / "000.mp4")
    refused = cli(*words[:-1], tmp_path / "other", "--ffpp", copy, expect=2).stderr
    assert "000.mp4" in refused and "manifest" in refused


@pytest.mark.slow
def test_a_missing_counterpart_and_a_broken_one_lose_their_own_pairs_alone(
    cli: Callable[..., Any], tree: FaceTree, tmp_path: Path
) -> None:
    broken = shutil.copytree(tree.root, tmp_path / "broken")
    released = broken / "manipulated_sequences/FaceShifter/c23/videos"
    (released / "000_003.mp4").unlink()
    half = (released / "001_002.mp4").read_bytes()
    (released / "001_002.mp4").write_bytes(half[: len(half) // 2])
    (broken / "original_sequences/youtube/c23/videos/004.mp4").write_bytes(b"")
    told = cli("data", "verify", "ffpp", broken, expect=3)
    for name in ("000_003", "001_002", "004.mp4"):
        assert name in told.stdout + told.stderr
    words = ("run", "ffpp-fig6", "--estimators", "embedded", "--ffpp", broken, "--out", tmp_path / "run")
    cli(*words, "--methods", "target-copy,faceshifter-ffpp")
    [_, row] = json.loads((tmp_path / "run/results.json").read_text())["methods"]
    assert row["status"] == {"file missing": 20, "ok": 20}


def test_without_the_papers_networks_a_table_says_what_to_bring(
    cli: Callable[..., Any], tmp_path: Path, empty_cache: Mapping[str, str]
) -> None:
    told = cli("run", "ffpp-table1", expect=3, env={**empty_cache, "COLUMNS": "1000"}).stderr
    lines = told.splitlines()
    header = next(line for line in lines if line.startswith("network"))
    assert header.split("  ")[0] == "network" and "where to put it" in header and "licence" in header
    for file in ("ACC99.28.pth", "hopenet_robust_alpha1.pkl", "ringnet.safetensors"):
        assert any(
            file in line and "https://" in line and str(empty_cache["HIFIBENCH_CACHE"]) in line for line in lines
        )


def test_options_for_faceforensics_are_refused_where_the_images_are_others(cli: Callable[..., Any]) -> None:
    assert "the suite demo has images of the kind 'portraits'" in cli("run", "demo", "--ffpp", "x", expect=2).stderr


def test_examples_are_of_as_many_videos_as_there_are() -> None:
    images = [ImageRef(f"{video}/{frame}", "", video, video, frame) for video in "abc" for frame in range(6)]
    pairs = tuple(Pair(f"{number:02d}", "a/0", image.image) for number, image in enumerate(images))
    shown = exemplary(Manifest(tuple(images), pairs, {}, ""))
    assert [pair.target for pair in shown] == ["a/0", "b/0", "c/0", "a/1", "b/1", "c/1", "a/2", "b/2"][:EXAMPLES]
