from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import finished_run
import pytest
from test_report_page import Outline

from reports import parts, read, tables, write
from reports.page import page

MakeRun = Callable[..., Path]
POSE = "pose[mediapipe]"


def part(level: str, n: int, base: float, metric: str = POSE, **changes: Any) -> dict[str, Any]:
    scores = [
        {"method": name, "metric": metric, "value": base + at, "low": base + at - 1, "high": base + at + 1, "n": n,
         "n_failed": 0, "reason": ""} | (changes if name == "faceswap" else {})
        for at, name in enumerate(finished_run.METHODS)
    ]  # fmt: skip
    return {
        "split": "yaw[exact]",
        "title": "Yaw of the target",
        "unit": "deg",
        "level": level,
        "n": n,
        "scores": scores,
    }


def results(*splits: dict[str, Any]) -> dict[str, Any]:
    return {**finished_run.results(), "schema": 2, "splits": list(splits)}


def build(folder: Path) -> tuple[parts.Parted, ...]:
    run = read.run(folder)
    return parts.build(run, tables.build(run))


def cells(block: parts.Block, method: str) -> tuple[parts.PartCell, ...]:
    return next(line for row, line in block.lines if row.name == method)


def test_a_table_holds_the_levels_of_one_split_for_every_method(make_run: MakeRun) -> None:
    [split] = build(make_run(results(part("below 15", 7, 2.0), part("15 to 30", 1, 12.0))))
    assert split.heading == "Yaw of the target (deg), exact"
    assert [level.words for level in split.levels] == ["below 15, 7 pairs", "15 to 30, 1 pair"]
    [block] = split.blocks
    assert [row.name for row, _ in block.lines] == [row.name for row in tables.build(read.run(make_run(name="b"))).rows]
    assert [(cell.text, cell.interval) for cell in cells(block, "faceswap")] == [
        ("5.00", "[4.00, 6.00]"),
        ("15.00", "[14.00, 16.00]"),
    ]


def test_only_the_metrics_of_the_first_table_are_shown_if_it_has_any_by_part(make_run: MakeRun) -> None:
    both = part("easy", 3, 1.0)
    both["scores"] += part("easy", 3, 1.0, metric="background[l1]")["scores"]
    assert [block.column.name for block in build(make_run(results(both)))[0].blocks] == [POSE]
    other = part("easy", 3, 1.0, metric="background[l1]")
    [split] = build(make_run(results(other), name="other"))
    assert [block.column.name for block in split.blocks] == ["background[l1]"]


def test_failures_stand_beside_the_number(make_run: MakeRun) -> None:
    [split] = build(make_run(results(part("hard", 4, 2.0, n_failed=3))))
    assert cells(split.blocks[0], "faceswap")[0].failed == "3/4 not scored"
    assert cells(split.blocks[0], "hififace")[0].failed == ""


def test_a_number_by_its_own_teacher_is_refused_or_marked_and_has_not_failed(make_run: MakeRun) -> None:
    content = results(part("hard", 4, 2.0, value=None, low=None, high=None, n_failed=4, reason="mediapipe taught it"))
    method = next(method for method in content["methods"] if method["name"] == "faceswap")
    method["trained_with"] = ["mediapipe"]
    for score in content["scores"]:
        if (score["method"], score["metric"]) == ("faceswap", POSE):
            score |= {"value": None, "low": None, "high": None, "n_failed": 0, "reason": "mediapipe taught it"}
    [split] = build(make_run(content))
    assert cells(split.blocks[0], "faceswap")[0] == parts.PartCell("refused †")
    marked = results(part("hard", 4, 2.0))
    marked["methods"] = content["methods"]
    [split] = build(make_run(marked, name="marked"))
    assert cells(split.blocks[0], "faceswap")[0].text == "5.00 †"


def test_what_is_missing_is_a_dash(make_run: MakeRun) -> None:
    short = part("hard", 4, 2.0)
    short["scores"] = short["scores"][1:]
    [split] = build(make_run(results(part("easy", 3, 1.0, value=None, low=None, high=None, n_failed=3), short)))
    assert [cell.text for cell in cells(split.blocks[0], "faceswap")] == ["—", "5.00"]
    assert [cell.text for cell in cells(split.blocks[0], "target-copy")] == ["1.00", "—"]


def test_page_and_markdown_have_the_section_where_there_are_splits_only(make_run: MakeRun) -> None:
    with_parts = make_run(results(part("below 15", 7, 2.0, n_failed=1)))
    write.write_all(with_parts)
    text = (with_parts / "report" / "table.md").read_text()
    assert "## By part" in text
    assert "| faceswap | 5.00 \\[4.00, 6.00\\] (1/7 not scored) |" in text.replace("[4.00, 6.00]", "\\[4.00, 6.00\\]")
    outline = Outline((with_parts / "report" / "index.html").read_text())
    assert "Yaw of the target (deg), exact" in outline.text and "1/7 not scored" in outline.text
    assert ("a", {"href": "#parts"}) in outline.elements
    without = make_run(name="without")
    write.write_all(without)
    assert "By part" not in (without / "report" / "table.md").read_text()
    assert "#parts" not in (without / "report" / "index.html").read_text()


@pytest.mark.parametrize("level", ["<b>bold</b>", "a | b"])
def test_labels_come_out_as_they_stand(make_run: MakeRun, level: str) -> None:
    folder = make_run(results(part(level, 7, 2.0)))
    run = read.run(folder)
    made = parts.build(run, tables.build(run))
    assert level in Outline(page.render(run, tables.build(run), parted=made)).text
    lines = [line for line in parts.markdown(made).splitlines() if line.startswith("| Pose")]
    assert len(lines) == 1 and lines[0].replace("\\|", "").count("|") == 3
