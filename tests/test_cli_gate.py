"""``hifibench gate`` on the command line: exit codes, files, messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree import ElementTree as XML

import gate_runs
import pytest
from gate_runs import POSE

from hifibench.commands_gate import gate
from hifibench.errors import GateError, MissingError, UsageError

Cli = Callable[..., CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return gate_runs.write(gate_runs.run(), tmp_path / "run")


@pytest.fixture
def file(folder: Path, tmp_path: Path) -> Path:
    gate(folder, tmp_path / "golden.json", True, None, None)
    return tmp_path / "golden.json"


def moved(tmp_path: Path) -> Path:
    return gate_runs.write(gate_runs.moved(gate_runs.run(), "hififace", POSE, 0.2), tmp_path / "moved")


@pytest.mark.slow
def test_made_gated_moved_and_updated(cli: Cli, folder: Path, tmp_path: Path) -> None:
    done = cli("gate", folder, "--golden", "golden.json", "--update")
    assert "golden.json: 12 numbers" in done.stdout
    done = cli("gate", folder, "--golden", "golden.json")
    assert done.stdout == "17 numbers within tolerance\n"
    other = moved(tmp_path)
    done = cli("gate", other, "--golden", "golden.json", "--junit", "out/gate.xml", "--summary", "s.md", expect=1)
    assert "1 of 17 numbers are not as the golden has them" in done.stderr and "--update" in done.stderr
    assert "pose[mediapipe] (deg)" in done.stdout and "worse" in done.stdout
    assert XML.parse(tmp_path / "out" / "gate.xml").getroot().get("failures") == "1"
    assert (tmp_path / "s.md").read_text().startswith("### ❌")
    done = cli("gate", other, "--golden", "golden.json", "--update")
    assert "12 numbers, 11 of them as printed before" in done.stdout
    cli("gate", other, "--golden", "golden.json")


def test_files_are_written_of_a_gate_that_holds(folder: Path, file: Path, tmp_path: Path) -> None:
    junit, summary = tmp_path / "gate.xml", tmp_path / "summary.md"
    summary.write_text("# Of another step\n")
    gate(folder, file, False, junit, summary)
    assert XML.parse(junit).getroot().get("failures") == "0"
    assert summary.read_text().startswith("# Of another step\n\n### ✅")


def test_wrong_use(cli: Cli, folder: Path, file: Path) -> None:
    done = cli("gate", folder, "--golden", "none.json", expect=2)
    assert "no golden file none.json" in done.stderr
    file.write_text(file.read_text()[:200])
    done = cli("gate", folder, "--golden", file, expect=2)
    assert "is damaged" in done.stderr


def test_another_suite_is_wrong_use(folder: Path, file: Path, tmp_path: Path) -> None:
    made = gate_runs.run()
    other = gate_runs.write(replace(made, results=replace(made.results, suite="demo")), tmp_path / "demo")
    with pytest.raises(UsageError, match="golden is of the suite 'ci'"):
        gate(other, file, False, None, None)
    before = file.read_bytes()
    with pytest.raises(UsageError, match="golden of the suite 'ci'"):
        gate(other, file, True, None, None)
    assert file.read_bytes() == before


def test_an_update_gates_nothing(folder: Path, file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--update gates nothing"):
        gate(folder, file, True, tmp_path / "gate.xml", None)


def test_a_refused_update_leaves_the_file(file: Path, tmp_path: Path) -> None:
    made = gate_runs.run()
    checks = (replace(made.results.checks[0], ok=False),)
    doubtful = gate_runs.write(replace(made, results=replace(made.results, checks=checks)), tmp_path / "doubtful")
    before = file.read_bytes()
    with pytest.raises(UsageError, match="may_fail"):
        gate(doubtful, file, True, None, None)
    assert file.read_bytes() == before
    with pytest.raises(GateError, match="1 of 18"):
        gate(doubtful, file, False, None, None)


def test_a_run_that_is_not_finished(file: Path, tmp_path: Path) -> None:
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.json").write_text("{}")
    with pytest.raises(MissingError, match="not finished"):
        gate(tmp_path / "begun", file, False, None, None)


def test_an_older_file_of_results_is_gated_too(folder: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "results.json"
    raw = json.loads(path.read_text())
    raw["schema"] = 2
    for metric in raw["metrics"]:
        del metric["rate"], metric["whole"]
    path.write_text(json.dumps(raw))
    gate(folder, file, False, None, None)
    assert "within tolerance" in capsys.readouterr().out
