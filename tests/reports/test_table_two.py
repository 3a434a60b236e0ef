from __future__ import annotations

import io
import json
from typing import Any

import finished_run
import pandas as pd
import pytest
import table_runs
from paper_run import MakeRun

from reports import read
from reports.paper import published, table_two
from reports.paper.records import PaperTable
from reports.tables import MISSING

METHODS = ("target-copy", "source-paste", "hififace", "simswap-224", "faceswap-ffpp", "lab-paste")


def build(make_run: MakeRun, content: dict[str, Any] | None = None) -> PaperTable:
    content = content or table_runs.with_forgery(finished_run.results(METHODS, n_failed=0))
    made = table_two.build(read.run(make_run(content, examples=0)))
    assert made is not None
    return made


def test_rows_are_the_papers_and_detectors_have_their_columns_side_by_side(make_run: MakeRun) -> None:
    table = build(make_run)
    assert [one.title for one in table.references] == ["target-copy", "source-paste"]
    assert [group[0].title for group in table.methods] == ["FaceSwap", "SimSwap", "HifiFace", "lab-paste"]
    assert [column.name for column in table.columns] == [
        "forgery_auc[xception-ffpp]", "forgery_ap[xception-ffpp]", "forgery_auc[blend-cnn]", "forgery_ap[blend-cnn]",
    ]  # fmt: skip
    assert [column.heading for column in table.columns] == ["AUC (%) ↓", "AP (%) ↓"] * 2
    assert table.spans == ("xception-ffpp", "xception-ffpp", "blend-cnn", "blend-cnn")


def test_a_cell_has_interval_and_failures_and_only_the_leader_is_bold(make_run: MakeRun) -> None:
    content = table_runs.with_forgery(finished_run.results(METHODS, n_failed=0))
    first = next(s for s in content["scores"] if (s["method"], s["metric"]) == ("hififace", table_runs.FORGERY[0]))
    first |= {"n_failed": 4}
    table = build(make_run, content)
    rows = {line.name: line.cells for line in table.lines}
    cell = rows["hififace"][0]
    assert (cell.text, cell.under, cell.n, cell.n_failed) == ("64.3", ("[62.3, 66.3]", "4/100 failed"), 100, 4)
    assert {(name, at) for name, cells in rows.items() for at, one in enumerate(cells) if one.leader} == {
        ("hififace", 0)
    }


def test_it_says_that_nothing_is_published_and_nothing_is(make_run: MakeRun) -> None:
    table = build(make_run)
    assert not any(line.kind == "published" for line in table.lines)
    assert any("No published figure" in note.text for note in table.notes)
    # Where one is added to the file, this table has to show it.
    assert not any(figure.metric.startswith("forgery") for figure in published.read())


def test_other_detectors_than_the_papers_are_named(make_run: MakeRun) -> None:
    assert any("Not the paper's detectors" in n.text and n.text.count("blend-cnn") for n in build(make_run).notes)
    content = table_runs.with_forgery(finished_run.results(METHODS, n_failed=0), table_runs.FORGERY[:2])
    own = table_two.build(read.run(make_run(content, examples=0, name="own")))
    assert own is not None
    assert not any("Not the paper's" in note.text for note in own.notes)


def test_csv_and_json_hold_the_same_cells_with_all_digits(make_run: MakeRun) -> None:
    files = table_two.files(
        read.run(make_run(table_runs.with_forgery(finished_run.results(METHODS, n_failed=0)), examples=0))
    )
    assert set(files) == {"table2.md", "table2.csv", "table2.json", "table2.tex"}
    frame = pd.read_csv(io.StringIO(files["table2.csv"]), keep_default_na=False)
    cells = json.loads(files["table2.json"])["cells"]
    assert len(cells) == len(frame) == len(METHODS) * 4
    for row, cell in zip(frame.to_dict("records"), cells, strict=True):
        assert {key: str(value) for key, value in row.items()} == {
            key: "" if value is None else str(value) for key, value in cell.items()
        }
    assert cells[0]["value"] == 50 + 1 / 3


def test_a_method_that_no_pair_could_be_scored_of_is_a_row_of_dashes_and_a_note(make_run: MakeRun) -> None:
    content = table_runs.silent(table_runs.with_forgery(finished_run.results(METHODS, n_failed=0)), "simswap-224")
    table = build(make_run, content)
    line = next(line for line in table.lines if line.name == "simswap-224")
    assert {cell.text for cell in line.cells} == {MISSING}
    assert any(note.text.startswith("No number for simswap-224") for note in table.notes)


@pytest.mark.parametrize("metrics", [(), ("forgery_eer[blend-cnn]",)])
def test_a_run_without_these_metrics_has_no_such_table(make_run: MakeRun, metrics: tuple[str, ...]) -> None:
    content = table_runs.with_forgery(finished_run.results(METHODS), metrics) if metrics else finished_run.results()
    run = read.run(make_run(content, examples=0))
    assert table_two.build(run) is None
    assert table_two.files(run) == {}
