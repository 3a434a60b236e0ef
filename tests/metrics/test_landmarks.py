from __future__ import annotations

import numpy as np
import pytest

from hifibench.errors import UsageError
from metrics.landmarks import EYE_CORNERS, POINTS, landmarks, mesh, nme, shaped

RNG = np.random.default_rng(0)
CROP = np.array([[[0.5, 0.0, 10.0], [0.0, 0.5, -20.0]]])


def seen(points, matrix):
    """What the expert says of ``points (n, 478, 3)`` of the frame in the crop of a matrix."""
    points = np.asarray(points, np.float64)
    crop = points.copy()
    crop[..., :2] = points[..., :2] @ matrix[0, :, :2].T + matrix[0, :, 2]
    return {"mediapipe": {"landmarks": crop, "matrix": np.repeat(matrix, len(points), 0)}}


def face(n=3):
    points = RNG.uniform(100, 400, (n, 478, 3))
    points[:, 33, :2], points[:, 263, :2] = (150, 200), (250, 200)
    return points


def test_the_set_is_like_that_of_300w():
    assert len(set(POINTS)) == len(POINTS) == 66
    assert [POINTS[place] for place in EYE_CORNERS] == [33, 263]
    assert all(0 <= point < 468 for point in POINTS)


def test_a_shift_by_a_twentieth_of_the_eyes_distance_reads_5_whatever_the_crops(observe):
    target = face()
    observed = observe(3, swap=seen(target + np.array([3, 4, 9]), CROP), target=seen(target, 2 * CROP))
    np.testing.assert_allclose(landmarks("mediapipe").compute(observed), 5, rtol=1e-5)


def test_only_the_points_of_the_set_count(observe):
    target = face()
    moved = target.copy()
    moved[:, np.setdiff1d(np.arange(478), POINTS)] += 50
    moved[:, POINTS[30], 1] += 66
    observed = observe(3, swap=seen(moved, CROP), target=seen(target, CROP))
    np.testing.assert_allclose(landmarks("mediapipe").compute(observed), 1, rtol=1e-4)


def test_the_unit_is_the_targets_own_eyes(observe):
    target = face(1)
    wide = target * 2
    there = landmarks("mediapipe").compute(observe(1, swap=seen(wide, CROP), target=seen(target, CROP)))
    back = landmarks("mediapipe").compute(observe(1, swap=seen(target, CROP), target=seen(wide, CROP)))
    np.testing.assert_allclose(there, 2 * back, rtol=1e-5)


def test_a_face_that_was_not_seen_is_not_scored(observe):
    target = face()
    swap = target.copy()
    swap[1] = np.nan
    values = landmarks("mediapipe").compute(observe(3, swap=seen(swap, CROP), target=seen(target, CROP)))
    np.testing.assert_array_equal(values, [0, np.nan, 0])
    nobody = observe(3, swap={"mediapipe": {}}, target=seen(target, CROP))
    assert np.isnan(landmarks("mediapipe").compute(nobody)).all()
    assert np.isnan(mesh(nobody.swap, "mediapipe", 3)).all()


def test_eyes_in_one_place_have_no_unit():
    assert np.isnan(nme(np.zeros((1, 2, 2)), np.ones((1, 2, 2)), np.zeros(1))).all()


def test_who_gives_no_mesh_is_no_estimator():
    with pytest.raises(
        UsageError, match=r"landmarks\[...\]: '3ddfa' is no mesh estimator; expected one of: .*mediapipe"
    ):
        landmarks("3ddfa")


def test_an_output_of_another_shape_is_refused(observe):
    observed = observe(2, swap={"mediapipe": {"landmarks": np.zeros((2, 468, 3))}})
    with pytest.raises(UsageError, match=r"gave 1404 numbers of 'landmarks' per image, expected \(478, 3\)"):
        mesh(observed.swap, "mediapipe", 2)
    with pytest.raises(UsageError, match="gave no 'colours'"):
        shaped(observed.swap, "mediapipe", "colours", 2, (468, 3))
