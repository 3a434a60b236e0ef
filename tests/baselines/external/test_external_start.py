"""What is missing is told when a method is loaded or started, and the run goes on without it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from external_programs import CROP, player, table, wrapper

from baselines.external import external
from baselines.external.swapper import External
from hifibench.errors import MethodError, MissingError

pytestmark = pytest.mark.usefixtures("no_children")
Start = Callable[..., External]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import a_package_that_is_not_there", "(?s)ended with exit code 1.*No module named 'a_package_that_is_not"),
        ("sys.exit(9)", r"ended with exit code 9\. All that it said is in .*/logs/mine/.*\.log\.$"),
        ("import time; time.sleep(60)", "it took more than 0.8 s to start"),
        ('print(\'{"protocol": 2, "ready": true}\')', "it speaks protocol 2, expected 1"),
        ('print(\'{"protocol": 1, "ready": false}\')', "it says that it is not ready"),
        ('print(\'{"error": "no GPU"}\')', "cannot be used: no GPU"),
        ("import os; os.write(1, b'x' * 3000000)", "ended with exit code 0"),
        ("sys.stderr.write('\\n'.join(map(str, range(100)))); sys.exit(2)", r"(?s)at the end:\n  88\n.*\n  99$"),
    ],
)
def test_a_program_that_cannot_start(start: Start, tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(MethodError, match=message) as raised:
        start(table(wrapper(tmp_path, body), start_timeout_s=0.8))
    assert raised.value.exit_code == 3
    assert str(raised.value).startswith("The program of mine (") and "wrapper.py" in str(raised.value)


def test_messages_of_libraries_before_the_greeting_are_skipped(start: Start, tmp_path: Path) -> None:
    body = (
        'print(\'{"id": 1, "ok": true}\\n{"error": null}\\n{"error": "", "level": "info"}\', flush=True)\n'
        "from child import serve\nserve(print)"
    )
    start(table(wrapper(tmp_path, body)))


def test_all_missing_packages_are_named(start: Start, tmp_path: Path) -> None:
    body = "from child import need\nneed('json', 'no_such_a', 'os.path', 'no_such_b.inner')"
    message = r"the interpreter .* cannot import no_such_a \(ModuleNotFoundError: .*\), no_such_b\.inner \("
    with pytest.raises(MethodError, match=message):
        start(table(wrapper(tmp_path, body)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": ["no-such-program-x"]}, "run by no-such-program-x, which is not there or cannot be executed"),
        ({"command": ["envs/gone/bin/python"]}, "run by /.*envs/gone/bin/python, which is not there"),
        ({"cwd": "nowhere"}, "working folder of mine is not there: /.*nowhere"),
        ({"files": ["a.pth", "b.pth"]}, r"mine lacks /.*a\.pth, /.*b\.pth\. See the key 'files'"),
        ({"checkout": "code"}, r"checkout of mine is not there: /.*code\. Clone it"),
    ],
)
def test_what_is_missing_is_named_when_it_is_loaded(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    plugin = external.make("mine", player(tmp_path, {}) | changes, tmp_path)
    with pytest.raises(MissingError, match=message):
        plugin.load("cpu")


def test_a_program_that_is_no_program(start: Start, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    with pytest.raises(MethodError, match="cannot be started: Exec format error"):
        start({"command": ["./text"], "source": CROP, "target": CROP})


def test_its_environment_is_its_own(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/of/the/harness")
    monkeypatch.setenv("KEPT", "yes")
    (tmp_path / "inside").mkdir()
    names = "'PYTHONPATH', 'KEPT', 'MINE', 'HIFIBENCH_DEVICE'"
    body = (
        f"import json, os; print(json.dumps({{'error': str([os.environ.get(n) for n in ({names})] + [os.getcwd()])}}))"
    )
    with pytest.raises(MethodError) as raised:
        start(table(wrapper(tmp_path, body), env={"MINE": "1"}, cwd="inside"), device="cuda:1")
    assert f"[None, 'yes', '1', 'cuda:1', '{tmp_path / 'inside'}']" in str(raised.value)


def test_arguments_that_are_files_beside_the_table_are_found_from_any_folder(start: Start, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "weights.bin").write_text("w")
    script = wrapper(tmp_path, "import json; print(json.dumps({'error': json.dumps(sys.argv[1:])}))")
    command = [sys.executable, script.name, "weights.bin", "--size", "no-file", "x" * 5000]
    with pytest.raises(MethodError) as raised:
        start({"command": command, "cwd": "inside", "source": CROP, "target": CROP})
    assert json.dumps([str(tmp_path / "weights.bin"), "--size", "no-file"])[:-1] in str(raised.value)
