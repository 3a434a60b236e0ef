"""Detection statistics: against scikit-learn and brute force, weighted and not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from hifibench.errors import UsageError
from metrics.detection import Ranking, auc, average_precision, equal_error_rate, undefined

# Few distinct scores, so that there are ties.
scores = st.lists(st.integers(-3, 3), min_size=1, max_size=12)


def drawn(data, forged, real):
    return [np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(s), max_size=len(s)))) for s in (forged, real)]


def is_defined(forged, real, w_forged, w_real):
    seen = set(np.array(forged)[w_forged > 0]) | set(np.array(real)[w_real > 0])
    return w_forged.any() and w_real.any() and len(seen) > 1


def brute_auc(forged, real, w_forged, w_real):
    won = sum(
        w * v * ((f > r) + 0.5 * (f == r))
        for f, w in zip(forged, w_forged, strict=True)
        for r, v in zip(real, w_real, strict=True)
    )
    return won / (w_forged.sum() * w_real.sum())


def reference_eer(labels, both, weights):
    """Where the polygon of scikit-learn's curve meets the line of equal errors, by bisection."""
    alarms, caught, _ = roc_curve(labels, both, sample_weight=weights, drop_intermediate=False)
    place = np.arange(len(alarms))
    low, high = 0.0, len(alarms) - 1.0
    for _ in range(80):
        middle = (low + high) / 2
        over = np.interp(middle, place, alarms) >= 1 - np.interp(middle, place, caught)
        low, high = (low, middle) if over else (middle, high)
    return np.interp(high, place, alarms)


@given(data=st.data())
def test_weighted_statistics_agree_with_scikit_learn_and_brute_force(data):
    forged, real = data.draw(scores), data.draw(scores)
    w_forged, w_real = drawn(data, forged, real)
    roc = Ranking(np.array(forged), np.array(real)).roc(w_forged, w_real)
    if not is_defined(forged, real, w_forged, w_real):
        assert np.isnan([auc(roc), average_precision(roc), equal_error_rate(roc)]).all()
        return
    labels, both = np.repeat([1, 0], [len(forged), len(real)]), np.array([*forged, *real], float)
    weights = np.concatenate([w_forged, w_real]).astype(float)
    assert auc(roc) == pytest.approx(brute_auc(forged, real, w_forged, w_real))
    assert auc(roc) == pytest.approx(roc_auc_score(labels, both, sample_weight=weights))
    balanced = np.concatenate([w_forged / w_forged.sum(), w_real / w_real.sum()])
    expected = average_precision_score(labels, both, sample_weight=balanced)
    assert average_precision(roc) == pytest.approx(expected)
    assert equal_error_rate(roc) == pytest.approx(reference_eer(labels, both, weights), abs=1e-9)


@given(data=st.data())
def test_a_weight_is_a_repetition_and_samples_do_not_meet(data):
    forged, real = data.draw(scores), data.draw(scores)
    weights = [drawn(data, forged, real) for _ in range(3)]
    stacked = Ranking(np.array(forged), np.array(real)).roc(*(np.stack(side) for side in zip(*weights, strict=True)))
    for statistic in (auc, average_precision, equal_error_rate):
        together = statistic(stacked)
        for row, (w_forged, w_real) in enumerate(weights):
            repeated = Ranking(np.repeat(forged, w_forged), np.repeat(real, w_real)).roc()
            np.testing.assert_array_equal(together[row], statistic(repeated))


@given(data=st.data())
def test_neither_the_order_nor_the_scale_of_scores_counts(data):
    forged, real = (np.array(data.draw(scores)) for _ in range(2))
    w_forged, w_real = drawn(data, forged, real)
    straight = Ranking(forged, real).roc(w_forged, w_real)
    turned = Ranking(np.exp(forged[::-1]), np.exp(real[::-1])).roc(w_forged[::-1], w_real[::-1])
    for statistic in (auc, average_precision, equal_error_rate):
        np.testing.assert_array_equal(statistic(straight), statistic(turned))


@given(data=st.data())
def test_a_detector_turned_round_is_as_good_as_it_was_bad(data):
    forged, real = (np.array(data.draw(scores)) for _ in range(2))
    there, back = Ranking(forged, real).roc(), Ranking(-forged, -real).roc()
    np.testing.assert_allclose(auc(there), 1 - auc(back), atol=1e-15)
    np.testing.assert_allclose(equal_error_rate(there), 1 - equal_error_rate(back), atol=1e-15)


def test_the_extremes():
    for forged, real, expected in (([2, 3], [0, 1], (1, 1, 0)), ([0, 0], [1, 2], (0, 0.5, 1))):
        roc = Ranking(np.array(forged), np.array(real)).roc()
        assert (auc(roc), average_precision(roc), equal_error_rate(roc)) == expected


def test_average_precision_does_not_depend_on_the_number_of_originals():
    rng = np.random.default_rng(0)
    forged, real = rng.normal(1, 1, 200), rng.normal(0, 1, 100)
    once = average_precision(Ranking(forged, real).roc())
    assert average_precision(Ranking(forged, np.tile(real, 7)).roc()) == pytest.approx(once, abs=1e-12)
    assert average_precision_score([1] * 200 + [0] * 100, [*forged, *real]) > once + 0.05


def test_chance_is_one_half():
    rng = np.random.default_rng(1)
    roc = Ranking(rng.random(20_000), rng.random(5_000)).roc()
    for statistic in (auc, average_precision, equal_error_rate):
        assert statistic(roc) == pytest.approx(0.5, abs=0.015)


def test_normal_scores_have_the_error_rate_of_the_closed_form():
    rng = np.random.default_rng(2)
    roc = Ranking(rng.normal(2, 1, 50_000), rng.normal(0, 1, 50_000)).roc()
    assert equal_error_rate(roc) == pytest.approx(0.158655, abs=0.004)  # the normal distribution at -1
    assert auc(roc) == pytest.approx(0.92135, abs=0.003)  # the normal distribution at 2 / sqrt(2)


def test_what_is_undefined_is_told_in_words():
    assert undefined(np.array([1.0]), np.array([2.0])) == ""
    assert undefined(np.array([]), np.array([2.0])) == "none of the swaps has a score"
    assert undefined(np.array([1.0]), np.array([])) == "none of the originals has a score"
    assert undefined(np.array([]), np.array([])) == "none of the swaps and none of the originals has a score"
    assert undefined(np.array([0.5] * 3), np.array([0.5])) == "all 4 scores are 0.5: the detector tells nothing apart"
    for forged, real in (([], [1.0]), ([1.0], []), ([], []), ([1.0, 1.0], [1.0])):
        roc = Ranking(np.array(forged), np.array(real)).roc()
        assert np.isnan([auc(roc), average_precision(roc), equal_error_rate(roc)]).all()


def test_images_without_a_score_and_weights_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match=r"1 of 3 scores are NaN or infinite: leave out the images without a face"):
        Ranking(np.array([1.0, np.nan]), np.array([0.0]))
    with pytest.raises(UsageError, match=r"weights \(3,\) and \(1,\): expected \(…, 2\) and \(…, 1\)"):
        Ranking(np.array([1.0, 2.0]), np.array([0.0])).roc(np.ones(3), np.ones(1))
    with pytest.raises(UsageError, match="one per score"):
        Ranking(np.array([1.0]), np.array([0.0])).roc(np.ones((2, 1)), np.ones(1))
