from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import explored_run
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


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["scores.parquet", "splits.parquet"])
def test_damage_that_is_met_last_leaves_no_half_report(make_run: MakeRun, name: str) -> None:
    folder = explored_run.write(make_run)
    (folder / name).write_bytes((folder / name).read_bytes()[:100])
    there = {*folder.iterdir()}
    with pytest.raises(UsageError, match=rf"{re.escape(name)} is damaged"):
        write.write_all(folder)
    assert {*folder.iterdir()} == there


@pytest.mark.parametrize("full_at", ["table.tex", "index.html", "tradeoff.svg"])
def test_a_full_disk_leaves_the_report_of_before(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, full_at: str
) -> None:
    folder = make_run(examples=0)
    write.write_all(folder)
    results = folder / "results.json"
    results.write_text(results.read_text().replace("Generated portraits", "Other portraits"))
    before = contents(folder)
    write_bytes = Path.write_bytes
    suffix, marker = Path(full_at).suffix, {"index.html": b"<!doctype", "tradeoff.svg": b"<svg"}.get(full_at, b"")

    def full(path: Path, data: bytes) -> int:
        if path.suffix == suffix and marker in data:
            raise OSError(28, "No space left on device")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MissingError, match="No space left on device"):
        write.write_all(folder)
    assert contents(folder) == before


def test_a_report_that_cannot_be_a_folder_is_told(make_run: MakeRun) -> None:
    folder = make_run(examples=0)
    (folder / "report").write_text("mine")
    there = {*folder.iterdir()}
    with pytest.raises(MissingError, match=r"Cannot write .*report: File exists"):
        write.write_all(folder)
    assert {*folder.iterdir()} == there
    assert (folder / "report").read_text() == "mine"
