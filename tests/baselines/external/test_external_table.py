"""The table of a method: what is wrong in it, and what of it makes the method another one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from external_programs import CROP, player

from baselines.external import external
from baselines.external import table as tables
from baselines.external.checkout import Checkout, head
from hifibench.contracts import Crop, SwapperPlugin
from hifibench.errors import MissingError, UsageError
from hifibench.records import Cost


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comand": ["x"]}, "comand: no such key. Did you mean 'command'"),
        ({"command": []}, "command: "),
        ({"command": "python x.py"}, "command: "),
        ({"source": {"template": "fhq", "size": 64}}, "unknown crop template 'fhq'. Did you mean 'ffhq'"),
        ({"source": {"template": "ffhq"}}, "'ffhq' was given the size 0"),
        ({"target": {"template": "frame", "size": 64}}, "'frame' was given the size 64"),
        ({"target": {"template": "ffhq", "sizes": 64}}, "target.sizes: no such key. Did you mean 'size'"),
        ({"pair_timeout_s": 0}, "pair_timeout_s: "),
        ({"env": {"A": 1}}, "env.A: "),
        ({"commit": "abcdef1"}, "commit says nothing without the key 'checkout'"),
        ({"checkout": ".", "commit": "main"}, "commit = 'main'; expected 7 to 40 hexadecimal digits"),
        ({"parameters": -1}, "parameters: "),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        external.make("mine", player(tmp_path, {}) | changes, tmp_path)
    assert "'mine'" in str(raised.value)


def test_the_card_says_what_the_table_says(tmp_path: Path) -> None:
    said = {"licence": "CC BY-NC", "paper": "A. Author", "summary": "a method", "trained_with": ["w600k"], "version": 3}
    whole = {"template": "frame"}
    plugin = external.make("mine", player(tmp_path, {}, parameters=55, source=whole, **said), tmp_path)
    card = plugin.card
    assert (card.name, card.summary, card.licence, card.paper) == ("mine", "a method", "CC BY-NC", "A. Author")
    assert (card.source, card.target, card.trained_with, card.version) == (
        Crop("frame"),
        Crop("ffhq", 64),
        ("w600k",),
        3,
    )
    assert "8 bits" in card.limits and card.kind == "method"
    assert plugin.load("cpu").cost().params_trainable == 55  # type: ignore[union-attr]
    silent = external.make("mine", player(tmp_path, {}), tmp_path)
    assert silent.load("cpu").cost() == Cost(None, None, None)  # type: ignore[union-attr]


def make(folder: Path, **changes: Any) -> SwapperPlugin:
    return external.make("mine", player(folder, {}) | changes, folder)


def test_whatever_may_change_the_outputs_changes_the_card(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"weights")
    first = make(tmp_path, files=["a.pth"]).card.hash
    assert make(tmp_path, files=["a.pth"], pair_timeout_s=9, start_timeout_s=9, summary="s").card.hash == first
    for changes in ({"env": {"SEED": "1"}}, {"target": CROP | {"size": 128}}, {"version": 2}, {"command": ["python3"]}):
        assert make(tmp_path, **{"files": ["a.pth"], **changes}).card.hash != first
    (tmp_path / "a.pth").write_bytes(b"Weights")
    second = make(tmp_path, files=["a.pth"]).card.hash
    assert second != first
    script = tmp_path / "player.py"
    table = player(tmp_path, {}) | {"files": ["a.pth"]}
    script.write_text(script.read_text() + "\n")
    assert external.make("mine", table, tmp_path).card.hash != second, "the script of the command counts as well"


def test_the_link_to_an_interpreter_is_kept(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/usr/bin/env")
    assert tables.program("bin/python", tmp_path) == str(tmp_path / "bin" / "python")
    assert tables.program("python3", tmp_path) == "python3"
    assert tables.program("/opt/x/python", tmp_path) == "/opt/x/python"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.py").write_text("1")
    git(folder, "init", "-q")
    git(folder, "add", "a.py")
    commit(folder)
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    git(folder, *who, "commit", "-q", "--allow-empty", "-m", "x")


def test_a_checkout_at_another_commit_is_refused_and_both_are_named(tmp_path: Path, repository: Path) -> None:
    wanted = git(repository, "rev-parse", "HEAD")
    make(tmp_path, checkout="code", commit=wanted[:9].upper()).load("cpu")
    commit(repository)
    found = git(repository, "rev-parse", "HEAD")
    plugin = make(tmp_path, checkout="code", commit=wanted)
    with pytest.raises(UsageError, match=f"at commit {found}; the wrapper was written for {wanted}.*any_commit"):
        plugin.load("cpu")
    other = make(tmp_path, checkout="code", commit=wanted, any_commit=True)
    other.load("cpu")
    (repository / "a.py").write_text("2")
    assert len({make(tmp_path, checkout="code", any_commit=True).card.hash, other.card.hash}) == 2, "changed since"


def test_a_folder_without_a_repository_of_its_own(repository: Path, tmp_path: Path) -> None:
    (repository / "part").mkdir()
    with pytest.raises(UsageError, match="no git checkout of its own, it lies in that of"):
        head(repository / "part")
    (tmp_path / "plain").mkdir()
    with pytest.raises(UsageError, match=r"no git checkout whose commit can be read \(.*git"):
        Checkout(tmp_path / "plain", "abcdef1").need("mine")
    Checkout(tmp_path / "plain").need("mine")
    assert Checkout(tmp_path / "plain").state() == ""


def test_without_git_the_commit_cannot_be_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingError, match="git is not installed"):
        Checkout(repository, "abcdef1").need("mine")
