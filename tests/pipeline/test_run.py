"""Whole runs with real networks on a few portraits: cut, killed, shared and repeated, they end the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SMALL = ("run", "demo", "--limit", "20", "--quiet")
"""Twenty pairs are two chunks of work."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    done = subprocess.run(
        [sys.executable, "-m", "hifibench", *SMALL, "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())  # type: ignore[no-any-return]


def value(folder: Path, method: str, metric: str) -> dict[str, float]:
    (row,) = [one for one in results(folder)["scores"] if (one["method"], one["metric"]) == (method, metric)]
    return row


def test_the_run_folder_holds_what_the_design_says(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert names >= {
        "run.json", "manifest.json", "pairs.parquet", "swaps", "observations", "scores.parquet", "results.json",
        "timing.json", "report",
    }  # fmt: skip
    assert {path.name for path in (whole / "report").iterdir()} >= {
        "index.html",
        "table.md",
        "table.csv",
        "table.tex",
    }
    scores = pd.read_parquet(whole / "scores.parquet")
    found = results(whole)
    assert len(scores) == len(found["methods"]) * len(found["metrics"]) * found["n_pairs"]
    assert not list(whole.rglob(".*"))


def test_the_reference_rows_are_in_order_and_the_classical_swap_lies_between(whole: Path) -> None:
    assert [check for check in results(whole)["checks"] if not check["ok"]] == []
    copy, paste, swap = (
        value(whole, method, "id_retrieval[edgeface,sources,top1]")
        for method in ("target-copy", "source-paste", "faceswap")
    )
    assert copy["value"] <= 15 and paste["value"] >= 90
    assert copy["value"] <= swap["value"] <= paste["value"]
    assert paste["low"] <= paste["value"] <= paste["high"]
    for metric in ("pose[mediapipe]", "pose[3ddfa]", "expression[mediapipe]", "background[l1]"):
        assert value(whole, "target-copy", metric)["value"] == 0
        assert value(whole, "source-paste", metric)["value"] > 0


def test_swaps_carry_their_provenance(whole: Path) -> None:
    path = next((whole / "swaps" / "faceswap").glob("*.png"))
    with Image.open(path) as image:
        text = image.text  # type: ignore[attr-defined]
    assert text["hifibench:method"] == "faceswap"
    assert text["hifibench:run"] == json.loads((whole / "run.json").read_text())["run_id"]
    assert "trainedAlgorithmicMedia" in path.read_bytes().decode("latin1")


def test_a_run_killed_three_times_and_resumed_ends_the_same(whole: Path, tmp_path: Path, empty_cache: Any) -> None:
    out, env = tmp_path / "run", {**os.environ, **empty_cache}
    command = [sys.executable, "-m", "hifibench", *SMALL, "--out", str(out)]
    moments = np.random.default_rng(20).uniform(4, 12, 3)
    for moment in moments:
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        assert process.poll() is None, "the run ended before it was killed: the test must strike earlier"
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert (out / "results.json").read_bytes() == (whole / "results.json").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(out / "scores.parquet"), pd.read_parquet(whole / "scores.parquet"))


def test_two_shares_side_by_side_end_as_one_process(whole: Path, tmp_path: Path, empty_cache: Any) -> None:
    out, env = tmp_path / "run", {**os.environ, **empty_cache}
    command = [sys.executable, "-m", "hifibench", *SMALL, "--out", str(out), "--shard"]
    shares = [subprocess.Popen([*command, share], env=env) for share in ("1/2", "2/2")]
    assert [share.wait(timeout=900) for share in shares] == [0, 0]
    assert (out / "results.json").read_bytes() == (whole / "results.json").read_bytes()


def test_an_interrupted_run_says_that_it_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hifibench", *SMALL, "--out", str(tmp_path / "run")]
    # A test run started in the background hands down a SIGINT that is ignored.
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    while not (tmp_path / "run" / "run.json").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "goes on from here" in said and "Traceback" not in said


def test_a_second_call_changes_nothing_and_makes_no_swap(whole: Path, cli: Callable[..., Any]) -> None:
    before = (whole / "results.json").read_bytes()
    swaps = {path: path.stat().st_mtime_ns for path in (whole / "swaps").rglob("*.png")}
    cli(*SMALL, "--out", whole)
    assert (whole / "results.json").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (whole / "swaps").rglob("*.png")} == swaps


