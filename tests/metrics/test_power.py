"""Power: against statsmodels, simulation and closed forms."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.power import NormalIndPower, TTestPower

from hifibench.errors import UsageError
from metrics.power import (
    clusters_needed,
    design_effect,
    intraclass_correlation,
    mcnemar_pairs_needed,
    mcnemar_power,
    pairs_needed,
    power_of,
    smallest_difference,
)
from metrics.statistics import mcnemar

effects = st.floats(0.05, 1.5)
levels = st.sampled_from([0.9, 0.95, 0.99])
powers = st.sampled_from([0.7, 0.8, 0.9])


@given(effects, st.floats(0.1, 10), levels, powers)
def test_pairs_needed_agree_with_the_normal_test_of_statsmodels(effect, sd, level, power):
    # ratio=0 makes its test of two samples one of a single sample, here the differences.
    exact = NormalIndPower().solve_power(effect, alpha=1 - level, power=power, ratio=0)
    found = pairs_needed(effect * sd, sd, level=level, power=power)
    assert max(exact, 2) <= found * (1 + 1e-6)
    assert found <= max(2, exact * (1 + 1e-3) + 1)


@pytest.mark.parametrize("effect", [0.2, 0.3, 0.5])
def test_the_t_test_needs_a_few_pairs_more(effect):
    found = pairs_needed(effect, 1.0)
    assert 0 < TTestPower().solve_power(effect, alpha=0.05, power=0.8) - found < 3


@given(effects, st.integers(2, 5000), levels)
def test_power_agrees_with_statsmodels(effect, pairs, level):
    expected = NormalIndPower().power(effect, pairs, alpha=1 - level, ratio=0)
    assert power_of(2 * effect, 2.0, pairs, level=level) == pytest.approx(expected, abs=1e-9)
    assert power_of(0.0, 2.0, pairs, level=level) == pytest.approx(1 - level)


@given(st.integers(2, 100_000), st.floats(0.01, 100), levels, powers, st.floats(1, 20))
def test_the_smallest_difference_is_the_inverse(pairs, sd, level, power, effect):
    options = {"level": level, "power": power, "design_effect": effect}
    difference = smallest_difference(pairs, sd, **options)
    assert pairs_needed(difference, sd, **options) == pairs
    assert pairs_needed(-difference, sd, **options) == pairs
    assert power_of(difference, sd, pairs, level=level, design_effect=effect) == pytest.approx(power, abs=2e-3)


def test_a_difference_that_never_varies_is_resolved_at_once():
    assert pairs_needed(0.1, 0.0) == 2
    assert smallest_difference(10, 0.0) == 0


def test_clusters_make_differences_harder_to_find():
    # 20 videos of 10 pairs, half of the variance between videos: simulated z-tests of the video means.
    videos, size, icc, sd = 20, 10, 0.5, 2.0
    effect = design_effect(size, icc)
    difference = smallest_difference(videos * size, sd, design_effect=effect)
    rng = np.random.default_rng(0)
    shared = rng.normal(0, sd * np.sqrt(icc), (20_000, videos))
    own = rng.normal(0, sd * np.sqrt((1 - icc) / size), (20_000, videos))
    z = (difference + shared + own).mean(axis=1) / (sd * np.sqrt(effect / (videos * size)))
    assert np.mean(np.abs(z) > scipy.stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.01)
    assert clusters_needed(difference, sd, size, icc) == videos


def test_the_design_effect_at_its_ends():
    assert design_effect(1, 0.7) == 1
    assert design_effect(10, 0.0) == 1
    assert design_effect(10, 1.0) == 10
    # Videos whose pairs all say the same count as one pair each.
    assert clusters_needed(0.5, 1.0, 10, 1.0) == pairs_needed(0.5, 1.0)


def anova_icc(values, clusters):
    """ICC(1) from the mean squares of statsmodels' analysis of variance."""
    table = anova_lm(ols("value ~ C(cluster)", pd.DataFrame({"value": values, "cluster": clusters})).fit())
    between, within = table["mean_sq"]
    sizes = pd.Series(clusters).value_counts().to_numpy()
    n0 = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    return (between - within) / (between + (n0 - 1) * within)


@pytest.mark.parametrize("sizes", [[5] * 12, [1, 2, 3, 4, 10, 10, 7, 1]])
def test_the_intraclass_correlation_agrees_with_an_analysis_of_variance(sizes):
    rng = np.random.default_rng(1)
    clusters = np.repeat([f"v{i}" for i in range(len(sizes))], sizes)
    values = np.repeat(rng.normal(0, 1, len(sizes)), sizes) + rng.normal(0, 1, len(clusters))
    found = intraclass_correlation(values, clusters)
    assert found == pytest.approx(anova_icc(values, clusters), abs=1e-12)
    order = rng.permutation(len(values))
    assert intraclass_correlation(values[order], clusters[order]) == found
    with_failures = np.append(values, [np.nan, np.nan])
    assert intraclass_correlation(with_failures, np.append(clusters, ["v0", "new"])) == found


