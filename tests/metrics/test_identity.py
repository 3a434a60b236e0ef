from __future__ import annotations

import numpy as np
import pytest

from hifibench import registry
from hifibench.errors import UsageError
from metrics.identity import id_cosine, id_leak, id_retrieval

FACES = np.eye(6, dtype=np.float32)
PEOPLE = ["ann", "ann", "bob", "bob", "cat", "dan"]


def gallery(seen=FACES, expert="edgeface", people=PEOPLE):
    return {"frames": (people, {expert: {"embedding": seen}})}


def retrieval(observe, queries, source_id, top="top1", **more):
    observed = observe(
        len(queries), swap={"edgeface": {"embedding": queries}}, source_id=source_id, galleries=gallery(**more)
    )
    return id_retrieval("edgeface", "frames", top).compute(observed)


def test_any_image_of_the_sources_person_counts(observe):
    values = retrieval(observe, FACES, ["ann", "ann", "bob", "ann", "bob", "dan"])
    np.testing.assert_array_equal(values, [100, 100, 100, 0, 0, 100])


def test_top5_counts_images_and_not_people(observe):
    # By likeness to the swap: ann, ann, bob, bob, cat, dan: dan is the fourth person, but the sixth image.
    swap = np.float32([[6, 5, 4, 3, 2, 1]] * 4)
    np.testing.assert_array_equal(retrieval(observe, swap, ["ann", "bob", "cat", "dan"], "top5"), [100, 100, 100, 0])
    np.testing.assert_array_equal(retrieval(observe, swap, ["ann", "bob", "cat", "dan"], "top1"), [100, 0, 0, 0])


def test_a_gallery_smaller_than_five_finds_everybody(observe):
    values = retrieval(observe, FACES[:2], ["ann", "bob"], "top5", seen=FACES[:2], people=["ann", "bob"])
    np.testing.assert_array_equal(values, [100, 100])


def test_dlib_is_searched_by_distance(observe):
    # By cosine the first image is nearest, by distance the second.
    seen = {"dlib": {"embedding": [[9, 0], [0.8, 0.6]]}}
    observed = observe(
        1, swap={"dlib": {"embedding": [[1, 0]]}}, source_id=["bob"], galleries={"sources": (["ann", "bob"], seen)}
    )
    np.testing.assert_array_equal(id_retrieval("dlib", "sources", "top1").compute(observed), [100])


def test_a_swap_without_embedding_is_not_scored(observe):
    queries = FACES.copy()
    queries[0] = np.nan
    values = retrieval(observe, queries, ["ann"] * 6)
    np.testing.assert_array_equal(values, [np.nan, 100, 0, 0, 0, 0])


def test_a_source_that_cannot_be_found_is_not_scored(observe):
    seen = FACES.copy()
    seen[4] = np.nan
    values = retrieval(observe, FACES, ["ann", "eve", "cat", "bob", "cat", "dan"], seen=seen)
    np.testing.assert_array_equal(values, [100, np.nan, np.nan, 100, np.nan, 100])


def test_a_recogniser_that_saw_no_swap_at_all_gives_nan(observe):
    observed = observe(2, swap={"edgeface": {}}, source={"edgeface": {"embedding": FACES[:2]}}, galleries=gallery())
    assert np.isnan(id_retrieval("edgeface", "frames", "top1").compute(observed)).all()
    assert np.isnan(id_cosine("edgeface").compute(observed)).all()


def test_cosines_are_those_of_the_angles(observe):
    angle = np.radians([0.0, 60.0, 90.0, 180.0, 20.0])
    swap = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    swap[4] = np.nan
    seen = {"w600k": {"embedding": np.tile([1.0, 0.0], (5, 1))}}
    observed = observe(5, swap={"w600k": {"embedding": swap}}, source=seen, target=seen)
    for metric in (id_cosine("w600k"), id_leak("w600k")):
        np.testing.assert_allclose(metric.compute(observed), [1, 0.5, 0, -1, np.nan], atol=1e-7)


def test_cosine_looks_at_the_source_and_leak_at_the_target(observe):
    swap, other = {"edgeface": {"embedding": FACES[:1]}}, {"edgeface": {"embedding": FACES[1:2]}}
    observed = observe(1, swap=swap, source=swap, target=other)
    assert id_cosine("edgeface").compute(observed).item() == 1.0
    assert id_leak("edgeface").compute(observed).item() == 0.0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_cosine_does_not_depend_on_lengths_and_never_leaves_its_range(observe, scale):
    rows = np.random.default_rng(0).standard_normal((50, 512)).astype(np.float32)
    seen = {"edgeface": {"embedding": rows}}
    observed = observe(50, swap={"edgeface": {"embedding": scale * rows}}, source=seen)
    values = id_cosine("edgeface").compute(observed)
    np.testing.assert_allclose(values, 1.0, atol=1e-6)
    assert values.max() <= 1.0


@pytest.mark.parametrize("factory", [id_cosine, id_leak])
def test_a_cosine_of_embeddings_compared_by_distance_is_refused(factory):
    with pytest.raises(UsageError, match=r"'dlib' compares faces by L2 distance.*id_retrieval.dlib,"):
        factory("dlib")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("id_retrieval[mediapipe,frames,top1]", "'mediapipe' is no recogniser; expected one of: .*edgeface, .*w600k"),
        ("id_retrieval[edgeface,targets,top1]", "'targets' is no gallery; expected one of: frames, sources"),
        ("id_retrieval[edgeface,frames,top3]", "'top3' is no number of nearest faces; expected one of: top1, top5"),
        ("id_retrieval[edgeface,frames]", "cannot be made"),
        ("id_cosine[pixels]", "'pixels' is no recogniser"),
    ],
)
def test_names_that_make_no_sense_are_refused(name, message):
    with pytest.raises(UsageError, match=message):
        registry.metric(name)


def test_missing_observations_are_named(observe):
    metric = id_retrieval("edgeface", "sources", "top1")
    with pytest.raises(UsageError, match=r"No gallery 'sources' was observed; there are: frames"):
        metric.compute(observe(1, swap={"edgeface": {"embedding": FACES[:1]}}, galleries=gallery()))
    with pytest.raises(UsageError, match=r"No observations of 'edgeface'; there are those of: dlib"):
        id_cosine("edgeface").compute(observe(1, swap={"dlib": {"embedding": FACES[:1]}}))
