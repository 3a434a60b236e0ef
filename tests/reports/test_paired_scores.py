from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import compare_runs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.errors import UsageError
from reports import read
from reports.comparison.compare import build
from reports.comparison.pairs import draws_of
from reports.leaderboard.ranks import standings
from reports.paired_scores import PairScores, Shift, pairwise, shifts
from reports.records import Metric, Result

VIDEOS = np.array([f"v{at}" for at in range(8)])
METRIC = Metric("pose[x]", "Pose", "deg", "down")
UP = Metric("id_cosine[x]", "ID cosine", "", "up")
RATE = Metric("id_retrieval[x]", "ID retrieval", "%", "up", rate=True)
ROWS = st.lists(st.lists(st.floats(-5, 5), min_size=8, max_size=8), min_size=1, max_size=4)


def scored(rows: dict[str, list[float]]) -> tuple[list[Result | None], list[PairScores | None]]:
    values = {(name, METRIC.name): np.array(row) for name, row in rows.items()}
    pairs = PairScores(tuple(f"p{at}" for at in range(8)), VIDEOS, values)
    means = {name: float(np.nanmean(row)) for name, row in rows.items()}
    results: list[Result | None] = [Result(name, METRIC.name, means[name], None, None, 8, 0) for name in rows]
    return results, [pairs] * len(rows)


@given(ROWS)
def test_a_row_against_itself_is_no_difference(rows: list[list[float]]) -> None:
    arrays = [np.array(row) for row in rows]
    for one in shifts(arrays, arrays, [METRIC] * len(rows), VIDEOS, 0, 1000):
        assert (one.value, one.low, one.high, one.n, one.verdict) == (0, 0, 0, 8, "no difference told")


@given(ROWS)
def test_turned_round_a_verdict_turns_round(rows: list[list[float]]) -> None:
    ones, zeros = [np.array(row) for row in rows], [np.zeros(8)] * len(rows)
    turned = {"better": "worse", "worse": "better", "no difference told": "no difference told"}
    there = shifts(ones, zeros, [UP] * len(rows), VIDEOS, 0, 200)
    back = shifts(zeros, ones, [UP] * len(rows), VIDEOS, 0, 200)
    assert [one.verdict for one in back] == [turned[one.verdict] for one in there]


def test_nothing_is_said_where_no_pair_or_one_video_was_scored_both_times() -> None:
    one, other = np.array([1.0] * 4 + [np.nan] * 4), np.array([np.nan] * 4 + [1.0] * 4)
    (none,) = shifts([one], [other], [UP], VIDEOS, 0, 200)
    assert none.value is None and none.n == 0 and none.verdict == ""
    (single,) = shifts([np.arange(8.0)], [np.zeros(8)], [UP], np.array(["v"] * 8), 0, 200)
    assert single.value == pytest.approx(3.5)
    assert (single.low, single.high, single.verdict) == (None, None, "")
    assert shifts([], [], [], VIDEOS, 0, 200) == []


def shift(by: list[float], metric: Metric = UP) -> Shift:
    base = np.linspace(1, 2, len(by)) if metric is not RATE else np.zeros(len(by))
    (one,) = shifts([base + by], [base], [metric], np.array([f"v{at}" for at in range(len(by))]), 0, 500)
    return one


def test_the_first_minus_the_second() -> None:
    one = shift([1.0, 2, 3, 4, 5, 6, 7, 8])
    assert (one.value, one.verdict, one.n) == (pytest.approx(4.5), "better", 8)
    assert one.low is not None and one.high is not None and 0 < one.low < 4.5 < one.high
    assert shift([1.0] * 8, METRIC).verdict == "worse"


def test_five_videos_tell_nothing_and_six_do() -> None:
    assert [shift([1.0] * n + [0.0] * (8 - n)).verdict for n in (5, 6)] == ["no difference told", "better"]
    # Eight pairs of five videos are five.
    of = np.array([f"v{at // 2}" for at in range(10)])
    (one,) = shifts([np.ones(10)], [np.zeros(10)], [UP], of, 0, 500)
    assert one.low is not None and one.low > 0 and one.verdict == "no difference told"


def test_a_rate_must_pass_mcnemar_s_test_too() -> None:
    won = [100.0] * 6 + [-100.0] + [0.0]
    base = np.array([0.0] * 6 + [100.0, 0.0])
    (as_mean,), (as_rate,) = (shifts([base + won], [base], [metric], VIDEOS, 0, 500) for metric in (UP, RATE))
    assert as_mean.low is not None and as_mean.low > 0 and as_mean.verdict == "better"
    # Six of seven: p = 0.125.
    assert as_rate[:4] == as_mean[:4] and as_rate.verdict == "no difference told"


def test_what_is_equal_to_nine_digits_has_not_moved() -> None:
    assert shift([1e-12] * 8)[:3] == (0.0, 0.0, 0.0)


def test_pairs_with_nothing_to_score_are_left_out() -> None:
    one, other = np.arange(8.0) + 1, np.arange(8.0)
    one[0], other[0], other[1] = np.inf, np.inf, -np.inf
    (found,) = shifts([one], [other], [UP], VIDEOS, 0, 500)
    assert (found.value, found.n) == (1.0, 6)


