from __future__ import annotations

from collections import Counter
from typing import Any

import finished_run
import paper_run
import pytest
from paper_run import EMBEDDED, PAPER, MakeRun

from reports import read, tables
from reports.paper import published
from reports.paper import table_one as paper_table
from reports.paper.table_one import Line, PaperTable
from reports.tables import MISSING

WHY = "people.pth is missing. Get it from its authors."


def build(make_run: MakeRun, content: dict[str, Any] | None = None, kind: str = "ffpp") -> PaperTable:
    made = paper_table.build(read.run(paper_run.write(make_run, content or paper_run.results(), kind)))
    assert made is not None
    return made


def line(table: PaperTable, name: str) -> Line:
    return next(one for one in table.lines if one.name == name and one.kind != "published")


def test_rows_are_the_papers_in_its_order_whatever_the_run_has(make_run: MakeRun) -> None:
    table = build(make_run, paper_run.results(methods=("ghost", *reversed(paper_run.METHODS))))
    assert [one.title for one in table.references] == ["source-paste", "re-encode", "target-copy"]
    assert [group[0].title for group in table.methods] == ["FaceSwap", "FaceShifter", "SimSwap", "HifiFace", "ghost"]
    assert [group[0].name for group in table.methods] == [
        "faceswap-ffpp", "faceshifter-ffpp", "simswap-224", "hififace", "ghost",
    ]  # fmt: skip


def test_columns_are_the_papers(make_run: MakeRun) -> None:
    table = build(make_run)
    assert [column.name for column in table.columns] == [*PAPER, "params_trainable", "latency"]
    assert {len(one.cells) for one in table.lines} == {5}


def test_a_measured_cell_carries_interval_failures_and_its_own_metric(make_run: MakeRun) -> None:
    content = paper_run.results()
    content["scores"][3 * 4] |= {"n_failed": 3}
    content["metrics"][1]["leader"] = "faceshifter-ffpp"
    cells = line(build(make_run, content), "faceshifter-ffpp").cells
    assert [cell.text for cell in cells[:3]] == ["40.00", "41.00", "42.00"]
    assert cells[0].under == ("[39.50, 40.50]", "3/100 failed")
    assert cells[1].under == ("[40.50, 41.50]",)
    assert [cell.leader for cell in cells[:3]] == [False, True, False]


def test_costs_of_networks_and_of_released_videos(make_run: MakeRun) -> None:
    table = build(make_run)
    params, speed = line(table, "hififace").cells[3:]
    assert (params.text, params.under, speed.text) == ("4.86 M", ("+ 6.66 M",), "78.5")
    assert [cell.text for cell in line(table, "faceswap-ffpp").cells[3:]] == [MISSING, MISSING]


def test_every_published_figure_of_a_column_stands_once_and_nothing_else_does(make_run: MakeRun) -> None:
    table = build(make_run)
    shown = Counter(
        (one.key, one.name, metric, cell.text.removesuffix(" M"))
        for one in table.lines
        if one.kind == "published"
        for metric, cell in zip(("id_retrieval", "pose", "shape", "params", "latency"), one.cells, strict=True)
        if cell.known
    )
    known = Counter(
        (figure.source.key, figure.method, figure.metric, figure.text)
        for figure in published.read()
        if figure.metric in ("id_retrieval", "pose", "shape", "params")
    )
    assert shown == known


def test_published_rows_stand_below_their_method_with_dashes_where_nothing_is_known(make_run: MakeRun) -> None:
    faceswap, faceshifter, _, hififace = build(make_run).methods
    assert [one.label for one in faceswap] == ["faceswap-ffpp", "published"]
    assert [cell.text for cell in faceswap[1].cells] == [MISSING] * 5
    assert [one.label for one in faceshifter[1:]] == [
        "published (d)", "published (f)", "published (g, FaceShifter stage 1)",
    ]  # fmt: skip
    assert [cell.marked for cell in hififace[1].cells] == ["98.48", "2.63", MISSING, MISSING, MISSING]
    assert [cell.marked for cell in faceshifter[3].cells] == [MISSING, MISSING, MISSING, "421 M ≈", MISSING]


def test_a_method_that_was_not_run_is_published_only(make_run: MakeRun) -> None:
    table = build(make_run, paper_run.results(methods=("target-copy", "hififace")))
    titles = [one.title for one in table.elsewhere]
    assert titles[0] == "MegaFS"
    assert {"FaceShifter", "SimSwap", "InfoSwap"} <= set(titles)
    assert "HifiFace" not in titles
    assert not any(one.kind == "measured" for one in table.elsewhere)


