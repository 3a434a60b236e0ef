import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from skimage.transform import SimilarityTransform, resize

from hifibench.faces import align

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.05, 20)
shifts = st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000))
seeds = st.integers(0, 2**32 - 1)


def transform(angle: float, scale: float, shift: tuple[float, float]) -> align.Matrix:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def smooth_frame(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    small = np.random.default_rng(seed).random((6, 8, 3))
    return np.rint(255 * resize(small, (height, width), order=3).clip(0, 1)).astype(np.uint8)


@given(angles, scales, shifts, seeds)
def test_similarity_recovers_a_known_transform(angle, scale, shift, seed):
    points = np.random.default_rng(seed).uniform(0, 500, (5, 2))
    known = transform(angle, scale, shift)
    found = align.similarity(points, align.apply(known, points))
    np.testing.assert_allclose(align.apply(found, points), align.apply(known, points), atol=1e-6)
    np.testing.assert_allclose(found, known, atol=1e-6 * max(1, scale) * 1000)


@given(seeds)
def test_similarity_agrees_with_scikit_image_on_noisy_points(seed):
    rng = np.random.default_rng(seed)
    src, dst = rng.uniform(0, 500, (5, 2)), rng.uniform(0, 112, (5, 2))
    expected = SimilarityTransform.from_estimate(src, dst).params[:2]
    found = align.similarity(src, dst)

    def error(matrix):
        return np.square(align.apply(matrix, src) - dst).sum()

    assert error(found) <= error(expected) * (1 + 1e-9)
    # scikit-image gives up the exact minimum where it would need a scale near zero.
    if np.isclose(error(found), error(expected), rtol=1e-9):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_similarity_never_reflects():
    points = np.array([(0, 0), (4, 0), (4, 1), (0, 3)], float)
    mirrored = points * (-1, 1)
    assert np.linalg.det(align.similarity(points, mirrored)[:, :2]) > 0


@pytest.mark.parametrize(
    ("src", "dst", "said"),
    [
        (np.ones((5, 2)), np.arange(10.0).reshape(5, 2), "lie on one spot"),
        (np.arange(10.0).reshape(5, 2), np.ones((5, 2)), "no scale"),
        (np.zeros((5, 2)), np.zeros((4, 2)), r"given \(5, 2\) and \(4, 2\)"),
        (np.zeros((1, 2)), np.zeros((1, 2)), "N >= 2"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), "NaN"),
    ],
)
def test_similarity_refuses_what_has_no_answer(src, dst, said):
    with pytest.raises(ValueError, match=said):
        align.similarity(src, dst)


@given(angles, scales, shifts, seeds)
def test_invert_undoes_apply(angle, scale, shift, seed):
    matrix = transform(angle, scale, shift)
    points = np.random.default_rng(seed).uniform(-500, 500, (3, 4, 2))
    back = align.apply(align.invert(matrix), align.apply(matrix, points))
    np.testing.assert_allclose(back, points, atol=1e-5 / min(1, scale) * 1e-2)


def test_invert_refuses_a_flat_transform():
    with pytest.raises(ValueError, match="flattens the plane"):
        align.invert(np.zeros((2, 3)))


@given(scales)
def test_shrinkage_is_the_inverse_scale(scale):
    assert align.shrinkage(transform(0.3, scale, (1, 2))) == pytest.approx(1 / scale)


