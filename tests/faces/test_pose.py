import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hifibench.faces.pose import euler_deg, nearest_rotation, rotation

angle = st.floats(-80, 80)


@given(angle, angle, angle)
def test_euler_deg_inverts_rotation(yaw: float, pitch: float, roll: float) -> None:
    np.testing.assert_allclose(euler_deg(rotation((yaw, pitch, roll))), (yaw, pitch, roll), atol=1e-9)


@given(angle, angle, angle)
def test_rotation_agrees_with_scipy(yaw: float, pitch: float, roll: float) -> None:
    expected = Rotation.from_euler("ZYX", (-roll, yaw, -pitch), degrees=True).as_matrix()
    np.testing.assert_allclose(rotation((yaw, pitch, roll)), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("pose_deg", "moved", "axis", "sign"),
    [
        ((10, 0, 0), (0, 0, 1), 0, 1),  # the nose goes to the right edge of the image
        ((0, 10, 0), (0, 0, 1), 1, 1),  # the nose is lifted
        ((0, 0, 10), (0, 1, 0), 0, 1),  # the top of the head goes to the right: clockwise as the viewer sees it
    ],
)
def test_signs_are_the_projects(pose_deg: tuple, moved: tuple, axis: int, sign: int) -> None:
    where = rotation(pose_deg) @ np.array(moved, float)
    assert where[axis] == pytest.approx(sign * np.sin(np.radians(10)))


@given(angle, angle, angle, angle)
def test_turning_the_picture_adds_to_roll_alone(yaw: float, pitch: float, roll: float, by: float) -> None:
    turned = rotation((0, 0, by)) @ rotation((yaw, pitch, roll))
    expected = np.array([yaw, pitch, (roll + by + 180) % 360 - 180])
    difference = (euler_deg(turned) - expected + 180) % 360 - 180
    np.testing.assert_allclose(difference, 0, atol=1e-8)


def test_a_mirrored_head_has_yaw_and_roll_negated() -> None:
    mirror = np.diag([-1.0, 1, 1])
    seen = euler_deg(mirror @ rotation((20, 10, 5)) @ mirror)
    np.testing.assert_allclose(seen, (-20, 10, -5), atol=1e-9)


def test_nearest_rotation_sees_through_scale_and_a_reflected_third_row() -> None:
    exact = rotation(np.array([[30, -20, 10], [-5, 8, 60]]))
    disturbed = 3.7 * exact
    disturbed[:, 2] *= -1
    np.testing.assert_allclose(nearest_rotation(disturbed), exact, atol=1e-12)


def test_nearest_rotation_is_a_rotation_and_agrees_with_scipy_on_noisy_rows() -> None:
    rng = np.random.default_rng(0)
    noisy = rotation((25, 5, -10))[:2] + rng.normal(0, 0.05, (2, 3))
    nearest = nearest_rotation(noisy)
    np.testing.assert_allclose(nearest @ nearest.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(nearest) == pytest.approx(1)
    # The rotation of the unit axes onto the rows, in the least-squares sense of Wahba's problem.
    expected, _ = Rotation.align_vectors(np.eye(3)[:2], noisy)
    np.testing.assert_allclose(nearest, expected.as_matrix(), atol=1e-9)
