from __future__ import annotations

from math import nan

import pytest

from hifibench import registry
from hifibench.records import Score
from metrics.reference import check_order
from metrics.statistics import wilson

NAMES = (
    "id_retrieval[edgeface,sources,top1]",
    "id_retrieval[edgeface,frames,top1]",
    "id_retrieval[edgeface,frames,top5]",
    "id_leak[edgeface]",
    "pose[mediapipe]",
    "expression[mediapipe]",
    "background[l1]",
    "background[ssim]",
    "forgery_auc[spectrum]",
)
ROWS = {
    "target-copy": (1.0, 0.0, 4.0, 1.0, 0.0, 0.0, 0.0, 1.0, 50.0),
    "re-encode": (1.0, 0.0, 5.0, 0.98, 0.3, 0.1, 0.01, 0.97, 52.0),
    "source-paste": (99.0, 97.0, 100.0, 0.2, 9.0, 0.9, 0.001, 0.99, 99.0),
    "method": (70.0, 60.0, 90.0, 0.3, 2.0, 0.3, 0.002, 0.98, 80.0),
}
METRICS = [registry.metric(name) for name in NAMES]
GALLERIES = {"frames": 100, "sources": 100}
EQUAL, CHANCE, CEILING, LEADS, POSE, BETWEEN, COMPRESSED, PASTED = range(8)


def score(metric, value, n=100, spread=2.0):
    return Score(metric, value, value - spread, value + spread, n, 0, value)


def table(changes=(), rows=ROWS):
    scores = {
        method: {name: score(name, value) for name, value in zip(NAMES, row, strict=True)}
        for method, row in rows.items()
    }
    for method, name, value in changes:
        scores[method][name] = score(name, value)
    return scores


def test_a_table_in_order_passes_every_check():
    checks = check_order(table(), METRICS, GALLERIES)
    assert all(check.ok and not check.skipped for check in checks)
    assert checks[CHANCE].detail == (
        "target-copy id_retrieval[edgeface,sources,top1] 1.0 % (chance 1.0 %); "
        "target-copy id_retrieval[edgeface,frames,top1] 0.0 % (chance 0.0 %); "
        "target-copy id_retrieval[edgeface,frames,top5] 4.0 % (chance 4.0 %); and 3 more."
    )


@pytest.mark.parametrize(
    ("method", "metric", "value", "failing", "said"),
    [
        ("target-copy", "pose[mediapipe]", 1e-4, {EQUAL}, r"pose[mediapipe] 0.0001 deg (expected 0)"),
        ("target-copy", "expression[mediapipe]", 0.01, {EQUAL}, "expression[mediapipe] 0.01 (expected 0)"),
        ("target-copy", "background[l1]", 0.001, {EQUAL}, "background[l1]"),
        ("target-copy", "background[ssim]", 0.99, {EQUAL}, "background[ssim] 0.99 (expected 1)"),
        ("target-copy", "id_leak[edgeface]", 0.9, {EQUAL}, "id_leak[edgeface] 0.9 (expected 1)"),
        ("target-copy", NAMES[0], 20.0, {CHANCE}, "20.0 % (chance 1.0 %)"),
        ("target-copy", NAMES[1], 20.0, {CHANCE}, "20.0 % (chance 0.0 %)"),
        ("target-copy", NAMES[2], 30.0, {CHANCE}, "30.0 % (chance 4.0 %)"),
        ("re-encode", NAMES[0], 20.0, {CHANCE}, "re-encode"),
        ("source-paste", NAMES[0], 66.0, {CEILING}, "66.0 %"),
        ("re-encode", "forgery_auc[spectrum]", 64.0, {COMPRESSED}, "re-encode forgery_auc[spectrum] 64.0 %"),
        ("re-encode", "forgery_auc[spectrum]", 36.0, {COMPRESSED}, "36.0 %"),
        ("re-encode", "forgery_auc[spectrum]", 61.0, set(), ""),
        ("source-paste", "forgery_auc[spectrum]", 70.0, {PASTED}, "70.0 %"),
        ("method", NAMES[1], 100.0, set(), ""),
        ("source-paste", "pose[mediapipe]", 0.2, {POSE, BETWEEN}, "0.2 deg against 0.3 of re-encode"),
        ("re-encode", "expression[mediapipe]", 1.2, {BETWEEN}, "1.2 between 0 and 0.9"),
    ],
)  # fmt: skip
def test_the_row_that_is_out_of_order_is_named(method, metric, value, failing, said):
    checks = check_order(table([(method, metric, value)]), METRICS, GALLERIES)
    assert {index for index, check in enumerate(checks) if not check.ok} == failing
    for index in failing:
        doubtful = "its figures on these images" if index in (COMPRESSED, PASTED) else "this table"
        assert f"Do not trust {doubtful}." in checks[index].detail
    assert not failing or any(said in checks[index].detail for index in failing)


