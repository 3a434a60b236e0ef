from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hifibench.commands_validate import validate
from hifibench.errors import HifibenchError, MissingError, UsageError
from hifibench.pipeline.plan import pairs_table
from hifibench.records import ImageRef, Manifest, Pair

METHODS, METRICS = (
    ("target-copy", "mirror"),
    ("pose[mediapipe]", "id_retrieval[edgeface,sources,top1]", "fid[inception]"),
)
PAIRS = tuple(f"p{index:02d}" for index in range(20))
CARD = "ab" * 32


def value(method: str, metric: str, index: int) -> float:
    """Of one pair; the mirror fails on one and has nothing to score in another."""
    if method == "mirror" and index in (3, 4):
        return np.nan if index == 3 else np.inf
    return 100.0 * (index % 2) if metric.startswith("id_r") else index / 7.0


def entry(method: str, metric: str) -> dict[str, Any]:
    row = np.array([value(method, metric, index) for index in range(len(PAIRS))])
    finite, failed = row[np.isfinite(row)], int(np.isnan(row).sum())
    number = 12.5 if metric.startswith("fid") else float(f"{finite.mean():.9g}")
    return {"method": method, "metric": metric, "value": number, "low": number - 1, "high": number + 1,
            "n": len(finite) + failed, "n_failed": failed, "worst_case": None, "reason": ""}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small run of which everything is there and agrees."""
    images = tuple(ImageRef(name, f"file:{name}.png", name, name) for name in PAIRS)
    manifest = Manifest(images, tuple(Pair(name, PAIRS[0], name) for name in PAIRS), {"sources": PAIRS}, "test")
    root = tmp_path / "run"
    for name in ("examples", "pictures/swaps/mirror", *(f"swaps/{method}" for method in METHODS)):
        (root / name).mkdir(parents=True)
    (root / "manifest.json").write_text(manifest.to_json())
    (root / "run.json").write_text(json.dumps({"manifest": manifest.hash}))
    (root / "pictures/swaps/mirror/p00.jpg").touch()
    from PIL import Image

    for name in PAIRS[:8]:
        for role in ("source", "target"):
            Image.new("RGB", (8, 8)).save(root / "examples" / f"{name}-{role}.png")
    for method in METHODS:
        states = {name: "failed" if method == "mirror" and name == "p03" else "ok" for name in PAIRS}
        for chunk, start in enumerate((0, 16)):
            pairs = [{"pair": name, "status": states[name], "message": ""} for name in PAIRS[start : start + 16]]
            (root / f"swaps/{method}/chunk-{chunk:05d}.json").write_text(json.dumps({"card": CARD, "pairs": pairs}))
        for name in PAIRS:
            if states[name] == "ok":
                Image.new("RGB", (8, 8)).save(root / f"swaps/{method}/{name}.png")
    table = [
        {"method": method, "pair": pair, "metric": metric, "value": value(method, metric, index)}
        for method in METHODS
        for metric in METRICS
        for index, pair in enumerate(PAIRS)
    ]
    pd.DataFrame(table).to_parquet(root / "scores.parquet")
    levels = [{"pair": name, "split": "yaw[mediapipe]", "level": "hard"} for name in PAIRS[:5]]
    pd.DataFrame(levels).to_parquet(root / "splits.parquet")
    (root / "results.json").write_text(json.dumps(results(manifest.hash)))
    return root


def results(manifest: str) -> dict[str, Any]:
    texts = {"summary": "", "paper": "", "licence": "", "limits": ""}
    return {
        "schema": 3, "suite": "small", "title": "Small", "manifest": manifest, "origin": "test", "seed": 0,
        "n_pairs": len(PAIRS), "galleries": {"sources": {"images": 20, "identities": 20}}, "protocol": {},
        "methods": [
            {"name": "target-copy", "kind": "reference", **texts, "trained_with": [], "card": CARD, "cost": None,
             "status": {"ok": 20}, "messages": []},
            {"name": "mirror", "kind": "method", **texts, "trained_with": [], "card": CARD, "cost": None,
             "status": {"ok": 19, "failed": 1}, "messages": ["no"]},
        ],
        "experts": [],
        "metrics": [
            {"name": metric, "title": "Title", "unit": "", "direction": "up", "decimals": 2, "group": "",
             "rate": metric.startswith("id_r"), "whole": metric.startswith("fid"), "needs": [], "leader": None,
             "calibration": None}
            for metric in METRICS
        ],
        "scores": [entry(method, metric) for method in METHODS for metric in METRICS],
        "splits": [{"split": "yaw[mediapipe]", "title": "Yaw", "unit": "deg", "level": "hard", "n": 5, "scores": []}],
        "checks": [], "findings": [],
    }  # fmt: skip


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as raised:
        validate(path)
    return str(raised.value)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = folder / "results.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return folder


def scores(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    change(pd.read_parquet(folder / "scores.parquet")).to_parquet(folder / "scores.parquet")
    return folder


def test_a_whole_run_and_its_file_are_valid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder, folder / "results.json"):
        validate(path)
        assert capsys.readouterr().out == (
            f"{folder / 'results.json'}: valid, schema 3, 2 methods, 3 metrics, 20 pairs, 1 part.\n"
        )


def test_an_older_version_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def older(content: dict[str, Any]) -> None:
        content["schema"] = 2
        for metric in content["metrics"]:
            del metric["rate"], metric["whole"]

    rewrite(folder, older)
    before = (folder / "results.json").read_bytes()
    validate(folder)
    assert "valid, schema 2, 2 methods" in (said := capsys.readouterr().out)
    assert "older version, read by migration to schema 3" in said
    assert (folder / "results.json").read_bytes() == before


def test_all_problems_are_listed_with_their_place(folder: Path) -> None:
    def break_it(content: dict[str, Any]) -> None:
        content["n_pairs"] = "20"
        content["metrics"][1]["direction"] = "sideways"

    said = refused(rewrite(folder, break_it))
    assert "2 problems" in said
    assert '  /n_pairs: found "20", expected a whole number\n' in said
    assert '  /metrics/1/direction: found "sideways", expected one of "up", "down"' in said


def test_the_exit_codes_of_the_command(folder: Path, tmp_path: Path) -> None:
    def run(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hifibench", "validate", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    fine = run(folder)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert "valid, schema 3" in fine.stdout
    bad = run(rewrite(folder, lambda content: content.pop("seed")))
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "/seed: found nothing, expected a whole number" in bad.stderr
    assert "Traceback" not in bad.stderr
    (folder / "results.json").unlink()
    assert run(folder).returncode == 3
    assert run(tmp_path / "absent").returncode == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "is damaged"), ("[]", "expected a JSON object"), ("{}", "no schema"), ('{"schema": 9}', "newer version")],
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "any.json").write_text(text)
    assert told in refused(tmp_path / "any.json")
    with pytest.raises(UsageError, match="is no file"):
        validate(tmp_path / "absent.json")
    with pytest.raises(HifibenchError, match="holds no run"):
        validate(tmp_path)


def test_an_unfinished_run_is_missing_something(folder: Path) -> None:
    (folder / "results.json").unlink()
    with pytest.raises(MissingError, match="not finished"):
        validate(folder)


def test_what_was_deleted_is_a_note(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("swaps", "examples", "pictures"):
        shutil.rmtree(folder / name)
    for name in ("scores.parquet", "splits.parquet", "run.json"):
        (folder / name).unlink()
    validate(folder)
    said = capsys.readouterr().out
    for part in ("valid, schema 3", "scores.parquet: the scores", "pictures: small", "8 of 8 pairs kept to look at",
                 "splits.parquet: which part", "run.json: versions", "4 marks of finished chunks"):  # fmt: skip
        assert part in said


def test_deleted_frames_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((folder / "swaps" / "mirror").glob("*.png"))[-3:]:
        path.unlink()
    validate(folder)
    assert "not there: swaps: 3 swapped frames" in capsys.readouterr().out


def edit(row: int, **values: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(**{
        key: [values[key] if index == row else old for index, old in enumerate(table[key])] for key in values
    })  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (edit(0, value=99.0), 'scores.parquet, "target-copy" on "pose[mediapipe]": found values with the mean 6.3'),
        (edit(0, value=np.nan), "found 1 pairs not scored, expected n_failed of results.json, 0"),
        (edit(0, value=np.inf), "found 19 pairs with something to score, expected n of results.json, 20"),
        (edit(20, value=50.0), "found values between 0 and 100, expected 0 or 100"),
        (edit(0, pair="p99"), "found 1 pairs too few, 1 that the run does not have"),
        (edit(0, pair="p01"), "found 1 rows of a method, metric and pair that stands there already"),
        (edit(0, method="ghost"), 'scores.parquet, "ghost" on "pose[mediapipe]": found rows, expected none'),
        (lambda table: table[table["method"] != "mirror"], '"mirror" on "fid[inception]": found no row, expected 20'),
        (lambda table: table.drop(columns="value"), "no column value"),
    ],
)
def test_scores_that_contradict_the_results_are_told(
    folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], told: str
) -> None:
    assert told in refused(scores(folder, change))


def test_the_number_of_a_set_is_no_mean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validate(scores(folder, edit(40, value=99.0)))
    assert "valid" in capsys.readouterr().out


def test_a_refused_score_has_not_failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(content: dict[str, Any]) -> None:
        content["scores"][3] |= {"value": None, "low": None, "high": None, "n": 20, "n_failed": 0,
                                 "reason": "mediapipe took part in the training of mirror"}  # fmt: skip

    rewrite(folder, refuse)
    one = (pd.read_parquet(folder / "scores.parquet")[["method", "metric"]] == ["mirror", METRICS[0]]).all(axis=1)
    validate(scores(folder, lambda table: table.assign(value=table["value"].where(~one, np.nan))))
    assert "valid" in capsys.readouterr().out


def test_parts_that_contradict_the_results_are_told(folder: Path) -> None:
    table = pd.read_parquet(folder / "splits.parquet")
    table.assign(level=["hard"] * 4 + ["easy"]).to_parquet(folder / "splits.parquet")
    said = refused(folder)
    assert 'splits.parquet, "hard" of "yaw[mediapipe]": found 4 pairs, expected n of results.json, 5' in said
    assert '"easy" of "yaw[mediapipe]": found rows, expected none' in said


def test_other_files_that_contradict_the_results_are_told(folder: Path) -> None:
    (folder / "run.json").write_text(json.dumps({"manifest": "cd" * 32}))
    mark = folder / "swaps" / "mirror" / "chunk-00000.json"
    mark.write_text(mark.read_text().replace('"failed"', '"timed out"'))
    said = refused(folder)
    assert "run.json /manifest: found" in said
    assert "swaps/mirror: found ok: 19, timed out: 1, expected status of results.json, failed: 1, ok: 19" in said


def test_a_manifest_of_another_run_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"origin": "test"', '"origin": "other"'))
    assert "mixes two runs" in refused(folder)


def test_more_pairs_than_the_manifest_are_told(folder: Path) -> None:
    assert "manifest.json: found 20 pairs, expected n_pairs of results.json, 21" in refused(
        rewrite(folder, lambda content: content.update(n_pairs=21))
    )


def test_of_many_problems_twenty_are_listed(folder: Path) -> None:
    def many(content: dict[str, Any]) -> None:
        content["checks"] = [{"name": "", "ok": 1, "skipped": False, "detail": ""} for _ in range(15)]

    said = refused(rewrite(folder, many)).splitlines()
    assert "30 problems" in said[0]
    assert len(said) == 22
    assert said[-1] == "  … and 10 more"


def snippet(language: str) -> str:
    text = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


def test_the_documents_lines_of_pandas_read_a_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copytree(folder, tmp_path / "runs" / "demo")
    pairs_table(Manifest.from_json((folder / "manifest.json").read_text())).to_parquet(
        tmp_path / "runs" / "demo" / "pairs.parquet"
    )
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(snippet("python"), names)
    assert names["table"].loc["mirror", "fid[inception]"] == 12.5
    assert names["by_video"].loc["target-copy", "p07"] == pytest.approx(1.0)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_the_documents_lines_of_r_read_a_run(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copytree(folder, tmp_path / "runs" / "demo")
    made = subprocess.run(["Rscript", "-e", snippet("r")], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert made.returncode == 0, made.stderr


def test_the_documents_command_prints_a_schema() -> None:
    text = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")
    (code,) = re.findall(r'`python -c "(.*?)"`', text)
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(made.stdout)["$id"] == "urn:hifibench:results:3"
