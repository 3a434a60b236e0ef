"""The composite GitHub Action and the example workflow: what can be told of them without GitHub."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as XML

import gate_runs
import pytest
import yaml
from gate_runs import POSE

from hifibench.commands_gate import gate

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / "examples" / "workflow.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPTS = {step["name"]: step for step in STEPS if "run" in step}
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")

STUB = """#!/usr/bin/env bash
# Stands in for hifibench: keeps its words, "runs" by copying a finished run, does all else in earnest.
{ printf '%s\\0' "$@"; printf '\\n'; } >> "$STUB_LOG"
if [ "$1" != run ]; then exec "$STUB_PYTHON" -m hifibench "$@"; fi
while [ "$1" != --out ]; do shift; done
mkdir -p "$2"
cp "$STUB_RUN"/* "$2"
if [ -d "$HIFIBENCH_CACHE" ]; then ls "$HIFIBENCH_CACHE" >> "$STUB_LOG.caches"; fi
"""

PYTHON = """#!/usr/bin/env bash
# Stands in for python: makes no environment and installs nothing, but keeps what it was asked for.
{ printf '%s\\0' "$@"; printf '\\n'; } >> "$STUB_LOG.python"
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin" && cp "$STUB_BIN/python" "$STUB_BIN/hifibench" "$3/bin" ;;
  "-m pip") pwd >> "$STUB_LOG.pip" ;;
  *) exec "$STUB_PYTHON" "$@" ;;
esac
"""


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def words(log: Path) -> list[list[str]]:
    return [line.split("\0")[:-1] for line in log.read_text().split("\n")[:-1]]


class Job:
    """A runner's folders, programs and environment, in which steps of the action are run."""

    def __init__(self, folder: Path, inputs: Mapping[str, str]) -> None:
        self.workspace, self.temp, self.bin = folder / "my repo", folder / "temp dir", folder / "bin"
        for made in (self.workspace, self.temp, self.bin):
            made.mkdir()
        self.log, self.summary, self.finished = folder / "log", folder / "summary.md", folder / "finished"
        defaults = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()}
        self._values = {
            **{f"inputs.{name}": value for name, value in {**defaults, **inputs}.items()},
            "runner.temp": str(self.temp),
            "github.action_path": str(folder / "action"),
        }
        program(self.bin / "hifibench", STUB)
        program(self.bin / "python", PYTHON)

    def step(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a step's script as a runner does."""
        step = SCRIPTS[name]
        own = {key: EXPRESSION.sub(lambda one: self._values[one[1]], value) for key, value in step["env"].items()}
        script = self.temp / "step.sh"
        script.write_text(step["run"])
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            capture_output=True,
            text=True,
            cwd=self.workspace,
            timeout=300,
            env={
                **os.environ,
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "COLUMNS": "200",
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_WORKSPACE": str(self.workspace),
                "GITHUB_OUTPUT": str(self.temp / "output"),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "STUB_LOG": str(self.log),
                "STUB_RUN": str(self.finished),
                "STUB_BIN": str(self.bin),
                "STUB_PYTHON": sys.executable,
                **own,
            },
        )


def texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [str(value)]


def test_it_is_a_composite_action() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert all(step["shell"] == "bash" for step in SCRIPTS.values())
    assert all(isinstance(one["description"], str) and one["description"] for one in ACTION["inputs"].values())
    assert ACTION["inputs"]["suite"]["default"] == "ci"
    assert ACTION["inputs"]["golden"]["required"] is True


def test_inputs_that_are_used_are_those_that_are_declared() -> None:
    used = {name for text in texts(STEPS) for name in re.findall(r"inputs\.([\w-]+)", text)}
    assert used == set(ACTION["inputs"])


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_parse_and_are_given_nothing_but_their_environment(name: str) -> None:
    script = SCRIPTS[name]["run"]
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "${{" not in script and script.startswith("set -euo pipefail\n")
    own = {*SCRIPTS[name]["env"], "RUNNER_TEMP", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"}
    assert set(re.findall(r"\$\{?([A-Z_]+)", script)) | set(re.findall(r'environ\["(\w+)"\]', script)) <= own


def test_the_report_is_kept_whatever_happens_and_speed_is_optional() -> None:
    (upload,) = (step for step in STEPS if step.get("uses", "").startswith("actions/upload-artifact@"))
    assert upload["if"] == "always()" and STEPS[-1] is upload
    assert SCRIPTS["Gate the speed"]["if"] == "inputs.base-ref != ''"
    names = [step.get("name") for step in STEPS]
    assert names.index("Run the suite") < names.index("Gate the metrics") < names.index("Gate the speed")


def test_the_suite_is_run_and_gated(tmp_path: Path) -> None:
    options = """--limit 8 --methods 'a b,c' "$(touch pwned)"; touch pwned"""
    job = Job(tmp_path, {"suite": "my suite.yaml", "golden": "golden/my ci.json", "run-options": options})
    gate_runs.write(gate_runs.run(), job.finished)
    gate(job.finished, job.workspace / "golden" / "my ci.json", True, None, None)
    done = job.step("Run the suite")
    assert done.returncode == 0, done.stderr
    run = job.temp / "hifibench" / "run"
    assert words(job.log) == [
        ["run", "my suite.yaml", "--out", str(run), "--limit", "8", "--methods", "a b,c", "$(touch pwned);", "touch",
         "pwned"]
    ]  # fmt: skip
    assert (job.temp / "output").read_text() == f"folder={run}\n"
    assert not list(tmp_path.rglob("pwned"))

    done = job.step("Gate the metrics")
    assert done.returncode == 0, done.stderr
    assert "17 numbers within tolerance" in done.stdout
    assert XML.parse(run / "gate.xml").getroot().get("failures") == "0"
    assert job.summary.read_text().startswith("### ✅")

    gate_runs.write(gate_runs.moved(gate_runs.run(), "hififace", POSE, 0.2), run)
    done = job.step("Gate the metrics")
    assert done.returncode == 1
    assert XML.parse(run / "gate.xml").getroot().get("failures") == "1"
    assert job.summary.read_text().count("### ") == 2


def test_a_run_that_fails_fails_its_step(tmp_path: Path) -> None:
    job = Job(tmp_path, {"golden": "golden.json", "run-options": "'open"})
    job.finished.mkdir()
    done = job.step("Run the suite")
    assert done.returncode != 0 and "No closing quotation" in done.stderr
    program(job.bin / "hifibench", "#!/usr/bin/env bash\nexit 3\n")
    assert Job.step(job, "Gate the metrics").returncode == 3


def test_what_is_installed(tmp_path: Path) -> None:
    job = Job(tmp_path, {"golden": "golden.json", "install": ". 'numpy >= 2'"})
    assert job.step("Install hifibench").returncode == 0
    pip = [one for one in words(Path(f"{job.log}.python")) if one[:2] == ["-m", "pip"]]
    assert pip == [["-m", "pip", "install", "--quiet", str(tmp_path / "action"), ".", "numpy >= 2"]]


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.slow
def test_speed_is_held_against_the_base(tmp_path: Path) -> None:
    job = Job(tmp_path, {"golden": "golden.json", "base-ref": "main", "slower": "900", "rounds": "6", "install": "."})
    gate_runs.write(gate_runs.run(), job.finished)
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch=main")
    (origin / "state").write_text("base")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "base")
    job.workspace.rmdir()
    git(tmp_path, "clone", "--quiet", str(origin), str(job.workspace))
    for kept in ("assets", "heads", "observations"):
        (job.temp / "hifibench" / "cache" / kept).mkdir(parents=True)
    done = job.step("Gate the speed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "round 6/6" in done.stdout
    # The caller's package of the base state is what is installed beside hifibench.
    assert Path(f"{job.log}.pip").read_text().strip() == str(job.temp / "hifibench" / "base")
    assert (job.temp / "hifibench" / "base" / "state").read_text() == "base"
    runs = [one for one in words(job.log) if one[0] == "run"]
    # One of each to warm up, six of each that count; every one in a folder of its own, with what is downloaded.
    assert len(runs) == 14 and len({one[one.index("--out") + 1] for one in runs}) == 14
    assert all(one[:4] == ["run", "ci", "--limit", "4"] and one[-1] == "--quiet" for one in runs)
    assert set(Path(f"{job.log}.caches").read_text().split()) == {"assets", "heads"}
    assert not Path(runs[0][runs[0].index("--out") + 1]).exists()
    assert job.summary.read_text().startswith("### ✅ hifibench gate-speed")
    assert (job.temp / "hifibench" / "run" / "gate-speed.xml").is_file()


def test_the_example_uses_what_is_there() -> None:
    (job,) = WORKFLOW["jobs"].values()
    (step,) = (step for step in job["steps"] if "hifibench" in step["uses"])
    required = {name for name, one in ACTION["inputs"].items() if one.get("required")}
    assert required <= set(step["with"]) <= set(ACTION["inputs"])
    assert WORKFLOW["permissions"] == {"contents": "read"}
    # YAML reads the word 'on' as true.
    assert {"pull_request", "push"} <= set(WORKFLOW[True])
    assert job["timeout-minutes"] <= 60
