from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.faceswap.blend import BORDER_PX, poisson, soft_edge
from baselines.faceswap.colour import relight, to_lab, to_rgb, transfer, trimmed
from baselines.faceswap.hair import is_hair, unlike_skin, within

SHAPE = (96, 96)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def skin(rng):
    return (np.array([60.0, 12.0, 18.0]) + rng.normal(0, (8, 2, 2), (*SHAPE, 3))).astype(np.float32)


def disc(radius, centre=(48, 48)):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(x - centre[0], y - centre[1]) <= radius


def test_lab_is_cie_lab_of_rgb_and_back(rng):
    corners = np.array([[[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]]], dtype=np.float32)
    expected = [(100, 0, 0), (0, 0, 0), (53.24, 80.09, 67.20), (32.30, 79.19, -107.86)]
    np.testing.assert_allclose(to_lab(corners)[0], expected, atol=0.5)
    image = rng.random((8, 8, 3), dtype=np.float32)
    np.testing.assert_allclose(to_rgb(to_lab(image)), image, atol=0.01)


def test_trimming_forgets_outliers(rng):
    pixels = rng.normal(50, 5, (5000, 3)).astype(np.float32)
    clean = trimmed(pixels)
    pixels[rng.permutation(5000)[:150]] = 1e4
    dirty = trimmed(pixels)
    np.testing.assert_allclose(dirty[0], clean[0], atol=0.6)
    np.testing.assert_allclose(dirty[1], clean[1], atol=0.6)


def test_transfer_gives_mean_and_spread_of_the_other(skin):
    region = disc(40)
    other = (skin[::-1] - (60, 12, 18)) * (1.2, 0.55, 0.55) + (45, 8, 10)
    moved = transfer(skin, other.astype(np.float32), region)
    mean, spread = trimmed(moved[region])
    wanted_mean, wanted_spread = trimmed(other[region].astype(np.float32))
    np.testing.assert_allclose(mean, wanted_mean, atol=0.3)
    np.testing.assert_allclose(spread, wanted_spread, rtol=0.05)


def test_transfer_limits_contrast(skin):
    region = disc(40)
    flat, harsh = skin * 0 + 50, (skin - 50) * 5
    spread = trimmed(skin[region])[1]
    np.testing.assert_allclose(trimmed(transfer(skin, flat, region)[region])[1], spread * (0.8, 0.5, 0.5), rtol=0.02)
    np.testing.assert_allclose(trimmed(transfer(skin, harsh, region)[region])[1], spread * (1.3, 0.6, 0.6), rtol=0.02)


def test_without_a_region_colours_stay(skin):
    nothing = np.zeros(SHAPE, bool)
    np.testing.assert_array_equal(transfer(skin, skin + 9, nothing), skin)
    np.testing.assert_array_equal(relight(skin, skin + 9, nothing, 80), skin)
    np.testing.assert_array_equal(unlike_skin(skin, nothing), 0)


@given(offset=st.tuples(*[st.floats(-30, 30)] * 3))
@settings(max_examples=20, deadline=None)
def test_relight_takes_over_an_even_cast_entirely(offset):
    lab = np.random.default_rng(0).normal(50, 5, (*SHAPE, 3)).astype(np.float32)
    cast = np.array(offset, dtype=np.float32)
    region = disc(40)
    np.testing.assert_allclose(relight(lab, lab + cast, region, 80)[region], (lab + cast)[region], atol=0.01)


def test_relight_takes_light_from_the_target_and_detail_from_the_source(skin):
    across = np.linspace(-20, 20, SHAPE[1], dtype=np.float32)
    shade = np.zeros((*SHAPE, 3), np.float32)
    shade[..., 0] = across
    lit = relight(skin, skin.mean(axis=(0, 1)) + shade, np.ones(SHAPE, bool), 80)
    residual = lit - skin
    middle = (slice(24, 72), slice(24, 72))
    gain = np.polyfit(across[middle[1]], residual[middle][..., 0].mean(axis=0), 1)[0]
    assert gain == pytest.approx(1, abs=0.1)
    detail = skin - skin.mean(axis=(0, 1))
    assert np.corrcoef((lit - shade)[middle][..., 0].ravel(), detail[middle][..., 0].ravel())[0, 1] > 0.98


