from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hifibench.errors import MissingError, UsageError
from reports import grid, write

MakeRun = Callable[..., Path]
NAMES = ["table.md", "table.csv", "table.tex", "grid.png", "index.html"]


def test_all_files_are_written_and_nothing_else(make_run: MakeRun) -> None:
    folder = make_run()
    written = write.write_all(folder)
    assert [path.name for path in written] == NAMES
    assert sorted(path.name for path in (folder / "report").iterdir()) == sorted(NAMES)
    assert all(path.stat().st_size > 1000 for path in written)


def test_the_same_run_gives_the_same_bytes(make_run: MakeRun) -> None:
    first, second = ([path.read_bytes() for path in write.write_all(make_run(name=name))] for name in ("a", "b"))
    assert first == second


def test_writing_again_replaces(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "report").mkdir()
    (folder / "report" / "table.md").write_text("old")
    write.write_all(folder)
    assert "old" not in (folder / "report" / "table.md").read_text().split()


def test_without_examples_there_is_no_grid(make_run: MakeRun) -> None:
    assert [path.name for path in write.write_all(make_run(examples=0))] == [n for n in NAMES if n != "grid.png"]


def test_nothing_is_half_written_when_an_example_is_broken(make_run: MakeRun) -> None:
    folder = make_run()
    next((folder / "examples").glob("*-target.png")).write_bytes(b"no image")
    with pytest.raises(UsageError, match="cannot be read"):
        write.write_all(folder)
    assert not (folder / "report").exists()


def test_an_unfinished_run_writes_nothing(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "results.json").unlink()
    with pytest.raises(MissingError, match="not finished"):
        write.write_all(folder)
    assert not (folder / "report").exists()


def test_every_example_is_drawn_once(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, list[str]]] = []
    original = grid.png
    monkeypatch.setattr(
        grid, "png", lambda examples, methods: drawn.append((len(examples), methods)) or original(examples, methods)
    )
    write.write_all(make_run(examples=3))
    assert drawn == [(3, ["target-copy", "re-encode", "source-paste", "faceswap", "hififace"])]
