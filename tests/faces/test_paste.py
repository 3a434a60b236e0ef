import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.faces import align, paste, templates

CROPS = [Crop("ffhq", 256), Crop("arcface", 112), Crop("inswapper", 128), Crop("box", 120), Crop("hopenet", 224)]


@pytest.mark.parametrize("crop", CROPS, ids=lambda crop: crop.template)
def test_soft_mask_is_soft_and_ends_inside_the_crop(crop):
    mask = paste.soft_mask(crop)
    assert mask.shape == (crop.size, crop.size)
    assert mask.dtype == np.float32
    assert mask[[0, -1]].max() == mask[:, [0, -1]].max() == 0
    assert mask.min() == 0
    assert mask.max() == 1
    step = max(abs(np.diff(mask, axis=0)).max(), abs(np.diff(mask, axis=1)).max())
    assert step < 24 / crop.size


def test_soft_mask_covers_the_face_and_not_the_hair():
    mask = paste.soft_mask(Crop("ffhq", 512))
    points = templates.FFHQ.round().astype(int)
    assert mask[points[:, 1], points[:, 0]].min() > 0.8
    assert mask[:130].max() == mask[475:].max() == mask[:, :120].max() == mask[:, 396:].max() == 0


def test_soft_mask_lies_alike_in_every_crop():
    eyes = templates.FFHQ[:2].mean(0)
    for size in (128, 512):
        ffhq = paste.soft_mask(Crop("ffhq", size))
        x, y = (eyes * size / 512).round().astype(int)
        assert ffhq[y, x] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("crop", "said"), [(Crop("frame"), "its own mask"), (Crop("arkface", 9), "Did you mean")])
def test_soft_mask_refuses(crop, said):
    with pytest.raises(UsageError, match=said):
        paste.soft_mask(crop)


def placed(angle: float, scale: float, x: float, y: float) -> align.Matrix:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0]])
    matrix[:, 2] = 32 - align.apply(matrix, (x, y))
    return matrix


def smooth_frame() -> np.ndarray:
    rows, columns = np.indices((100, 140))
    waves = [127 + 100 * np.sin(rows / 9 + k) * np.cos(columns / (8 + k)) for k in range(3)]
    return np.rint(np.stack(waves, -1)).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.floats(-3, 3), st.floats(0.3, 4), st.floats(-20, 160), st.floats(-20, 120))
def test_what_is_cut_and_pasted_back_is_as_before(angle, scale, x, y):
    frame, matrix = smooth_frame(), placed(angle, scale, x, y)
    mask = paste.soft_mask(Crop("ffhq", 64))
    pasted = paste.paste_back(frame, align.cut(frame, matrix, 64), matrix, mask)
    rows, columns = np.indices(frame.shape[:2])
    crop_x, crop_y = np.moveaxis(align.apply(matrix, np.stack([columns, rows], -1)), -1, 0)
    outside = (crop_x < 0) | (crop_y < 0) | (crop_x > 63) | (crop_y > 63)
    np.testing.assert_array_equal(pasted[outside], frame[outside])
    difference = abs(pasted.astype(int) - frame)
    assert difference.mean() < 2
    assert difference.max() < 60


def test_a_portrait_survives_the_round_trip(portrait):
    from hifibench.faces.detect import Detector

    frame = portrait(3)
    face = Detector().choose(frame)
    for crop, bound in ((Crop("ffhq", 512), 3), (Crop("ffhq", 256), 5)):
        image, matrix = templates.take(frame, face, crop)
        pasted = paste.paste_back(frame, image, matrix, paste.soft_mask(crop))
        difference = abs(pasted.astype(int) - frame)
        assert 0 < difference[difference.max(-1) > 0].mean() < bound


def test_the_blend_is_the_masked_mean():
    frame = np.full((50, 60, 3), 100, np.uint8)
    image, mask = np.ones((3, 20, 20), np.float32), np.full((20, 20), 0.5, np.float32)
    pasted = paste.paste_back(frame, image, np.array([[1.0, 0, -10], [0, 1, -15]]), mask)
    expected = frame.copy()
    expected[15:35, 10:30] = 178  # (100 + 255) / 2, rounded to even
    np.testing.assert_array_equal(pasted, expected)
    assert (frame == 100).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_of_nothing_changes_nothing_and_a_full_one_everything(value):
    frame = smooth_frame()
    mask = np.full((64, 64), value, np.float32)
    pasted = paste.paste_back(frame, np.zeros((3, 64, 64), np.float32), np.array([[1.0, 0, -5], [0, 1, -5]]), mask)
    assert (pasted[6:68, 6:68] == (frame[6:68, 6:68] if value == 0 else 0)).all()


def test_a_crop_beside_the_frame_changes_nothing():
    frame = smooth_frame()
    beside = np.array([[1.0, 0, 500], [0, 1, 0]])
    image, mask = np.ones((3, 64, 64), np.float32), np.ones((64, 64), np.float32)
    np.testing.assert_array_equal(paste.paste_back(frame, image, beside, mask), frame)


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        (np.ones((3, 8, 9)), np.ones((8, 8)), r"given \(3, 8, 9\)"),
        (np.ones((3, 8, 8)), np.ones((1, 8, 8)), r"\(1, 8, 8\)"),
        (np.full((3, 8, 8), np.nan), np.ones((8, 8)), "NaN"),
        (np.ones((3, 8, 8)), np.full((8, 8), np.inf), "infinity"),
    ],
)
def test_paste_back_refuses(image, mask, said):
    with pytest.raises(ValueError, match=said):
        paste.paste_back(smooth_frame(), image, np.eye(2, 3), mask)