@settings(max_examples=25, deadline=None)
@given(angles, st.floats(1.0, 3), seeds)
def test_cut_samples_like_scipy_when_enlarging(angle, scale, seed):
    frame, size = smooth_frame(seed), 40
    middle = np.array([60, 45]) - align.apply(align.invert(transform(angle, scale, (0, 0))), [(size - 1) / 2] * 2)
    matrix = transform(angle, scale, (0, 0))
    matrix[:, 2] = -align.apply(matrix, middle)
    x, y = align.apply(align.invert(matrix), np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1)).T
    expected = np.stack([map_coordinates(frame[..., c] / 255, [y.T, x.T], order=1, mode="nearest") for c in range(3)])
    # Older OpenCV rounds positions to 1/32 pixel.
    np.testing.assert_allclose(align.cut(frame, matrix, size), expected, atol=1 / 255)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_cut_by_a_whole_factor_is_the_mean_of_the_blocks(factor):
    frame = np.random.default_rng(factor).integers(0, 256, (factor * 32, factor * 32, 3), np.uint8)
    matrix = np.column_stack([np.eye(2) / factor, [(1 / factor - 1) / 2] * 2])
    blocks = frame.reshape(32, factor, 32, factor, 3).mean((1, 3)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(align.cut(frame, matrix, 32), blocks, atol=1 / 255)


@pytest.mark.parametrize("shift", [0, 0.13, 0.5])
def test_cut_averages_what_is_too_fine_for_the_crop(shift):
    board = np.repeat((255 * (np.indices((400, 400)).sum(0) % 2)).astype(np.uint8)[..., None], 3, axis=2)
    matrix = np.array([[1 / 3.5, 0, shift], [0, 1 / 3.5, shift]])
    inner = align.cut(board, matrix, 100)[:, 2:-2, 2:-2]
    assert abs(inner - 0.5).max() < 0.12
    if shift == 0:  # what would be left without averaging
        plain = cv2.warpAffine(board, matrix, (100, 100), flags=cv2.INTER_LINEAR) / 255
        assert abs(plain - 0.5).max() > 0.4


def test_cut_of_the_identity_is_the_frame():
    frame = smooth_frame(1, 64, 64)
    np.testing.assert_array_equal(align.hwc(align.cut(frame, np.eye(2, 3), 64)), frame)
    np.testing.assert_array_equal(align.cut(frame, np.eye(2, 3), 0), align.chw(frame))


def test_cut_borders():
    frame = np.full((20, 20, 3), 200, np.uint8)
    outside = np.array([[1.0, 0, 40], [0, 1, 40]])
    assert (align.cut(frame, outside, 20) == np.float32(200 / 255)).all()
    assert (align.cut(frame, outside, 20, border="zero") == 0).all()


def test_cut_sees_only_the_window():
    frame = np.full((20, 20, 3), 255, np.uint8)
    crop = align.cut(frame, np.eye(2, 3), 20, border="zero", window=(5, 2, 15, 18))
    assert (crop[:, 2:18, 5:15] == 1).all()
    assert crop.sum() == 3 * 16 * 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"matrix": np.eye(2, 3) * 2, "size": 0}, "needs the identity"),
        ({"matrix": np.eye(2, 3), "size": 8, "window": (30, 0, 40, 10)}, "shows nothing of a frame of 20x20"),
    ],
)
def test_cut_refuses(arguments, said):
    with pytest.raises(ValueError, match=said):
        align.cut(np.zeros((20, 20, 3), np.uint8), **arguments)


def test_hwc_rounds_and_clips():
    image = np.array([-1, 0.5 / 255 + 1e-4, 2], np.float32).reshape(3, 1, 1)
    assert align.hwc(image).ravel().tolist() == [0, 1, 255]


def test_a_huge_frame_is_sampled_in_bands_of_bounded_size(monkeypatch):
    made = []
    warp = cv2.warpAffine

    def spy(source, matrix, extent, **kwargs):
        made.append(extent[0] * extent[1])
        return warp(source, matrix, extent, **kwargs)

    monkeypatch.setattr(cv2, "warpAffine", spy)
    frame = np.zeros((40, 16384, 3), np.uint8)
    align.cut(frame, np.column_stack([216 / 16384 * np.eye(2), (20, 127)]), 256, border="zero")
    assert sum(made) > 10 * align._MOST_SAMPLES
    assert max(made) <= align._MOST_SAMPLES


def test_bands_do_not_show(monkeypatch):
    frame, matrix = smooth_frame(3), transform(0.4, 0.21, (7.3, -2.6))
    whole = align.cut(frame, matrix, 31)
    monkeypatch.setattr(align, "_MOST_SAMPLES", 4000)
    np.testing.assert_allclose(align.cut(frame, matrix, 31), whole, atol=0.5 / 255)
