"""Ten methods x ten metrics over ten thousand pairs, a thousand draws: at most 5 s on two cores.

A forgery score, whose draws are whole curves, takes at most 1 s for one method.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hifibench.records import Gallery, Observed
from metrics.forgery import forgery_ap, forgery_auc, forgery_eer
from metrics.pose import pose
from metrics.resampling import cluster_weights
from metrics.statistics import paired_differences
from metrics.summary import summarise_all

PAIRS, METHODS, METRICS, DRAWS = 10_000, 10, 10, 1000
COLUMNS = METHODS * METRICS
LIMIT_S = 5.0
FORGERY_LIMIT_S = 1.0


def table(videos):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((PAIRS, COLUMNS))
    values[rng.random(values.shape) < 0.02] = np.nan
    return values, np.array([f"{video:05d}" for video in rng.permutation(PAIRS) % videos])


def forget():
    # The samples are drawn anew in every round, as a run draws them once.
    cluster_weights.cache_clear()


@pytest.mark.parametrize("videos", [1_000, 10_000])
def test_a_hundred_columns(benchmark, videos):
    values, clusters = table(videos)
    metrics = [pose("mediapipe")] * COLUMNS

    def intervals():
        forget()
        return summarise_all(metrics, values, clusters, 0, DRAWS)

    scores = benchmark.pedantic(intervals, rounds=3)
    widths = np.array([score.high - score.low for score in scores])
    np.testing.assert_allclose(widths.mean(), 2 * 1.96 / np.sqrt(0.98 * PAIRS), rtol=0.05)
    assert benchmark.stats.stats.min <= LIMIT_S


def test_every_method_against_every_other_in_every_metric(benchmark):
    values, clusters = table(10_000)

    def differences():
        forget()
        parts = np.split(values, METRICS, axis=1)
        return [paired_differences(part, clusters, seed=0, draws=DRAWS) for part in parts]

    found = benchmark.pedantic(differences, rounds=2)
    widths = np.array([one.high - one.low for one in found])[:, *np.triu_indices(METHODS, 1)]
    np.testing.assert_allclose(widths.mean(), 2 * 1.96 * np.sqrt(2) / np.sqrt(0.98**2 * PAIRS), rtol=0.05)
    assert benchmark.stats.stats.min <= LIMIT_S


@pytest.mark.parametrize("metric", [forgery_auc, forgery_ap, forgery_eer])
def test_a_forgery_score_of_one_method(benchmark, metric):
    rng = np.random.default_rng(0)
    video = np.array([f"v{row % 1000:04d}" for row in range(PAIRS)])
    pairs = pd.DataFrame({"source": video, "target": video, "video": video})
    swap, real = ({"spectrum": {"fake": rng.normal(mean, 1, (PAIRS, 1)).astype(np.float32)}} for mean in (1, 0))
    observed = Observed(pairs, swap, {}, {}, {"frames": Gallery(video, video, real, video)})
    whole = metric("spectrum").whole
    found = benchmark.pedantic(whole, (observed, 0, DRAWS), setup=forget, rounds=2)
    assert np.isfinite(found.draws).all()
    assert benchmark.stats.stats.min <= FORGERY_LIMIT_S
