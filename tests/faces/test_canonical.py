import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.faces import canonical
from hifibench.faces.pose import euler_deg, rotation

angle = st.floats(-60, 60)


def posed_mesh(pose_deg: tuple[float, float, float], scale: float, shift: tuple[float, float, float]) -> np.ndarray:
    """MediaPipe-like landmarks of the canonical face in a known pose; points that are not rigid lie anywhere."""
    landmarks = np.random.default_rng(0).normal(size=(478, 3)) * 100
    camera = scale * canonical.RIGID_POINTS @ rotation(pose_deg).T + shift
    landmarks[canonical.RIGID_INDEX] = camera * (1, -1, -1)
    return landmarks


@given(angle, angle, angle, st.floats(1, 50))
def test_a_head_turned_by_known_angles_reads_those_angles(yaw: float, pitch: float, roll: float, scale: float) -> None:
    head = canonical.fit(posed_mesh((yaw, pitch, roll), scale, (100, -50, 7)))
    np.testing.assert_allclose(euler_deg(head.rotation), (yaw, pitch, roll), atol=1e-5)
    assert head.scale == pytest.approx(scale)
    np.testing.assert_allclose(head.shift, (100, -50, 7), atol=1e-5)


def test_head_frame_undoes_pose_size_and_place() -> None:
    upright, posed = posed_mesh((0, 0, 0), 1, (0, 0, 0)), posed_mesh((30, -20, 10), 12, (5, 6, 7))
    freed = canonical.in_head_frame(posed, canonical.fit(posed))
    np.testing.assert_allclose(freed[canonical.RIGID_INDEX], canonical.RIGID_POINTS, atol=1e-8)
    unmoved = canonical.in_head_frame(upright, canonical.fit(upright))
    np.testing.assert_allclose(unmoved, upright * (1, -1, -1), atol=1e-6)


def test_rotation_is_the_weighted_least_squares_one() -> None:
    mesh = posed_mesh((10, 5, -3), 8, (0, 0, 0))
    mesh[canonical.RIGID_INDEX] += np.random.default_rng(1).normal(0, 2, (33, 3))

    def misfit(turn: np.ndarray, head: canonical.Head) -> float:
        seen = mesh[canonical.RIGID_INDEX] * (1, -1, -1)
        share = canonical.RIGID_WEIGHT / canonical.RIGID_WEIGHT.sum()
        centred = canonical.RIGID_POINTS - share @ canonical.RIGID_POINTS
        residual = seen - share @ seen - head.scale * centred @ turn.T
        return float(share @ (residual**2).sum(1))

    head = canonical.fit(mesh)
    best = misfit(head.rotation, head)
    for nudge in np.vstack([np.eye(3), -np.eye(3)]) * 0.2:
        assert misfit(rotation(nudge) @ head.rotation, head) > best
        assert misfit(head.rotation, head._replace(scale=head.scale * (1 + 0.01 * nudge.sum()))) > best


def test_table_is_symmetric() -> None:
    mirrored = {tuple(point) for point in (canonical.RIGID_POINTS * (-1, 1, 1) + 0.0).tolist()}
    assert mirrored == {tuple(point) for point in (canonical.RIGID_POINTS + 0.0).tolist()}
    assert len(set(canonical.RIGID_INDEX.tolist())) == 33


@pytest.mark.parametrize("landmarks", [np.zeros((468, 3)), np.zeros((478, 2)), np.full((478, 3), np.nan)])
def test_bad_landmarks_are_refused(landmarks: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"Expected \(478, 3\) finite landmarks"):
        canonical.fit(landmarks)
