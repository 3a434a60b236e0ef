from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.errors import UsageError
from hifibench.faces.pose import rotation
from metrics.gaze import DEPTH, RADIUS, RISE, SHUT, angle_deg, eyes, gaze, gaze_deg

WIDTH = 30.0


def head(look_deg, opening=(0.3, 0.3)):
    """A head whose two eyeballs, as the estimator takes them, look there: ``(yaw, pitch)`` each."""
    points = np.zeros((478, 3))
    for (outer, inner), (upper, lower), iris, x, look, wide in (
        ((33, 133), (159, 145), 468, -30.0, look_deg[0], opening[0]),
        ((362, 263), (386, 374), 473, 30.0, look_deg[1], opening[1]),
    ):
        corners = np.array([[x - WIDTH / 2, 0, 0], [x + WIDTH / 2, 0, 0]])
        points[[outer, inner]] = corners
        points[[upper, lower]] = [x, wide * WIDTH / 2, 0], [x, -wide * WIDTH / 2, 0]
        yaw, pitch = np.radians(look)
        direction = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        points[iris] = corners.mean(0) + WIDTH * (np.array([0, RISE, -DEPTH]) + RADIUS * direction)
    return points


def turned(points, pose_deg):
    """A mesh in a head's own frame (y up, z to the viewer), turned, as pixels of a crop."""
    return (points @ rotation(pose_deg).T) * (1, -1, -1) + (128, 128, 0)


def seen(heads, poses):
    meshes = [turned(points, pose) for points, pose in zip(heads, poses, strict=True)]
    return {"mediapipe": {"landmarks": np.stack(meshes), "pose_deg": np.asarray(poses, np.float64)}}


def compute(observe, swap, target, poses=None):
    poses = poses or [[0.0, 0, 0]] * len(swap)
    return gaze("mediapipe").compute(observe(len(swap), swap=seen(swap, poses), target=seen(target, poses)))


@given(st.floats(-35, 35), st.floats(-25, 25), st.floats(-30, 30), st.floats(-20, 20), st.floats(-30, 30))
def test_the_gaze_is_found_however_the_head_is_turned(yaw, pitch, head_yaw, head_pitch, head_roll):
    pose = [head_yaw, head_pitch, head_roll]
    mesh = turned(head([(yaw, pitch)] * 2), pose)[None]
    np.testing.assert_allclose(gaze_deg(mesh, np.array([pose])), [[yaw, pitch]], atol=1e-4)


def test_eyes_10_degrees_further_read_10(observe):
    ahead, aside, up = (head([look] * 2) for look in ((0, 0), (10, 0), (0, 10)))
    np.testing.assert_allclose(compute(observe, [aside, up, ahead], [ahead] * 3), [10, 10, 0], atol=1e-3)


def test_positive_angles_look_right_and_up():
    looks = np.stack([turned(head([look] * 2), [0, 0, 0]) for look in ((20, 0), (0, 20))])
    right = looks[0, 468, 0] - looks[1, 468, 0]
    up = looks[0, 468, 1] - looks[1, 468, 1]
    assert right > 0 and up > 0  # in pixels, y points down
    np.testing.assert_allclose(gaze_deg(looks, np.zeros((2, 3))), [[20, 0], [0, 20]], atol=1e-6)


def test_a_head_that_turns_and_takes_its_eyes_along_looks_the_same_way(observe):
    look = head([(8, -3)] * 2)
    swap, target = seen([look], [[25.0, 5, -4]]), seen([look], [[-10.0, 0, 8]])
    assert gaze("mediapipe").compute(observe(1, swap=swap, target=target)).item() == pytest.approx(0, abs=1e-3)


def test_both_eyes_are_averaged(observe):
    assert compute(observe, [head([(20, 0), (0, 0)])], [head([(0, 0)] * 2)]).item() == pytest.approx(10, abs=1e-3)


def test_an_eye_that_is_shut_in_either_picture_is_left_out_of_both(observe):
    winking = head([(40, 0), (0, 0)], opening=(SHUT - 0.02, 0.3))
    plain = head([(20, 0), (0, 0)])
    for pair in ((winking, plain), (plain, winking)):
        assert compute(observe, [pair[0]], [pair[1]]).item() == pytest.approx(0, abs=1e-3)
    asleep = head([(0, 0)] * 2, opening=(0.05, 0.05))
    other = head([(0, 0)] * 2, opening=(0.05, 0.3))
    values = compute(observe, [asleep, winking, plain], [plain, other, plain])
    np.testing.assert_array_equal(np.isnan(values), [True, False, False])
    opposite = head([(0, 0)] * 2, opening=(0.3, 0.05))
    assert np.isnan(compute(observe, [winking], [opposite])).all()


def test_an_iris_beyond_the_eyeball_looks_aside_and_not_nowhere():
    points = turned(head([(0, 0)] * 2), [0, 0, 0])
    points[[468, 473], 0] += WIDTH
    looks = eyes(points[None], np.zeros((1, 3)))
    np.testing.assert_allclose(np.linalg.norm(looks, axis=-1), 1)
    assert (np.abs(looks[..., 0]) > 0.95).all()


def test_a_face_that_was_not_seen_is_not_scored(observe):
    target = seen([head([(0, 0)] * 2)] * 2, [[0.0, 0, 0]] * 2)
    blind = {"mediapipe": {name: array.copy() for name, array in target["mediapipe"].items()}}
    blind["mediapipe"]["landmarks"][1] = np.nan
    blind["mediapipe"]["pose_deg"][1] = np.nan
    values = gaze("mediapipe").compute(observe(2, swap=blind, target=target))
    np.testing.assert_array_equal(values, [0, np.nan])
    assert np.isnan(gaze("mediapipe").compute(observe(2, swap={"mediapipe": {}}, target=target))).all()


def test_small_angles_are_exact():
    small = np.radians(1e-5)
    found = angle_deg(np.array([[0.0, 0, 1]]), np.array([[np.sin(small), 0, np.cos(small)]]))
    assert found.item() == pytest.approx(1e-5, rel=1e-6)


def test_who_gives_no_mesh_is_no_estimator():
    with pytest.raises(UsageError, match=r"gaze\[...\]: 'edgeface' is no gaze estimator; expected one of: .*mediapipe"):
        gaze("edgeface")
