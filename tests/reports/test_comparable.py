from __future__ import annotations

from pathlib import Path
from typing import Any

import paper_run
import pytest
from paper_run import EMBEDDED, PAPER, MakeRun

from reports import read
from reports.paper import comparable, published
from reports.paper.comparable import CARE, OTHER
from reports.records import Run


def make(make_run: MakeRun, content: dict[str, Any], kind: str = "ffpp") -> Run:
    return read.run(paper_run.write(make_run, content, kind))


def marks(run: Run) -> dict[tuple[str, str, str], str]:
    chosen = comparable.choose(run.results.metrics)
    return {
        (figure.source.block, figure.method, figure.metric): comparable.mark(run, figure, chosen)
        for figure in published.read()
    }


OWN = ("FF++ own paper", "HifiFace-256")
AGAIN = ("FF++ re-measured by Face-Adapter", "HifiFace-256")
CASIA = ("CASIA Normal", "HifiFace")


def test_only_the_papers_own_figures_compare_with_a_whole_run_by_its_estimators(make_run: MakeRun) -> None:
    found = marks(make(make_run, paper_run.results()))
    assert {key for key, mark in found.items() if not mark} == {(*OWN, "id_retrieval"), (*OWN, "pose")}
    assert found[*AGAIN, "id_retrieval"] == found["FF++ own paper", "MegaFS", "pose"] == CARE
    assert found[*CASIA, "id_retrieval"] == found[*CASIA, "pose"] == OTHER
    assert found["cost", "SimSwap", "params"] == CARE


def test_nothing_measured_compares_with_other_estimators(make_run: MakeRun) -> None:
    found = marks(make(make_run, paper_run.results(EMBEDDED)))
    assert {mark for (_, _, metric), mark in found.items() if metric in ("id_retrieval", "pose")} == {OTHER}


def test_one_foreign_estimator_spoils_its_own_column_alone(make_run: MakeRun) -> None:
    found = marks(make(make_run, paper_run.results((PAPER[0], "pose[mediapipe]", PAPER[2]))))
    assert found[*OWN, "id_retrieval"] == ""
    assert found[*OWN, "pose"] == OTHER


def test_a_smaller_gallery_makes_retrieval_another_task(make_run: MakeRun) -> None:
    run = make(make_run, paper_run.results(whole=False))
    found = marks(run)
    assert found[*OWN, "id_retrieval"] == OTHER
    assert found[*OWN, "pose"] == CARE
    told = " ".join(note.text for note in comparable.notes(run, comparable.choose(run.results.metrics), {CARE, OTHER}))
    assert "searched 200 frames, the paper's about 10,000" in told
    assert "100 swaps of each method" in told


def test_foreign_estimators_are_named_with_what_they_replace(make_run: MakeRun) -> None:
    run = make(make_run, paper_run.results(EMBEDDED))
    told = [note.text for note in comparable.notes(run, comparable.choose(run.results.metrics), {OTHER})]
    assert told[0].startswith("Other estimators than the paper's: do not compare")
    assert "pose[mediapipe] in place of pose[hopenet]" in told[0]


def test_columns_take_the_papers_estimator_then_the_likest_protocol(make_run: MakeRun) -> None:
    def chosen(*metrics: str) -> list[str | None]:
        run = make(make_run, paper_run.results(metrics))
        return [metric and metric.name for metric in comparable.choose(run.results.metrics).values()]

    assert chosen(*EMBEDDED) == ["id_retrieval[edgeface,frames,top1]", "pose[mediapipe]", "shape[3ddfa]"]


def test_the_papers_estimator_wins_over_an_earlier_one(make_run: MakeRun) -> None:
    run = make(make_run, paper_run.results((*EMBEDDED, *PAPER)))
    assert [metric and metric.name for metric in comparable.choose(run.results.metrics).values()] == list(PAPER)


@pytest.mark.parametrize(
    ("suite", "kind", "expected"),
    [
        ("ffpp-table1", "ffpp", True),
        ("mine", "ffpp", True),
        ("ffpp-table1", "files", False),
        ("demo", "portraits", False),
    ],
)
def test_what_a_run_says_of_its_images_counts_not_its_name(
    make_run: MakeRun, suite: str, kind: str, expected: bool
) -> None:
    assert comparable.on_ffpp(make(make_run, paper_run.results(suite=suite), kind)) is expected


@pytest.mark.parametrize(("suite", "expected"), [("ffpp-table1-embedded", True), ("demo", False)])
def test_where_run_json_is_gone_the_suite_decides(make_run: MakeRun, suite: str, expected: bool) -> None:
    folder: Path = paper_run.write(make_run, paper_run.results(suite=suite))
    (folder / "run.json").unlink()
    assert comparable.on_ffpp(read.run(folder)) is expected
