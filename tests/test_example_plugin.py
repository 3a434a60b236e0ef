"""The plugin to copy: installed into a fresh environment, listed, self-tested, run, and tested by its own tests."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sysconfig
import tomllib
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

from hifibench.selftest.checks import CHECKS

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "examples" / "swapper-plugin"


class Environment(NamedTuple):
    """A Python of its own, and the folder that the package was installed from."""

    python: Path
    package: Path

    def call(self, cwd: Path, *words: str) -> str:
        """The output of ``python -m …``, which has to end well."""
        done = subprocess.run(
            [self.python, "-m", *words],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "COLUMNS": "200"},
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("fresh")
    package = folder / "package"
    shutil.copytree(EXAMPLE, package, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__", ".*"))
    venv.create(folder / "venv", symlinks=os.name != "nt")
    scripts, purelib = (
        Path(sysconfig.get_path(name, "venv", {"base": str(folder / "venv"), "platbase": str(folder / "venv")}))
        for name in ("scripts", "purelib")
    )
    # hifibench and what it depends on are seen where they are: to install them again would take minutes.
    seen = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (purelib / "seen.pth").write_text("".join(f"import site; site.addsitedir({place!r})\n" for place in sorted(seen)))
    made = Environment(scripts / ("python.exe" if os.name == "nt" else "python"), package)
    # Without what it depends on: that is hifibench alone, whose packages another installer than pip may have chosen.
    assert tomllib.loads((package / "pyproject.toml").read_text())["project"]["dependencies"] == ["hifibench"]
    made.call(folder, "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", str(package))
    assert (purelib / "lab_paste").is_dir()
    return made


def test_it_is_listed(environment: Environment, tmp_path: Path) -> None:
    row = next(
        line
        for line in environment.call(tmp_path, "hifibench", "list", "methods").splitlines()
        if line.startswith("lab-paste")
    )
    assert "ffhq 256" in row and "Apache-2.0" in row
    assert "lab-paste" in environment.call(tmp_path, "hifibench", "list", "suites")


def test_it_passes_the_self_test(environment: Environment, tmp_path: Path) -> None:
    table = environment.call(tmp_path, "hifibench", "selftest", "lab-paste", "--device", "cpu", "--quiet")
    assert table.count(" ok ") == len(CHECKS), table


def test_it_is_run_and_scored(environment: Environment, tmp_path: Path) -> None:
    words = ["run", "lab-paste", "--methods", "target-copy,lab-paste", "--limit", "4", "--device", "cpu", "--quiet"]
    assert "lab-paste" in environment.call(tmp_path, "hifibench", *words)
    results = json.loads((tmp_path / "runs" / "lab-paste" / "results.json").read_text())
    scores = {(row["method"], row["metric"]): row["value"] for row in results["scores"] if row["method"] == "lab-paste"}
    assert len(scores) == len(results["metrics"]) == 4
    assert all(value is not None and math.isfinite(value) for value in scores.values()), scores
    assert all(row["n_failed"] == 0 for row in results["scores"])
    assert scores["lab-paste", "id_cosine[edgeface]"] > 0.3
    assert scores["lab-paste", "pose[mediapipe]"] > 1
    assert scores["lab-paste", "background[l1]"] == 0


def test_its_own_tests_pass(environment: Environment) -> None:
    assert "passed" in environment.call(environment.package, "pytest", "-q", "-p", "no:cacheprovider")