def test_relight_does_not_see_what_is_outside_the_region(skin):
    region = disc(30)
    like = skin.copy()
    like[~region] = 500
    np.testing.assert_allclose(relight(skin, like, region, 80)[region], skin[region], atol=1e-3)


def test_distance_from_skin_is_counted_in_standard_deviations(skin):
    sample = disc(40)
    skin[0, 0] = trimmed(skin[sample])[0] + trimmed(skin[sample])[1] * (3, 0, 0)
    skin[0, 1] = (10, 0, 0)
    distance = unlike_skin(skin, sample)
    assert distance[0, 0] == pytest.approx(3, rel=0.02)
    assert distance[0, 1] > 6
    assert np.median(distance[sample]) < 3


def test_a_lock_is_hair_and_a_single_pixel_is_not():
    distance = np.zeros(SHAPE, np.float32)
    distance[20:60, 30:36] = 10
    distance[80, 80] = 10
    hair = is_hair(distance)
    assert hair[25:55, 32:34].all()
    assert not hair[70:].any()


def test_what_lies_behind_a_lock_is_out_of_sight():
    hair = np.zeros(SHAPE, bool)
    hair[20:24, 30:67] = True
    seen = within(hair, (48.0, 60.0))
    assert seen[40:, :].all(), "in front of the lock and below it"
    assert not seen[:20, 40:57].any(), "behind it"
    assert not seen[20:23, 36:61].any(), "the lock itself, but for its edge"


@given(turn=st.integers(0, 3))
@settings(deadline=None)
def test_sight_turns_with_the_picture(turn):
    hair = np.zeros((97, 97), bool)
    hair[10:14, 30:67] = True
    expected = np.rot90(within(hair, (48.0, 48.0)), turn)
    assert (within(np.rot90(hair, turn).copy(), (48.0, 48.0)) != expected).mean() < 0.01


def test_without_hair_all_is_in_sight():
    assert within(np.zeros(SHAPE, bool), (48.0, 48.0)).all()


def test_the_soft_edge_of_a_disc_depends_on_the_radius_alone():
    mask = soft_edge(disc(30), inset=4, feather=10)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    depth = 30.5 - np.hypot(x - 48, y - 48)
    t = np.clip((depth - 4) / 10, 0, 1)
    np.testing.assert_allclose(mask, t * t * (3 - 2 * t), atol=0.12)
    assert mask[48, 48] == 1
    assert not mask[depth < 3].any()


def test_the_soft_edge_stays_clear_of_the_border():
    mask = soft_edge(np.ones(SHAPE, bool), inset=0, feather=5)
    inner = mask[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    assert inner.min() > 0
    assert mask.sum() == pytest.approx(inner.sum())


def test_blending_a_picture_into_itself_changes_nothing(rng):
    image = rng.random((*SHAPE, 3), dtype=np.float32)
    np.testing.assert_allclose(poisson(image, image, disc(30)), image, atol=1.5 / 255)


def test_blending_removes_a_small_cast_and_limits_a_large_one(rng):
    target = (0.5 + rng.normal(0, 0.02, (*SHAPE, 3))).astype(np.float32)
    small = poisson(target + np.float32(0.02), target, disc(30))
    assert np.abs(small - target)[disc(20)].mean() < 0.005
    large = poisson(target + np.float32(0.3), target, disc(30))
    assert np.abs(large - target)[disc(20)].min() > 0.2
    assert (target + 0.3 - large)[disc(20)].max() <= 0.05 + 1e-6


@pytest.mark.parametrize("region", [np.zeros(SHAPE, bool), np.ones(SHAPE, bool), disc(30, (20, 48)), disc(47)])
def test_a_region_that_cannot_be_blended_is_refused(region):
    image = np.full((*SHAPE, 3), 0.5, np.float32)
    with pytest.raises(ValueError, match="not empty and stays 4 pixels clear of the border"):
        poisson(image, image, region)
