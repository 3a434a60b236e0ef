"""All figures of a run, their files and their captions."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import figure_run
import finished_run
import numpy as np
import pytest
from figure_run import HOSTILE, MakeRun

from hifibench.data.images import DIGITAL_SOURCE_TYPE
from hifibench.errors import MissingError
from reports import tables
from reports.figures import write as figures
from reports.records import Run, Timing
from reports.staging import staged

SVG = "{http://www.w3.org/2000/svg}"
PICTURES = {"qualitative", "extremes-id-cosine", "extremes-pose"}
NUMBERS = {"tradeoff", "speed", "parts-yaw-mediapipe"}


def full(make_run: MakeRun, methods: tuple[str, ...] = tuple(finished_run.METHODS)) -> Run:
    run = figure_run.parted(figure_run.run(make_run, methods))
    values = {name: np.arange(8.0) for name in methods}
    figure_run.write_scores(run.folder, {"id_cosine[edgeface]": values, "pose[mediapipe]": values})
    figure_run.write_pictures(run.folder, [name for name in methods if name in finished_run.METHODS])
    return run


def write(run: Run, folder: Path) -> list[Path]:
    return figures.write(run, tables.build(run), folder)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Path]]:
    """A run of methods with names of any kind, and all its figures, written once."""
    base = tmp_path_factory.mktemp("figures")

    def make_run(results: dict[str, Any], examples: int, name: str = "run") -> Path:
        return finished_run.write(base / name, results, [finished_run.picture(k) for k in range(examples + 1)])

    run = figure_run.changed(
        full(make_run, (*finished_run.METHODS, *HOSTILE)),
        lambda one: dataclasses.replace(one, value=None) if one.method == HOSTILE[3] else one,
    )
    return run, write(run, base / "out")


def test_every_figure_is_written_three_times_and_has_a_caption(hostile: tuple[Run, list[Path]]) -> None:
    _, written = hostile
    folder = written[-1].parent
    assert sorted(written) == sorted(folder.iterdir())
    names = {path.stem for path in written if path.suffix == ".svg"}
    assert names == PICTURES | NUMBERS
    assert {path.name for path in written} == {f"{n}.{e}" for n in names for e in figures.ENDINGS} | {"captions.md"}
    captions = written[-1].read_text(encoding="utf-8")
    listed = [path.stem for path in written if path.suffix == ".svg"]
    assert re.findall(r"^## ([a-z-]+):", captions, re.MULTILINE) == listed
    for paragraph in captions.split("\n## ")[1:]:
        assert "100 pairs, seed 0, manifest" in paragraph
    assert "95 % cluster bootstrap by video" in captions and r"id\_cosine\[edgeface\]" in captions
    assert f"run={finished_run.RUN['run_id']}" in (folder / "speed.svg").read_text(encoding="utf-8")


def test_generated_faces_are_marked_and_numbers_are_not(hostile: tuple[Run, list[Path]]) -> None:
    for path in hostile[1][:-1]:
        assert (DIGITAL_SOURCE_TYPE.encode() in path.read_bytes()) == (path.stem in PICTURES), path.name


def test_the_same_run_gives_the_same_bytes(hostile: tuple[Run, list[Path]], tmp_path: Path) -> None:
    run, written = hostile
    again = write(run, tmp_path)
    assert [path.name for path in again] == [path.name for path in written]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_names_of_any_kind_stand_as_they_are_in_well_formed_files(hostile: tuple[Run, list[Path]]) -> None:
    seen: set[str] = set()
    for path in hostile[1]:
        if path.suffix == ".svg":
            root = ET.parse(path).getroot()
            assert not [one for one in root.iter() if one.tag.endswith("script")]
            hrefs = [v for one in root.iter() for k, v in one.attrib.items() if k.endswith("href")]
            assert all(value.startswith(("#", "data:")) for value in hrefs)
            seen |= {"".join(one.itertext()) for one in root.iter(f"{SVG}text")}
    assert {"<script>alert(1)</script>", r"$x_1$ & 50 % of \it"} <= seen
    captions = hostile[1][-1].read_text(encoding="utf-8")
    assert r"for want of a number: a\|b c." in captions and "\x07" not in captions and "<script" not in captions


def test_nothing_is_written_for_what_the_run_lacks(make_run: MakeRun, tmp_path: Path) -> None:
    run = figure_run.run(make_run, examples=0)
    names = {path.stem for path in write(dataclasses.replace(run, timing=Timing()), tmp_path / "a")}
    assert names == {"tradeoff", "captions"}
    none = figure_run.changed(
        dataclasses.replace(run, timing=Timing()), lambda one: dataclasses.replace(one, value=None)
    )
    assert write(none, tmp_path / "b") == [] and not (tmp_path / "b" / "captions.md").exists()


def test_figures_that_the_run_no_longer_has_are_removed(make_run: MakeRun, tmp_path: Path) -> None:
    run, out = figure_run.parted(figure_run.run(make_run, examples=0)), tmp_path / "out"
    assert {path.stem for path in write(run, out)} == NUMBERS | {"captions"}
    (out / "mine.svg").write_text("<svg/>")
    fewer = dataclasses.replace(run, timing=Timing(), results=dataclasses.replace(run.results, splits=()))
    with staged(out, figures.owned) as made:
        write(fewer, made)
    assert {path.stem for path in out.iterdir()} == {"tradeoff", "captions", "mine"}


def test_damaged_scores_leave_the_other_figures(make_run: MakeRun, tmp_path: Path) -> None:
    run = full(make_run)
    (run.folder / "scores.parquet").write_bytes(b"PAR1")
    written = write(run, tmp_path)
    assert {path.stem for path in written} == NUMBERS | {"qualitative", "captions"}
    assert "Not drawn:" in written[-1].read_text() and "is damaged" in written[-1].read_text()


def test_a_folder_that_cannot_be_written_to_is_told(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingError, match="Cannot write"):
        write(figure_run.run(make_run, examples=0), tmp_path / "file")
