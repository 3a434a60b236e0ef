"""Swaps against the true swap: closed forms, and point sets against SciPy and scikit-image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from skimage.draw import polygon2mask

from hifibench.errors import UsageError
from hifibench.faces.align import apply, invert
from hifibench.faces.masks import FACE_OVAL
from hifibench.records import Observed
from metrics.inner_points import EYES, INNER, LANDMARKERS, aligned, coverage, in_frame, inter_ocular
from metrics.truth import PIXELS, truth

N_POINTS = {"mediapipe": 478, "3ddfa": 68}
ESTIMATORS = [*LANDMARKERS]


def observed(swap: Any, exact: Any = None, rows: int | None = None) -> Observed:
    def arrays(seen: Any) -> Any:
        return {
            expert: {key: np.asarray(value, np.float32) for key, value in outputs.items()}
            for expert, outputs in seen.items()
        }

    rows = rows or len(next(iter(next(iter(swap.values())).values())))
    known = {} if exact is None else arrays({"exact": exact})
    return Observed(pd.DataFrame(index=range(rows)), arrays(swap), {}, {}, {}, truth=known)


def crop_matrices(n: int, seed: int = 0) -> np.ndarray:
    """Frame-to-crop similarities, no two alike."""
    rng = np.random.default_rng(seed)
    turn, scale = rng.uniform(-1, 1, n), rng.uniform(0.5, 2, n)
    a, b = scale * np.cos(turn), scale * np.sin(turn)
    shift = rng.uniform(-50, 50, (n, 2))
    return np.stack([np.stack([a, -b, shift[:, 0]], 1), np.stack([b, a, shift[:, 1]], 1)], 1)


def seen_by(estimator: str, inner: np.ndarray, seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """The estimator reports inner points ``(n, 39, 2)`` of the frame, from crops of its own; the rest is far off."""
    matrix = crop_matrices(len(inner), seed)
    landmarks = np.full((len(inner), N_POINTS[estimator], 3), 1e4)
    for row, points in enumerate(inner):
        landmarks[row, LANDMARKERS[estimator].points, :2] = apply(matrix[row], points)
    return {estimator: {"landmarks": landmarks, "matrix": matrix}}


def face68(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.uniform(60, 200, (n, 68, 2))
    points[:, 36], points[:, 45] = (80, 100), (180, 100)  # 100 pixels between the eyes
    return points


def test_the_inner_points_are_the_same_places_for_everybody():
    assert len(INNER) == 39 == len({*INNER})
    assert (INNER[EYES[0]], INNER[EYES[1]]) == (36, 45)
    mesh = LANDMARKERS["mediapipe"].points
    assert len(mesh) == 39 == len({*mesh})
    place = dict(zip(INNER, mesh, strict=True))
    # Outer and inner corners of the eyes, corners of the mouth, subnasale: MediaPipe's own names for them.
    assert [place[k] for k in (36, 39, 42, 45, 48, 54, 33)] == [33, 133, 362, 263, 61, 291, 2]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_landmarks_come_back_to_the_frame_as_by_the_inverse_transform(estimator):
    inner = face68(5)[:, INNER]
    seen = {
        name: {key: np.float32(value) for key, value in outputs.items()}
        for name, outputs in seen_by(estimator, inner).items()
    }
    got = in_frame(seen, estimator, LANDMARKERS[estimator].points, 5)
    np.testing.assert_allclose(got, inner, atol=1e-3)
    matrix, landmarks = (seen[estimator][key][2].astype(float) for key in ("matrix", "landmarks"))
    np.testing.assert_allclose(got[2], apply(invert(matrix), landmarks[list(LANDMARKERS[estimator].points), :2]))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_landmarks_moved_by_3_and_4_pixels_are_5_percent_off(estimator):
    exact = face68(4)
    moved = exact[:, INNER] + (3, 4)
    visible = np.ones((4, 68))
    swap = seen_by(estimator, moved)
    got = truth("landmarks", estimator).compute(observed(swap, {"landmarks": exact, "visible": visible}))
    np.testing.assert_allclose(got, 5.0, rtol=1e-4)


def test_only_landmarks_that_can_be_seen_count():
    exact = face68(3)
    moved = exact[:, INNER].copy()
    moved[:, 0] += (0, 39)  # one of 39 points, by 39 pixels
    visible = np.ones((3, 68))
    visible[1, INNER[0]] = 0
    visible[2] = 0
    swap = seen_by("mediapipe", moved)
    got = truth("landmarks", "mediapipe").compute(observed(swap, {"landmarks": exact, "visible": visible}))
    np.testing.assert_allclose(got, [1, 0, np.inf], atol=1e-4)


def test_pose_is_compared_with_the_exact_one_around_the_circle():
    swap = {"3ddfa": {"pose_deg": [[13, 4, 0], [0, 0, 179], [np.nan] * 3]}}
    facts = {"pose_deg": [[10, 0, 0], [0, 0, -179], [0, 0, 0]]}
    np.testing.assert_allclose(truth("pose", "3ddfa").compute(observed(swap, facts)), [5, 2, np.nan], rtol=1e-5)


def head68(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 30, (n, 68, 3))


def posed(points: np.ndarray, estimator: str, seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """Heads ``(n, 39, 3)`` turned, shifted and scaled as the estimator would give them: y down, its own sign of z."""
    rng = np.random.default_rng(seed)
    landmarks = np.full((len(points), N_POINTS[estimator], 3), 1e3)
    to_crop = (1, -1, -1) if estimator == "mediapipe" else (1, -1, 1)
    for row, face in enumerate(points):
        turned = Rotation.random(random_state=seed + row).apply(face) * rng.uniform(0.2, 5) + rng.uniform(-50, 50, 3)
        landmarks[row, LANDMARKERS[estimator].points] = turned * to_crop
    return {estimator: {"landmarks": landmarks, "matrix": crop_matrices(len(points))}}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_head_of_the_right_shape_has_no_vertex_error_in_any_pose(estimator):
    exact = head68(5)
    swap = posed(exact[:, INNER], estimator)
    got = truth("vertices", estimator).compute(observed(swap, {"landmarks3d": exact}))
    np.testing.assert_allclose(got, 0, atol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_mirrored_head_is_no_head_of_the_right_shape(estimator):
    exact = head68(3)
    swap = posed(exact[:, INNER] * (-1, 1, 1), estimator)
    assert (truth("vertices", estimator).compute(observed(swap, {"landmarks3d": exact})) > 10).all()


def test_vertices_are_off_by_the_mean_distance_after_alignment():
    exact = head68(4)
    wrong = exact[:, INNER] + np.random.default_rng(1).normal(0, 3, (4, 39, 3))
    got = truth("vertices", "3ddfa").compute(observed(posed(wrong, "3ddfa"), {"landmarks3d": exact}))
    for row in range(4):
        x, y = (points - points.mean(0) for points in (wrong[row], exact[row, INNER]))
        turn, _ = Rotation.align_vectors(y, x)
        turned = turn.apply(x)
        scale = (y * turned).sum() / (x * x).sum()
        assert got[row] == pytest.approx(np.linalg.norm(scale * turned - y, axis=1).mean(), rel=1e-4)
    assert (got > 1).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000))
def test_alignment_is_at_least_as_good_as_any_similarity_nearby(seed):
    rng = np.random.default_rng(seed)
    points, onto = rng.normal(size=(2, 1, 12, 3))
    best = aligned(points, onto)
    error = np.square(best - onto).sum()
    for _ in range(10):
        nudge = Rotation.from_rotvec(rng.normal(0, 0.05, 3)).apply(best[0]) * rng.uniform(0.95, 1.05)
        assert np.square(nudge + rng.normal(0, 0.05, 3) - onto[0]).sum() >= error - 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_coverage_agrees_with_scikit_image(seed):
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, 20))
    polygon = 16 + rng.uniform(5, 25, (20, 1)) * np.stack([np.cos(turn), np.sin(turn)], 1)  # reaches beyond the grid
    fine = polygon2mask((512, 512), polygon[:, ::-1] * 16 - 0.5)
    expected = fine.reshape(32, 16, 32, 16).mean(axis=(1, 3))
    assert 0.1 < expected.mean() < 0.95
    assert np.abs(coverage(polygon, 32, samples=16) - expected).max() < 0.05
    np.testing.assert_allclose(coverage(polygon[::-1], 32), coverage(polygon, 32))  # either way round


def test_a_rectangle_covers_its_cells_exactly():
    corners = np.array([[1.0, 2.0], [3.5, 2.0], [3.5, 4.25], [1.0, 4.25]])
    expected = np.zeros((6, 6))
    expected[2:5, 1:4] = np.outer([1, 1, 0.25], [1, 1, 0.5])
    np.testing.assert_allclose(coverage(corners, 6), expected)
    assert coverage(corners + 10, 6).sum() == 0


def round_faces(centres: list[tuple[float, float]], radius: float) -> dict[str, dict[str, np.ndarray]]:
    """MediaPipe sees faces whose oval is a circle, through crops of their own."""
    matrix = crop_matrices(len(centres), 3)
    turn = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    circle = radius * np.stack([np.sin(turn), -np.cos(turn)], 1)
    landmarks = np.zeros((len(centres), 478, 3))
    for row, centre in enumerate(centres):
        landmarks[row, FACE_OVAL, :2] = apply(matrix[row], circle + centre)
    return {"mediapipe": {"landmarks": landmarks, "matrix": matrix}}


def exact_disc(x: float, y: float, radius: float, size: int = 256) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return (np.hypot(columns - x, rows - y) <= radius).reshape(64, size // 64, 64, size // 64).mean(axis=(1, 3))


def iou(swap: Any, face_mask: Any, brows: Any = ((0, -1), (255, -1))) -> np.ndarray:
    """The overlap below a line through the ends of the brows, which lies above the frame unless told."""
    landmarks = np.zeros((len(face_mask), 68, 2))
    landmarks[:, [17, 26]] = brows
    pixels = {"face_mask": face_mask, "frame_size": [[256, 256]] * len(face_mask)}
    return truth("mask_iou", "mediapipe").compute(observed({**swap, "truth-pixels": pixels}, {"landmarks": landmarks}))


def test_the_overlap_of_two_discs_is_that_of_their_areas():
    swap = round_faces([(128, 128), (128, 128), (40, 40)], 60)
    inner, same, apart = exact_disc(128, 128, 30), exact_disc(128, 128, 60), exact_disc(200, 200, 60)
    got = iou(swap, np.stack([inner, same, apart]))
    np.testing.assert_allclose(got, [25, 99, 0], atol=1.0)


def test_pixel_centres_lie_on_whole_numbers_in_mask_and_landmarks_alike():
    shifted = [(128 + x, 128 + y) for x, y in [(0, 0), (0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)]]
    middle, *others = iou(round_faces(shifted, 20), np.stack([exact_disc(128, 128, 20)] * 5))
    assert middle > max(others) + 0.5


def test_what_an_occluder_hides_is_not_asked_for():
    swap = round_faces([(128, 128)] * 2, 60)
    half = exact_disc(128, 128, 60)
    half[:, 32:] = 0  # the right half of the face is missed...
    hidden = half.copy()
    hidden[:, 32:] = np.nan  # ...or cannot be seen
    np.testing.assert_allclose(iou(swap, np.stack([half, hidden])), [50, 99], atol=1.5)


@pytest.mark.parametrize("turn", [0, 90, 180, 20])
def test_only_what_lies_below_the_brows_is_compared(turn):
    """The exact face reaches far above the brows, the oval does not; the picture may stand on its head."""
    down = np.array([-np.sin(np.radians(turn)), np.cos(np.radians(turn))])
    right = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
    middle = np.array([128, 128])
    forehead = middle - 40 * down
    exact = np.maximum(exact_disc(*middle, 60), exact_disc(*forehead, 60))
    line = (middle - 50 * right, middle + 50 * right)
    swap = round_faces([(128, 128)], 60)
    assert iou(swap, exact[None]).item() < 75
    assert iou(swap, exact[None], line).item() > 96
    assert iou(swap, exact[None], line[::-1]).item() < 65


def test_a_swap_without_a_face_has_no_outline():
    swap = round_faces([(128, 128), (128, 128)], 60)
    swap["mediapipe"]["landmarks"][0] = np.nan
    mask = np.stack([exact_disc(128, 128, 60)] * 2)
    mask[1] = np.nan
    assert np.isnan(iou(swap, mask)).all()


@pytest.mark.parametrize("measure", PIXELS)
def test_pixel_measures_pass_on_what_the_expert_measured(measure):
    metric = truth(measure)
    got = metric.compute(observed({PIXELS[measure]: {f"truth_{measure}": [[0.5], [np.nan]]}}))
    np.testing.assert_array_equal(got, [0.5, np.nan])
    assert metric.needs == (PIXELS[measure],)


@pytest.mark.parametrize(
    ("words", "unit", "direction", "worst"),
    [
        (("l1",), "", "down", 1.0),
        (("psnr",), "dB", "up", 0.0),
        (("ssim",), "", "up", -1.0),
        (("lpips",), "", "down", None),
        (("mask_iou", "mediapipe"), "%", "up", 0.0),
        (("landmarks", "mediapipe"), "%", "down", None),
        (("pose", "3ddfa"), "deg", "down", None),
        (("vertices", "3ddfa"), "mm", "down", None),
    ],
)
def test_a_measure_says_what_it_is(words, unit, direction, worst):
    metric = truth(*words)
    assert metric.name == f"truth[{','.join(words)}]"
    assert (metric.unit, metric.direction, metric.worst) == (unit, direction, worst)
    assert metric.truth and metric.group == "truth"
    assert {*words[1:]} <= {*metric.needs}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("measure", ["landmarks", "vertices", "pose"])
def test_a_swap_without_a_face_or_without_facts_has_no_value(measure, estimator):
    exact = {
        "landmarks": face68(3),
        "landmarks3d": head68(3),
        "visible": np.ones((3, 68)),
        "pose_deg": np.zeros((3, 3)),
    }
    for fact in exact.values():
        fact[1] = np.nan
    swap = posed(head68(3)[:, INNER], estimator)
    swap[estimator]["pose_deg"] = np.zeros((3, 3))
    for seen in swap[estimator].values():
        seen[0] = np.nan
    got = truth(measure, estimator).compute(observed(swap, exact))
    assert got.dtype == np.float64
    np.testing.assert_array_equal(np.isfinite(got), [False, False, True])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("l2",), "'l2' is no measure; expected one of: l1, psnr, ssim, lpips, mask_iou"),
        (("l1", "mediapipe"), r"truth\[l1\] compares pixels and takes no estimator; given 'mediapipe'"),
        (("pose",), r"'' is no estimator of truth\[pose,...\]; expected one of: .*mediapipe"),
        (("pose", "exact"), r"'exact' is no estimator of truth\[pose,...\]"),
        (("pose", "edgeface"), "'edgeface' is no estimator"),
        (("vertices", "hopenet"), "'hopenet' is no estimator.*expected one of: mediapipe, 3ddfa"),
        (("mask_iou", "3ddfa"), "'3ddfa' is no estimator.*expected one of: mediapipe"),
    ],
)
def test_words_that_make_no_sense_are_refused(words, message):
    with pytest.raises(UsageError, match=message):
        truth(*words)


def test_without_true_swaps_the_message_says_where_they_are_known():
    swap = {"mediapipe": {"pose_deg": np.zeros((2, 3))}}
    with pytest.raises(UsageError, match=r"of these pairs nothing is known.*whose data are heads, such as 'truth'"):
        truth("pose", "mediapipe").compute(observed(swap))
    with pytest.raises(UsageError, match="of these pairs nothing is known"):
        truth("landmarks", "mediapipe").compute(observed(seen_by("mediapipe", face68(2)[:, INNER]), {}))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.3, 3), st.floats(-100, 100), st.floats(-100, 100))
def test_landmark_error_does_not_depend_on_the_frame_s_scale_or_place(seed, scale, x, y):
    exact = face68(2, seed)
    swap = exact[:, INNER] + np.random.default_rng(seed).normal(0, 5, (2, 39, 2))
    facts = {"landmarks": exact, "visible": np.ones((2, 68))}
    moved = {"landmarks": scale * exact + (x, y), "visible": facts["visible"]}
    metric = truth("landmarks", "mediapipe")
    one = metric.compute(observed(seen_by("mediapipe", swap), facts))
    other = metric.compute(observed(seen_by("mediapipe", scale * swap + (x, y), seed), moved))
    np.testing.assert_allclose(one, other, rtol=1e-3)


def test_the_distance_of_the_eyes_is_that_of_their_outer_corners():
    np.testing.assert_allclose(inter_ocular(face68(3)[:, INNER]), 100)
