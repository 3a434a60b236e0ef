"""Clips: what trembles, flickers and changes its person, and what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hifibench.errors import UsageError
from hifibench.faces.masks import FACE_OVAL
from hifibench.faces.mesh_shape import HALVES
from hifibench.records import Observed
from metrics.inner_points import INNER, LANDMARKERS
from metrics.video import BROWS, SKIN, clips, flicker, id_variance, jitter

EYES_APART = 100.0
JITTER, FLICKER = jitter("3ddfa"), flicker("mediapipe")


def table(*parts: tuple[str, str, list[int]]) -> pd.DataFrame:
    rows = [(source, video, frame) for source, video, frames in parts for frame in frames]
    return pd.DataFrame(rows, columns=["source", "video", "frame"])


def face(n: int) -> np.ndarray:
    """``(n, 68, 2)`` still landmarks in frame pixels."""
    points = np.tile(np.random.default_rng(0).uniform(50, 200, (1, 68, 2)), (n, 1, 1))
    points[:, 36], points[:, 45] = (80, 100), (80 + EYES_APART, 100)
    return points


def landmarks(points: np.ndarray) -> Any:
    """What 3ddfa reports of points of the frame, from a crop at twice the scale."""
    crop = np.concatenate([2 * points - (30, 10), np.zeros((*points.shape[:2], 1))], 2)
    matrix = np.tile(np.array([[2.0, 0, -30], [0, 2, -10]]), (len(points), 1, 1))
    return {"3ddfa": {"landmarks": crop, "matrix": matrix}}


def tremble(pairs: pd.DataFrame, swap: np.ndarray, target: np.ndarray) -> np.ndarray:
    return JITTER.compute(Observed(pairs, landmarks(swap), {}, landmarks(target), {}))


def shimmer(pairs: pd.DataFrame, swap: np.ndarray, target: np.ndarray) -> np.ndarray:
    seen = [{"mediapipe": {"colours": colours.astype(np.float32)}} for colours in (swap, target)]
    return FLICKER.compute(Observed(pairs, seen[0], {}, seen[1], {}))


def spread(pairs: pd.DataFrame, embeddings: np.ndarray, recogniser: str = "edgeface") -> np.ndarray:
    return id_variance(recogniser).compute(Observed(pairs, {recogniser: {"embedding": embeddings}}, {}, {}, {}))


CLIP = table(("ann", "v", [0, 1, 2, 3, 4]))


def test_a_point_that_jumps_to_and_fro_jitters_by_four_times_its_jump():
    swap, target = face(5), face(5)
    swap[:, INNER, 0] += np.array([1, -1, 1, -1, 1])[:, None]  # second difference 4 pixels of 100
    np.testing.assert_allclose(tremble(CLIP, swap, target), 4.0, rtol=1e-5)


def test_one_jump_is_felt_by_the_frames_beside_it_and_the_ends_take_their_neighbour_s():
    swap, target = face(5), face(5)
    swap[2, INNER, 1] += 3
    np.testing.assert_allclose(tremble(CLIP, swap, target), [3, 3, 6, 3, 3], rtol=1e-5)


def test_jitter_is_measured_in_the_target_s_eyes():
    swap, target = face(5), face(5)
    swap[2, INNER, 1] += 3
    np.testing.assert_allclose(tremble(CLIP, 2 * swap, 2 * target), [3, 3, 6, 3, 3], rtol=1e-5)


def test_the_eyes_are_those_of_the_middle_frame():
    swap, target = face(5), face(5)
    swap[2, INNER, 1] += 3
    for points in (swap, target):
        points[2, 45, 0] += EYES_APART
    np.testing.assert_allclose(tremble(CLIP, swap, target), [3, 3, 3, 3, 3], rtol=1e-5)


def test_only_the_inner_points_count():
    swap = face(5)
    swap[:, :27] += np.random.default_rng(1).normal(0, 9, (5, 27, 2))
    np.testing.assert_allclose(tremble(CLIP, swap, face(5)), 0, atol=1e-4)


def test_a_copy_of_the_target_is_exactly_still():
    rng = np.random.default_rng(2)
    points = face(5) + rng.normal(0, 4, (5, 68, 2))
    colours = rng.random((5, 468, 3))
    np.testing.assert_array_equal(tremble(CLIP, points, points), 0)
    np.testing.assert_array_equal(shimmer(CLIP, colours, colours), 0)


def test_a_step_in_colour_is_seen_once_and_the_first_frame_takes_the_second_s():
    target = np.random.default_rng(3).random((5, 468, 3))
    swap = target + 0.1
    swap[3:] += 0.05
    np.testing.assert_allclose(shimmer(CLIP, swap, target), [0, 0, 0, 5, 0], atol=1e-3)
    swap[0] += 0.02
    np.testing.assert_allclose(shimmer(CLIP, swap, target), [2, 2, 0, 5, 0], atol=1e-3)


def test_only_skin_flickers():
    colours = np.zeros((5, 468, 3))
    eyes_lips_and_outline = np.setdiff1d(np.arange(468), SKIN)
    colours[::2, eyes_lips_and_outline] = 1
    np.testing.assert_array_equal(shimmer(CLIP, colours, np.zeros((5, 468, 3))), 0)
    assert {33, 133, 159, 61, 291, 13, 0, 17, *FACE_OVAL, *BROWS} <= {*eyes_lips_and_outline.tolist()}
    assert {50, 280, 151, 205, 425, 4} <= {*SKIN.tolist()}  # cheeks, forehead, nose
    assert len(SKIN) == len(np.unique(HALVES)) - len({*FACE_OVAL, *BROWS} & {*HALVES.ravel().tolist()})


def test_points_beyond_the_crop_are_left_out_and_a_face_mostly_beyond_has_no_value():
    swap = np.zeros((5, 468, 3))
    swap[1::2] = 0.1
    swap[:, SKIN[:20]] = np.nan
    np.testing.assert_allclose(shimmer(CLIP, swap, np.zeros((5, 468, 3))), 10, rtol=1e-5)
    swap[:, SKIN[:-20]] = np.nan
    assert np.isnan(shimmer(CLIP, swap, np.zeros((5, 468, 3)))).all()


def test_embeddings_at_right_angles_are_45_degrees_from_their_mean():
    np.testing.assert_allclose(spread(table(("a", "v", [0, 1])), np.array([[3.0, 0], [0, 5.0]])), 1 - np.sqrt(0.5))


def test_one_person_throughout_does_not_vary():
    np.testing.assert_allclose(spread(CLIP, np.tile([0.6, 0.8], (5, 1)) * np.arange(1, 6)[:, None]), 0, atol=1e-12)


def test_embeddings_compared_by_l2_give_their_variance():
    rng = np.random.default_rng(4)
    embeddings = rng.normal(size=(5, 128)).astype(np.float32)
    got = spread(CLIP, embeddings, "dlib")
    np.testing.assert_allclose(got.mean(), np.var(embeddings, axis=0).sum(), rtol=1e-5)
    np.testing.assert_allclose(got[2], np.square(embeddings[2] - embeddings.mean(0)).sum(), rtol=1e-5)


def test_opposite_embeddings_have_no_mean_direction():
    assert np.isnan(spread(table(("a", "v", [0, 1])), np.array([[1.0, 0], [-1, 0]]))).all()


def test_clips_are_of_one_source_and_one_video_and_end_at_a_gap():
    pairs = table(("a", "v", [0, 1, 2, 5, 6, 7, 8]), ("b", "v", [3, 4, 5]), ("a", "w", [9, 10, 11]))
    observed = Observed(pairs, {}, {}, {}, {})
    assert sorted(map(tuple, clips(observed, 2, "m"))) == [(0, 1, 2), (3, 4, 5, 6), (7, 8, 9), (10, 11, 12)]
    assert [len(clip) for clip in clips(observed, 4, "m")] == [4]
    assert sorted(len(clip) for clip in clips(observed, 2, "m", gaps=True)) == [3, 3, 7]


def test_two_sources_on_one_video_are_told_apart():
    pairs = table(("ann", "v", [0, 1, 2]), ("bob", "v", [0, 1, 2]))
    swap, target = face(6), face(6)
    swap[4, INNER, 1] += 3
    np.testing.assert_allclose(tremble(pairs, swap, target), [0, 0, 0, 6, 6, 6], atol=1e-4)
    embeddings = np.array([[1.0, 0]] * 3 + [[0.0, 1]] * 3)
    np.testing.assert_allclose(spread(pairs, embeddings), 0, atol=1e-12)


def test_a_gap_is_no_jump():
    pairs = table(("ann", "v", [0, 1, 2, 7, 8, 9]))
    swap = face(6)
    swap[3:, INNER] += 50
    np.testing.assert_allclose(tremble(pairs, swap, face(6)), 0, atol=1e-4)


@pytest.mark.parametrize("side", ["swap", "target"])
def test_a_frame_without_a_face_fails_and_parts_its_clip(side):
    pairs = table(("ann", "v", list(range(6))))
    points = {"swap": face(6), "target": face(6)}
    colours = {"swap": np.zeros((6, 468, 3)), "target": np.zeros((6, 468, 3))}
    for seen in (points, colours):
        seen[side][2] = np.nan
    np.testing.assert_allclose(tremble(pairs, **points), [np.nan] * 3 + [0] * 3, atol=1e-4)
    np.testing.assert_allclose(shimmer(pairs, **colours), [0, 0, np.nan, 0, 0, 0], atol=1e-4)


def test_a_frame_without_an_embedding_is_left_out_of_its_clip_s_mean():
    embeddings = np.array([[1.0, 0], [np.nan, np.nan], [0, 1.0], [1, 0], [0, 1]])
    np.testing.assert_allclose(spread(CLIP, embeddings)[[0, 2, 3, 4]], 1 - np.sqrt(0.5))
    assert np.isnan(spread(CLIP, embeddings)[1])


def test_clips_that_are_too_short_have_nothing_to_score_beside_one_that_is_not():
    pairs = table(("ann", "v", [0, 1, 2]), ("ann", "w", [0, 1]), ("ann", "still", [0]))
    np.testing.assert_allclose(tremble(pairs, face(6), face(6)), [0] * 3 + [np.inf] * 3, atol=1e-4)
    still = np.zeros((6, 468, 3))
    np.testing.assert_allclose(shimmer(pairs, still, still), [0] * 5 + [np.inf], atol=1e-4)
    np.testing.assert_allclose(spread(pairs, np.ones((6, 4))), [0] * 5 + [np.inf], atol=1e-12)


def test_only_pairs_of_clips_can_fail():
    pairs = table(("ann", "v", [0, 1, 2]), ("ann", "still", [0]))
    unseen = [np.nan] * 3 + [np.inf]
    np.testing.assert_array_equal(tremble(pairs, face(4) * np.nan, face(4)), unseen)
    np.testing.assert_array_equal(spread(pairs, np.full((4, 8), np.nan)), unseen)
    blind = Observed(pairs, {"mediapipe": {}}, {}, {"mediapipe": {"colours": np.zeros((4, 468, 3), np.float32)}}, {})
    np.testing.assert_array_equal(FLICKER.compute(blind), unseen)


def test_a_clip_is_of_one_source_video_where_that_is_known():
    pairs = table(("ann1", "v", [0]), ("ann2", "v", [1]), ("ann3", "v", [2]), ("bob", "v", [3]))
    with_video = pairs.assign(source_video=["ann", "ann", "ann", "bob"])
    assert [clip.tolist() for clip in clips(Observed(with_video, {}, {}, {}, {}), 2, "m")] == [[0, 1, 2]]
    with pytest.raises(UsageError, match="the longest clip of these 4 pairs has 1"):
        clips(Observed(pairs, {}, {}, {}, {}), 2, "m")


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda pairs: tremble(pairs, face(4), face(4)), r"jitter\[3ddfa\] .* at least 3 consecutive frames .* has 2"),
        (
            lambda pairs: spread(pairs.iloc[1:], np.ones((3, 4))),
            r"id_variance\[edgeface\] .* at least 2 frames .* has 1",
        ),
        (lambda pairs: shimmer(pairs.iloc[1:], *np.zeros((2, 3, 468, 3))), r"flicker\[mediapipe\] .* 3 pairs has 1"),
    ],
)
def test_data_without_clips_are_refused(compute, message):
    pairs = table(("a", "v", [0, 1]), ("a", "w", [0]), ("b", "v", [5]))
    with pytest.raises(UsageError, match=message + r".*'truth-video'"):
        compute(pairs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jitter("hopenet"), "'hopenet' is no landmarker; expected one of: mediapipe, 3ddfa"),
        (lambda: flicker("3ddfa"), "'3ddfa' is no landmarker; expected one of: mediapipe"),
        (lambda: id_variance("mediapipe"), "'mediapipe' is no recogniser"),
    ],
)
def test_words_that_make_no_sense_are_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize("metric", [jitter("mediapipe"), FLICKER, id_variance("dlib")], ids=lambda m: m.name)
def test_a_metric_says_what_it_is(metric):
    assert (metric.direction, metric.group, metric.worst) == ("down", "video", None)
    assert metric.name.endswith(f"[{metric.needs[0]}]")


def test_mediapipe_s_mesh_serves_as_well():
    points = np.zeros((5, 478, 3))
    points[:, LANDMARKERS["mediapipe"].points[INNER.index(45)], 0] = EYES_APART
    moved = points.copy()
    moved[2, :, 1] += 3
    seen = [{"mediapipe": {"landmarks": p, "matrix": np.tile(np.eye(2, 3), (5, 1, 1))}} for p in (moved, points)]
    got = jitter("mediapipe").compute(Observed(CLIP, seen[0], {}, seen[1], {}))
    np.testing.assert_allclose(got, [3, 3, 6, 3, 3], rtol=1e-5)


SEEDS = st.integers(0, 10**6)


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_the_order_of_the_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    pairs = table(("a", "v", [0, 1, 2, 3]), ("b", "v", [1, 2, 3]), ("a", "w", [4, 5, 6, 8]))
    n = len(pairs)
    swap, target = face(n) + rng.normal(0, 3, (n, 68, 2)), face(n) + rng.normal(0, 3, (n, 68, 2))
    colours, embeddings = rng.random((2, n, 468, 3)), rng.normal(size=(n, 8))
    order = rng.permutation(n)
    mixed = pairs.iloc[order].reset_index(drop=True)
    np.testing.assert_array_equal(tremble(mixed, swap[order], target[order]), tremble(pairs, swap, target)[order])
    np.testing.assert_array_equal(shimmer(mixed, *colours[:, order]), shimmer(pairs, *colours)[order])
    np.testing.assert_array_equal(spread(mixed, embeddings[order]), spread(pairs, embeddings)[order])


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_what_stays_the_same_along_a_clip_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    swap, target = face(5) + rng.normal(0, 3, (5, 68, 2)), face(5) + rng.normal(0, 3, (5, 68, 2))
    features, drift = rng.normal(0, 20, (68, 2)), np.arange(5)[:, None, None] * rng.normal(0, 2, (68, 2))
    np.testing.assert_allclose(
        tremble(CLIP, swap + features + drift, target), tremble(CLIP, swap, target), rtol=1e-4, atol=1e-4
    )
    colours = rng.random((2, 5, 468, 3))
    skin = rng.normal(0, 0.3, (468, 3))
    np.testing.assert_allclose(
        shimmer(CLIP, colours[0] + skin, colours[1]), shimmer(CLIP, *colours), rtol=1e-4, atol=1e-4
    )


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_the_target_s_own_motion_and_light_change_nothing(seed):
    rng = np.random.default_rng(seed)
    swap, target = face(5) + rng.normal(0, 3, (2, 5, 68, 2))
    motion = rng.normal(0, 30, (5, 1, 2))  # of the head as a whole, so that the distance of the eyes stays
    np.testing.assert_allclose(
        tremble(CLIP, swap + motion, target + motion), tremble(CLIP, swap, target), rtol=1e-4, atol=1e-4
    )
    colours, light = rng.random((2, 5, 468, 3)), rng.normal(0, 0.3, (5, 1, 3))
    np.testing.assert_allclose(shimmer(CLIP, *(colours + light)), shimmer(CLIP, *colours), rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.floats(0.1, 10))
def test_the_length_of_an_embedding_means_nothing_where_the_cosine_counts(seed, length):
    embeddings = np.random.default_rng(seed).normal(size=(5, 16))
    longer = embeddings * np.array([1, length, 1, 1, length])[:, None]
    np.testing.assert_allclose(spread(CLIP, longer), spread(CLIP, embeddings), atol=1e-9)
