"""Forgery AUC per pair: the mean over pairs is the area under the ROC curve, without faces that were not found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from hifibench.errors import UsageError
from hifibench.experts import forgery as detectors
from hifibench.experts import spectrum
from metrics.forgery import forgery_auc

NAN = np.nan


def auc(observe, swap, real, detector="spectrum"):
    made = observe(
        len(swap),
        swap={detector: {"fake": np.reshape(swap, (-1, 1))}},
        galleries={"frames": (["somebody"] * len(real), {detector: {"fake": np.reshape(real, (-1, 1))}})},
    )
    return forgery_auc(detector).compute(made)


@given(data=st.data())
def test_the_mean_over_pairs_is_the_area_under_the_curve(observe, data):
    # Few distinct scores, so that there are ties.
    scores = st.lists(st.integers(-3, 3), min_size=1, max_size=12)
    swap, real = data.draw(scores), data.draw(scores)
    area = mannwhitneyu(swap, real).statistic / (len(swap) * len(real))
    assert auc(observe, swap, real).mean() == pytest.approx(100 * area)


def test_the_area_of_many_real_scores(observe):
    rng = np.random.default_rng(0)
    swap, real = (np.float32(rng.normal(mean, 1, n)).astype(float) for mean, n in ((1, 200), (0, 300)))
    area = mannwhitneyu(swap, real).statistic / (200 * 300)
    assert 0.7 < area < 0.85
    assert auc(observe, swap, real).mean() == pytest.approx(100 * area, abs=1e-9)


def test_the_extremes(observe):
    np.testing.assert_array_equal(auc(observe, [5, 6], [1, 2]), [100, 100])
    np.testing.assert_array_equal(auc(observe, [0, 0], [1, 2]), [0, 0])
    np.testing.assert_array_equal(auc(observe, [3, 3, 3], [3, 3]), [50, 50, 50])


def test_faces_that_were_not_found_are_no_scores(observe):
    np.testing.assert_array_equal(auc(observe, [NAN, 2, 0], [1, NAN, 3]), [NAN, 50, 0])
    np.testing.assert_array_equal(auc(observe, [1, 2], [NAN, NAN]), [NAN, NAN])


def test_a_gallery_is_needed(observe):
    observed = observe(1, swap={"spectrum": {"fake": [[1]]}})
    with pytest.raises(UsageError, match=r"No gallery 'frames' was observed; there are: none"):
        forgery_auc("spectrum").compute(observed)


def test_an_unknown_detector_is_refused():
    with pytest.raises(UsageError, match=r"'pixels' is no forgery detector; expected one of: .*dfdc-ensemble, spec"):
        forgery_auc("pixels")


def test_lower_is_better_and_failure_the_worst():
    metric = forgery_auc("dfdc-ensemble")
    assert (metric.name, metric.direction, metric.worst) == ("forgery_auc[dfdc-ensemble]", "down", 100)
    assert metric.needs == ("dfdc-ensemble",)
    assert not metric.rate


def test_every_detector_gives_the_score_that_is_read():
    cards = [detectors.XCEPTION, detectors.DFDC, spectrum.CARD]
    assert all(card.role == "forgery" and "fake" in card.outputs for card in cards)
