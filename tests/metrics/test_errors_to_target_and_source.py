"""Pose, shape, expression and background: one value per pair, from plain differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hifibench import registry
from hifibench.errors import UsageError
from metrics.background import background
from metrics.expression import expression
from metrics.pose import difference_deg, pose
from metrics.shape import rms_distance, shape

RNG = np.random.default_rng(0)


def poses(observe, swap, target, *words):
    observed = observe(len(swap), swap={"3ddfa": {"pose_deg": swap}}, target={"3ddfa": {"pose_deg": target}})
    return pose("3ddfa", *words).compute(observed)


def test_a_head_turned_by_10_degrees_reads_10(observe):
    target = [[5.0, -3.0, 2.0]] * 3
    swap = [[15.0, -3.0, 2.0], [5.0, -13.0, 2.0], [5.0, -3.0, 12.0]]
    np.testing.assert_allclose(poses(observe, swap, target), [10, 10, 10])
    np.testing.assert_allclose(poses(observe, swap, target, "yaw"), [10, 0, 0])
    np.testing.assert_allclose(poses(observe, swap, target, "pitch"), [0, 10, 0])
    np.testing.assert_allclose(poses(observe, swap, target, "roll"), [0, 0, 10])


def test_the_pose_error_is_the_length_of_the_three(observe):
    swap, target = RNG.uniform(-40, 40, (9, 3)), RNG.uniform(-40, 40, (9, 3))
    axes = [poses(observe, swap, target, axis) for axis in ("yaw", "pitch", "roll")]
    np.testing.assert_allclose(poses(observe, swap, target), np.hypot(np.hypot(axes[0], axes[1]), axes[2]), rtol=1e-6)


angles = st.floats(-180, 180, width=32)


@settings(deadline=None)
@given(angles, angles, st.integers(-2, 2))
def test_angles_are_compared_around_the_circle(a, b, turns):
    difference = float(difference_deg(np.array(a + 360.0 * turns), np.array(b)))
    assert -180 <= difference < 180
    turn = np.exp(1j * np.radians(a - b))
    assert np.exp(1j * np.radians(difference)) == pytest.approx(turn, abs=1e-9)


def test_shape_compares_with_the_source_and_expression_with_the_target(observe):
    swap = {"3ddfa": {"identity": np.zeros((1, 40)), "expression": np.zeros((1, 10))}}
    source = {"3ddfa": {"identity": np.full((1, 40), 1.0), "expression": np.full((1, 10), 2.0)}}
    target = {"3ddfa": {"identity": np.full((1, 40), 3.0), "expression": np.full((1, 10), 4.0)}}
    observed = observe(1, swap=swap, source=source, target=target)
    assert shape("3ddfa").compute(observed).item() == pytest.approx(np.sqrt(40))
    assert expression("3ddfa").compute(observed).item() == pytest.approx(4 * np.sqrt(10))


@pytest.mark.parametrize("flat", [False, True])
def test_the_shape_of_a_mesh_is_compared_point_by_point(observe, flat):
    points = RNG.standard_normal((1, 7, 3)).astype(np.float32)
    moved = points + np.float32([0.3, 0.0, -0.4])
    rows = (moved.reshape(1, -1), points.reshape(1, -1)) if flat else (moved, points)
    observed = observe(1, swap={"mediapipe": {"shape": rows[0]}}, source={"mediapipe": {"shape": rows[1]}})
    assert shape("mediapipe").compute(observed).item() == pytest.approx(0.5, rel=1e-5)


def test_the_rms_distance_of_points_at_different_distances():
    # One of two points is 3 away, the other 4.
    assert rms_distance(np.array([[3, 0, 0, 0, 4, 0]]), np.zeros((1, 6))).item() == pytest.approx(np.sqrt(12.5))


def test_blendshapes_are_compared_by_the_length_of_the_difference(observe):
    swap, target = np.zeros((2, 52)), np.zeros((2, 52))
    swap[0, 3], target[0, 40], swap[1, 3] = 0.6, 0.8, 1.0
    observed = observe(2, swap={"mediapipe": {"blendshapes": swap}}, target={"mediapipe": {"blendshapes": target}})
    np.testing.assert_allclose(expression("mediapipe").compute(observed), [1, 1])


@pytest.mark.parametrize("column", [True, False])
def test_background_passes_on_what_the_expert_measured(observe, column):
    seen = {"background_l1": np.array([0.1, np.nan]), "background_ssim": np.array([0.9, 1.0])}
    if column:
        seen = {name: array[:, None] for name, array in seen.items()}
    observed = observe(2, swap={"pixels": seen})
    np.testing.assert_allclose(background("l1").compute(observed), [0.1, np.nan])
    np.testing.assert_allclose(background("ssim").compute(observed), [0.9, 1.0])


def test_perceptual_background_comes_from_its_own_expert_and_is_better_when_lower(observe):
    observed = observe(2, swap={"lpips": {"background_lpips": [0.25, np.nan]}})
    metric = background("lpips")
    np.testing.assert_array_equal(metric.compute(observed), [0.25, np.nan])
    assert (metric.needs, metric.direction, metric.worst) == (("lpips",), "down", None)


@pytest.mark.parametrize(
    ("metric", "output", "width", "other"),
    [
        (pose("mediapipe"), "pose_deg", 3, "target"),
        (pose("mediapipe", "roll"), "pose_deg", 3, "target"),
        (shape("mediapipe"), "shape", 30, "source"),
        (expression("mediapipe"), "blendshapes", 52, "target"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_equal_faces_have_no_error_and_unseen_ones_no_value(observe, metric, output, width, other):
    seen = RNG.standard_normal((4, width)).astype(np.float32)
    swap, compared = seen.copy(), seen.copy()
    swap[1], compared[2] = np.nan, np.nan
    observed = observe(4, swap={"mediapipe": {output: swap}}, **{other: {"mediapipe": {output: compared}}})
    values = metric.compute(observed)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [0, np.nan, np.nan, 0])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pose[edgeface]", "'edgeface' is no pose estimator; expected one of: 3ddfa, .*mediapipe"),
        ("pose[mediapipe,tilt]", "'tilt' is no axis; expected one of: yaw, pitch, roll"),
        ("pose", "cannot be made"),
        ("shape[dlib]", "'dlib' is no shape estimator; expected one of: 3ddfa, .*mediapipe"),
        ("expression[pixels]", "'pixels' is no expression estimator; expected one of: 3ddfa, .*mediapipe"),
        ("background[l2]", "'l2' is no comparison; expected one of: l1, ssim, lpips"),
    ],
)
def test_names_that_make_no_sense_are_refused(name, message):
    with pytest.raises(UsageError, match=message):
        registry.metric(name)


def test_missing_outputs_are_named(observe):
    observed = observe(1, swap={"mediapipe": {"landmarks": np.zeros((1, 9))}})
    with pytest.raises(UsageError, match=r"'mediapipe' gave no 'pose_deg'; it gave: landmarks"):
        pose("mediapipe").compute(observed)
    with pytest.raises(UsageError, match=r"gave 3 rows of 'pose_deg', expected 1"):
        pose("mediapipe").compute(observe(1, swap={"mediapipe": {"pose_deg": np.zeros((3, 3))}}))
