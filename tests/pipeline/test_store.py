from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.arrays import read_arrays, write_arrays
from hifibench.errors import MissingError, UsageError
from hifibench.files import TEMPORARY, atomic_path, atomic_write
from hifibench.pipeline.store import (
    CHUNK,
    Shard,
    chunks,
    read_json,
    sweep,
    write_once,
)


@given(items=st.integers(0, 400), count=st.integers(1, 9))
def test_shares_cut_the_work_without_loss_or_overlap(items: int, count: int) -> None:
    parts = chunks(range(items))
    owned = [c for index in range(1, count + 1) for c, _ in enumerate(parts) if Shard(index, count).owns(c)]
    assert sorted(owned) == list(range(len(parts)))
    assert [item for part in parts for item in part] == list(range(items))
    assert all(len(part) == CHUNK for part in parts[:-1])


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/2", "1/b", "1/2/3", "-1/2"])
def test_a_share_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected i/n"):
        Shard.parse(text)


def test_arrays_come_back(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([np.nan], np.float32)}
    write_arrays(tmp_path / "x.npz", arrays)
    back = read_arrays(tmp_path / "x.npz")
    assert back is not None
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)


@pytest.mark.parametrize("keep", [0, 1, 30, -5])
def test_a_truncated_cache_entry_is_taken_away_and_said(
    tmp_path: Path, keep: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "x.npz"
    write_arrays(path, {"a": np.zeros(100, np.float32)})
    path.write_bytes(path.read_bytes()[:keep])
    with caplog.at_level(logging.WARNING, "hifibench"):
        assert read_arrays(path) is None
    assert "made again" in caplog.text
    assert not path.exists()


def test_absent_and_damaged_json_read_as_nothing(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json") is None
    (tmp_path / "half.json").write_text('{"a": ')
    assert read_json(tmp_path / "half.json") is None


def test_of_many_writers_one_wins_and_the_file_is_whole(tmp_path: Path) -> None:
    path, texts = tmp_path / "run.json", [f"{index}" * 10_000 for index in range(8)]
    threads = [threading.Thread(target=write_once, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = path.read_text()
    assert first in texts
    write_once(path, "later")
    assert path.read_text() == first
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    atomic_write(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["x.txt"]


def test_a_full_disk_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MissingError, match=r"No space left on device.*Free some space"):
        atomic_write(tmp_path / "x.txt", "data")
    assert not list(tmp_path.iterdir())


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingError, match="Cannot write"):
        atomic_write(tmp_path / "file" / "x.txt", "data")


def test_sweeping_takes_old_temporary_files_only(tmp_path: Path) -> None:
    old, new, real = tmp_path / f"{TEMPORARY}1.png", tmp_path / f"{TEMPORARY}2.png", tmp_path / "a.png"
    users, folder = tmp_path / ".gitignore", tmp_path / f"{TEMPORARY}3"
    folder.mkdir()
    for path in (old, new, real, users, folder / "run.json"):
        path.write_text("")
    for path in (old, real, users, folder):
        os.utime(path, (time.time() - 7200,) * 2)
    sweep(tmp_path)
    assert not old.exists() and not folder.exists()
    assert new.exists() and real.exists() and users.exists()
