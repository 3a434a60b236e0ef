from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
import torch

from hifibench.errors import MissingError, UsageError
from hifibench.training import checkpoints

STATE = {"networks": {"generator": {"weight": torch.arange(5000.0)}}, "seed": 3}


def save(folder: Path, step: int, keep: int = 3) -> Path:
    return checkpoints.save(folder, step, STATE, keep)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    state = checkpoints.load(save(tmp_path, 12))
    assert (state["step"], state["seed"]) == (12, 3)
    assert torch.equal(state["networks"]["generator"]["weight"], torch.arange(5000.0))


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (100, 5, 20, 3000):
        save(tmp_path, step, keep=2)
    assert checkpoints.steps(tmp_path) == [100, 3000]
    assert checkpoints.steps(tmp_path / "elsewhere") == []


def test_other_files_are_neither_listed_nor_removed(tmp_path: Path) -> None:
    save(tmp_path, 1)
    others = [tmp_path / "checkpoints" / name for name in ("step-best.pt", "step-1.pt", "notes.txt")]
    for other in others:
        other.touch()
    save(tmp_path, 2, keep=1)
    assert checkpoints.steps(tmp_path) == [2]
    assert all(other.exists() for other in others)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named_with_the_way_out(tmp_path: Path, share: float) -> None:
    file = save(tmp_path, 4)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UsageError, match=r"step-00000004\.pt cannot be read .*remove it, and training goes on from"):
        checkpoints.load(file)


@pytest.mark.parametrize("content", [b"hello", b"\x80\x02.", b"PK\x03\x04" + bytes(100), bytes(1000)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "step-00000001.pt").write_bytes(content)
    with pytest.raises(UsageError, match=r"step-00000001\.pt"):
        checkpoints.load(tmp_path / "step-00000001.pt")


@pytest.mark.parametrize("content", [torch.zeros(3), {"state_dict": {}}, {"schema": "1"}, [1, 2]])
def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UsageError, match=r"other\.pt is no checkpoint of 'hifibench train'"):
        checkpoints.load(tmp_path / "other.pt")


def test_a_newer_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SCHEMA", checkpoints.SCHEMA + 1)
    file = save(tmp_path, 1)
    monkeypatch.undo()
    with pytest.raises(UsageError, match=r"newer version \(schema 2, known: 1\)"):
        checkpoints.load(file)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self._folder,)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "trap.pt"
    torch.save({"schema": 1, "step": 1, "networks": Trap(tmp_path / "sprung")}, file)
    with pytest.raises(UsageError, match=r"trap\.pt cannot be read"):
        checkpoints.load(file)
    assert not (tmp_path / "sprung").exists()
    torch.load(file, weights_only=False)
    assert (tmp_path / "sprung").exists()  # it is a trap indeed


def test_a_full_disk_is_said_and_the_earlier_checkpoint_stays(tmp_path: Path) -> None:
    save(tmp_path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))  # as if there were no room for more
    try:
        with pytest.raises(MissingError, match=r"Cannot write .*step-00000002\.pt.*goes on from there"):
            save(tmp_path, 2, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["step-00000001.pt"]
    checkpoints.load(checkpoints.path(tmp_path, 1))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_checkpoint_whose_writing_was_broken_off_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    save(tmp_path, 1)

    def half(state: object, file: Path) -> None:
        Path(file).write_bytes(b"PK")
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", half)
        with pytest.raises(error):
            save(tmp_path, 2, keep=1)
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["step-00000001.pt"]


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    save(tmp_path, 1)
    left = tmp_path / "checkpoints" / ".hifibench-abc.pt"
    left.write_bytes(bytes(100))
    assert checkpoints.steps(tmp_path) == [1]
    save(tmp_path, 2)
    assert not left.exists()


def test_differences_are_named_to_the_depth() -> None:
    here = {"size": 256, "lr": {"g": 1e-4, "d": 1e-4}, "same": 1, "new": True}
    there = {"size": 128, "lr": {"g": 1e-4, "d": 4e-4}, "same": 1}
    assert checkpoints.differences(here, there) == [
        "lr.d: 0.0004, now 0.0001",
        "new: None, now True",
        "size: 128, now 256",
    ]
    assert checkpoints.differences(here, here) == []
