from __future__ import annotations

import io
import json
import re
from typing import Any

import pandas as pd
import paper_run
import pytest
from paper_run import EMBEDDED, MakeRun
from test_report_formats import cells_of

from reports import formats, read, tables
from reports.paper import formats as paper_formats
from reports.paper import table_one as paper_table
from reports.paper.table_one import PaperTable


def build(make_run: MakeRun, content: dict[str, Any] | None = None) -> PaperTable:
    made = paper_table.build(read.run(paper_run.write(make_run, content or paper_run.results())))
    assert made is not None
    return made


def test_markdown_has_a_row_per_line_with_every_number(make_run: MakeRun) -> None:
    content = paper_run.results()
    content["scores"][3 * 4] |= {"n_failed": 3}
    content["metrics"][0]["leader"] = "hififace"
    table = build(make_run, content)
    text = paper_formats.markdown(table)
    header, *body = cells_of(text)
    assert len(header) == 1 + len(table.columns)
    only = body.pop(len(table.lines) - len(table.elsewhere))
    assert only == [paper_formats.ELSEWHERE, *[""] * 5]
    for line, cells in zip(table.lines, body, strict=True):
        assert cells[0].startswith(line.title)
        counts = [f"({cell.counts})" if cell.counts and not cell.n_failed else "" for cell in line.cells]
        said = zip(line.cells, counts, strict=True)
        assert cells[1:] == [" ".join(filter(None, [cell.marked, *cell.under, n])) for cell, n in said]
    assert "| FaceShifter, published (d) | 87.99 ≈ | — |" in text
    assert "| **60.00** [59.50, 60.50] (n 100) |" in text
    assert "40.00 [39.50, 40.50] 3/100 failed" in text


def test_a_name_that_is_no_text_stays_one_in_markdown_and_latex(make_run: MakeRun) -> None:
    name = "a|b_[x](y)&%"
    table = build(make_run, paper_run.results(methods=("target-copy", name)))
    assert name in [row[0] for row in cells_of(paper_formats.markdown(table))]
    assert formats.latex_escape(name) in paper_formats.latex(table)


def test_latex_is_balanced_booktabs_that_holds_every_row(make_run: MakeRun) -> None:
    table = build(make_run, paper_run.results(EMBEDDED))
    text = paper_formats.latex(table)
    unescaped = re.sub(r"\\\\|\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    rows = []
    for body in re.findall(r"\\toprule(.*?)\\bottomrule", text, re.DOTALL):
        lines = [one for one in body.splitlines() if one and not one.startswith((r"\midrule", r"\addlinespace"))]
        plain = [one for one in lines if "multicolumn" not in one]
        assert len({len(re.findall(r"(?<!\\)&", one)) for one in plain}) == 1
        rows += plain[1:]
    # Five columns fit the page, so that every row stands once.
    assert len(rows) == len(table.lines)
    assert r"\multicolumn{" in text and rf"\textit{{{paper_formats.ELSEWHERE}}}" in text
    own = next(row for row in rows if "published (a," in row)
    assert r"98.48 $\neq$ & 2.63 $\neq$" in own
    assert any(row.startswith("MegaFS (b) & 90.83") for row in rows)
    assert text.isascii()


def test_csv_and_json_hold_the_same_cells_with_all_digits(make_run: MakeRun) -> None:
    content = paper_run.results()
    content["scores"][0] |= {"value": 1 / 3, "low": None}
    table = build(make_run, content)
    frame = pd.read_csv(io.StringIO(paper_formats.tidy_csv(table)))
    assert tuple(frame.columns) == paper_formats.CSV_FIELDS
    assert len(frame) == 5 * len(table.lines)
    first = frame.iloc[0]
    assert (first["name"], first["column"], first["value"]) == ("target-copy", "id_retrieval", 1 / 3)
    assert pd.isna(first["low"])
    read_back = json.loads(paper_formats.as_json(table))
    assert read_back["columns"]["pose"] == "pose[hopenet]"
    from_json = pd.DataFrame(read_back["cells"], columns=list(paper_formats.CSV_FIELDS))
    # The reader of CSV files takes what is empty for missing.
    pd.testing.assert_frame_equal(from_json.replace({"unit": {"": None}}).astype(frame.dtypes), frame)
    assert read_back["notes"] == [note.text for note in table.notes]


def test_csv_keeps_figures_apart_by_source_and_names_no_metric_of_ours(make_run: MakeRun) -> None:
    frame = pd.read_csv(io.StringIO(paper_formats.tidy_csv(build(make_run, paper_run.results(EMBEDDED)))))
    told = frame[(frame["kind"] == "published") & frame["value"].notna()]
    hififace = told[(told["method"] == "HifiFace") & (told["column"] == "id_retrieval")]
    assert list(hififace["value"]) == [98.48, 94.26, 93.37]
    assert list(hififace["name"]) == ["HifiFace-256", "HifiFace-256", "HifiFace"]
    assert set(hififace["mark"]) == {"≠"} and set(hififace["unit"]) == {"%"}
    assert hififace["source"].iloc[0] == "Papers with Code page of arXiv 2106.09965"
    assert told["metric"].isna().all()
    params = told[told["column"] == "params"].set_index("method")["value"]
    assert params["SimSwap"] == 107e6


@pytest.mark.parametrize("metric", ["shape[ringnet]", "shape[3ddfa]"])
def test_the_other_tables_stay(make_run: MakeRun, metric: str) -> None:
    run = read.run(paper_run.write(make_run, paper_run.results((*paper_run.PAPER[:2], metric))))
    assert metric in {column.name for column in tables.build(run).leads[0].columns}
