from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hifibench.errors import MissingError, UsageError
from reports import write

MakeRun = Callable[..., Path]
NAMES = ["table.md", "table.csv", "table.json", "table.tex", "index.html"]
FIGURES = [f"{name}.{ending}" for name in ("qualitative", "tradeoff") for ending in ("png", "pdf", "svg")]


def test_all_files_are_written_and_nothing_else(make_run: MakeRun) -> None:
    folder = make_run()
    written = [path.relative_to(folder / "report") for path in write.write_all(folder)]
    assert [str(path) for path in written if path.parent == Path()] == NAMES
    assert {path.name for path in written if path.parent == Path("figures")} >= {*FIGURES, "captions.md"}
    there = {path.relative_to(folder / "report") for path in (folder / "report").rglob("*") if path.is_file()}
    assert there == {*written}
    assert all((folder / "report" / path).stat().st_size > 500 for path in written)


def test_the_same_run_gives_the_same_bytes(make_run: MakeRun) -> None:
    first, second = ([path.read_bytes() for path in write.write_all(make_run(name=name))] for name in ("a", "b"))
    assert first == second


def test_writing_again_replaces(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "report").mkdir()
    (folder / "report" / "table.md").write_text("old")
    write.write_all(folder)
    assert "old" not in (folder / "report" / "table.md").read_text().split()


def test_without_examples_no_pair_is_shown(make_run: MakeRun) -> None:
    written = {path.name for path in write.write_all(make_run(examples=0))}
    assert written >= {*NAMES, "tradeoff.svg"} and "qualitative.svg" not in written


@pytest.mark.parametrize("name", ["results.json", "manifest.json"])
def test_nothing_is_half_written_when_a_file_of_the_run_is_damaged(make_run: MakeRun, name: str) -> None:
    folder = make_run()
    text = (folder / name).read_text()
    (folder / name).write_text(text[: len(text) // 2])
    with pytest.raises(UsageError, match=name):
        write.write_all(folder)
    assert not (folder / "report").exists()


def test_the_tables_come_without_the_images_and_the_page_says_what_is_missing(make_run: MakeRun) -> None:
    folder = make_run()
    for name in ("examples", "swaps"):
        shutil.rmtree(folder / name)
    written = {path.name for path in write.write_all(folder)}
    assert written >= {*NAMES}
    page = (folder / "report" / "index.html").read_text()
    assert "examples: source or target of" in page


def test_an_unfinished_run_writes_nothing(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "results.json").unlink()
    with pytest.raises(MissingError, match="not finished"):
        write.write_all(folder)
    assert not (folder / "report").exists()