def test_the_intraclass_correlation_finds_the_share_of_variance_between_clusters():
    rng = np.random.default_rng(2)
    for share in (0.0, 0.3, 0.8):
        values = np.sqrt(share) * rng.normal(size=(2000, 1)) + np.sqrt(1 - share) * rng.normal(size=(2000, 5))
        assert intraclass_correlation(values.ravel(), np.repeat(np.arange(2000), 5)) == pytest.approx(share, abs=0.03)
    assert intraclass_correlation(np.repeat([1.0, 2.0, 5.0], 4), np.repeat(list("abc"), 4)) == 1
    assert np.isnan(intraclass_correlation(np.ones(4), list("aabb")))


@pytest.mark.parametrize(("only_first", "only_second"), [(0.2, 0.1), (0.05, 0.15), (0.3, 0.1)])
def test_mcnemar_power_agrees_with_a_simulation(only_first, only_second):
    pairs = mcnemar_pairs_needed(only_first, only_second)
    assert mcnemar_power(only_first, only_second, pairs - 1) < 0.8 <= mcnemar_power(only_first, only_second, pairs)
    rng = np.random.default_rng(3)
    b, c, _ = rng.multinomial(pairs, [only_first, only_second, 1 - only_first - only_second], 20_000).T
    # The formula is of the test without correction for continuity, in steps of whole pairs.
    found = np.mean((b - c) ** 2 > scipy.stats.chi2.ppf(0.95, 1) * (b + c))
    assert found == pytest.approx(0.8, abs=0.03)
    exact = np.mean([mcnemar(int(one), int(other)) <= 0.05 for one, other in zip(b[:4000], c[:4000], strict=True)])
    assert 0.72 < exact < found
    more = int(1.1 * pairs)
    b, c, _ = rng.multinomial(more, [only_first, only_second, 1 - only_first - only_second], 4000).T
    assert np.mean([mcnemar(int(one), int(other)) <= 0.05 for one, other in zip(b, c, strict=True)]) > 0.78


def test_mcnemar_where_one_method_always_wins():
    assert mcnemar_pairs_needed(1.0, 0.0) == 4
    assert (mcnemar_power(1.0, 0.0, 3), mcnemar_power(1.0, 0.0, 4)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pairs_needed(0.0, 1.0), "difference = 0.0: no number of pairs resolves it"),
        (lambda: pairs_needed(np.nan, 1.0), "difference = nan"),
        (lambda: pairs_needed(1.0, -1.0), "sd = -1.0: expected a standard deviation"),
        (lambda: pairs_needed(1.0, 1.0, level=95), "level = 95: expected a number between 0 and 1"),
        (lambda: pairs_needed(1.0, 1.0, power=1), "power = 1: expected"),
        (lambda: pairs_needed(1.0, 1.0, design_effect=0), "design_effect = 0: expected"),
        (lambda: smallest_difference(1, 1.0), "pairs = 1: a mean difference has no interval with fewer than 2 pairs"),
        (lambda: power_of(1.0, 0.0, 10), r"sd = 0.0: expected finite numbers, sd more than 0"),
        (lambda: design_effect(0, 0.5), "cluster_size = 0, icc = 0.5: expected at least 1 pair"),
        (lambda: design_effect(10, 1.5), "icc = 1.5: expected"),
        (lambda: design_effect(10, -0.5), r"icc = -0.5: clusters of 10 pairs cannot .* more than -0.111"),
        (lambda: clusters_needed(0, 1.0, 5, 0.1), "no number of clusters resolves it"),
        (lambda: intraclass_correlation(np.zeros(3), ["a", "b", "c"]), "3 values in 3 clusters: .* needs at least 2"),
        (lambda: intraclass_correlation(np.zeros(3), ["a"] * 3), "3 values in 1 clusters"),
        (lambda: intraclass_correlation(np.zeros(3), ["a", "b"]), r"values \(3,\), clusters \(2,\)"),
        (lambda: intraclass_correlation(np.zeros(2), ["a", None]), "1 of 2 rows has no cluster"),
        (lambda: mcnemar_pairs_needed(0.2, 0.2), "Both methods succeed equally often"),
        (lambda: mcnemar_pairs_needed(0.8, 0.3), "only_first = 0.8, only_second = 0.3: expected shares"),
        (lambda: mcnemar_power(0.0, 0.0, 10), "expected shares of all pairs"),
        (lambda: mcnemar_power(0.2, 0.1, 1), "pairs = 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_the_examples_of_the_document_run_and_say_what_they_say():
    text = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        exec(example, names)
    assert "# 283 pairs resolve a difference of 0.5" in text and pairs_needed(0.5, sd=3.0) == 283
    assert "# 100 pairs resolve 0.84" in text and smallest_difference(100, sd=3.0) == pytest.approx(0.84, abs=0.005)
