from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from hifibench.contracts import Metric
from metrics.identity import id_leak, id_retrieval
from metrics.pose import pose
from metrics.statistics import cluster_bootstrap
from metrics.summary import leader, leader_of_draws, summarise, summarise_all

RETRIEVAL, LEAK, POSE = id_retrieval("edgeface", "sources", "top1"), id_leak("edgeface"), pose("mediapipe")
VIDEOS = ["u", "u", "v", "w"]


def test_a_score_holds_mean_interval_and_counts():
    values = np.array([1.0, 2.0, 3.0, 6.0])
    score = summarise(POSE, values, VIDEOS, seed=3, draws=300)
    low, high = cluster_bootstrap(values, VIDEOS, seed=3, draws=300)
    assert (score.metric, score.value, score.n, score.n_failed) == ("pose[mediapipe]", 3.0, 4, 0)
    assert (score.low, score.high) == (low, high)
    assert score.worst_case == score.value


def test_where_higher_is_better_the_largest_value_is_not_the_worst():
    likeness = Metric("likeness", "Likeness", "", "up", (), lambda observed: np.empty(0))
    score = summarise(likeness, np.array([1.0, 2.0, np.nan, np.nan]), VIDEOS, seed=0, worst=2.0)
    assert (score.value, score.n_failed) == (1.5, 2)
    assert isnan(score.worst_case)


@pytest.mark.parametrize(
    ("metric", "values", "value", "worst_case"),
    [
        (RETRIEVAL, [100.0, 100.0, 0.0, np.nan], 200 / 3, 50.0),
        (LEAK, [0.1, 0.3, np.nan, np.nan], 0.2, 0.6),
        (POSE, [1.0, 2.0, 3.0, np.nan], 2.0, 4.0),
    ],
)
def test_failed_pairs_count_as_the_worst_in_the_worst_case_alone(metric, values, value, worst_case):
    score = summarise(metric, np.array(values), VIDEOS, seed=0, worst=10.0)
    assert score.value == pytest.approx(value)
    assert score.worst_case == pytest.approx(worst_case)
    assert score.n_failed == int(np.isnan(values).sum())


def test_a_method_that_failed_throughout_has_a_worst_case_and_no_value():
    score = summarise(POSE, np.full(4, np.nan), VIDEOS, seed=0, worst=10.0)
    assert isnan(score.value) and isnan(score.low) and isnan(score.high)
    assert (score.n_failed, score.worst_case) == (4, 10.0)


def test_without_a_bound_or_a_worst_value_the_worst_case_is_unknown():
    assert isnan(summarise(POSE, np.array([1.0, np.nan, 1.0, 1.0]), VIDEOS, seed=0).worst_case)


def test_scoring_together_gives_the_scores_of_scoring_alone():
    rng = np.random.default_rng(0)
    values = rng.random((40, 3))
    values[rng.random(values.shape) < 0.1] = np.nan
    videos = [f"v{row // 4}" for row in range(40)]
    metrics, worst = [RETRIEVAL, POSE, LEAK], [np.nan, 5.0, np.nan]
    alone = [
        summarise(metric, values[:, i], videos, seed=1, draws=200, worst=worst[i]) for i, metric in enumerate(metrics)
    ]
    assert summarise_all(metrics, values, videos, seed=1, draws=200, worst=worst) == alone


def test_the_order_of_pairs_changes_no_bit_of_a_score():
    rng = np.random.default_rng(1)
    values, videos = rng.random(60), np.array([f"v{row // 4}" for row in range(60)])
    values[5] = np.nan
    order = rng.permutation(60)
    straight = summarise(POSE, values, videos, seed=1, worst=0.7)
    assert summarise(POSE, values[order], videos[order], seed=1, worst=0.7) == straight


def test_columns_without_a_metric_are_refused():
    with pytest.raises(ValueError, match=r"values \(4, 2\), 1 metrics"):
        summarise_all([POSE], np.zeros((4, 2)), VIDEOS, seed=0)


@pytest.mark.parametrize(("values", "videos"), [([100, 0, 100, 100], "abcd"), ([0, 0, 0], "abc"), ([100, 100], "ab")])
def test_a_rate_of_one_pair_a_video_has_wilsons_interval(values, videos):
    score = summarise(id_retrieval("edgeface", "sources", "top1"), np.array(values, float), list(videos), seed=0)
    low, high = proportion_confint(values.count(100), len(values), method="wilson")
    assert (score.low, score.high) == pytest.approx((100 * low, 100 * high), abs=1e-9)
    assert score.high - score.low > 10


