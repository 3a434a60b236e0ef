from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import finished_run
import numpy as np
import pandas as pd
import pytest
import table_runs
from paper_run import MakeRun
from rich.console import Console

from metrics.statistics import paired_difference
from reports import read
from reports.paper import ablation as ablation_table
from reports.paper import ablation_formats
from reports.paper.ablation import AblationCell, AblationTable
from reports.tables import MISSING

POSE = "pose[mediapipe]"


def write(make_run: MakeRun, content: dict[str, Any] | None = None, name: str = "run") -> Path:
    content = content or table_runs.with_forgery(finished_run.results(table_runs.ABLATION, n_failed=0))
    return table_runs.write_scores(make_run(content, examples=0, name=name), content)


def build(folder: Path) -> AblationTable:
    made = ablation_table.build(read.run(folder))
    assert made is not None
    return made


def cell(table: AblationTable, name: str, metric: str) -> AblationCell:
    at = [column.name for column in table.columns].index(metric)
    return next(row for row in table.rows if row.name == name).cells[at]


def set_pose(folder: Path, values: dict[str, list[float]]) -> None:
    path = folder / "scores.parquet"
    frame = pd.read_parquet(path).sort_values(["method", "metric", "pair"], ignore_index=True)
    for method, row in values.items():
        frame.loc[(frame["method"] == method) & (frame["metric"] == POSE), "value"] = row
    # The order of the rows must not matter.
    frame.sample(frac=1, random_state=0).to_parquet(path, index=False)
    table_runs.settle(folder)


def test_rows_are_the_model_and_its_ablations_with_what_each_changes(make_run: MakeRun) -> None:
    table = build(write(make_run))
    assert [row.title for row in table.rows] == ["HifiFace", "Ours-n3d", "Bare", "Concat"]
    assert table.rows[2].changes == "what hififace-bare does"
    shown = [table.columns[at].name for at in table.shown]
    assert shown == [
        "id_retrieval[edgeface,sources,top1]", POSE, "shape[3ddfa]", "expression[mediapipe]", "background[l1]",
        "forgery_auc[xception-ffpp]",
    ]  # fmt: skip


def test_differences_are_those_of_the_paired_bootstrap_by_video(make_run: MakeRun) -> None:
    folder = write(make_run)
    full, bare = [1.0, 2, 3, 4, 5, 6, 7, 8], [2.0, 4, 4, 6, 6, 8, 8, float("nan")]
    set_pose(folder, {"hififace": full, "hififace-bare": bare, "hififace-n3d": [v - 1 for v in full]})
    run = read.run(folder)
    videos = [run.videos[pair] for pair in sorted(run.videos)]
    expected = paired_difference(np.array(bare), np.array(full), videos, seed=run.results.seed)
    shift = cell(build(folder), "hififace-bare", POSE).shift
    assert (shift.value, shift.low, shift.high, shift.n) == (*expected, 7)
    assert shift.value == pytest.approx(10 / 7)


@pytest.mark.parametrize(
    ("by", "verdict"),
    [([1.0] * 8, "worse"), ([-1.0] * 8, "better"), ([1.0, -1] * 4, "no difference told"),
     ([1.0] * 5 + [0.0] * 3, "no difference told"), ([0.0] * 8, "no difference told")],
)  # fmt: skip
def test_the_verdict_goes_by_the_direction_and_is_careful_where_few_videos_differ(
    make_run: MakeRun, by: list[float], verdict: str
) -> None:
    folder = write(make_run)
    full = [1.0, 2, 3, 4, 5, 6, 7, 8]
    set_pose(folder, {"hififace": full, "hififace-bare": [a + b for a, b in zip(full, by, strict=True)]})
    assert cell(build(folder), "hififace-bare", POSE).shift.verdict == verdict


def test_a_rise_is_better_where_higher_is(make_run: MakeRun) -> None:
    folder = write(make_run)
    path = folder / "scores.parquet"
    frame = pd.read_parquet(path)
    rows = (frame["method"] == "hififace-bare") & (frame["metric"] == "id_cosine[edgeface]")
    frame.loc[rows, "value"] += 5
    frame.to_parquet(path, index=False)
    table_runs.settle(folder)
    assert cell(build(folder), "hififace-bare", "id_cosine[edgeface]").shift.verdict == "better"


def test_numbers_of_a_set_have_a_difference_without_interval_or_verdict(make_run: MakeRun) -> None:
    table = build(write(make_run))
    shift = cell(table, "hififace-bare", "forgery_auc[xception-ffpp]").shift
    assert shift.value == pytest.approx(14)
    assert (shift.low, shift.high, shift.verdict) == (None, None, "")
    assert any("Numbers of a set" in note.text for note in table.notes)


