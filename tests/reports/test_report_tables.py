from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import finished_run
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import glossary, read, tables
from reports.tables import MISSING, Column

MakeRun = Callable[..., Path]
RETRIEVAL = "id_retrieval[edgeface,sources,top1]"


def build(folder: Path) -> tables.Table:
    return tables.build(read.run(folder))


def test_reference_rows_come_first_and_keep_their_order(make_run: MakeRun) -> None:
    table = build(make_run(finished_run.results(["faceswap", "target-copy", "hififace", "source-paste"])))
    assert [row.name for row in table.rows] == ["target-copy", "source-paste", "faceswap", "hififace"]
    assert [row.reference for row in table.rows] == [True, True, False, False]


def test_the_key_table_holds_the_first_of_each_metric_of_the_paper(make_run: MakeRun) -> None:
    table = build(make_run(finished_run.results(n_failed=0)))
    assert [column.name for column in table.leads[0].columns] == [
        RETRIEVAL, "pose[mediapipe]", "shape[3ddfa]", "expression[mediapipe]", "failed", "latency",
    ]  # fmt: skip


def test_without_the_metrics_of_the_paper_the_key_table_holds_the_first_ones(make_run: MakeRun) -> None:
    content = finished_run.results(n_failed=0)
    content["metrics"] = [metric for metric in content["metrics"] if glossary.base(metric["name"]) == "background"]
    content["scores"] = [score for score in content["scores"] if glossary.base(score["metric"]) == "background"]
    assert build(make_run(content)).leads[0].columns[0].name == "background[l1]"


def test_every_metric_stands_in_exactly_one_section(make_run: MakeRun) -> None:
    table = build(make_run(finished_run.results(n_failed=0)))
    listed = [column.name for section in table.sections for column in section.columns if column.group != "cost"]
    assert sorted(listed) == sorted(name for name, *_ in finished_run.METRICS)
    assert [section.title for section in table.sections] == ["identity", "attributes", "background", "cost"]


def test_a_cell_carries_value_interval_and_lead(make_run: MakeRun) -> None:
    table = build(make_run())
    cell = table.cells["hififace", RETRIEVAL]
    assert (cell.text, cell.interval, cell.leader) == ("80.0", "[76.0, 84.0]", True)
    assert not table.cells["faceswap", RETRIEVAL].leader
    assert not table.cells["hififace", "pose[mediapipe]"].leader