def test_a_method_that_outdoes_the_pasted_source_is_named():
    checks = check_order(table([("source-paste", NAMES[0], 85.0), ("method", NAMES[0], 99.0)]), METRICS, GALLERIES)
    assert [index for index, check in enumerate(checks) if not check.ok] == [LEADS]
    assert "85.0 % against 99.0 % of method" in checks[LEADS].detail


def test_the_true_swap_may_outdo_the_pasted_source():
    scores = table([("source-paste", NAMES[0], 85.0)])
    scores["truth"] = {NAMES[0]: score(NAMES[0], 99.0)}
    assert all(check.ok for check in check_order(scores, METRICS, GALLERIES))


def test_sources_and_targets_exchanged_are_noticed():
    scores = table()
    scores["target-copy"], scores["source-paste"] = scores["source-paste"], scores["target-copy"]
    failed = {index for index, check in enumerate(check_order(scores, METRICS, GALLERIES)) if not check.ok}
    assert failed >= {EQUAL, CHANCE, CEILING, POSE, BETWEEN}


def test_few_pairs_leave_room_for_luck():
    name = NAMES[0]
    few = {"target-copy": {name: Score(name, 25.0, *(100 * end for end in wilson(1, 4)), 4, 0, 25.0)}}
    many = {"target-copy": {name: Score(name, 25.0, *(100 * end for end in wilson(100, 400)), 400, 0, 25.0)}}
    assert check_order(few, METRICS, GALLERIES)[CHANCE].ok
    assert not check_order(many, METRICS, GALLERIES)[CHANCE].ok


@pytest.mark.parametrize("missing", ["row", "metric", "value"])
def test_what_cannot_be_checked_is_skipped_and_said_so(missing):
    scores, metrics = table(), METRICS
    if missing == "row":
        scores = {"method": scores["method"]}
    elif missing == "metric":
        metrics = [registry.metric("shape[3ddfa]")]
    else:
        scores = {method: {name: score(name, nan) for name in row} for method, row in scores.items()}
    checks = check_order(scores, metrics, GALLERIES)
    assert len(checks) == 8
    assert all(check.ok and check.skipped and check.detail.startswith("Skipped: it takes") for check in checks)


def test_one_missing_row_skips_only_what_takes_it():
    rows = {method: row for method, row in ROWS.items() if method != "re-encode"}
    checks = check_order(table(rows=rows), METRICS, GALLERIES)
    assert [index for index, check in enumerate(checks) if check.skipped] == [BETWEEN]


def test_a_gallery_of_a_few_people_says_nothing_about_chance():
    scores = {"target-copy": {NAMES[2]: score(NAMES[2], 100.0)}}
    assert check_order(scores, METRICS, {"frames": 3})[CHANCE].skipped
    assert not check_order(scores, METRICS, {"frames": 50})[CHANCE].ok


def test_a_score_without_an_interval_is_checked_by_its_value_but_for_detectors_which_a_pair_or_two_cannot_judge():
    scores = {
        method: {name: Score(name, value, nan, nan, 9, 0, value) for name, value in zip(NAMES, row, strict=True)}
        for method, row in ROWS.items()
    }
    checks = check_order(scores, METRICS, GALLERIES)
    assert all(check.ok for check in checks)
    assert [index for index, check in enumerate(checks) if check.skipped] == [COMPRESSED, PASTED]
    scores["re-encode"]["forgery_auc[spectrum]"] = Score("forgery_auc[spectrum]", 62.5, nan, nan, 1, 0, 62.5)
    assert check_order(scores, METRICS, GALLERIES)[COMPRESSED].skipped
    scores["source-paste"]["pose[mediapipe]"] = Score("pose[mediapipe]", 0.0, nan, nan, 9, 0, 0.0)
    assert any(not check.ok for check in check_order(scores, METRICS, GALLERIES))