def test_it_is_what_a_comparison_of_two_runs_says(tmp_path: Path) -> None:
    rng, names = np.random.default_rng(0), [f"p{at:02d}" for at in range(40)]
    # Names in no order, several pairs a video.
    rng.shuffle(names)
    plan = compare_runs.manifest(names, [f"v{at // 3}" for at in range(40)])
    metrics = [compare_runs.POSE, compare_runs.COSINE, compare_runs.RETRIEVAL]
    a, b = (
        {
            ("m", one.name): 100.0 * (rng.random(40) < 0.4 + by) if one.rate else rng.normal(2 * by, 0.6, 40)
            for one in metrics
        }
        for by in (0.0, 0.4)
    )
    a["m", metrics[0].name][3] = b["m", metrics[1].name][5] = np.nan
    runs = [
        read.run(compare_runs.write(tmp_path / name, of, metrics, plan, seed=7)) for name, of in (("a", a), ("b", b))
    ]
    compared = build(*runs)
    first, second = map(pairwise, runs)
    keys = [("m", one.metric) for one in compared.comparisons]
    found = shifts(
        [second.values[key] for key in keys], [first.values[key] for key in keys], compared.metrics, first.videos,
        7, draws_of(runs[0]),
    )  # fmt: skip
    assert draws_of(runs[0]) == 500
    for one, shift in zip(compared.comparisons, found, strict=True):
        assert (shift.value, shift.n, shift.verdict) == (one.difference, one.n_both, one.verdict)
        assert (shift.low, shift.high) == (one.low, one.high)
    assert {one.verdict for one in found} >= {"worse", "better"}


@pytest.mark.parametrize("change", ["twice", "gone"])
def test_scores_of_other_pairs_are_damaged(tmp_path: Path, change: str) -> None:
    plan = compare_runs.manifest(["p0", "p1", "p2"])
    folder = compare_runs.write(tmp_path / "a", {("m", "pose[judge]"): [1, 2, 3]}, [compare_runs.POSE], plan)
    frame = pd.read_parquet(folder / "scores.parquet")
    pd.concat([frame, frame[:1]] if change == "twice" else [frame[1:]]).to_parquet(folder / "scores.parquet")
    with pytest.raises(UsageError, match="more than one value of" if change == "twice" else "no value of"):
        pairwise(read.run(folder))


def test_ranks_count_the_methods_that_are_told_to_be_better() -> None:
    base = [1.0, 2, 3, 4, 5, 6, 7, 8]
    noisy = [2.0, 1, 4, 3, 6, 5, 8, 7]
    results, pairs = scored({"good": base, "alike": noisy, "bad": [value + 3 for value in base]})
    standing, basis = standings(METRIC, results, pairs, 0, 1000)
    assert basis == "paired"
    assert [(one.rank, one.tied) for one in standing] == [(1, True), (1, True), (3, False)]
    assert not any(one.leader for one in standing)
    standing, _ = standings(METRIC, [results[0], None, results[2]], pairs, 0, 1000)
    assert [(one.rank, one.leader) for one in standing] == [(1, True), (None, False), (2, False)]


@pytest.mark.parametrize(("metric", "places"), [(METRIC, [0, 1, 2]), (UP, [2, 1, 0])])
def test_methods_that_share_a_rank_stand_by_their_value(metric: Metric, places: list[int]) -> None:
    results: list[Result | None] = [
        Result(name, metric.name, value, 0.0, 9.0, 8, 0) for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))
    ]
    standing, _ = standings(metric, results, [None] * 3, 0, 500)
    assert [(one.rank, one.place) for one in standing] == [(1, place) for place in places]


def test_a_method_alone_has_the_first_rank_and_no_lead() -> None:
    results, pairs = scored({"only": [1.0] * 8})
    ((one,), _) = standings(METRIC, results, pairs, 0, 1000)
    assert (one.rank, one.tied, one.leader) == (1, False, False)


@pytest.mark.parametrize(("direction", "ranks"), [("down", [1, 1, 2]), ("up", [2, 1, 1])])
def test_without_pairs_only_intervals_that_do_not_meet_tell(direction: str, ranks: list[int]) -> None:
    metric = Metric("auc[x]", "AUC", "%", direction, whole=True)  # type: ignore[arg-type]
    ends = {"a": (1.0, 2.0), "b": (1.5, 3.0), "c": (2.5, 4.0)}
    results: list[Result | None] = [
        Result(name, metric.name, (low + high) / 2, low, high, 8, 0) for name, (low, high) in ends.items()
    ]
    standing, basis = standings(metric, results, [None] * 3, 0, 1000)
    assert basis == "interval"
    # a and c are apart; b meets both.
    assert [one.rank for one in standing] == ranks


def test_a_number_of_a_set_that_is_the_mean_of_its_pairs_is_ranked_pair_by_pair() -> None:
    base = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
    results, pairs = scored({"good": list(base), "bad": list(base + 0.5)})
    wide = [one and replace(one, low=0.0, high=9.0) for one in results]
    whole = replace(METRIC, whole=True)
    standing, basis = standings(whole, wide, pairs, 0, 500)
    assert basis == "paired" and [one.rank for one in standing] == [1, 2]
    # An AP is no mean: its intervals meet.
    no_means = [one and replace(one, value=one.value + 1) for one in wide]
    standing, basis = standings(whole, no_means, pairs, 0, 500)
    assert basis == "interval" and [one.rank for one in standing] == [1, 1]
