"""What a gate says: planted moves fail, one pair and the noise of another seed do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gate_runs
import numpy as np
import pytest
from gate_runs import LEAK, POSE, RETRIEVAL, SHAPE
from scipy import stats

from hifibench.errors import UsageError
from hifibench.records import Cost
from metrics.statistics import cluster_bootstrap, wilson
from reports.gates import golden
from reports.gates.gate import Gate, gate
from reports.gates.golden import Golden
from reports.gates.records import Line, Verdict
from reports.records import Check, Method, Metric, Result, Results, Run, Timing


@pytest.fixture
def base() -> Run:
    return gate_runs.run()


@pytest.fixture
def held(base: Run) -> Golden:
    return golden.of(base)


def failing(made: Gate) -> dict[tuple[str, str], Verdict]:
    return {(line.method, line.metric): line.verdict for line in made.failed}


def line(made: Gate, method: str, metric: str) -> Line:
    return next(one for one in made.lines if (one.method, one.metric) == (method, metric))


def by_hand(made: Golden, method: str, metric: str, **own: float | None) -> Golden:
    numbers = tuple(
        one.model_copy(update={**own, "by_hand": True}) if one.key == (method, metric) else one for one in made.numbers
    )
    return made.model_copy(update={"numbers": numbers})


def of(made: Run, **changes: Any) -> Run:
    return replace(made, results=replace(made.results, **changes))


def test_the_same_run_holds(base: Run, held: Golden) -> None:
    made = gate(base, held)
    assert made.ok and made.same_pairs
    # 12 numbers, of which one is none, and 2 + 3 costs.
    assert made.verdict == "17 numbers within tolerance"


@pytest.mark.parametrize(
    ("metric", "by", "verdict"),
    [
        (POSE, 0.2, Verdict.WORSE),
        (POSE, -0.2, Verdict.IMPROVED),
        (RETRIEVAL, 2.5, Verdict.IMPROVED),
        (RETRIEVAL, -2.5, Verdict.WORSE),
    ],
)
def test_a_planted_move_fails_in_both_directions(
    base: Run, held: Golden, metric: str, by: float, verdict: Verdict
) -> None:
    made = gate(gate_runs.moved(base, "hififace", metric, by), held)
    assert failing(made) == {("hififace", metric): verdict}
    assert line(made, "hififace", metric).difference == pytest.approx(by)
    assert made.verdict == "1 of 17 numbers are not as the golden has them"


@pytest.mark.parametrize(("metric", "by"), [(POSE, 0.09), (POSE, -0.09), (RETRIEVAL, 1.9)])
def test_a_move_within_tolerance_holds(base: Run, held: Golden, metric: str, by: float) -> None:
    assert gate(gate_runs.moved(base, "hififace", metric, by), held).ok


@pytest.mark.parametrize("n", [24, 31, 100, 300])
def test_one_pair_of_a_rate_may_flip(base: Run, n: int) -> None:
    def certain(one: Result) -> Result:
        share = 100 * (n // 2) / n
        return replace(one, value=round(share, 7), low=share - 0.01, high=share + 0.01, n=n, n_failed=0)

    base = gate_runs.changed(base, "hififace", RETRIEVAL, certain)
    held = golden.of(base)
    assert gate(gate_runs.moved(base, "hififace", RETRIEVAL, round(100 / n, 7)), held).ok
    two = gate(gate_runs.moved(base, "hififace", RETRIEVAL, -200 / n), held)
    assert failing(two) == {("hififace", RETRIEVAL): Verdict.WORSE}


def test_a_tolerance_set_by_hand_holds_as_it_stands(base: Run, held: Golden) -> None:
    moved = gate_runs.moved(base, "faceswap", POSE, 0.2)
    assert not gate(moved, held).ok
    assert gate(moved, by_hand(held, "faceswap", POSE, tolerance=0.3)).ok
    assert not gate(base, held).failed
    tight = gate(gate_runs.moved(base, "faceswap", POSE, 0.002), by_hand(held, "faceswap", POSE, tolerance=0.001))
    assert failing(tight) == {("faceswap", POSE): Verdict.WORSE}
    loose = by_hand(held, "faceswap", POSE, tolerance_other=0.01)
    assert failing(gate(gate_runs.other(gate_runs.moved(base, "faceswap", POSE, 0.02)), loose)) == {
        ("faceswap", POSE): Verdict.WORSE
    }
    # Without a tolerance of its own for other pairs the usual one holds.
    usual = by_hand(held, "faceswap", POSE, tolerance=0.01, tolerance_other=None)
    assert gate(gate_runs.other(gate_runs.moved(base, "faceswap", POSE, 0.02)), usual).ok


def test_a_number_that_is_gone_fails(base: Run, held: Golden) -> None:
    gone = gate_runs.changed(
        base, "faceswap", POSE, lambda one: replace(one, value=None, low=None, high=None, n_failed=100)
    )
    made = gate(gone, held)
    assert failing(made) == {("faceswap", POSE): Verdict.NO_NUMBER}
    assert "100 of 100 pairs failed" in line(made, "faceswap", POSE).said
    unknown = gate_runs.changed(base, "faceswap", POSE, lambda one: replace(one, value=float("nan")))
    assert failing(gate(unknown, held)) == {("faceswap", POSE): Verdict.NO_NUMBER}


def test_what_was_no_number_stays_none(base: Run, held: Golden) -> None:
    there = gate_runs.changed(base, "hififace", SHAPE, lambda one: replace(one, value=3.0, low=2.9, high=3.1))
    assert failing(gate(there, held)) == {("hififace", SHAPE): Verdict.MOVED}
    assert failing(gate(gate_runs.other(there), held)) == {("hififace", SHAPE): Verdict.MOVED}
    # Over other pairs there may be something to score where there was nothing.
    empty = golden.of(gate_runs.changed(base, "hififace", SHAPE, lambda one: replace(one, n=0, reason="")))
    few = gate_runs.changed(there, "hififace", SHAPE, lambda one: replace(one, n=1))
    made = gate(gate_runs.other(few), empty)
    assert made.ok and line(made, "hififace", SHAPE).verdict is Verdict.UNGATED


@pytest.mark.parametrize(("n_failed", "ok"), [(1, True), (4, True), (0, True), (5, False), (40, False)])
def test_pairs_that_fail(base: Run, held: Golden, n_failed: int, ok: bool) -> None:
    made = gate(gate_runs.changed(base, "faceswap", POSE, lambda one: replace(one, n_failed=n_failed)), held)
    assert made.ok is ok
    if not ok:
        assert failing(made) == {("faceswap", POSE): Verdict.PAIRS}
        assert f"{n_failed} of 100 pairs failed, 2 of 100" in line(made, "faceswap", POSE).said


def test_pairs_that_had_nothing_to_score(base: Run, held: Golden) -> None:
    made = gate(gate_runs.changed(base, "faceswap", POSE, lambda one: replace(one, n=60)), held)
    assert failing(made) == {("faceswap", POSE): Verdict.PAIRS}
    made = gate(gate_runs.changed(base, "faceswap", POSE, lambda one: replace(one, n=0, n_failed=0, value=None)), held)
    assert failing(made) == {("faceswap", POSE): Verdict.NO_NUMBER}


def test_what_vanished_fails(base: Run, held: Golden) -> None:
    without = of(base, scores=tuple(one for one in base.results.scores if one.metric != POSE))
    assert failing(gate(without, held)) == {(method, POSE): Verdict.MISSING for method in gate_runs.METHODS}
    method = of(
        base,
        methods=base.results.methods[:2],
        scores=tuple(one for one in base.results.scores if one.method != "hififace"),
    )
    made = gate(method, held)
    assert set(failing(made).values()) == {Verdict.MISSING} and len(made.failed) == 4
    assert line(made, "hififace", POSE).said == "The run lacks the method hififace."


def test_what_is_new_does_not_fail(base: Run, held: Golden) -> None:
    pose = next(one for one in base.results.metrics if one.name == POSE)
    added = of(
        base,
        metrics=(*base.results.metrics, replace(pose, name="pose[new]")),
        scores=(*base.results.scores, Result("faceswap", "pose[new]", 1.0, 0.9, 1.1, 100, 0)),
    )
    made = gate(added, held)
    assert made.ok
    assert [(one.method, one.metric) for one in made.by(Verdict.NEW)] == [("faceswap", "pose[new]")]


@pytest.mark.parametrize(
    ("cost", "verdict"),
    [
        (Cost(4_855_256, 6_660_030, 1_793_139_901), {"macs": Verdict.WORSE}),
        (Cost(4_855_255, 6_660_030, 1_793_139_900), {"params_trainable": Verdict.IMPROVED}),
        (Cost(4_855_256, None, 1_793_139_900), {"params_frozen": Verdict.MOVED}),
    ],
)
def test_costs_are_compared_exactly(base: Run, held: Golden, cost: Cost, verdict: dict[str, Verdict]) -> None:
    methods = tuple(replace(one, cost=cost) if one.name == "hififace" else one for one in base.results.methods)
    for made in (of(base, methods=methods), gate_runs.other(of(base, methods=methods))):
        assert failing(gate(made, held)) == {("hififace", name): one for name, one in verdict.items()}


def test_a_stale_golden_names_the_card(base: Run, held: Golden) -> None:
    experts = tuple(replace(one, card="f" * 64) if one.name == "edgeface" else one for one in base.results.experts)
    made = gate(of(base, experts=experts), held)
    assert set(failing(made).values()) == {Verdict.STALE}
    assert {metric for _, metric in failing(made)} == {RETRIEVAL, LEAK}
    assert "card of edgeface was eeeeeeeeeeee, is ffffffffffff" in line(made, "faceswap", LEAK).said


def test_another_detector_makes_all_stale(base: Run, held: Golden) -> None:
    made = gate(of(base, protocol={"detector": "yunet"}), held)
    assert len(made.by(Verdict.STALE)) == 12


@pytest.mark.parametrize("change", [{"unit": "rad"}, {"direction": "up"}, {"needs": ("3ddfa",)}])
def test_another_protocol_is_stale(base: Run, held: Golden, change: dict[str, Any]) -> None:
    metrics = tuple(replace(one, **change) if one.name == POSE else one for one in base.results.metrics)
    made = gate(of(base, metrics=metrics), held)
    assert failing(made) == {(method, POSE): Verdict.STALE for method in gate_runs.METHODS}


def test_a_check_that_fails_now_fails_the_gate(base: Run, held: Golden) -> None:
    doubtful = of(base, checks=(Check("target-copy keeps the pose", False),))
    assert failing(gate(doubtful, held)) == {("checks", "target-copy keeps the pose"): Verdict.CHECK}
    assert gate(doubtful, held.model_copy(update={"may_fail": ("target-copy keeps the pose",)})).ok
    # Over other pairs it may fail by chance: that is said.
    made = gate(gate_runs.other(doubtful), held)
    assert made.ok and any("target-copy keeps the pose" in note for note in made.notes)


def test_another_card_of_a_method_is_said(base: Run, held: Golden) -> None:
    methods = tuple(replace(one, card="77" * 32) for one in base.results.methods)
    made = gate(of(base, methods=methods), held)
    assert made.ok and sum("has another card" in note for note in made.notes) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suite": "demo"}, "golden is of the suite 'ci', the run of 'demo'"),
        ({"origin": "files", "manifest": "bb" * 32}, "golden is of other images: 'heads: version 1'"),
        ({"n_pairs": 50, "manifest": "bb" * 32}, "golden is of 100 pairs, the run of 50.*--limit"),
    ],
)
def test_what_does_not_compare_is_refused(base: Run, held: Golden, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        gate(of(base, **changes), held)


def test_other_pairs_without_intervals_are_not_gated(base: Run, held: Golden) -> None:
    bare = gate_runs.changed(base, "faceswap", POSE, lambda one: replace(one, low=None, high=None))
    for made, against in ((bare, held), (base, golden.of(bare))):
        done = gate(gate_runs.other(made), against)
        assert done.ok and line(done, "faceswap", POSE).verdict is Verdict.UNGATED
    assert "run has no interval" in line(gate(gate_runs.other(bare), held), "faceswap", POSE).said


def test_a_rate_that_chance_could_move_anywhere_is_not_gated(base: Run) -> None:
    wide = gate_runs.changed(base, "faceswap", RETRIEVAL, lambda one: replace(one, value=60.0, low=30.0, high=90.0))
    done = gate(gate_runs.other(wide), golden.of(wide))
    assert done.ok and line(done, "faceswap", RETRIEVAL).verdict is Verdict.UNGATED
    assert "so few videos" in line(done, "faceswap", RETRIEVAL).said
    # Over the same pairs nothing is drawn.
    assert line(gate(wide, golden.of(wide)), "faceswap", RETRIEVAL).verdict is Verdict.HELD


def test_a_gate_that_holds_nothing_does_not_pass(base: Run) -> None:
    bare = of(
        base,
        methods=tuple(replace(one, cost=None) for one in base.results.methods),
        scores=tuple(replace(one, low=None, high=None) for one in base.results.scores if one.value is not None),
    )
    made = gate(gate_runs.other(bare), golden.of(bare))
    assert not made.failed and not made.ok
    assert made.verdict == "no metric could be held against its golden"


def test_costs_and_numbers_that_never_were_do_not_make_a_gate(base: Run) -> None:
    bare = of(base, scores=tuple(replace(one, low=None, high=None) for one in base.results.scores))
    made = gate(gate_runs.other(bare), golden.of(bare))
    assert made.by(Verdict.HELD) and not made.failed
    assert not made.ok and made.verdict == "no metric could be held against its golden"
    nothing = of(base, scores=tuple(replace(one, value=None, low=None, high=None) for one in base.results.scores))
    assert not gate(nothing, golden.of(nothing)).ok


def test_pairs_of_a_slightly_smaller_run(base: Run, held: Golden) -> None:
    smaller = of(base, n_pairs=92, scores=tuple(replace(one, n=92) for one in base.results.scores))
    assert gate(gate_runs.other(smaller), held).ok


def test_failed_pairs_of_a_smaller_run_are_held_as_shares(base: Run) -> None:
    def failed(n: int) -> Run:
        gone = [replace(one, value=None, low=None, high=None, n=n, n_failed=n) if one.metric == POSE else
                replace(one, n=n) for one in base.results.scores]  # fmt: skip
        return of(base, n_pairs=n, scores=tuple(gone))

    # 92 of 92 are no fewer than 100 of 100.
    assert gate(gate_runs.other(failed(92)), golden.of(failed(100))).ok


@pytest.mark.parametrize(("golden_videos", "run_videos"), [(8, 100), (100, 8)])
def test_of_few_videos_chance_is_larger(base: Run, golden_videos: int, run_videos: int) -> None:
    def drawn_from(videos: int) -> Run:
        return replace(base, videos={f"p{k}": f"v{k % videos}" for k in range(100)})

    held = golden.of(drawn_from(golden_videos))
    assert (held.n_videos, held.family) == (golden_videos, 2 * 11)
    made = gate(gate_runs.other(drawn_from(run_videos)), held)
    number = next(one for one in held.numbers if one.key == ("faceswap", POSE))
    # Half widths of 0.4 both, widened for 22 comparisons, with 8 videos and 98 pairs drawn, less two.
    wider = stats.t.ppf(1 - 0.05 / (2 * 22), 104) / stats.norm.ppf(0.975)
    assert line(made, "faceswap", POSE).tolerance == pytest.approx(np.sqrt(2) * 0.4 * wider)
    assert number.tolerance_other is not None and number.tolerance_other != line(made, "faceswap", POSE).tolerance


SHARES = (3.0, 50.0, 90.0, 99.0)


def drawn(rng: np.random.Generator, n: int, of_video: int, manifest: str, shift: float = 0.0) -> Run:
    """A run of numbers of one distribution: symmetric, skewed and shares; pairs of one video alike; 2 % failed."""
    videos = np.arange(n) // of_video
    names = np.array([f"v{video}" for video in videos])
    columns: dict[tuple[str, str], np.ndarray] = {}
    for method in ("a", "b", "c", "d"):
        common, own = rng.normal(size=videos[-1] + 1)[videos], rng.normal(size=(2, n))
        z, u = (0.7 * common + 0.71 * one for one in own)
        columns[method, "normal"], columns[method, "skewed"] = 5 + z, np.exp(0.8 * z)
        for share in SHARES:
            columns[method, f"share {share}"] = 100.0 * (u < np.quantile(rng.normal(size=20_000), share / 100))
        failed = rng.random(n) < 0.02
        for (owner, _), column in columns.items():
            if owner == method:
                column[failed] = np.nan
    table = np.stack(list(columns.values()), axis=1)
    lows, highs = cluster_bootstrap(table, names, seed=0, draws=200)
    scores = []
    for (method, metric), column, low, high in zip(columns, table.T, lows, highs, strict=True):
        scored = column[np.isfinite(column)]
        value = float(scored.mean())
        if metric.startswith("share") and (of_video == 1 or value in (0.0, 100.0)):
            low, high = (end for end in wilson(round(value * len(scored) / 100), len(scored)))
            low, high = (100 * low, 100 * high) if high <= 1 else (low, high)
        by = shift * (high - low) / 2
        scores.append(Result(method, metric, value + by, float(low) + by, float(high) + by, n, n - len(scored), None))
    names_of = dict.fromkeys(metric for _, metric in columns)
    results = Results(
        "noise", "Noise", manifest, 0, n, tuple(Method(name, "method") for name in "abcd"),
        tuple(Metric(name, name, "", "up", 2, rate=name.startswith("share")) for name in names_of), tuple(scores),
    )  # fmt: skip
    return Run(Path(), results, Timing(), {}, (), {str(k): str(video) for k, video in enumerate(videos)})


@pytest.mark.slow
@pytest.mark.parametrize(("n", "of_video"), [(100, 1), (32, 4)])
def test_the_noise_of_another_seed_passes(n: int, of_video: int) -> None:
    rng = np.random.default_rng(7)
    runs = 200
    failed = sum(
        not gate(drawn(rng, n, of_video, "bb"), golden.of(drawn(rng, n, of_video, "aa"))).ok for _ in range(runs)
    )
    # 5 % at most, and three standard errors of 200 draws.
    assert failed / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize(("n", "of_video", "least"), [(100, 1, 3), (32, 4, 1)])
@pytest.mark.parametrize("shift", [5.0, -5.0])
def test_a_shift_of_five_half_widths_is_no_noise(n: int, of_video: int, least: int, shift: float) -> None:
    rng = np.random.default_rng(8)
    for _ in range(5):
        made = gate(drawn(rng, n, of_video, "bb", shift), golden.of(drawn(rng, n, of_video, "aa")))
        moved = Verdict.IMPROVED if shift > 0 else Verdict.WORSE
        # Both draws differ besides, above all those of eight videos, so that some of the four come to lie within.
        assert sum(one.verdict is moved for one in made.lines if one.metric == "normal") >= least
        assert not made.ok
