"""Two runs held against each other: the numbers and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compare_runs import AP, AUC, COSINE, POSE, RETRIEVAL, Measured, manifest, sha, write
from scipy import stats

from hifibench.errors import MissingError, UsageError
from metrics.statistics import cluster_bootstrap, holm
from reports import read
from reports.comparison.compare import build
from reports.comparison.numbers import paired, unpaired
from reports.comparison.records import Verdict

N = 60
NAMES = [f"p{k:03d}" for k in range(N)]
PLAN = manifest(NAMES, [f"v{k // 2:03d}" for k in range(N)])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def both(tmp_path: Path, a, b, metrics=(POSE,), plan_a=PLAN, plan_b=PLAN, methods=None, other_manifest=False, **more):
    """Write both runs and hold the second against the first; ``b_…`` says more of the second."""
    of_b = {key.removeprefix("b_"): value for key, value in more.items() if key.startswith("b_")}
    of_a = {key.removeprefix("a_"): value for key, value in more.items() if key.startswith("a_")}
    first = write(tmp_path / "first", a, metrics, plan_a, **of_a)
    second = write(tmp_path / "second", b, metrics, plan_b, **of_b)
    return build(read.run(first), read.run(second), methods, other_manifest=other_manifest)


def one(made, metric: Measured = POSE, method: str = "m"):
    return next(found for found in made.comparisons if (found.method.b, found.metric) == (method, metric.name))


@pytest.mark.parametrize(("metric", "verdict"), [(POSE, Verdict.WORSE), (COSINE, Verdict.BETTER)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_shift_is_found(tmp_path: Path, metric: Measured, verdict: Verdict, sign: int) -> None:
    a = rng().normal(5, 3, N)
    b = a + sign * rng(1).normal(0.5, 0.4, N)
    found = one(both(tmp_path, {("m", metric.name): a}, {("m", metric.name): b}, [metric]), metric)
    other = {Verdict.WORSE: Verdict.BETTER, Verdict.BETTER: Verdict.WORSE}[verdict]
    assert found.verdict is (verdict if sign > 0 else other)
    assert found.survives
    assert found.difference == pytest.approx((b - a).mean(), rel=1e-12)
    assert (found.a, found.b) == (pytest.approx(a.mean()), pytest.approx(b.mean()))
    assert (found.n_both, found.newly_failed, found.newly_scored) == (N, 0, 0)


def test_the_interval_is_that_of_the_paired_cluster_bootstrap(tmp_path: Path) -> None:
    a, b = rng().normal(5, 3, N), rng(1).normal(5.2, 3, N)
    a[3], b[7] = np.nan, np.nan
    found = one(both(tmp_path, {("m", POSE.name): a}, {("m", POSE.name): b}, a_seed=11, b_seed=12))
    videos = [f"v{k // 2:03d}" for k in range(N)]
    low, high = cluster_bootstrap(b - a, videos, seed=11, draws=500)
    assert (found.low, found.high) == (float(low), float(high))
    # And an independent one: videos drawn one by one, all of their pairs each time.
    apart, draws = (b - a).reshape(-1, 2), []
    for _ in range(4000):
        drawn = apart[rng(len(draws)).integers(0, len(apart), len(apart))]
        draws.append(np.nanmean(drawn))
    ends = np.quantile(draws, [0.025, 0.975])
    width = ends[1] - ends[0]
    np.testing.assert_allclose([found.low, found.high], ends, atol=0.12 * width)


def test_the_p_value_is_student_s_of_the_draws(tmp_path: Path) -> None:
    a = rng().normal(5, 3, N)
    b = a + rng(1).normal(0.1, 0.5, N)
    found = one(both(tmp_path, {("m", POSE.name): a}, {("m", POSE.name): b}))
    # Of two pairs a video, equally many, the t-test of the videos' means is the same but for the draws' noise.
    expected = stats.ttest_1samp((b - a).reshape(-1, 2).mean(1), 0).pvalue
    assert found.p == pytest.approx(expected, rel=0.35)


def test_p_values_keep_their_level_where_there_is_no_difference() -> None:
    videos = np.array([f"v{k // 2}" for k in range(80)])
    a = np.zeros((80, 2000))
    effect = rng(3).normal(0, 1, (40, 2000)).repeat(2, axis=0)
    numbers = paired(a, effect + rng(4).normal(0, 0.3, a.shape), videos, np.zeros(2000, bool), 0, 500)
    assert 0.035 < (numbers.p <= 0.05).mean() < 0.065
    assert 0.035 < ((numbers.low > 0) | (numbers.high < 0)).mean() < 0.08


def test_few_videos_have_few_degrees_of_freedom() -> None:
    # 12 videos whose mean is three standard errors (of the bootstrap, which divides by n) from 0.
    effect = np.linspace(-1, 1, 12)
    effect += 3 * effect.std() / np.sqrt(12)
    videos = np.array([f"v{k}" for k in range(12)])
    found = paired(np.zeros((12, 1)), effect[:, None], videos, np.zeros(1, bool), 0, 40_000)
    assert found.p[0] == pytest.approx(2 * stats.t.sf(3, 11), rel=0.04)


def test_unpaired_the_smaller_run_gives_the_degrees_of_freedom() -> None:
    a, b = np.linspace(-1, 1, 6), np.linspace(-1, 1, 30)
    b += 3 * np.sqrt(a.var() / 6 + b.var() / 30)
    names = [np.array([f"v{k}" for k in range(n)]) for n in (6, 30)]
    found = unpaired(a[:, None], b[:, None], *names, 0, 20_000)
    assert found.difference[0] == pytest.approx(b.mean() - a.mean())
    assert found.p[0] == pytest.approx(2 * stats.t.sf(3, 5), rel=0.1)


def test_holm_is_over_all_comparisons_that_were_tested(tmp_path: Path) -> None:
    metrics = [Measured(f"pose[judge,{k}]") for k in range(12)]
    a = {("m", metric.name): rng(k).normal(5, 1, N) for k, metric in enumerate(metrics)}
    shifts = [0.9, 0.16, *[0.0] * 9, None]
    noise = [rng(90 + k).normal(0, 0.5, N) for k in range(12)]
    b = {
        key: a[key] if shift is None else a[key] + shift + noise[k] - noise[k].mean()
        for k, (key, shift) in enumerate(zip(a, shifts, strict=True))
    }
    made = both(tmp_path, a, b, metrics)
    tested = made.comparisons[:11]
    assert [found.p_holm for found in tested] == holm([found.p for found in tested]).tolist()
    assert made.comparisons[11].verdict is Verdict.UNCHANGED and made.comparisons[11].p_holm is None
    assert made.family == 11
    assert tested[0].survives
    assert tested[1].verdict is Verdict.WORSE and not tested[1].survives and tested[1].p < 0.05


def test_identical_runs_are_unchanged(tmp_path: Path) -> None:
    values = {("m", POSE.name): rng().normal(5, 1, N), ("m", RETRIEVAL.name): 100.0 * (rng(1).random(N) < 0.8)}
    values["m", POSE.name][4] = np.nan
    made = both(tmp_path, values, values, [POSE, RETRIEVAL])
    assert {found.verdict for found in made.comparisons} == {Verdict.UNCHANGED}
    assert {(found.difference, found.moved, found.reason) for found in made.comparisons} == {(0.0, (), "")}
    assert made.differs == () and made.cautions == () and made.family == 0


def test_what_differs_behind_the_ninth_digit_is_unchanged(tmp_path: Path) -> None:
    a = rng().normal(5, 1, N)
    made = both(tmp_path, {("m", POSE.name): a}, {("m", POSE.name): a * (1 + 1e-10)})
    assert one(made).verdict is Verdict.UNCHANGED


def test_pairs_that_failed_are_counted_and_named(tmp_path: Path) -> None:
    a = rng().normal(5, 1, N)
    b = a.copy()
    b[[2, 5, 9]], a[11] = np.nan, np.nan
    # Nothing to score in either run.
    a[20], b[20] = np.inf, np.inf
    found = one(both(tmp_path, {("m", POSE.name): a}, {("m", POSE.name): b}))
    assert (found.n_a, found.n_b, found.n_both) == (N - 2, N - 4, N - 5)
    assert (found.newly_failed, found.newly_scored) == (3, 1)
    assert found.lost == ("p002", "p005", "p009")
    assert found.verdict is Verdict.UNTOLD and "other pairs were scored" in found.reason


def test_a_pair_that_has_nothing_to_score_in_one_run_is_no_failure_but_a_change(tmp_path: Path) -> None:
    a = rng().normal(5, 1, N)
    b = a.copy()
    b[3] = np.inf
    found = one(both(tmp_path / "mean", {("m", POSE.name): a}, {("m", POSE.name): b}))
    assert (found.n_a, found.n_b, found.n_both, found.newly_failed) == (N, N - 1, N - 1, 0)
    assert found.verdict is Verdict.UNTOLD and "other pairs were scored" in found.reason
    other = a.copy()
    other[5] = np.inf
    found = one(both(tmp_path / "both", {("m", POSE.name): other}, {("m", POSE.name): b}))
    assert (found.n_a, found.n_b, found.n_both) == (N - 1, N - 1, N - 2)
    assert found.verdict is Verdict.UNTOLD and "other pairs were scored" in found.reason
    number = {("m", AP.name): (70.0, 66.0, 74.0)}
    of_set = {("m", AP.name): a}, {("m", AP.name): b}
    assert one(both(tmp_path / "set", *of_set, [AP], a_sets=number, b_sets=number), AP).verdict is Verdict.UNTOLD


def test_pairs_that_contradict_the_number_are_told(tmp_path: Path) -> None:
    a, b = (100.0 * (rng(k).random(N) < 0.7) for k in (0, 1))
    key = ("m", RETRIEVAL.name)
    second = write(tmp_path / "b", {key: b, ("m", POSE.name): b}, [RETRIEVAL, POSE], PLAN)
    first = write(tmp_path / "first", {key: a, ("m", POSE.name): a}, [RETRIEVAL, POSE], PLAN)
    # A share where results.json says percent.
    path = second / "scores.parquet"
    frame = pd.read_parquet(path)
    frame.loc[frame["metric"] == RETRIEVAL.name, "value"] /= 100
    frame.to_parquet(path, index=False)
    made = build(read.run(first), read.run(second))
    found = one(made, RETRIEVAL)
    assert found.verdict is Verdict.INCOMPARABLE and found.difference is None and not found.moved
    assert found.reason == (
        "results.json and scores.parquet of B contradict each other: the number is not the mean of its pairs"
    )
    assert one(made, POSE).verdict is not Verdict.INCOMPARABLE
    # An older run does not say whether a number belongs to a set.
    older = build(read.run(first), replace(read.run(second), schema=2))
    assert one(older, RETRIEVAL).of_set and "a number of the set" in one(older, RETRIEVAL).reason


def test_the_pairs_that_moved_most_are_told_worst_first(tmp_path: Path) -> None:
    a = np.full(N, 5.0)
    b = a + 0.01
    b[[1, 2, 3, 4, 5, 6]] = [9, 3, 6, 5.5, 1, 5.4]
    found = one(both(tmp_path / "down", {("m", POSE.name): a}, {("m", POSE.name): b}))
    assert [move.pair for move in found.moved] == ["p001", "p003", "p004", "p006", "p002", "p005"]
    assert found.moved[0][1:] == (5.0, 9.0, 4.0)
    up = one(both(tmp_path / "up", {("m", COSINE.name): a}, {("m", COSINE.name): b}, [COSINE]), COSINE)
    assert [move.pair for move in up.moved] == ["p005", "p002", "p006", "p004", "p003", "p001"]


def test_a_rate_brings_mcnemar_s_test(tmp_path: Path) -> None:
    names = NAMES[:40]
    plan = manifest(names)
    a = np.full(40, 100.0)
    b = a.copy()
    b[:9], a[39] = 0.0, 0.0
    found = one(
        both(tmp_path, {("m", RETRIEVAL.name): a}, {("m", RETRIEVAL.name): b}, [RETRIEVAL], plan, plan), RETRIEVAL
    )
    assert found.mcnemar is not None and found.mcnemar[:2] == (9, 1)
    assert found.mcnemar.p == pytest.approx(stats.binomtest(1, 10).pvalue)
    assert found.verdict is Verdict.WORSE and found.p >= found.mcnemar.p


def test_few_pairs_that_moved_tell_nothing(tmp_path: Path) -> None:
    names = NAMES[:40]
    plan = manifest(names)
    a = np.full(40, 100.0)
    b = a.copy()
    b[:5] = 0.0
    found = one(
        both(tmp_path, {("m", RETRIEVAL.name): a}, {("m", RETRIEVAL.name): b}, [RETRIEVAL], plan, plan), RETRIEVAL
    )
    # The bootstrap would tell it; five losses of five are no rarer than one in sixteen.
    assert found.high < 0 and found.p == pytest.approx(2 / 2**5)
    assert found.verdict is Verdict.UNTOLD and "too few pairs moved" in found.reason


def test_numbers_of_a_set_that_are_means_are_drawn_pair_by_pair(tmp_path: Path) -> None:
    a = rng().uniform(60, 90, N)
    b = a - rng(1).uniform(0, 4, N)
    found = one(both(tmp_path, {("m", AUC.name): a}, {("m", AUC.name): b}, [AUC]), AUC)
    assert not found.of_set and found.verdict is Verdict.BETTER
    assert found.difference == pytest.approx((b - a).mean())


@pytest.mark.parametrize(
    ("second", "verdict", "why"),
    [
        ((80.0, 76.0, 84.0), Verdict.WORSE, "do not meet"),
        ((60.0, 56.0, 64.0), Verdict.BETTER, "do not meet"),
        ((72.0, 68.0, 76.0), Verdict.UNTOLD, "meet"),
        ((80.0, None, None), Verdict.UNTOLD, "without an interval"),
    ],
)
def test_other_numbers_of_a_set_only_where_intervals_do_not_meet(tmp_path: Path, second, verdict, why) -> None:
    a, b = rng().normal(0, 1, N), rng(1).normal(3, 1, N)
    key = ("m", AP.name)
    made = both(tmp_path, {key: a}, {key: b}, [AP], a_sets={key: (70.0, 66.0, 74.0)}, b_sets={key: second})
    found = one(made, AP)
    assert found.of_set and found.verdict is verdict and why in found.reason
    assert found.difference == second[0] - 70.0
    assert found.low is None and found.p is None and made.family == 0


def test_the_same_set_is_unchanged(tmp_path: Path) -> None:
    key, a = ("m", AP.name), rng().normal(0, 1, N)
    number = {key: (70.0, 66.0, 74.0)}
    found = one(both(tmp_path, {key: a}, {key: a}, [AP], a_sets=number, b_sets=number), AP)
    assert found.verdict is Verdict.UNCHANGED


def test_another_judge_is_not_compared(tmp_path: Path) -> None:
    values = {("m", POSE.name): rng().normal(5, 1, N), ("m", COSINE.name): rng().normal(5, 1, N)}
    metrics = [POSE, Measured(COSINE.name, "ID cosine", "up", needs=("friend",))]
    experts = {"scrfd": "", "judge": "", "friend": ""}
    made = both(tmp_path, values, values, metrics, a_experts=experts, b_experts={**experts, "judge": "new"})
    found = one(made)
    assert found.verdict is Verdict.INCOMPARABLE and found.difference is None
    assert (
        f"the expert judge is not the same: card {sha('judge')[:12]} in A, card {sha('judgenew')[:12]} in B"
        in found.reason
    )
    assert one(made, COSINE).verdict is Verdict.UNCHANGED
    assert ("card of the expert judge", sha("judge"), sha("judgenew")) in made.differs


def test_another_detector_shows_all_judges_other_faces(tmp_path: Path) -> None:
    values = {("m", POSE.name): rng().normal(5, 1, N)}
    made = both(tmp_path, values, values, b_experts={"scrfd": "new", "judge": ""})
    assert "the expert scrfd is not the same" in one(made).reason


def test_a_detector_trained_on_the_others_is_another_where_they_are(tmp_path: Path) -> None:
    trained = Measured("forgery_auc[trained-on-others]", needs=("judge",))
    values = {(method, trained.name): rng().normal(5, 1, N) for method in ("m", "changed")}
    made = both(tmp_path, values, values, [trained], b_cards={"changed": "v2"})
    assert "trained on the other methods, which are not the same: changed" in one(made, trained).reason
    # Those that it was trained on are the same.
    assert one(made, trained, "changed").verdict is Verdict.UNCHANGED
    assert [found.what for found in made.differs] == ["card of changed"]


def test_what_is_refused_is_not_compared(tmp_path: Path) -> None:
    key = ("m", POSE.name)
    values = {key: rng().normal(5, 1, N), ("n", POSE.name): rng().normal(5, 1, N)}
    gone = {**values, key: np.full(N, np.nan)}
    found = one(both(tmp_path, values, gone, b_reasons={key: "judge took part in the training of m"}))
    assert found.verdict is Verdict.INCOMPARABLE
    assert found.reason == "judge took part in the training of m in B"


def test_a_method_that_failed_altogether(tmp_path: Path) -> None:
    values = {("m", POSE.name): rng().normal(5, 1, N), ("n", POSE.name): rng().normal(5, 1, N)}
    gone = {**values, ("m", POSE.name): np.full(N, np.nan)}
    found = one(both(tmp_path, values, gone))
    assert (found.verdict, found.reason, found.newly_failed) == (Verdict.INCOMPARABLE, "no pair was scored in B", N)


def test_methods_of_other_names(tmp_path: Path) -> None:
    a = rng().normal(5, 1, N)
    made = both(
        tmp_path,
        {("old", POSE.name): a, ("left", POSE.name): a},
        {("new", POSE.name): a + rng(1).normal(1, 0.1, N)},
        methods=[("old", "new")],
    )
    assert len(made.comparisons) == 1
    found = made.comparisons[0]
    assert (found.method.label, found.verdict) == ("old → new", Verdict.WORSE)
    assert "methods of A that were not compared: left" in made.left_out


def test_one_method_against_several(tmp_path: Path) -> None:
    a = rng().normal(5, 1, N)
    values = {("old", POSE.name): a}, {("x", POSE.name): a, ("y", POSE.name): a + rng(1).normal(1, 0.1, N)}
    made = both(tmp_path, *values, methods=[("old", "y"), ("old", "x")])
    assert [found.verdict for found in made.comparisons] == [Verdict.WORSE, Verdict.UNCHANGED]


def test_one_seed_gives_one_answer(tmp_path: Path) -> None:
    a, b = ({("m", POSE.name): rng(k).normal(5, 1, N)} for k in (0, 1))
    first, second = (write(tmp_path / name, values, [POSE], PLAN) for name, values in (("a", a), ("b", b)))
    runs = read.run(first), read.run(second)
    assert build(*runs) == build(*runs)
    other = write(tmp_path / "c", a, [POSE], PLAN, seed=5)
    assert one(build(read.run(other), runs[1])).low != one(build(*runs)).low


def test_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    values = [{("m", POSE.name): rng(k).normal(5, 1, N), ("n", POSE.name): rng(k + 5).normal(5, 1, N)} for k in (0, 1)]
    made = both(tmp_path, *values)
    path = tmp_path / "second" / "scores.parquet"
    pd.read_parquet(path).sample(frac=1, random_state=0).to_parquet(path, index=False)
    assert build(read.run(tmp_path / "first"), read.run(tmp_path / "second")) == made


def test_other_manifests_are_refused_with_both_hashes(tmp_path: Path) -> None:
    other = manifest(NAMES[:40])
    values = {("m", POSE.name): rng().normal(5, 1, N)}
    with pytest.raises(UsageError, match="--other-manifest") as caught:
        both(tmp_path, values, {("m", POSE.name): values["m", POSE.name][:40]}, plan_b=other)
    assert PLAN.hash in str(caught.value) and other.hash in str(caught.value)


def test_pairs_of_both_manifests_are_paired(tmp_path: Path) -> None:
    names = [f"p{k:03d}" for k in range(90)]
    plan_a, plan_b = manifest(names), manifest(names[:50])
    a = rng().normal(5, 3, 90)
    b = a[:50] + rng(1).normal(0.3, 0.2, 50)
    made = both(tmp_path, {("m", POSE.name): a}, {("m", POSE.name): b}, (POSE,), plan_a, plan_b, other_manifest=True)
    found = one(made)
    assert (made.pairing, made.n_common, found.n_both) == ("common pairs", 50, 50)
    assert found.verdict is Verdict.WORSE and found.difference == pytest.approx((b - a[:50]).mean())
    assert found.a == pytest.approx(a.mean())
    assert "only the 50 pairs" in made.cautions[0] and "galleries" in made.cautions[1]


def test_common_pairs_are_drawn_by_video_whatever_their_order(tmp_path: Path) -> None:
    videos = [f"v{k // 4}" for k in range(N)]
    plan_a = manifest(NAMES, videos)
    plan_b = replace(plan_a, pairs=plan_a.pairs[39::-1])
    a = rng().normal(5, 1, N)
    b = a + np.repeat(rng(1).normal(0, 1, N // 4), 4)
    values = {("m", POSE.name): a}, {("m", POSE.name): b[39::-1]}
    found = one(both(tmp_path, *values, (POSE,), plan_a, plan_b, other_manifest=True))
    low, high = cluster_bootstrap((b - a)[:40], videos[:40], seed=0, draws=500)
    assert (found.n_both, found.low, found.high) == (40, pytest.approx(float(low)), pytest.approx(float(high)))


@pytest.mark.parametrize("role", ["source", "target", "truth"])
def test_a_pair_with_one_other_image_is_another_pair(tmp_path: Path, role: str) -> None:
    pairs = tuple(replace(pair, truth=pair.source) for pair in PLAN.pairs)
    changed = replace(pairs[0], **{role: PLAN.pairs[1].target})
    plans = replace(PLAN, pairs=pairs), replace(PLAN, pairs=(changed, *pairs[1:]))
    values = {("m", POSE.name): rng().normal(5, 1, N)}
    made = both(tmp_path, values, values, (POSE,), *plans, other_manifest=True)
    assert (made.pairing, made.n_common) == ("common pairs", N - 1)


@pytest.mark.parametrize("change", [{"views": 1}, {"origin": "another generator"}])
def test_pairs_of_other_images_are_not_paired(tmp_path: Path, change) -> None:
    plans = manifest(NAMES), manifest(NAMES, **change)
    a, b = rng().normal(5, 0.5, N), rng(1).normal(6, 0.5, N)
    made = both(tmp_path, {("m", POSE.name): a}, {("m", POSE.name): b}, (POSE,), *plans, other_manifest=True)
    found = one(made)
    assert (made.pairing, made.n_common, found.n_both, found.newly_failed) == ("unpaired", 0, None, None)
    assert found.verdict is Verdict.WORSE and found.moved == () and found.mcnemar is None
    assert "share no pair" in made.cautions[0]
    # Welch's interval of two means, made without any draw.
    ends = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    np.testing.assert_allclose([found.low, found.high], ends, atol=0.12 * (ends.high - ends.low))


def test_equal_unpaired_runs_are_not_told_apart_and_not_unchanged(tmp_path: Path) -> None:
    plans = manifest(NAMES), manifest(NAMES, views=1)
    values = {("m", POSE.name): rng().normal(5, 1, N)}
    found = one(both(tmp_path, values, values, (POSE,), *plans, other_manifest=True))
    # The runs are drawn apart: equal draws would leave no interval at all.
    assert found.verdict is Verdict.UNTOLD and found.low < -0.2 and found.high > 0.2


def test_what_else_differs(tmp_path: Path) -> None:
    values = {("m", POSE.name): rng().normal(5, 1, N)}
    made = both(
        tmp_path, values, values,
        a_run={"libraries": {"torch": "2.14"}}, b_seed=3,
        b_run={"libraries": {"torch": "2.15"}, "commit": "beef+", "created": "2030-01-01", "suite": {"draws": 9}},
        b_cards={"m": "v2"},
    )  # fmt: skip
    assert {found.what: found[1:] for found in made.differs} == {
        "card of m": (sha("m"), sha("mv2")),
        "commit": ("c0ffee", "beef+"),
        "seed": ("0", "3"),
        "libraries.torch": ("2.14", "2.15"),
        "suite.draws": ("500", "9"),
    }
    assert not made.methods[0].same_card
    assert made.cautions == (
        "B was made by a working tree with changes of its own, so that the commit does not tell the code.",
    )


def test_refusals(tmp_path: Path) -> None:
    values = {("m", POSE.name): rng().normal(5, 1, N)}
    a = read.run(write(tmp_path / "a", values, [POSE], PLAN))
    with pytest.raises(UsageError, match="are one folder: name two runs"):
        build(a, read.run(tmp_path / "a" / ".." / "a"))
    other = read.run(write(tmp_path / "other", {("x", POSE.name): values["m", POSE.name]}, [POSE], PLAN))
    with pytest.raises(UsageError, match=r"no method in common.*--methods A=B"):
        build(a, other)
    metric = read.run(write(tmp_path / "metric", {("m", COSINE.name): values["m", POSE.name]}, [COSINE], PLAN))
    with pytest.raises(UsageError, match="no metric in common"):
        build(a, metric)
    nothing = read.run(write(tmp_path / "nan", {("m", POSE.name): np.full(N, np.nan)}, [POSE], PLAN))
    with pytest.raises(UsageError, match="Nothing was scored in both"):
        build(a, nothing)


def test_damaged_scores(tmp_path: Path) -> None:
    values = {("m", POSE.name): rng().normal(5, 1, N)}
    a = read.run(write(tmp_path / "a", values, [POSE], PLAN))
    b = read.run(write(tmp_path / "b", values, [POSE], PLAN))
    path = tmp_path / "b" / "scores.parquet"
    whole = pd.read_parquet(path)
    whole.iloc[1:].to_parquet(path, index=False)
    with pytest.raises(UsageError, match=r"holds no value of 'm' on 'pose\[judge\]' for pair 'p000'"):
        build(a, b)
    pd.concat([whole, whole.iloc[[5]]]).to_parquet(path, index=False)
    with pytest.raises(UsageError, match=r"more than one value .* for pair 'p005'"):
        build(a, b)
    whole.drop(columns="value").to_parquet(path, index=False)
    with pytest.raises(UsageError, match="damaged"):
        build(a, b)
    path.write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="damaged"):
        build(a, b)
    path.unlink()
    with pytest.raises(MissingError, match=r"scores\.parquet"):
        build(a, b)


def test_a_lost_manifest(tmp_path: Path) -> None:
    values = {("m", POSE.name): rng().normal(5, 1, N)}
    for name in "ab":
        write(tmp_path / name, values, [POSE], PLAN)
    (tmp_path / "a" / "manifest.json").unlink()
    # The other run has the same.
    made = build(read.run(tmp_path / "a"), read.run(tmp_path / "b"))
    assert one(made).verdict is Verdict.UNCHANGED
    (tmp_path / "b" / "manifest.json").unlink()
    with pytest.raises(MissingError, match=r"manifest\.json is gone"):
        build(read.run(tmp_path / "a"), read.run(tmp_path / "b"))


def test_one_video_gives_no_interval(tmp_path: Path) -> None:
    plan = manifest(NAMES, ["v"] * N)
    a = rng().normal(5, 1, N)
    found = one(both(tmp_path, {("m", POSE.name): a}, {("m", POSE.name): a + 1}, (POSE,), plan, plan))
    assert found.verdict is Verdict.UNTOLD and "fewer than two target videos" in found.reason
    assert found.low is None and found.p is None
    assert json.dumps(found.p) == "null"
