from __future__ import annotations

from math import nan

import pytest

from hifibench import registry
from hifibench.records import Score
from metrics.true_row import findings, leads, should_lead

POSE, RETRIEVAL, PIXELS = "pose[mediapipe]", "id_retrieval[edgeface,sources,top1]", "truth[l1]"


def table(metric: str, **rows: tuple[float, float, float]) -> dict[str, dict[str, Score]]:
    names = {name.replace("_", "-"): ends for name, ends in rows.items()}
    return {name: {metric: Score(metric, value, low, high, 9, 0, value)} for name, (low, value, high) in names.items()}


def ahead(metric: str, **rows: tuple[float, float, float]) -> list[tuple[str, bool]]:
    found = leads(table(metric, **rows), [registry.metric(metric)])
    return [(lead.row, lead.exact) for lead in found]


def test_a_method_beyond_both_intervals_is_ahead_and_one_within_is_not() -> None:
    assert ahead(POSE, truth=(2, 3, 4), faceswap=(1, 1.5, 1.9)) == [("faceswap", False)]
    assert ahead(POSE, truth=(2, 3, 4), faceswap=(1, 1.5, 2.1)) == []


def test_higher_is_better_where_the_metric_says_so() -> None:
    assert ahead(RETRIEVAL, truth=(70, 80, 90), faceswap=(92, 95, 99)) == [("faceswap", False)]
    assert ahead(RETRIEVAL, truth=(70, 80, 90), faceswap=(10, 20, 30)) == []


def test_rows_that_are_perfect_by_definition_do_not_count() -> None:
    assert ahead(POSE, truth=(2, 3, 4), target_copy=(0, 0, 0), re_encode=(0.1, 0.2, 0.3)) == []
    assert ahead(RETRIEVAL, truth=(70, 80, 90), source_paste=(98, 99, 100)) == []
    # In what comes from the source, the target has nothing to win.
    assert ahead(RETRIEVAL, truth=(1, 2, 3), target_copy=(5, 6, 7)) == [("target-copy", False)]


def test_of_several_the_best_is_named() -> None:
    assert ahead(POSE, truth=(5, 6, 7), a=(1, 2, 3), b=(0, 1, 2), c=(6, 7, 8)) == [("b", False)]


def test_pixels_need_no_estimator_so_the_run_itself_is_wrong() -> None:
    scores = table(PIXELS, truth=(0.1, 0.2, 0.3), faceswap=(0, 0.01, 0.02))
    assert ahead(PIXELS, truth=(0.1, 0.2, 0.3), faceswap=(0, 0.01, 0.02)) == [("faceswap", True)]
    (said,) = findings(scores, [registry.metric(PIXELS)])
    assert said == "truth[l1] finds faceswap better than the true swap (0.0100 against 0.2000): " + (
        "no estimator took part, so the run is wrong"
    )


def test_a_score_without_interval_counts_by_its_value_and_none_at_all_not() -> None:
    assert ahead(POSE, truth=(nan, 3, nan), faceswap=(nan, 2, nan)) == [("faceswap", False)]
    assert ahead(POSE, truth=(2, 3, 4), faceswap=(nan, nan, nan)) == []
    assert ahead(POSE, faceswap=(1, 2, 3)) == []


@pytest.mark.parametrize(
    ("metric", "leads"),
    [
        (POSE, True),
        ("skin_tone[mediapipe,source]", True),
        ("skin_tone[mediapipe,target]", False),
        ("background[l1]", False),
        ("id_leak[edgeface]", False),
        ("forgery_eer[spectrum]", True),
        ("kid[inception]", False),
    ],
)
def test_where_the_true_swap_should_be_best(metric: str, leads: bool) -> None:
    assert should_lead(registry.metric(metric)) is leads
