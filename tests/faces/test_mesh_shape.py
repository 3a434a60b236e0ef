import numpy as np
import pytest

from hifibench.faces.canonical import RIGID_INDEX, RIGID_POINTS
from hifibench.faces.mesh_shape import HALVES, shape_mm
from hifibench.faces.pose import rotation


def mesh(seed: int = 0) -> np.ndarray:
    """An upright lopsided head in centimetres (y up): the rigid points and, elsewhere, points of no meaning."""
    points = np.random.default_rng(seed).normal(0, 4, (478, 3))
    points[RIGID_INDEX] = RIGID_POINTS
    return points


def seen(points: np.ndarray, pose_deg: tuple[float, float, float] = (0, 0, 0), scale: float = 1) -> np.ndarray:
    return (scale * points @ rotation(pose_deg).T + (120, -130, 0)) * (1, -1, -1)


def mirrored(landmarks: np.ndarray) -> np.ndarray:
    """The landmarks that a flawless estimator gives for the mirrored picture, as far as the shape looks at them."""
    out = landmarks.copy()
    pairs = np.vstack([HALVES, HALVES[:, ::-1], [(263, 33), (33, 263), (362, 133), (133, 362)]])
    out[pairs[:, 0]] = landmarks[pairs[:, 1]]
    return out * (-1, 1, 1) + (240, 0, 0)


def test_shape_does_not_depend_on_pose_size_or_place() -> None:
    expected = shape_mm(seen(mesh()))
    np.testing.assert_allclose(shape_mm(seen(mesh(), (35, -20, 15), 9)), expected, atol=1e-6)


def test_shape_of_the_mirrored_picture_is_the_same() -> None:
    landmarks = seen(mesh(), (20, 5, 10), 9)
    np.testing.assert_allclose(shape_mm(mirrored(landmarks)), shape_mm(landmarks), atol=1e-6)


def test_points_are_millimetres_of_the_canonical_head() -> None:
    shape = shape_mm(seen(mesh(), (10, 0, 0), 7))
    rigid = {int(index): point for index, point in zip(RIGID_INDEX, RIGID_POINTS, strict=True)}
    known = [row for row, (right, _) in enumerate(HALVES) if int(right) in rigid]
    assert len(known) > 10
    np.testing.assert_allclose(shape[known], [10 * rigid[int(HALVES[row, 0])] for row in known], atol=1e-6)


def test_a_wider_jaw_is_seen_and_a_moved_mouth_is_not() -> None:
    base, moved = mesh(), mesh()
    wide, twin = HALVES[HALVES[:, 0] == 379][0]
    moved[wide, 0] += 0.5
    moved[twin, 0] -= 0.5
    moved[[13, 14, 61, 291]] += 1
    difference = np.linalg.norm(shape_mm(seen(moved)) - shape_mm(seen(base)), axis=1)
    assert sorted(difference)[-1] == pytest.approx(5)
    assert sorted(difference)[-2] < 1e-6


def test_every_mesh_point_is_used_once_at_most() -> None:
    assert HALVES.shape == (171, 2)
    twins = HALVES[:, 0] != HALVES[:, 1]
    used = [*HALVES[:, 0], *HALVES[twins, 1]]
    assert len(used) == len(set(used))
    # Each rigid point's partner is the one that the canonical face's symmetry gives.
    place = {int(index): point for index, point in zip(RIGID_INDEX, RIGID_POINTS, strict=True)}
    for right, left in HALVES:
        if int(right) in place:
            np.testing.assert_array_equal(place[int(right)] * (-1, 1, 1), place[int(left)])


def test_a_mesh_with_gaps_is_refused() -> None:
    landmarks = seen(mesh())
    landmarks[3] = np.nan
    with pytest.raises(ValueError, match=r"Expected \(478, 3\) finite landmarks"):
        shape_mm(landmarks)
