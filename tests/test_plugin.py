"""A third party's package: installed, listed, run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    copy = tmp_path_factory.mktemp("build") / "plugin"
    shutil.copytree(Path(__file__).with_name("plugin"), copy)
    words = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(place), str(copy)]
    subprocess.run([sys.executable, "-m", "pip", "install", *words], check=True, timeout=300)
    return place


def hifibench(installed: Path, cwd: Path, *words: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "160"}
    done = subprocess.run(
        [sys.executable, "-m", "hifibench", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed_and_run(installed: Path, tmp_path: Path) -> None:
    assert "tiny-mirror" in hifibench(installed, tmp_path, "list", "methods")
    assert "tiny_size" in hifibench(installed, tmp_path, "list", "metrics")
    assert "A suite of a third party" in hifibench(installed, tmp_path, "list", "suites")
    table = hifibench(installed, tmp_path, "run", "tiny", "--quiet")
    assert "tiny-mirror" in table
    results = json.loads((tmp_path / "runs" / "tiny" / "results.json").read_text())
    scores = {(row["method"], row["metric"]): row["value"] for row in results["scores"]}
    assert scores["target-copy", "tiny_size"] == 1
    assert scores["tiny-mirror", "pose[mediapipe]"] > 0