def test_a_rate_of_zero_or_all_has_the_width_that_its_videos_allow():
    metric = id_retrieval("edgeface", "sources", "top1")
    videos = np.repeat(["a", "b", "c", "d", "e"], 20)
    for value in (0.0, 100.0):
        score = summarise(metric, np.full(100, value), videos, seed=0)
        low, high = proportion_confint(5 * value / 100, 5, method="wilson")
        assert (score.low, score.high) == pytest.approx((100 * low, 100 * high), abs=1e-9)


def test_a_rate_over_clusters_keeps_the_cluster_bootstrap():
    metric = id_retrieval("edgeface", "sources", "top1")
    values, videos = np.repeat([100.0, 0.0, 100.0, 100.0], 10), np.repeat(list("abcd"), 10)
    bounds = cluster_bootstrap(values, videos, seed=0)
    score = summarise(metric, values, videos, seed=0)
    assert (score.low, score.high) == (bounds.low, bounds.high)


def test_failed_pairs_are_no_trials_of_a_rate():
    metric = id_retrieval("edgeface", "sources", "top1")
    with_failed = summarise(metric, np.array([100.0, 0.0, np.nan]), list("abc"), seed=0)
    without = summarise(metric, np.array([100.0, 0.0]), list("ab"), seed=0)
    assert (with_failed.low, with_failed.high) == (without.low, without.high)


def test_the_leader_is_better_on_the_pairs_that_both_have():
    # The first has the higher mean only because it failed on the hard pairs; where both succeed the second is better.
    easy, hard = np.arange(3) * 0.1, np.arange(3) * 0.1
    first = np.concatenate([90 + easy, np.full(3, np.nan)])
    second = np.concatenate([95 + easy, 10 + hard])
    assert np.nanmean(first) > np.nanmean(second)
    assert leader({"first": first, "second": second}, list("abcdef"), "up", seed=0) == "second"
    assert leader({"first": first, "second": second}, list("abcdef"), "down", seed=0) == "first"


def test_nobody_leads_within_the_noise_or_alone():
    rng = np.random.default_rng(0)
    rows = {"one": rng.normal(0, 1, 30), "two": rng.normal(0, 1, 30)}
    assert leader(rows, [str(i) for i in range(30)], "up", seed=0) is None
    assert (
        leader({"one": rows["one"], "failed": np.full(30, np.nan)}, [str(i) for i in range(30)], "up", seed=0) is None
    )


def test_the_leader_beats_all_the_others():
    base = np.random.default_rng(0).normal(0, 1, 30)
    rows = {"low": base - 5, "top": base + 5, "mid": base}
    assert leader(rows, [str(i) for i in range(30)], "up", seed=0) == "top"
    assert leader(rows, [str(i) for i in range(30)], "down", seed=0) == "low"


def test_pairs_with_nothing_to_score_count_nowhere():
    made = summarise(POSE, np.array([1.0, np.inf, 3.0, np.nan]), list("abcd"), seed=0, worst=8)
    assert (made.value, made.n, made.n_failed, made.worst_case) == (2.0, 3, 1, 4.0)
    rows = {"a": np.array([1.0, np.inf, 3.0]), "b": np.array([2.0, np.inf, 4.0])}
    assert leader(rows, list("uvw"), "down", seed=0) == "a"


def test_numbers_of_whole_sets_are_compared_draw_by_draw():
    rng = np.random.default_rng(0)
    common = rng.normal(0, 5, 500)
    draws = {"a": common + rng.normal(0, 0.1, 500), "b": common + 1 + rng.normal(0, 0.1, 500), "none": np.empty(0)}
    assert leader_of_draws(draws, "down") == "a" and leader_of_draws(draws, "up") == "b"
    # The same numbers, but no longer of the same videos.
    assert leader_of_draws({**draws, "b": rng.permutation(draws["b"])}, "down") is None
    assert leader_of_draws({"a": draws["a"], "none": np.empty(0)}, "down") is None


@pytest.mark.filterwarnings("error")
def test_draws_that_have_no_value_leave_the_comparison():
    row = np.array([1.0, np.nan, 1.0, 1.0])
    assert leader_of_draws({"a": row, "b": np.array([2.0, 2.0, np.nan, 2.0])}, "down") == "a"
    assert leader_of_draws({"a": row, "b": np.where(np.isnan(row), 0.0, np.nan)}, "down") is None
