from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from metrics.retrieval import retrieve

SIMILARITIES = ("cosine", "l2")


def names(m: int) -> np.ndarray:
    return np.array([f"{i:05d}" for i in range(m)])


def vectors(n: int, d: int, seed: int, length: float = 1.0) -> np.ndarray:
    return (length * np.random.default_rng(seed).standard_normal((n, d))).astype(np.float32)


@pytest.mark.parametrize("k", [1, 2, 7])
@pytest.mark.parametrize(("similarity", "metric"), [("cosine", "cosine"), ("l2", "euclidean")])
def test_agrees_with_sorting_scipys_distances(similarity, metric, k):
    queries, gallery = vectors(300, 24, seed=1), vectors(700, 24, seed=2, length=3.0)
    expected = np.argsort(cdist(queries, gallery, metric), axis=1)[:, :k]
    np.testing.assert_array_equal(retrieve(queries, gallery, k, similarity, names(700)), expected)


def test_l2_and_cosine_differ_where_lengths_do():
    gallery = np.float32([[10, 0], [0.6, 0.8]])
    assert retrieve(np.float32([[1, 0]]), gallery, 1, "cosine", names(2)).item() == 0
    assert retrieve(np.float32([[1, 0]]), gallery, 1, "l2", names(2)).item() == 1


# Few small whole numbers: many vectors are equal, and many unequal ones are equally near.
whole = st.integers(-2, 2).map(float)


@st.composite
def tied(draw):
    d = draw(st.integers(1, 5))
    queries = draw(hnp.arrays(np.float32, (draw(st.integers(1, 6)), d), elements=whole))
    gallery = draw(hnp.arrays(np.float32, (draw(st.integers(1, 40)), d), elements=whole))
    return queries, gallery, np.array(draw(st.permutations(range(len(gallery)))))


@settings(deadline=None)
@given(tied(), st.integers(1, 6), st.sampled_from(SIMILARITIES))
def test_permuting_a_gallery_with_ties_changes_nothing(data, k, similarity):
    queries, gallery, order = data
    called = names(len(gallery))
    straight = retrieve(queries, gallery, k, similarity, called)
    shuffled = retrieve(queries, gallery[order], k, similarity, called[order])
    found = shuffled >= 0
    np.testing.assert_array_equal(found, straight >= 0)
    np.testing.assert_array_equal(called[order][shuffled[found]], called[straight[found]])


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_permuting_a_gallery_of_twins_in_512_dimensions_changes_nothing(similarity):
    # A matrix product gives equal rows unequal values, depending on where they stand.
    people = vectors(150, 512, seed=3)
    gallery = np.repeat(people, 3, axis=0)
    called = np.random.default_rng(4).permutation(names(450))
    queries = people + vectors(150, 512, seed=5, length=0.5)
    first = [min(called[3 * person : 3 * person + 3]) for person in range(150)]
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(450)
        nearest = retrieve(queries, gallery[order], 1, similarity, called[order])[:, 0]
        np.testing.assert_array_equal(called[order][nearest], first)


@settings(deadline=None)
@given(tied(), st.sampled_from(SIMILARITIES))
def test_a_query_is_answered_alike_alone_and_among_others(data, similarity):
    queries, gallery, _ = data
    together = retrieve(queries, gallery, 3, similarity, names(len(gallery)))
    alone = [retrieve(query[None], gallery, 3, similarity, names(len(gallery)))[0] for query in queries]
    np.testing.assert_array_equal(together, alone)


def test_of_equal_images_the_first_name_wins():
    gallery = np.float32([[0, 1], [1, 0], [1, 0], [1, 0]])
    called = np.array(["a", "d", "b", "c"])
    np.testing.assert_array_equal(retrieve(gallery[1:2], gallery, 4, "cosine", called), [[2, 3, 1, 0]])


@pytest.mark.parametrize(("similarity", "metric"), [("cosine", "cosine"), ("l2", "euclidean")])
def test_neighbours_closer_than_single_precision_are_told_apart(similarity, metric):
    query = vectors(1, 512, seed=11)
    gallery = query + vectors(60, 512, seed=12, length=5e-4)
    distances = cdist(query.astype(np.float64), gallery.astype(np.float64), metric)[0]
    spread = np.ptp(np.square(distances) if similarity == "l2" else distances)
    assert spread < np.finfo(np.float32).eps * (np.square(query).sum() if similarity == "l2" else 2)
    np.testing.assert_array_equal(retrieve(query, gallery, 60, similarity, names(60))[0], np.argsort(distances))


def test_nan_queries_find_nothing_and_nan_images_are_never_found():
    gallery = vectors(4, 8, seed=7)
    queries = gallery.copy()
    queries[1, 3] = np.nan
    gallery[2, 0] = np.nan
    nearest = retrieve(queries, gallery, 4, "cosine", names(4))
    assert (nearest[1] == -1).all()
    assert set(nearest[0].tolist()) == {0, 1, 3, -1} and nearest[0, 3] == -1
    assert nearest[0, 0] == 0 and nearest[3, 0] == 3 and 2 not in nearest


def test_an_empty_or_blind_gallery_finds_nothing():
    queries = vectors(2, 3, seed=8)
    assert (retrieve(queries, np.full((2, 3), np.nan, np.float32), 2, "l2", names(2)) == -1).all()
    assert (retrieve(queries, np.empty((0, 3), np.float32), 2, "l2", names(0)) == -1).all()
    assert retrieve(queries[:0], queries, 2, "l2", names(2)).shape == (0, 2)


def test_a_vector_without_direction_is_near_nothing_by_cosine():
    gallery = np.float32([[0, 0], [-1, 0]])
    queries = np.float32([[1, 0], [0, 0]])
    np.testing.assert_array_equal(retrieve(queries, gallery, 2, "cosine", names(2)), [[1, -1], [-1, -1]])
    np.testing.assert_array_equal(retrieve(queries, gallery, 2, "l2", names(2)), [[0, 1], [0, 1]])


def test_bad_input_is_refused():
    good = vectors(3, 4, seed=10)
    with pytest.raises(ValueError, match=r"queries \(3, 4\) and gallery \(3, 3\)"):
        retrieve(good, good[:, :3], 1, "l2", names(3))
    with pytest.raises(ValueError, match="one for each of the 3"):
        retrieve(good, good, 1, "l2", names(2))
    with pytest.raises(ValueError, match="a name of its own; 'a' comes twice"):
        retrieve(good, good, 1, "l2", np.array(["a", "b", "a"]))
    with pytest.raises(ValueError, match="k = 0"):
        retrieve(good, good, 0, "l2", names(3))
    with pytest.raises(ValueError, match=r"'dot': expected one of cosine, l2"):
        retrieve(good, good, 1, "dot", names(3))
