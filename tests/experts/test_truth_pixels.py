from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.morphology import convex_hull_image

from hifibench.experts.pixels import luma
from hifibench.experts.truth_pixels import CARD, HEAD, changed_region, coarse_face, psnr_db, truth_pixels
from hifibench.faces.masks import DILATE
from hifibench.heads.labels import FACE, LABELS
from hifibench.records import Frame

SIZE = 128
COMPARE = truth_pixels.load("cpu").compare
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]


def disc(x: float, y: float, radius: float) -> np.ndarray:
    return np.hypot(COLUMNS - x, ROWS - y) <= radius


def parsing(occluded: bool = False) -> np.ndarray:
    """A round head on a neck, with hair above and, perhaps, a bar over the mouth."""
    labels = np.full((SIZE, SIZE), LABELS.index("background"), np.uint8)
    labels[disc(64, 60, 34)] = LABELS.index("hair")
    labels[90:, 55:74] = LABELS.index("neck")
    labels[disc(64, 68, 28)] = LABELS.index("skin")
    labels[disc(54, 62, 4) | disc(74, 62, 4)] = LABELS.index("eye")
    labels[disc(64, 72, 5)] = LABELS.index("nose")
    labels[disc(35, 68, 4) & ~disc(64, 68, 28)] = LABELS.index("ear")
    if occluded:
        labels[77:84, :] = LABELS.index("occluder")
    return labels


def test_a_head_is_the_face_and_the_ears() -> None:
    assert {LABELS[label] for label in HEAD} == {"skin", "brow", "eye", "nose", "mouth", "inner mouth", "ear"}


def seen(labels: np.ndarray | None = None) -> Any:
    return {"exact": {"parsing": parsing() if labels is None else labels}}


def noise(seed: int) -> Frame:
    return np.random.default_rng(seed).integers(40, 200, (SIZE, SIZE, 3), np.uint8)


def test_the_true_swap_itself_has_no_difference() -> None:
    got = COMPARE(noise(0), noise(0), seen())
    assert (got["truth_l1"], got["truth_psnr"]) == (0, 100)
    assert got["truth_ssim"] == pytest.approx(1)


def test_the_outputs_are_those_of_the_card() -> None:
    for view in (seen(), {}):
        got = COMPARE(noise(0), noise(1), view)
        assert {*got} == {*CARD.outputs}
        assert all(value.dtype == np.float32 for value in got.values())
        assert (got["face_mask"].shape, got["frame_size"].shape) == ((64, 64), (2,))


def test_values_over_the_region_are_those_of_scikit_image() -> None:
    swap, true = noise(1), noise(2)
    region = changed_region(parsing())
    got = COMPARE(swap, true, seen())
    assert got["truth_l1"] == pytest.approx(np.abs(swap.astype(float) - true)[region].mean() / 255)
    assert got["truth_psnr"] == pytest.approx(peak_signal_noise_ratio(true[region], swap[region], data_range=255))
    _, similarity = structural_similarity(
        luma(true), luma(swap), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, full=True
    )
    assert got["truth_ssim"] == pytest.approx(similarity[region].mean(), abs=1e-5)


def test_a_change_by_a_fifth_has_the_values_of_the_closed_form() -> None:
    true = noise(0)
    swap = (true + 51).astype(np.uint8)
    got = COMPARE(swap, true, seen())
    assert got["truth_l1"] == pytest.approx(0.2)
    assert got["truth_psnr"] == pytest.approx(20 * np.log10(5), rel=1e-5)


def test_what_lies_beyond_the_region_counts_nowhere() -> None:
    true = noise(0)
    swap = np.where(changed_region(parsing())[..., None], true, 255 - true)
    got = COMPARE(swap, true, seen())
    assert (got["truth_l1"], got["truth_psnr"]) == (0, 100)
    assert got["truth_ssim"] < 1


def test_the_region_is_the_head_without_hair_and_neck_widened() -> None:
    region = changed_region(parsing())
    head = np.isin(parsing(), HEAD)
    reach = DILATE * np.sqrt(head.sum())
    on_head = np.argwhere(head)
    for row, column in [(68, 64), (30, 64), (110, 64), (68, 25), (5, 64), (127, 64), (68, 110)]:
        away = np.hypot(*(on_head - (row, column)).T).min()
        assert region[row, column] == (away <= reach), (row, column)
    assert region[parsing() == LABELS.index("ear")].all()
    assert not region[127, 64]


def test_the_rim_that_a_wider_target_leaves_is_within_the_region() -> None:
    true = noise(0)
    swap = true.copy()
    rim = disc(64, 68, 30) & ~disc(64, 68, 28)
    swap[rim] = 255 - swap[rim]
    assert COMPARE(swap, true, seen())["truth_l1"] > 0.01


def test_an_occluder_is_within_the_region_where_it_lies_over_the_head() -> None:
    region = changed_region(parsing(occluded=True))
    assert region[77:84, 40:90].all()
    assert not region[77:84, :15].any()
    head = np.isin(parsing(occluded=True), HEAD)
    assert region[convex_hull_image(head) & ~np.isin(parsing(), [LABELS.index("hair"), LABELS.index("neck")])].all()


def test_the_coarse_mask_is_the_mean_over_each_cell_and_empty_under_an_occluder() -> None:
    labels = parsing(occluded=True)
    face = np.isin(labels, FACE)
    hidden = (labels == LABELS.index("occluder")).reshape(64, 2, 64, 2).any(axis=(1, 3))
    expected = np.where(hidden, np.nan, face.reshape(64, 2, 64, 2).mean(axis=(1, 3)))
    np.testing.assert_allclose(coarse_face(labels), expected, atol=1e-6)
    assert hidden.any()
    assert 0 < np.nanmean(coarse_face(labels)) < 1


def test_the_size_of_the_frame_is_width_and_height() -> None:
    got = COMPARE(noise(0)[:100], noise(0)[:100], seen(parsing()[:100]))
    assert got["frame_size"].tolist() == [SIZE, 100]


@pytest.mark.parametrize("view", [{}, {"exact": {}}, seen(np.zeros((SIZE, SIZE), np.uint8))])
def test_without_a_known_head_there_are_no_values(view: Any) -> None:
    got = COMPARE(noise(0), noise(1), view)
    assert all(np.isnan(got[name]) for name in ("truth_l1", "truth_psnr", "truth_ssim"))


@pytest.mark.parametrize(("mse", "db"), [(0.0, 100), (1e-12, 100), (1.0, 0), (0.01, 20)])
def test_psnr_ends_at_100_db(mse: float, db: float) -> None:
    assert psnr_db(mse) == pytest.approx(db)


def test_frames_and_maps_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frames of one size; given \(128, 128, 3\) and \(64, 128, 3\)"):
        COMPARE(noise(0), noise(0)[:64], seen())
    with pytest.raises(ValueError, match=r"map of the frame's size \(128, 128\); given \(64, 128\)"):
        COMPARE(noise(0), noise(0), seen(parsing()[:64]))
