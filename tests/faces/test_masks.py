import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.faces.masks import FACE_OVAL, face_mask

SHAPE = (200, 240)


def round_face(radius: float, centre: tuple[float, float] = (120, 100)) -> np.ndarray:
    """Landmarks whose oval is a circle; all others lie at its centre."""
    landmarks = np.tile(np.array(centre, np.float32), (478, 1))
    turn = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    landmarks[list(FACE_OVAL)] += radius * np.stack([np.sin(turn), -np.cos(turn)], 1)
    return landmarks


def test_hull_of_a_round_face_has_the_area_of_its_polygon() -> None:
    polygon = 0.5 * len(FACE_OVAL) * 50**2 * np.sin(2 * np.pi / len(FACE_OVAL))
    # Pixels on the outline count as inside: about half a pixel all around.
    assert face_mask(round_face(50), SHAPE, 0).sum() == pytest.approx(polygon + np.pi * 50, rel=0.01)


def test_dilation_is_a_fraction_of_the_square_root_of_the_area() -> None:
    wide = 50 + 0.2 * np.sqrt(np.pi) * 50
    assert face_mask(round_face(50), SHAPE, 0.2).sum() == pytest.approx(np.pi * wide**2, rel=0.02)


def test_mask_scales_with_the_frame() -> None:
    small = face_mask(round_face(30, (60, 50)), (100, 120)).mean()
    large = face_mask(round_face(120, (240, 200)), (400, 480)).mean()
    assert small == pytest.approx(large, rel=0.03)


@given(st.integers(-150, 150), st.integers(-150, 150))
def test_a_shifted_face_gives_the_shifted_mask_also_across_the_border(dx: int, dy: int) -> None:
    canvas = face_mask(round_face(40, (320, 300)), (600, 640))
    expected = canvas[200 - dy : 400 - dy, 200 - dx : 440 - dx]
    np.testing.assert_array_equal(face_mask(round_face(40, (120 + dx, 100 + dy)), SHAPE), expected)


def test_inner_landmarks_do_not_matter_and_a_dented_oval_is_filled() -> None:
    landmarks = round_face(50)
    landmarks[1] = (0, 0)
    dented = landmarks.copy()
    dented[FACE_OVAL[5]] = (120, 100)
    np.testing.assert_array_equal(face_mask(landmarks, SHAPE), face_mask(round_face(50), SHAPE))
    assert face_mask(dented, SHAPE)[100, 120]


def test_a_face_outside_the_frame_leaves_no_mask() -> None:
    assert not face_mask(round_face(20, (-500, -500)), SHAPE).any()


@pytest.mark.parametrize(
    ("landmarks", "dilate", "message"),
    [
        (np.zeros((68, 2)), 0.1, r"takes \(478, 2\) finite landmarks"),
        (np.full((478, 2), np.nan), 0.1, r"takes \(478, 2\) finite landmarks"),
        (round_face(20), -0.1, r"dilate >= 0; given -0\.1"),
    ],
)
def test_bad_input_is_refused(landmarks: np.ndarray, dilate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        face_mask(landmarks, SHAPE, dilate)
