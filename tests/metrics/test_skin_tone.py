from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from hifibench import registry
from hifibench.errors import UsageError
from metrics.skin_tone import LEAST, SKIN, ciede2000, rgb_to_lab, skin_lab, skin_tone

RNG = np.random.default_rng(0)


def even(rgb):
    """Faces of one colour each."""
    return np.repeat(np.asarray(rgb, np.float64)[:, None], 468, axis=1)


def test_the_formula_is_scikit_images():
    one, other = RNG.uniform([0, -128, -128], [100, 128, 128], (2, 20000, 3))
    np.testing.assert_allclose(ciede2000(one, other), deltaE_ciede2000(one, other), atol=1e-9)
    near = one + RNG.normal(0, 2, one.shape)
    np.testing.assert_allclose(ciede2000(one, near), deltaE_ciede2000(one, near), atol=1e-9)


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        # Sharma et al. (2005), table 1: the cases around the hues where other implementations went wrong.
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_published_cases(one, other, difference):
    found = ciede2000(np.array([one], float), np.array([other], float))
    assert found.item() == pytest.approx(difference, abs=5e-5)


colours = st.tuples(st.floats(0, 100), st.floats(-100, 100), st.floats(-100, 100)).map(np.array)


@given(colours, colours)
def test_the_difference_is_symmetric_and_none_to_itself(one, other):
    assert ciede2000(one, other) == pytest.approx(ciede2000(other, one), abs=1e-9)
    assert ciede2000(one, one) == 0


def test_colours_are_scikit_images():
    rgb = RNG.random((5000, 3))
    np.testing.assert_allclose(rgb_to_lab(rgb), rgb2lab(rgb), atol=0.01)
    np.testing.assert_allclose(rgb_to_lab(np.ones((1, 3))), [[100, 0, 0]], atol=0.02)


def test_skin_is_the_median_over_skin_alone():
    faces = even([[0.8, 0.6, 0.5]])
    expected = rgb_to_lab(np.array([[0.8, 0.6, 0.5]]))
    faces[:, np.setdiff1d(np.arange(468), SKIN)] = (0, 0, 1)
    faces[:, SKIN[: len(SKIN) // 3]] = (0.1, 0.1, 0.1)
    np.testing.assert_allclose(skin_lab(faces), expected)


def test_skin_has_no_lips_eyes_or_brows():
    from mediapipe.tasks.python.vision import FaceLandmarksConnections as Mesh

    parts = (
        *(Mesh.FACE_LANDMARKS_LIPS, Mesh.FACE_LANDMARKS_LEFT_EYE, Mesh.FACE_LANDMARKS_RIGHT_EYE),
        *(Mesh.FACE_LANDMARKS_LEFT_EYEBROW, Mesh.FACE_LANDMARKS_RIGHT_EYEBROW, Mesh.FACE_LANDMARKS_FACE_OVAL),
    )
    assert not {point for part in parts for edge in part for point in (edge.start, edge.end)} & {*SKIN.tolist()}
    assert len(SKIN) == 48


def test_target_and_source_are_told_apart(observe):
    swap, target, source = (
        {"mediapipe": {"colours": even([rgb])}} for rgb in ((0.8,) * 3, (0.7,) * 3, (0.8, 0.6, 0.5))
    )
    observed = observe(1, swap=swap, target=target, source=source)
    lab = [rgb2lab(np.array([rgb])) for rgb in ((0.8,) * 3, (0.7,) * 3, (0.8, 0.6, 0.5))]
    to_target, to_source = (skin_tone("mediapipe", word).compute(observed).item() for word in ("target", "source"))
    assert to_target == pytest.approx(deltaE_ciede2000(lab[0], lab[1]).item(), abs=0.01)
    assert to_source == pytest.approx(deltaE_ciede2000(lab[0], lab[2]).item(), abs=0.01)
    assert skin_tone("mediapipe").name == "skin_tone[mediapipe,target]"


def test_too_little_skin_is_none(observe):
    faces = even([[0.8, 0.6, 0.5]] * 3)
    faces[0, SKIN[LEAST:]] = np.nan
    faces[1, SKIN[LEAST - 1 :], 0] = np.nan
    seen = {"mediapipe": {"colours": faces}}
    values = skin_tone("mediapipe").compute(observe(3, swap=seen, target=seen))
    np.testing.assert_array_equal(values, [0, np.nan, 0])
    nobody = observe(3, swap={"mediapipe": {}}, target=seen)
    assert np.isnan(skin_tone("mediapipe").compute(nobody)).all()


def test_words_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match=r"'3ddfa' is no estimator of skin colours; expected one of: .*mediapipe"):
        skin_tone("3ddfa")
    with pytest.raises(UsageError, match="'nobody' is no other image; expected one of: target, source"):
        skin_tone("mediapipe", "nobody")


def test_the_expert_gives_what_is_read():
    assert registry.experts.get("mediapipe").card.outputs["colours"].startswith("(468, 3)")
