from __future__ import annotations

import numpy as np
import pytest

from hifibench.forensics import degrade as d


@pytest.fixture
def frame() -> np.ndarray:
    small = np.random.default_rng(0).integers(70, 180, (16, 20, 3)).astype(np.uint8)
    return small.repeat(6, 0).repeat(6, 1)


def test_pictures_of_one_seed_fare_alike(frame: np.ndarray) -> None:
    other = frame.copy()
    other[:20, :20] = 128
    touched = 0
    for seed in range(40):
        one, same = d.degrade(frame, seed), d.degrade(frame, seed)
        np.testing.assert_array_equal(one, same)
        assert one.shape == frame.shape and one.dtype == np.uint8
        # Far from where the two pictures differ they stay alike, whatever happens to them.
        np.testing.assert_array_equal(one[60:, 60:], d.degrade(other, seed)[60:, 60:])
        touched += not np.array_equal(one, frame)
    assert 22 <= touched <= 38
    assert not np.array_equal(d.degrade(frame, 1000), d.degrade(frame, 1001)) or touched == 0


def test_no_change_of_colour_is_none_and_gray_stays_gray(frame: np.ndarray) -> None:
    np.testing.assert_array_equal(d.colours(frame, 0, 0, np.random.default_rng(0)), frame)
    gray = np.full((8, 8, 3), 128, np.uint8)
    changed = d.colours(gray, 0, 0.3, np.random.default_rng(1))
    np.testing.assert_allclose(changed, 128, atol=1)
    assert not np.array_equal(d.colours(frame, 0, 0.3, np.random.default_rng(1)), frame)


def test_a_shift_moves_each_channel_by_its_own_amount() -> None:
    gray = np.full((8, 8, 3), 128, np.uint8)
    moved = np.array([d.colours(gray, 0.1, 0, np.random.default_rng(seed))[0, 0] for seed in range(200)]) - 128.0
    assert np.abs(moved).max() <= 26
    np.testing.assert_allclose(moved.std(0), 255 * 0.2 / 12**0.5, rtol=0.15)
    assert np.abs(np.corrcoef(moved.T)[0, 1:]).max() < 0.2


def test_noise_has_the_deviation_that_is_asked_for() -> None:
    gray = np.full((200, 200, 3), 128, np.uint8)
    noise = d.noised(gray, 6, np.random.default_rng(0)) - 128.0
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise.std() == pytest.approx(6, rel=0.03)
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.02


def test_jpeg_keeps_the_order_of_the_channels() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    np.testing.assert_allclose(d.jpeg(red, 90), red, atol=4)


def test_blur_and_rescaling_take_detail_and_sharpening_adds_it(frame: np.ndarray) -> None:
    def detail(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image.astype(float), axis=1)).max(initial=0))

    rng = np.random.default_rng(0)
    assert detail(d.softened(frame, 1.5)) < detail(frame) < detail(d.sharpened(frame, 1))
    coarse = d.rescaled(frame, 0.3, rng)
    assert coarse.shape == frame.shape and detail(coarse) < detail(frame)
