from __future__ import annotations

import numpy as np
import pytest

from hifibench.contracts import Crop
from hifibench.forensics import self_blend as sb
from hifibench.forensics.faces import Faces
from hifibench.forensics.samples import sample

SEEDS = range(30)


@pytest.fixture
def blends(people: Faces) -> list[sb.Blend]:
    return [sb.self_blend(people.frames[0], people.meshes[0], np.random.default_rng(seed)) for seed in SEEDS]


def test_the_seed_decides_a_blend(people: Faces, blends: list[sb.Blend]) -> None:
    again = sb.self_blend(people.frames[0], people.meshes[0], np.random.default_rng(3))
    np.testing.assert_array_equal(again.image, blends[3].image)
    np.testing.assert_array_equal(again.mask, blends[3].mask)
    assert not np.array_equal(blends[3].image, blends[4].image)


def test_something_is_forged_in_every_blend(people: Faces, blends: list[sb.Blend]) -> None:
    for blend in blends:
        assert blend.image.shape == people.frames[0].shape and blend.image.dtype == np.uint8
        assert blend.mask.dtype == np.float32 and blend.mask.min() >= 0 and 0.45 <= blend.mask.max() <= 1
        assert not np.array_equal(blend.image, people.frames[0]) and not np.array_equal(blend.image, blend.whole)


def test_outside_the_mask_stands_the_outer_side(people: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, changed = people.frames[0], 255 - people.frames[0]
    monkeypatch.setattr(sb, "altered", lambda frame, rng: changed)
    monkeypatch.setattr(sb, "displaced", lambda inner, mesh, rng: inner)
    sides, wholes = set(), set()
    for seed in SEEDS:
        blend = sb.self_blend(frame, people.meshes[0], np.random.default_rng(seed))
        outer = frame if np.array_equal(blend.image[0, 0], frame[0, 0]) else changed
        inner = changed if outer is frame else frame
        sides.add(outer is frame)
        wholes.add(np.array_equal(blend.whole, frame))
        assert np.array_equal(blend.whole, frame) or np.array_equal(blend.whole, changed)
        share = blend.mask[..., None].astype(np.float64)
        np.testing.assert_allclose(blend.image, share * inner + (1 - share) * outer, atol=1)
    assert sides == wholes == {True, False}


def test_masks_lie_on_the_face(people: Faces) -> None:
    mesh = people.meshes[0]
    areas = []
    for seed in SEEDS:
        mask = sb.region(mesh, (128, 128), np.random.default_rng(seed))
        assert mask.shape == (128, 128) and set(np.round([mask.min(), mask.max()])) == {0, 1}
        rows, columns = np.nonzero(mask > 0.5)
        assert abs(columns.mean() - mesh[:, 0].mean()) < 10 and abs(rows.mean() - mesh[:, 1].mean()) < 30
        areas.append(len(rows))
    hull = np.pi * 32 * 42
    assert 0.2 * hull < min(areas) < 0.7 * hull and hull < max(areas) < 3.9 * hull


def test_seams_are_sharp_and_wide(people: Faces) -> None:
    mask = np.zeros((128, 128), np.float32)
    mask[30:100, 30:100] = 1
    widths = []
    for seed in SEEDS:
        made = sb.edged(mask, 64, np.random.default_rng(seed))
        assert made[64, 64] > 0.9 and made[2, 2] < 0.05
        widths.append(int(((made[64] > 0.02) & (made[64] < 0.98)).sum()))
    assert min(widths) <= 6 and max(widths) >= 14


def test_a_wide_blur_in_boxes_is_gaussian() -> None:
    spot = np.zeros((101, 101), np.float32)
    spot[50, 50] = 1
    sigma = 30**0.5
    made = sb._smoothed(spot, sigma).astype(np.float64)
    off = np.arange(101) - 50.0
    assert made.sum() == pytest.approx(1, abs=1e-3)
    assert float(np.sqrt((made.sum(0) * off**2).sum())) == pytest.approx(sigma, rel=0.01)
    assert float((made.sum(0) * off).sum()) == pytest.approx(0, abs=1e-3), "the mask must not move"
    expected = np.exp(-(off**2) / 60)[:, None] * np.exp(-(off**2) / 60) / (60 * np.pi)
    np.testing.assert_allclose(made, expected, atol=0.15 * expected.max())


def test_a_bent_picture_moves_by_hundredths_of_the_face(people: Faces) -> None:
    frame = np.zeros((128, 128, 3), np.uint8)
    frame[62:67, 62:67] = 255
    moves = []
    for seed in range(60):
        moved = sb.displaced(frame, people.meshes[0], np.random.default_rng(seed))[..., 0].astype(float)
        rows, columns = np.indices(moved.shape)
        moves.append(np.hypot((columns * moved).sum() / moved.sum() - 64, (rows * moved).sum() / moved.sum() - 64))
    assert 0.4 < np.median(moves) < 3 and 3 < max(moves) < 24


def test_a_part_of_the_copies_are_mirrored_about_the_face(people: Faces) -> None:
    frame = np.zeros((128, 128, 3), np.uint8)
    middle = people.meshes[0, :, 0].mean()
    frame[60:68, round(middle) + 30 : round(middle) + 38] = 255
    sides = []
    for seed in range(200):
        moved = sb.displaced(frame, people.meshes[0], np.random.default_rng(seed))[..., 0].astype(float)
        sides.append((np.arange(128) * moved.sum(0)).sum() / moved.sum() - middle)
    mirrored = np.array([side for side in sides if side < 0])
    assert 0.2 < len(mirrored) / 200 < 0.4
    assert np.median(mirrored) == pytest.approx(-np.median([side for side in sides if side > 0]), abs=3)


def test_a_sample_is_a_pair_of_one_place_and_one_fate(people: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    crop = Crop("ffpp-xception", 96)
    monkeypatch.setattr(
        "hifibench.forensics.samples.self_blend",
        lambda frame, mesh, rng: sb.Blend(frame, np.zeros(frame.shape[:2], np.float32), frame),
    )
    for seed in range(8):
        made = sample(people, 1, crop, np.random.default_rng(seed))
        np.testing.assert_array_equal(made.real, made.fake)
        assert made.real.shape == (3, 96, 96) and made.real.dtype == np.float32
        assert made.real.min() >= 0 and made.real.max() <= 1 and not made.seam.any()


def test_the_seam_is_where_the_sides_mix(people: Faces) -> None:
    for seed in range(8):
        made = sample(people, 1, Crop("ffpp-xception", 96), np.random.default_rng(seed))
        assert made.seam.shape == (96, 96) and made.seam.min() >= 0 and 0.3 < made.seam.max() <= 1
        assert made.seam.mean() < 0.5
        assert not np.array_equal(made.real, made.fake)