def test_a_method_of_nobodys_paper_has_no_published_row(make_run: MakeRun) -> None:
    own = build(make_run, paper_run.results(methods=("hififace", "lab-paste"))).methods[-1]
    assert [(one.title, one.label, one.kind) for one in own] == [("lab-paste", "", "measured")]


def test_ablations_bear_the_papers_names(make_run: MakeRun) -> None:
    names = ("target-copy", "hififace", "hififace-n3d", "hififace-bare", "hififace-blend", "hififace-concat")
    table = build(make_run, paper_run.results(methods=names, suite="ffpp-ablation"))
    assert [group[0].title for group in table.methods] == ["HifiFace", "Ours-n3d", "Bare", "Blend", "Concat"]
    assert [one.kind for one in table.methods[1]] == ["measured", "published"]


def test_two_methods_of_one_paper_share_what_is_published(make_run: MakeRun) -> None:
    (group,) = build(make_run, paper_run.results(methods=("hififace-ffpp", "hififace"))).methods
    assert [one.label for one in group[:2]] == ["hififace-ffpp", "hififace ‡"]
    assert [one.key for one in group[2:]] == ["a", "d", "f"]


def test_a_method_that_is_not_available_is_a_row_of_dashes_and_a_footnote(make_run: MakeRun) -> None:
    table = build(make_run, paper_run.unavailable(paper_run.results(), "simswap-224", WHY))
    row = line(table, "simswap-224")
    assert [cell.text for cell in row.cells] == [MISSING] * 5
    assert [cell.under for cell in row.cells] == [()] * 5
    told = [note.text for note in table.notes]
    assert f"No swap by simswap-224: not available (100 pairs): {WHY} (100 x)" in told
    assert not any(text.startswith("Failed:") for text in told)


def test_the_other_tables_say_why_a_method_is_absent_too(make_run: MakeRun) -> None:
    content = paper_run.unavailable(paper_run.results(), "simswap-224", WHY)
    told = [note.text for note in tables.build(read.run(paper_run.write(make_run, content))).notes]
    assert any(text.startswith("No swap by simswap-224: not available") for text in told)
    told = [note.text for note in tables.build(read.run(make_run(name="demo"))).notes]
    assert not any(text.startswith("No swap") for text in told)  # faceswap failed on two pairs, not on all


def test_numbers_by_a_teacher_bear_a_dagger(make_run: MakeRun) -> None:
    table = build(make_run, paper_run.results(EMBEDDED, suite="ffpp-table1-embedded"))
    assert line(table, "hififace").cells[2].text.endswith(" †")
    assert not line(table, "faceshifter-ffpp").cells[2].text.endswith(" †")
    assert any(note.text.startswith("†") for note in table.notes)


def test_footnotes_name_every_source_and_every_mark_that_is_used(make_run: MakeRun) -> None:
    table = build(make_run)
    told = "\n".join(note.text for note in table.notes)
    used = {cell.mark for one in table.lines for cell in one.cells if cell.mark}
    assert used == {"≈", "≠"}
    for words in (*used, "Published figures without a mark", "‡", "a: FF++ own paper. Papers with Code page"):
        assert words in told
    keys = {one.key for one in table.lines if one.key}
    assert all(f"\n{key}: " in told for key in keys)


def test_alarms_come_first(make_run: MakeRun) -> None:
    content = paper_run.results()
    content["checks"] = [{"name": "order", "ok": False, "detail": ""}]
    first, second, *_ = build(make_run, content).notes
    assert first.alarm and "CHECK FAILED: order" in first.text
    assert not second.alarm


@pytest.mark.parametrize(
    ("metrics", "kind"), [(PAPER, "portraits"), (PAPER[:1], "ffpp"), (PAPER[1:], "ffpp"), (("shape[ringnet]",), "ffpp")]
)
def test_other_runs_are_not_laid_out_so(make_run: MakeRun, metrics: tuple[str, ...], kind: str) -> None:
    run = read.run(paper_run.write(make_run, paper_run.results(metrics), kind))
    assert paper_table.build(run) is None


def test_the_demo_is_not_laid_out_so(make_run: MakeRun) -> None:
    assert paper_table.build(read.run(make_run(finished_run.results()))) is None
