from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import finished_run
import pytest
import table_runs
from rich.console import Console

from reports import read, tables, terminal

MakeRun = Callable[..., Path]


def shown(folder: Path, width: int, details: bool = True, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None)
    terminal.show(read.run(folder), console, details)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("n_failed", [0, 2])
def test_no_number_is_cut_or_folded_at_any_width(make_run: MakeRun, width: int, n_failed: int) -> None:
    folder = make_run(finished_run.results(n_failed=n_failed))
    text = shown(folder, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    table = tables.build(read.run(folder))
    for (_, name), cell in table.cells.items():
        if "worst" not in name:
            assert cell.text in text
            assert cell.interval in text
    for column in table.leads[0].columns:
        if column.worst_of:
            assert all(table.cell(row, column).text in text for row in table.rows)


def test_the_demo_reads_at_a_hundred_columns_without_stacking(make_run: MakeRun) -> None:
    methods = ["target-copy", "re-encode", "source-paste", "faceswap"]
    content = finished_run.results(methods, n_failed=0)
    for score in content["scores"]:
        score["low"] = max(score["low"], 0.0)
    lines = shown(make_run(content), 100).splitlines()
    assert sum(line.startswith("target-copy") for line in lines) == 1
    assert sum("target-copy" in line and "faceswap" in line for line in lines) == 1


def test_details_can_be_left_out(make_run: MakeRun) -> None:
    folder = make_run()
    assert "Background L1" in shown(folder, 100)
    assert "Background L1" not in shown(folder, 100, details=False)


def test_alarms_are_loud_and_last(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["checks"] = [{"name": "target-copy keeps the pose", "ok": False, "detail": "3.1 deg"}]
    last = shown(make_run(content), 200, colour=True).strip().splitlines()[-1]
    assert "CHECK FAILED: target-copy keeps the pose" in last
    assert "\x1b[1;37;41m" in last


def test_what_steers_a_terminal_is_shown_and_not_done(make_run: MakeRun) -> None:
    content = finished_run.results(["target-copy", "evil\x1b[31m"])
    content["title"] = "title\x1b]0;stolen\x07"
    content["methods"][1]["status"] = {"failed": 100}
    content["methods"][1]["messages"] = ["said\x1b[2J"]
    content["experts"][0]["limits"] = "limits\x1b[3J"
    text = shown(make_run(content), 200)
    assert "\x1b" not in text and "\x07" not in text
    assert all(rf"{word}\u001b" in text for word in ("evil", "title", "said", "limits"))


def test_names_are_text_and_never_markup(make_run: MakeRun) -> None:
    content = finished_run.results(["target-copy", "[red]evil[/red]"])
    assert "[red]evil[/red]" in shown(make_run(content, examples=0), 100)


def test_a_very_narrow_console_still_shows_every_method(make_run: MakeRun) -> None:
    text = shown(make_run(), 40)
    assert all(method in text for method in finished_run.METHODS)


def test_what_is_known_of_a_metric_is_folded_below_its_name(make_run: MakeRun) -> None:
    content = finished_run.results(n_failed=0)
    content["metrics"][0]["calibration"] = {
        "floor": 0.5, "ceiling": 9.0, "series": "Identity", "rho": 0.97, "resolution": 12.5, "pairs": 100,
    }  # fmt: skip
    lines = [line[:28].rstrip() for line in shown(make_run(content), 80).splitlines()]
    at = lines.index("  edgeface, sources, top1")
    assert lines[at + 1 : at + 3] == ["  floor 0.5, ρ 0.97", "  (Identity), resolves 12 at"]


def test_the_tables_of_the_paper_stand_before_all_others(make_run: MakeRun) -> None:
    content = table_runs.with_forgery(finished_run.results(table_runs.ABLATION, n_failed=0))
    folder = table_runs.write_scores(make_run(content, examples=0), content)
    text = shown(folder, 80)
    two, ablations, all_of_it = (text.index(words) for words in ("Table 2", "Δ", "All measurements"))
    assert two < ablations < all_of_it
    # The detectors lead once, and stand once more among all measurements.
    assert tables.TABLE_2 not in text
    assert "better" in text and "worse" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_method_without_any_success_is_dashes_and_a_note(make_run: MakeRun) -> None:
    content = table_runs.silent(finished_run.results(n_failed=0), "faceswap")
    text = shown(make_run(content, examples=0), 100)
    rows = [line.split() for line in text.splitlines() if line.startswith("faceswap")]
    assert rows and all({*row[1:]} <= {"—", "100/100", "61.2"} for row in rows)
    assert "No number for faceswap" in text
