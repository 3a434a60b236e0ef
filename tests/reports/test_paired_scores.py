from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.leaderboard.ranks import standings
from reports.paired_scores import PairScores, shifts
from reports.records import Metric, Result

VIDEOS = np.array([f"v{at}" for at in range(8)])
METRIC = Metric("pose[x]", "Pose", "deg", "down")
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
    for one in shifts(arrays, arrays, ["down"] * len(rows), VIDEOS, seed=0):
        assert (one.value, one.low, one.high, one.n, one.verdict) == (0, 0, 0, 8, "no difference told")


@given(ROWS)
def test_turned_round_a_verdict_turns_round(rows: list[list[float]]) -> None:
    ones, zeros = [np.array(row) for row in rows], [np.zeros(8)] * len(rows)
    turned = {"better": "worse", "worse": "better", "no difference told": "no difference told"}
    there = shifts(ones, zeros, ["up"] * len(rows), VIDEOS, seed=0)
    back = shifts(zeros, ones, ["up"] * len(rows), VIDEOS, seed=0)
    assert [one.verdict for one in back] == [turned[one.verdict] for one in there]


def test_nothing_is_said_where_no_pair_or_one_video_was_scored_both_times() -> None:
    one, other = np.array([1.0] * 4 + [np.nan] * 4), np.array([np.nan] * 4 + [1.0] * 4)
    (none,) = shifts([one], [other], ["up"], VIDEOS, seed=0)
    assert none.value is None and none.n == 0 and none.verdict == ""
    (single,) = shifts([np.arange(8.0)], [np.zeros(8)], ["up"], np.array(["v"] * 8), seed=0)
    assert single.value == pytest.approx(3.5)
    assert (single.low, single.high, single.verdict) == (None, None, "")
    assert shifts([], [], [], VIDEOS, seed=0) == []


def test_ranks_count_the_methods_that_are_told_to_be_better() -> None:
    base = [1.0, 2, 3, 4, 5, 6, 7, 8]
    noisy = [2.0, 1, 4, 3, 6, 5, 8, 7]
    results, pairs = scored({"good": base, "alike": noisy, "bad": [value + 3 for value in base]})
    standing, basis = standings(METRIC, results, pairs, seed=0)
    assert basis == "paired"
    assert [(one.rank, one.tied) for one in standing] == [(1, True), (1, True), (3, False)]
    assert not any(one.leader for one in standing)
    standing, _ = standings(METRIC, [results[0], None, results[2]], pairs, seed=0)
    assert [(one.rank, one.leader) for one in standing] == [(1, True), (None, False), (2, False)]


def test_a_method_alone_has_the_first_rank_and_no_lead() -> None:
    results, pairs = scored({"only": [1.0] * 8})
    ((one,), _) = standings(METRIC, results, pairs, seed=0)
    assert (one.rank, one.tied, one.leader) == (1, False, False)


@pytest.mark.parametrize(("direction", "ranks"), [("down", [1, 1, 2]), ("up", [2, 1, 1])])
def test_without_pairs_only_intervals_that_do_not_meet_tell(direction: str, ranks: list[int]) -> None:
    metric = Metric("auc[x]", "AUC", "%", direction, whole=True)  # type: ignore[arg-type]
    ends = {"a": (1.0, 2.0), "b": (1.5, 3.0), "c": (2.5, 4.0)}
    results: list[Result | None] = [
        Result(name, metric.name, (low + high) / 2, low, high, 8, 0) for name, (low, high) in ends.items()
    ]
    standing, basis = standings(metric, results, [None] * 3, seed=0)
    assert basis == "interval"
    # a and c are apart; b meets both.
    assert [one.rank for one in standing] == ranks