def test_a_damaged_swap_is_made_again(whole: Path, cli: Callable[..., Any]) -> None:
    before = (whole / "results.json").read_bytes()
    victim = sorted((whole / "swaps" / "faceswap").glob("*.png"))[3]
    victim.unlink()
    (whole / "observations" / "faceswap" / "edgeface" / "chunk-00000.npz").write_bytes(b"PK\x03\x04 broken")
    cli(*SMALL, "--out", whole)
    assert victim.exists()
    assert (whole / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--limit", "6"), "manifest"),
        (("--limit", "20", "--seed", "3"), "seed"),
    ],
)
def test_another_runs_folder_is_refused(
    whole: Path, cli: Callable[..., Any], words: tuple[str, ...], message: str
) -> None:
    before = (whole / "results.json").read_bytes()
    done = cli("run", "demo", *words, "--out", whole, expect=2)
    assert message in done.stderr and "another folder" in done.stderr
    assert (whole / "results.json").read_bytes() == before


def test_a_folder_of_another_version_is_refused(whole: Path, cli: Callable[..., Any], tmp_path: Path) -> None:
    run = json.loads((whole / "run.json").read_text())
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "run.json").write_text(json.dumps({**run, "hifibench": "0.0.1"}))
    done = cli(*SMALL, "--out", tmp_path / "old", expect=2)
    assert "hifibench version 0.0.1" in done.stderr


def test_methods_can_be_added_to_a_run(whole: Path, cli: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    cli(*SMALL, "--out", out, "--methods", "target-copy")
    assert [method["name"] for method in results(out)["methods"]] == ["target-copy"]
    cli(*SMALL, "--out", out, "--methods", "target-copy,re-encode")
    assert [method["name"] for method in results(out)["methods"]] == ["target-copy", "re-encode"]
    assert value(out, "re-encode", "pose[mediapipe]") == value(whole, "re-encode", "pose[mediapipe]")


def test_a_users_photographs_run_too(cli: Callable[..., Any], portrait: Any, tmp_path: Path) -> None:
    from hifibench.data import portraits

    seeds = portraits.plan(4, 1, 4, "test", 0)
    photos = tmp_path / "photos"
    photos.mkdir()
    for ref in seeds.images:
        Image.fromarray(portraits.load(ref.uri)).save(photos / f"{ref.image}.jpg", quality=95)
    Image.fromarray(np.full((300, 300, 3), 200, np.uint8)).save(photos / "wall.png")
    names = [ref.image for ref in seeds.images]
    rows = [
        "source,target",
        f"{names[0]}.jpg,{names[2]}.jpg",
        f"{names[2]}.jpg,{names[4]}.jpg",
        f"wall.png,{names[0]}.jpg",
    ]
    (photos / "pairs.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "run"
    done = cli("run", "demo", "--pairs", photos / "pairs.csv", "--out", out)
    faceswap = next(method for method in results(out)["methods"] if method["name"] == "faceswap")
    assert faceswap["status"] == {"no face in source": 1, "ok": 2}
    assert value(out, "faceswap", "pose[mediapipe]")["n_failed"] == 1
    assert "faceswap" in done.stdout


def test_the_ablation_prints_all_variants_with_intervals(cli: Callable, tmp_path: Path) -> None:
    done = cli("run", "ablation", "--limit", "8", "--out", tmp_path / "run")
    scores = results(tmp_path / "run")["scores"]
    for name in ("hififace", "hififace-n3d", "hififace-bare", "hififace-blend", "hififace-concat"):
        assert name in done.stdout
        for metric in ("id_cosine[edgeface]", "pose[mediapipe]", "shape[mediapipe]"):
            row = value(tmp_path / "run", name, metric)
            assert row["low"] < row["value"] < row["high"] and row["n_failed"] == 0
    assert len({row["value"] for row in scores if row["metric"] == "id_cosine[edgeface]"}) == 6, "no two are the same"
