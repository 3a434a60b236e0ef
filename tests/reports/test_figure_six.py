from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import paper_run
import pytest
from paper_run import MakeRun
from rich.console import Console
from test_report_page import Outline

from reports import read, tables, terminal, write
from reports.figures import six as figure_six
from reports.page import page
from reports.paper import table_one as paper_table

METHODS = ("target-copy", "faceshifter-ffpp", "hififace")
EMBEDDED = ("shape[3ddfa]", "shape[mediapipe]")
APART = np.arange(1.0, 9.0)
# hififace is nearer on one of the two samples whose shapes differ most, and on five of all eight.
VALUES = {
    "target-copy": APART,
    "faceshifter-ffpp": np.full(8, 2.0),
    "hififace": np.array([2.5, 3.0, 1.5, 1.0, 1.0, 1.25, 0.5, 2.5]),
}


def make(
    make_run: MakeRun,
    metrics: tuple[str, ...] = ("shape[ringnet]",),
    suite: str = "ffpp-fig6",
    methods: tuple[str, ...] = METHODS,
    **changes: Any,
) -> Path:
    folder = paper_run.write(make_run, paper_run.results(metrics, methods, suite))
    values = {name: row for name, row in (VALUES | changes).items() if name in methods}
    paper_run.write_scores(folder, values, metrics)
    return folder


def found(folder: Path) -> figure_six.FigureSix:
    made = figure_six.of(read.run(folder))
    assert made is not None
    return made


def test_the_sentence_says_how_often_among_the_most_different_and_what_the_paper_says(make_run: MakeRun) -> None:
    six = found(make(make_run))
    assert six.study is not None and six.study.about["metric"] == "shape[ringnet]"
    assert "hififace is nearer to the source's shape than faceshifter-ffpp on 1 of 2: 50 % [" in six.sentences[0]
    assert "The paper says 95 %" in six.sentences[0]
    assert not any("do not compare" in sentence for sentence in six.sentences)
    assert any(
        sentence.startswith("all: hififace has the lower") and "5 of 8" in sentence for sentence in six.sentences
    )


def test_of_the_embedded_estimators_one_is_taken_that_trained_neither(make_run: MakeRun) -> None:
    six = found(make(make_run, EMBEDDED, "ffpp-fig6-embedded"))
    assert six.study is not None and six.study.about["metric"] == "shape[mediapipe]"
    assert "Measured by shape[mediapipe], in the paper by shape[ringnet]: do not compare." in six.sentences
    assert not any("flatters" in sentence for sentence in six.sentences)


def test_where_only_a_teacher_measured_it_is_told(make_run: MakeRun) -> None:
    six = found(make(make_run, EMBEDDED[:1], "ffpp-fig6-embedded"))
    assert any("flatters" in sentence for sentence in six.sentences)


def test_samples_that_failed_are_counted(make_run: MakeRun) -> None:
    six = found(make(make_run, hififace=np.where(np.arange(8) == 2, np.nan, VALUES["hififace"])))
    assert six.sentences[-1] == "Left out: 1 of 8 pairs; hififace failed on 1, faceshifter-ffpp on 0."


def test_without_the_target_itself_there_is_a_reason_in_place_of_a_figure(make_run: MakeRun) -> None:
    six = found(make(make_run, methods=METHODS[1:]))
    assert six.study is None and six.address() == ""
    assert "lacks target-copy" in six.sentences[0]


def test_a_method_that_is_not_available_is_the_reason(make_run: MakeRun) -> None:
    content = paper_run.unavailable(
        paper_run.results(("shape[ringnet]",), METHODS, "ffpp-fig6"), "faceshifter-ffpp", "no videos."
    )
    folder = paper_run.write(make_run, content)
    paper_run.write_scores(folder, VALUES | {"faceshifter-ffpp": np.full(8, np.nan)}, ["shape[ringnet]"])
    assert found(folder).sentences[1] == "No swap by faceshifter-ffpp: not available (100 pairs): no videos. (100 x)"


@pytest.mark.parametrize("methods", [("target-copy", "hififace"), ("target-copy", "faceshifter-ffpp")])
def test_without_either_method_there_is_no_figure(make_run: MakeRun, methods: tuple[str, ...]) -> None:
    assert found(make(make_run, methods=methods)).sentences[0].startswith("There is no figure: it takes HifiFace")


def test_other_suites_have_none(make_run: MakeRun) -> None:
    assert figure_six.of(read.run(make(make_run, suite="ffpp-table1"))) is None


def test_the_report_holds_the_figure_its_data_and_the_sentence(make_run: MakeRun) -> None:
    folder = make(make_run)
    written = {path.name for path in write.write_all(folder)}
    assert {path.name for path in (folder / "report").iterdir()} == written
    assert {"shape.csv", "shape.png", "shape.pdf", "shape.svg", "shape_shares.csv", "index.html", "table.md"} <= written
    assert not any(name.startswith("table1") for name in written)
    assert len(pd.read_csv(folder / "report" / "shape.csv")) == 8
    sentence = found(folder).sentences[0]
    text = (folder / "report" / "index.html").read_text(encoding="utf-8")
    outline = Outline(text)
    assert sentence in outline.text
    pictures = [attributes["src"] or "" for tag, attributes in outline.elements if tag == "img"]
    assert [one.partition(",")[0] for one in pictures] == ["data:image/png;base64"]
    assert "(shape.png)" in (folder / "report" / "table.md").read_text(encoding="utf-8")
    out = io.StringIO()
    terminal.show(read.run(folder), Console(file=out, width=1000))
    assert sentence in out.getvalue()


def test_the_same_run_gives_the_same_report(make_run: MakeRun) -> None:
    folder = make(make_run)
    first = {path.name: path.read_bytes() for path in write.write_all(folder)}
    assert first == {path.name: path.read_bytes() for path in write.write_all(folder)}


def test_the_page_shows_table_1_with_every_number_and_footnote(make_run: MakeRun) -> None:
    run = read.run(paper_run.write(make_run, paper_run.results()))
    paper = paper_table.build(run)
    assert paper is not None
    outline = Outline(page.render(run, tables.build(run), paper))
    ids = {attributes.get("id") for _, attributes in outline.elements}
    assert "table1" in ids and "figure6" not in ids
    for line in paper.lines:
        assert line.label in outline.text
        assert all(cell.marked in outline.text for cell in line.cells)
        assert all(words in outline.text for cell in line.cells for words in cell.under)
    assert all(note.text in outline.text for note in paper.notes)


def test_a_run_of_table_1_gets_its_files(make_run: MakeRun) -> None:
    folder = paper_run.write(make_run, paper_run.results())
    written = {path.name for path in write.write_all(folder)}
    assert {"table1.md", "table1.csv", "table1.json", "table1.tex"} <= written
    assert json.loads((folder / "report" / "table1.json").read_text())["schema"] == 1
    assert '"table1"' in (folder / "report" / "index.html").read_text()
