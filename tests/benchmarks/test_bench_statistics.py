"""Intervals of ten methods x ten metrics over ten thousand pairs, a thousand draws: at most 5 s on two cores."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.pose import pose
from metrics.summary import summarise_all

PAIRS, COLUMNS, DRAWS = 10_000, 100, 1000
LIMIT_S = 5.0


@pytest.mark.parametrize("videos", [1_000, 10_000])
def test_a_hundred_columns(benchmark, videos):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((PAIRS, COLUMNS))
    values[rng.random(values.shape) < 0.02] = np.nan
    clusters = np.array([f"{video:05d}" for video in rng.permutation(PAIRS) % videos])
    metrics = [pose("mediapipe")] * COLUMNS
    scores = benchmark.pedantic(summarise_all, (metrics, values, clusters, 0, DRAWS), rounds=3)
    widths = np.array([score.high - score.low for score in scores])
    np.testing.assert_allclose(widths.mean(), 2 * 1.96 / np.sqrt(0.98 * PAIRS), rtol=0.05)
    assert benchmark.stats.stats.min <= LIMIT_S
