import numpy as np
import pytest
from skimage.metrics import structural_similarity

from hifibench.experts.pixels import luma, pixels, ssim_map
from hifibench.faces.masks import FACE_OVAL, face_mask
from hifibench.records import Floats, Frame

COMPARE = pixels.load("cpu").compare
CENTRE, RADIUS = (60.0, 50.0), 20.0


def noise(seed: int, shape: tuple[int, int] = (100, 120)) -> Frame:
    return np.random.default_rng(seed).integers(40, 200, (*shape, 3), np.uint8)


def round_face() -> Floats:
    landmarks = np.tile(np.float32([*CENTRE, 0]), (478, 1))
    turn = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    landmarks[list(FACE_OVAL), :2] += RADIUS * np.stack([np.sin(turn), -np.cos(turn)], 1).astype(np.float32)
    return landmarks


def seen(scale: float = 2.0, shift: tuple[float, float] = (-30, -10)) -> dict[str, dict[str, Floats]]:
    """What MediaPipe reports of the round face from a crop of its own geometry."""
    landmarks = round_face()
    landmarks[:, :2] = scale * landmarks[:, :2] + np.float32(shift)
    matrix = np.float32([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return {"mediapipe": {"landmarks": landmarks, "matrix": matrix}}


def outline() -> np.ndarray:
    return face_mask(round_face()[:, :2], (100, 120), 0)


def widened() -> np.ndarray:
    return face_mask(round_face()[:, :2], (100, 120))


def test_an_unchanged_frame_has_no_difference() -> None:
    got = COMPARE(noise(0), noise(0), seen())
    assert {name: float(value) for name, value in got.items()} == pytest.approx(
        {"background_l1": 0, "background_ssim": 1, "face_l1": 0}
    )


def test_a_change_inside_the_face_leaves_the_background_untouched() -> None:
    target = noise(0)
    swap = target.copy()
    swap[widened()] += 51
    got = COMPARE(swap, target, seen())
    assert got["background_l1"] == 0
    assert got["background_ssim"] == pytest.approx(1)
    assert got["face_l1"] == pytest.approx(0.2)


def test_a_change_outside_leaves_the_face_untouched() -> None:
    target = noise(0)
    swap = target.copy()
    swap[~widened()] += 51
    got = COMPARE(swap, target, seen())
    assert got["background_l1"] == pytest.approx(0.2)
    assert got["background_ssim"] < 0.99
    assert got["face_l1"] == 0


def test_values_are_those_of_the_definition() -> None:
    swap, target = noise(1), noise(2)
    got = COMPARE(swap, target, seen())
    difference = np.abs(swap.astype(float) - target).mean(2) / 255
    assert got["background_l1"] == pytest.approx(difference[~widened()].mean())
    assert got["face_l1"] == pytest.approx(difference[outline()].mean())


def test_result_does_not_depend_on_the_geometry_of_the_crop() -> None:
    swap, target = noise(1), noise(2)
    one, other = COMPARE(swap, target, seen()), COMPARE(swap, target, seen(0.5, (3, 4)))
    assert {k: float(v) for k, v in one.items()} == pytest.approx({k: float(v) for k, v in other.items()})


@pytest.mark.parametrize("other", [noise(4), np.clip(noise(3).astype(int) + 20, 0, 255).astype(np.uint8)])
def test_ssim_agrees_with_scikit_image(other: Frame) -> None:
    a, b = luma(noise(3)), luma(other)
    _, expected = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, full=True
    )
    np.testing.assert_allclose(ssim_map(a, b), expected, atol=1e-5)


def test_luma_weighs_the_channels_in_rgb_order() -> None:
    frame = np.zeros((1, 3, 3), np.uint8)
    frame[0, [0, 1, 2], [0, 1, 2]] = 255
    np.testing.assert_allclose(luma(frame), [[0.299, 0.587, 0.114]], rtol=1e-6)


@pytest.mark.parametrize("view", [{}, {"mediapipe": {"landmarks": np.full((478, 3), np.nan), "matrix": np.eye(2, 3)}}])
def test_without_landmarks_everything_is_nan(view: dict) -> None:
    assert all(np.isnan(value) for value in COMPARE(noise(0), noise(0), view).values())


def test_a_face_that_fills_the_frame_leaves_no_background_to_judge() -> None:
    view = seen()
    view["mediapipe"]["landmarks"][:, :2] = (view["mediapipe"]["landmarks"][:, :2] - 90) * 50 + 90
    got = COMPARE(noise(0), noise(1), view)
    assert np.isnan(got["background_l1"])
    assert np.isnan(got["background_ssim"])
    assert got["face_l1"] > 0


def test_frames_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frames of one size; given \(100, 120, 3\) and \(50, 60, 3\)"):
        COMPARE(noise(0), noise(0, (50, 60)), seen())