def test_an_area_that_is_the_mean_of_its_pairs_has_interval_and_verdict(make_run: MakeRun) -> None:
    folder, name = write(make_run), "forgery_auc[xception-ffpp]"
    path = folder / "scores.parquet"
    frame = pd.read_parquet(path)
    content = json.loads((folder / "results.json").read_text())
    for score in content["scores"]:
        if score["metric"] == name:
            rows = (frame["method"] == score["method"]) & (frame["metric"] == name)
            frame.loc[rows, "value"] += score["value"] - frame.loc[rows, "value"].mean()
    frame.to_parquet(path, index=False)
    table = build(folder)
    shift = cell(table, "hififace-bare", name).shift
    assert shift.low is not None and shift.value == pytest.approx(14) and shift.verdict == "worse"
    (said,) = (note.text for note in table.notes if "Numbers of a set" in note.text)
    assert name not in said and "forgery_ap[xception-ffpp]" in said
    # Both must be means.
    for other in ("hififace", "hififace-bare"):
        moved = frame.copy()
        moved.loc[(moved["method"] == other) & (moved["metric"] == name), "value"] += 1
        moved.to_parquet(path, index=False)
        assert cell(build(folder), "hififace-bare", name).shift[1:] == (None, None, None, "")


@pytest.mark.parametrize("taught", ["hififace", "hififace-bare"])
def test_an_estimator_that_taught_a_model_gives_no_verdict_on_it(make_run: MakeRun, taught: str) -> None:
    content = table_runs.with_forgery(finished_run.results(table_runs.ABLATION, n_failed=0))
    next(one for one in content["methods"] if one["name"] == taught)["trained_with"] = ["mediapipe"]
    table = build(write(make_run, content))
    assert cell(table, "hififace-bare", POSE).shift.low is not None
    assert cell(table, "hififace-bare", POSE).shift.verdict == ""
    assert cell(table, "hififace-bare", "id_cosine[edgeface]").shift.verdict != ""
    assert (cell(table, "hififace-n3d", POSE).shift.verdict == "") is (taught == "hififace")


def test_the_draws_are_those_of_the_run(make_run: MakeRun) -> None:
    folder = write(make_run)
    set_pose(folder, {"hififace": [1.0, 2, 3, 4, 5, 6, 7, 8], "hififace-bare": [2.0, 4, 4, 6, 6, 8, 8, 12]})
    ends = []
    for draws in (60, 1000):
        (folder / "run.json").write_text(json.dumps({"suite": {"draws": draws}}))
        ends.append(cell(build(folder), "hififace-bare", POSE).shift[1:3])
    assert ends[0] != ends[1]


@pytest.mark.parametrize("gone", ["scores.parquet", "manifest.json"])
def test_without_the_scores_of_pairs_the_table_comes_and_says_so(make_run: MakeRun, gone: str) -> None:
    folder = write(make_run)
    (folder / gone).unlink()
    table = build(folder)
    assert cell(table, "hififace-bare", POSE).difference == ""
    assert cell(table, "hififace-bare", POSE).cell.text != MISSING
    assert any(note.text.startswith("No paired differences") and gone in note.text for note in table.notes)


def test_damaged_scores_are_said_too(make_run: MakeRun) -> None:
    folder = write(make_run)
    (folder / "scores.parquet").write_bytes(b"no parquet")
    assert any(note.text.startswith("No paired differences") for note in build(folder).notes)


def test_an_ablation_that_was_never_scored_is_a_row_of_dashes(make_run: MakeRun) -> None:
    content = table_runs.silent(
        table_runs.with_forgery(finished_run.results(table_runs.ABLATION, n_failed=0)), "hififace-bare"
    )
    table = build(write(make_run, content))
    row = next(row for row in table.rows if row.name == "hififace-bare")
    assert {one.cell.text for one in row.cells} == {MISSING}
    assert {one.said for one in row.cells} == {""}
    assert not re.search(r"\bnan\b", ablation_formats.markdown(table), re.IGNORECASE)


@pytest.mark.parametrize("methods", [("target-copy", "hififace"), ("hififace-bare", "hififace-n3d"), ("faceswap",)])
def test_other_runs_have_no_such_table(make_run: MakeRun, methods: tuple[str, ...]) -> None:
    run = read.run(make_run(finished_run.results(methods), examples=0))
    assert ablation_table.build(run) is None
    assert ablation_table.files(run) == {}


def test_csv_and_json_hold_the_same_numbers_of_every_metric(make_run: MakeRun) -> None:
    folder = write(make_run)
    files = ablation_table.files(read.run(folder))
    assert set(files) == {"ablation.md", "ablation.csv", "ablation.json", "ablation.tex"}
    frame = pd.read_csv(io.StringIO(files["ablation.csv"]), keep_default_na=False)
    cells = json.loads(files["ablation.json"])["cells"]
    assert len(cells) == len(frame) == 4 * (len(finished_run.METRICS) + len(table_runs.FORGERY))
    for row, one in zip(frame.to_dict("records"), cells, strict=True):
        assert {key: str(value) for key, value in row.items()} == {
            key: "" if value is None else str(value) for key, value in one.items()
        }


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_cuts_nothing(make_run: MakeRun, width: int) -> None:
    out, table = io.StringIO(), build(write(make_run))
    ablation_formats.show(table, Console(file=out, width=width))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for row in table.rows:
        for at in table.shown:
            one = row.cells[at]
            for said in (one.cell.text, one.cell.interval, one.difference, one.interval, one.shift.verdict):
                assert said in text
