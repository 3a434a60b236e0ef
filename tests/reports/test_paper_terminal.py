from __future__ import annotations

import io
from pathlib import Path

import paper_run
import pytest
from paper_run import EMBEDDED, MakeRun
from rich.console import Console

from reports import read, terminal
from reports.paper import table_one as paper_table
from reports.paper import terminal as paper_terminal


def shown(folder: Path, width: int, whole: bool = False) -> str:
    out, run = io.StringIO(), read.run(folder)
    console = Console(file=out, width=width)
    if whole:
        terminal.show(run, console)
    else:
        table = paper_table.build(run)
        assert table is not None
        paper_terminal.show(table, console)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_number_is_cut_or_folded_at_any_width(make_run: MakeRun, width: int) -> None:
    content = paper_run.results(EMBEDDED)
    for score in content["scores"]:
        score["n_failed"] = 3 if score["method"] == "faceshifter-ffpp" else 0
    folder = paper_run.write(make_run, content)
    text = shown(folder, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    table = paper_table.build(read.run(folder))
    assert table is not None
    for line in table.lines:
        for cell in line.cells:
            assert cell.marked in text
            assert all(words in text for words in cell.under)


def test_at_two_hundred_columns_every_row_stands_once(make_run: MakeRun) -> None:
    lines = shown(paper_run.write(make_run, paper_run.results()), 200).splitlines()
    for name in ("target-copy", "FaceShifter", "  faceshifter-ffpp", "  hififace ‡", "MegaFS (b)", "FSGAN (g)"):
        assert sum(line.startswith(f"{name} ") for line in lines) == 1
    assert sum("published (f)" in line for line in lines) == 3
    (own,) = [line for line in lines if line.startswith("  published (a)")]
    assert own.split() == ["published", "(a)", "98.48", "2.63", "—", "—", "—"]


def test_a_narrow_console_repeats_only_what_has_a_number(make_run: MakeRun) -> None:
    content = paper_run.results()
    for score in content["scores"]:
        score.update(low=-1000.0, high=1000.0)
    lines = [line.split() for line in shown(paper_run.write(make_run, content), 80).splitlines()]
    assert lines.count(["SimSwap", "50.00", "51.00"]) == lines.count(["SimSwap", "52.00", "—", "—"]) == 1
    # Two parts: retrieval and pose, of which MegaFS has figures, then shape and costs, of which it has none.
    assert [line for line in lines if line[:1] == ["MegaFS"]] == [["MegaFS", "(b)", "90.83", "≈", "2.64", "≈"]]
    assert [line for line in lines if "421" in line] == [["published", "(g)", "—", "421", "M", "≈", "—"]]
    assert sum(line[:2] == ["published", "(f)"] for line in lines) == 3


def test_alarms_are_printed_once_and_last(make_run: MakeRun) -> None:
    content = paper_run.results()
    content["checks"] = [{"name": "order", "ok": False, "detail": ""}]
    text = shown(paper_run.write(make_run, content), 200, whole=True)
    assert text.count("CHECK FAILED") == 1
    assert "CHECK FAILED" in text.strip().splitlines()[-1]
    assert text.index("published (a)") < text.index("All measurements")