def test_what_is_missing_is_a_dash(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["scores"][0] |= {"value": None, "low": None, "high": None}
    content["scores"][1] |= {"low": None}
    table = build(make_run(content))
    assert table.cells["target-copy", content["scores"][0]["metric"]].text == MISSING
    second = table.cells["target-copy", content["scores"][1]["metric"]]
    assert (second.text, second.interval) == ("0.0", "")
    latency = next(column for column in table.leads[0].columns if column.name == "latency")
    assert [table.cell(row, latency).text for row in table.rows] == [MISSING, MISSING, MISSING, "61.2", MISSING]


def test_worst_cases_stand_beside_the_metric_when_a_pair_failed(make_run: MakeRun) -> None:
    table = build(make_run())
    names = [column.name for column in table.leads[0].columns]
    worst = table.leads[0].columns[names.index(RETRIEVAL) + 1]
    assert worst.worst_of == RETRIEVAL
    assert table.cells["faceswap", worst.name].text == "58.8"
    assert table.cells["faceswap", "failed"].text == "2/100"
    assert any(note.text.startswith("Worst case") for note in table.notes)


def test_without_failures_there_is_no_worst_case(make_run: MakeRun) -> None:
    table = build(make_run(finished_run.results(n_failed=0)))
    assert not any(column.worst_of for column in table.leads[0].columns)
    assert not any(note.text.startswith("Worst case") for note in table.notes)


def test_costs_that_nobody_counted_take_no_row(make_run: MakeRun) -> None:
    with_network = build(make_run(name="with")).sections[-1]
    without = build(make_run(finished_run.results(["target-copy", "faceswap"]), name="without")).sections[-1]
    assert [column.name for column in with_network.columns][2:] == ["params_trainable", "params_frozen", "macs"]
    assert [column.name for column in without.columns] == ["latency", "latency_p90"]


def test_failed_checks_are_alarms_and_come_first(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["checks"].append({"name": "source-paste above faceswap", "ok": False, "detail": "41 % against 60 %"})
    first, *rest = build(make_run(content)).notes
    assert first.alarm
    assert "source-paste above faceswap. 41 % against 60 %" in first.text
    assert not any("in order" in note.text or note.alarm for note in rest)


def test_skipped_checks_do_not_count_as_passed(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["checks"][1] |= {"skipped": True}
    texts = [note.text for note in build(make_run(content, name="one")).notes]
    assert "The reference rows are in order (1 check passed, 1 skipped for want of rows or metrics)." in texts
    content["checks"][0] |= {"skipped": True}
    texts = [note.text for note in build(make_run(content, name="none")).notes]
    assert "The reference rows were not checked: the run has none that could be." in texts
    assert not any("in order" in text for text in texts)


def unmeasured(content: dict[str, Any], *metrics: str) -> dict[str, Any]:
    for score in content["scores"]:
        if not metrics or score["metric"] in metrics:
            score |= {"value": None, "low": None, "high": None, "n_failed": 100, "worst_case": 0.0}
    return content


def test_what_no_method_can_be_measured_by_is_not_held_against_them(make_run: MakeRun) -> None:
    frames = "id_retrieval[edgeface,frames,top1]"
    table = build(make_run(unmeasured(finished_run.results(n_failed=0), frames)))
    assert {table.cells[row.name, "failed"].text for row in table.rows} == {"0/100"}
    assert not any(column.worst_of == frames for section in table.sections for column in section.columns)
    assert any(note.text.startswith("Not measurable in this run") and frames in note.text for note in table.notes)
    assert not any(note.text.startswith(("Worst case", "Not scored")) for note in table.notes)


def test_where_every_swap_failed_every_pair_is_not_scored(make_run: MakeRun) -> None:
    table = build(make_run(unmeasured(finished_run.results(["faceswap"]))))
    assert table.cells["faceswap", "failed"].text == "100/100"
    assert table.cells["faceswap", f"{RETRIEVAL} worst case"].text == "0.0"
    assert not any(note.text.startswith("Not measurable") for note in table.notes)


def test_the_limits_of_the_estimators_are_footnotes(make_run: MakeRun) -> None:
    floors = [note.text for note in build(make_run()).notes if note.floor]
    assert floors == ["Limits of mediapipe: compresses large angles"]


def test_the_footnotes_name_code_and_what_is_for_research_only(make_run: MakeRun) -> None:
    text = "\n".join(note.text for note in build(make_run()).notes)
    assert "hifibench 0.1.0, commit 0123abcd, created 2030-01-01T12:00:00+00:00" in text
    assert "For research only, as are results that rest on them: edgeface-s." in text


def test_the_footnotes_name_protocol_galleries_manifest_and_hardware(make_run: MakeRun) -> None:
    text = "\n".join(note.text for note in build(make_run()).notes)
    for words in (
        "95 % cluster bootstrap by video",
        "frames, 200 images of 100 people",
        "memory 16 GiB",
        f"seed 0, manifest {finished_run.manifest().hash[:12]}",
        "2 checks passed",
        "source-paste: the source face laid",
    ):
        assert words in text


def test_headings_carry_unit_and_arrow() -> None:
    assert Column("pose[x]", "Pose error", "deg", direction="down").heading == "Pose error (deg) ↓"
    assert Column("ssim", "SSIM", direction="up").heading == "SSIM ↑"
    assert Column("params", "Parameters").heading == "Parameters"


@pytest.mark.parametrize(
    ("value", "decimals", "text"), [(None, 2, MISSING), (1.005, 1, "1.0"), (-0.004, 2, "0.00"), (-0.006, 2, "-0.01")]
)
def test_number(value: float | None, decimals: int, text: str) -> None:
    assert tables.number(value, decimals) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_a_printed_number_is_near_and_never_negative_zero(value: float, decimals: int) -> None:
    text = tables.number(value, decimals)
    assert abs(float(text) - value) <= 0.5000001 * 10**-decimals
    assert not (text.startswith("-") and float(text) == 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, MISSING), (0, "0"), (999, "999"), (1000, "1.00 k"), (23_456_789, "23.5 M"), (999_600, "1.00 M"),
     (9_996_000, "10.0 M"), (99_960_000, "100 M"), (102.4e9, "102 G"), (1.5e12, "1.50 T")],
)  # fmt: skip
def test_quantity(value: float | None, text: str) -> None:
    assert tables.quantity(value) == text


@given(st.integers(1000, 10**14))
def test_a_quantity_keeps_three_digits(value: int) -> None:
    digits, prefix = tables.quantity(value).split(" ")
    factor = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[prefix]
    assert abs(float(digits) * factor / value - 1) <= 0.0051
    if factor < 1e12:
        assert 1 <= float(digits) < 1000


def test_names_split_into_base_and_protocol() -> None:
    assert glossary.base("pose[mediapipe,yaw]") == glossary.base("pose") == "pose"
    assert glossary.words("pose[mediapipe, yaw]") == ("mediapipe", "yaw")
    assert glossary.words("pose") == ()


def test_not_scored_is_told_of_all_pairs_of_the_run(make_run: MakeRun) -> None:
    content = finished_run.results(n_failed=0)
    # A metric that has something to score in a few pairs only, and missed all of them.
    few = next(score for score in content["scores"] if score["method"] == "faceswap")
    few |= {"n": 3, "n_failed": 3, "value": None, "low": None, "high": None}
    assert build(make_run(content)).cells["faceswap", "failed"].text == "3/100"


def taught(content: dict[str, Any], **score: Any) -> dict[str, Any]:
    next(method for method in content["methods"] if method["name"] == "faceswap")["trained_with"] = ["mediapipe"]
    for one in content["scores"]:
        if (one["method"], one["metric"]) == ("faceswap", "pose[mediapipe]"):
            one |= score
    return content


def test_a_number_by_the_methods_teacher_is_refused_or_marked(make_run: MakeRun) -> None:
    nothing = {"value": None, "low": None, "high": None}
    refused = build(make_run(taught(finished_run.results(), **nothing, n_failed=0, reason="taught"), name="refused"))
    assert refused.cells["faceswap", "pose[mediapipe]"].text == "refused †"
    assert any("refused; --trained-with mark" in note.text for note in refused.notes)
    marked = build(make_run(taught(finished_run.results()), name="marked"))
    assert marked.cells["faceswap", "pose[mediapipe]"].text.endswith(" †")
    # Where every pair failed nobody refused anything.
    failed = build(make_run(taught(finished_run.results(), **nothing, n_failed=100), name="failed"))
    assert failed.cells["faceswap", "pose[mediapipe]"].text == MISSING
    assert any("which flatters it" in note.text for note in failed.notes)


def test_why_there_is_no_number_is_said_once(make_run: MakeRun) -> None:
    content = finished_run.results(n_failed=0)
    for score in content["scores"]:
        if score["metric"] == "background[l1]":
            score |= {"value": None, "low": None, "high": None, "reason": "too few images"}
    texts = [note.text for note in build(make_run(content)).notes]
    assert [text for text in texts if "background[l1]" in text] == ["No number: too few images (background[l1])."]


def test_what_is_known_of_a_metric_stands_beside_it_and_where_from_below(make_run: MakeRun) -> None:
    content = finished_run.results()
    known = {"floor": 0.5, "ceiling": 20.0, "series": "Yaw", "rho": 0.4, "resolution": 0.11, "pairs": 100,
             "poor": True, "reason": "ρ 0.40 with yaw", "made_on": 32, "manifest": "ab" * 32}  # fmt: skip
    for metric in content["metrics"]:
        if metric["name"] in ("pose[mediapipe]", "pose[mediapipe,yaw]"):
            metric["calibration"] = known
    table = build(make_run(content))
    column = next(one for section in table.sections for one in section.columns if one.name == "pose[mediapipe]")
    assert column.calibration == "floor 0.50, ρ 0.40 (Yaw), resolves 0.11 at 100 pairs"
    assert column.heading == "Pose error § (deg) ↓"
    texts = [note.text for note in table.notes]
    [poor] = [text for text in texts if text.startswith("§")]
    assert poor.endswith("pose[mediapipe], pose[mediapipe,yaw]: ρ 0.40 with yaw.")
    assert any("(32 pairs, abababababab)" in text for text in texts)
    # The suite says what leads: a part of a measure must not take the place of the whole.
    assert "pose[mediapipe]" in [one.name for one in table.leads[0].columns]


def test_the_second_table_holds_the_detectors_and_nothing_else(make_run: MakeRun) -> None:
    content = finished_run.results(["target-copy", "hififace"], n_failed=0)
    for name in ("forgery_ap[a]", "forgery_auc[b]", "forgery_auc[a]", "forgery_eer[a]"):
        content["metrics"].append({**content["metrics"][0], "name": name, "needs": [name[-2]]})
        content["scores"] += [
            {**content["scores"][0], "method": m, "metric": name} for m in ("target-copy", "hififace")
        ]
    _, second = build(make_run(content)).leads
    assert second.title == tables.TABLE_2
    assert [one.name for one in second.columns] == [
        "forgery_auc[a]",
        "forgery_ap[a]",
        "forgery_eer[a]",
        "forgery_auc[b]",
    ]
