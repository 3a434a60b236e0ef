"""Files that the user brings: what is said of missing ones, and when a hash is made anew."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from hifibench import user_files
from hifibench.errors import MissingError
from hifibench.user_files import UserFile


def test_every_missing_file_is_named_with_origin_licence_and_place(tmp_path: Path) -> None:
    here = tmp_path / "here.pth"
    here.write_bytes(b"x")
    one, other = tmp_path / "g.pth", tmp_path / "sub" / "arcface.onnx"
    files = [UserFile(here, "nowhere", "none"), UserFile(one, "https://example.org/g.zip", "CC BY-NC"), UserFile(other)]
    with pytest.raises(MissingError) as told:
        user_files.need("mine", files)
    lines = str(told.value).splitlines()
    assert lines[0].startswith("The method mine lacks 2 files, which hifibench does not fetch.")
    assert lines[1:] == [
        f"  {one}: from https://example.org/g.zip (licence: CC BY-NC)",
        f"  {other}: named in the methods file",
    ]
    with pytest.raises(MissingError, match="lacks one file"):
        user_files.need("mine", files[:2])
    user_files.need("mine", files[:1])


def test_the_place_of_a_methods_files_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    assert user_files.place("ghost") == tmp_path / "methods" / "ghost"


def test_a_hash_is_of_all_bytes_and_follows_every_change(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    assert user_files.digest(file) == user_files.digest(tmp_path) == ""
    content = bytes(9_000_000)
    for place in (0, 4_500_001, 8_999_999):
        changed = content[:place] + b"\x01" + content[place + 1 :]
        file.write_bytes(changed)
        os.utime(file, ns=(place, place))
        assert user_files.digest(file) == hashlib.sha256(changed).hexdigest()
    file.unlink()
    assert user_files.digest(file) == ""
