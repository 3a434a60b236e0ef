"""Ten thousand swaps among ten thousand faces: at most a second on two cores, and what brute force finds."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.retrieval import retrieve

N, D = 10_000, 512
LIMIT_S = 1.0


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    gallery, noise = rng.standard_normal((2, N, D), dtype=np.float32) / np.sqrt(np.float32(D))
    queries = gallery[rng.permutation(N)] + 2 * noise
    names = np.array([f"{i:05d}.png" for i in range(N)])
    return queries, gallery, names


def brute_force(queries, gallery, similarity, k):
    """The k nearest in double precision, for a sample of the queries."""
    queries, gallery = queries.astype(np.float64), gallery.astype(np.float64)
    if similarity == "cosine":
        near = queries @ (gallery / np.linalg.norm(gallery, axis=1, keepdims=True)).T
    else:
        near = 2 * queries @ gallery.T - np.square(gallery).sum(axis=1)
    return np.argsort(-near, axis=1)[:, :k]


@pytest.mark.parametrize(("similarity", "k"), [("cosine", 1), ("cosine", 5), ("l2", 1)])
def test_ten_thousand_among_ten_thousand(benchmark, faces, similarity, k):
    queries, gallery, names = faces
    found = benchmark.pedantic(retrieve, (queries, gallery, k, similarity, names), rounds=5, warmup_rounds=1)
    np.testing.assert_array_equal(found[::20], brute_force(queries[::20], gallery, similarity, k))
    assert benchmark.stats.stats.min <= LIMIT_S
