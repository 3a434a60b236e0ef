from __future__ import annotations

import cv2
import numpy as np
import pytest

from hifibench.experts.spectrum import CARD, RADII, SIZE, power, spectrum

OBSERVE = spectrum.load("cpu").observe


def gray(luminance: np.ndarray) -> np.ndarray:
    """A crop ``(1, 3, S, S)`` of that luminance."""
    return np.ascontiguousarray(np.broadcast_to(luminance.astype(np.float32), (1, 3, SIZE, SIZE)))


def textured(seed: int = 0) -> np.ndarray:
    """Noise whose power falls with the square of the frequency, as in photographs."""
    noise = np.random.default_rng(seed).normal(size=(SIZE, SIZE))
    cycles = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE, 1 / SIZE), np.fft.fftfreq(SIZE, 1 / SIZE)))
    made = np.fft.ifft2(np.fft.fft2(noise) / np.maximum(cycles, 1)).real
    return np.clip(0.5 + 0.12 * made / made.std(), 0, 1)


def blurred(luminance: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(luminance, (0, 0), sigma) if sigma else luminance


def test_white_noise_has_the_same_known_power_everywhere() -> None:
    variance = 0.01
    generator = np.random.default_rng(0)
    noise = [0.5 + generator.normal(0, variance**0.5, (SIZE, SIZE)) for _ in range(20)]
    got = OBSERVE(np.concatenate([gray(np.clip(one, 0, 1)) for one in noise]))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIZE) / SIZE)
    expected = variance * np.sum(np.outer(window, window) ** 2)
    np.testing.assert_allclose(got["spectrum"][:, 10:].mean(0), np.log10(expected), atol=0.05)
    assert got["spectrum"][:, 10:].mean() == pytest.approx(np.log10(expected), abs=0.01)
    assert got["fake"].mean() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("cycles", [1, 5, 60, 128])
def test_a_wave_stands_at_its_frequency(cycles: int) -> None:
    place = np.arange(SIZE) / SIZE
    wave = 0.5 + 0.3 * np.cos(2 * np.pi * cycles * place)
    for image in (np.tile(wave, (SIZE, 1)), np.tile(wave, (SIZE, 1)).T):
        seen = power(image)
        assert seen.shape == (RADII,)
        assert seen.argmax() == cycles - 1
        assert seen[np.abs(np.arange(1, RADII + 1) - cycles) > 3].max() < 1e-3 * seen.max()


@pytest.mark.parametrize("rounded", [True, False])
def test_blur_raises_the_score_monotonically(rounded: bool) -> None:
    images = [blurred(textured(), sigma) for sigma in (0, 0.4, 0.6, 0.8, 1.0, 1.3)]
    scores = [OBSERVE(gray(np.rint(255 * one) / 255 if rounded else one))["fake"].item() for one in images]
    assert (np.diff(scores) > 0.02).all()


def test_noise_lowers_the_score_and_brightness_leaves_it() -> None:
    image = textured()
    noise = np.random.default_rng(1).normal(0, 0.08, image.shape)
    plain, noisy, darker = (
        OBSERVE(gray(np.clip(one, 0, 1)))["fake"].item() for one in (image, image + noise, image - 0.1)
    )
    assert noisy < plain - 0.1
    assert darker == pytest.approx(plain, abs=0.02)


def test_of_a_flat_crop_rounding_is_all_that_is_known() -> None:
    got = OBSERVE(gray(np.full((SIZE, SIZE), 0.3)))
    assert np.isfinite(got["spectrum"]).all()
    assert got["fake"].item() == pytest.approx(0, abs=1e-3)


def test_the_channels_weigh_as_in_luminance() -> None:
    peak = []
    for channel in range(3):
        crop = np.zeros((1, 3, SIZE, SIZE), np.float32)
        crop[0, channel] = textured()
        peak.append(10 ** OBSERVE(crop)["spectrum"][0, :20].mean())
    np.testing.assert_allclose(np.sqrt(np.divide(peak, peak[1])), np.divide((0.299, 0.587, 0.114), 0.587), rtol=0.05)


def test_a_row_depends_on_itself_alone() -> None:
    crops = np.concatenate([gray(textured(seed)) for seed in range(3)])
    together = OBSERVE(crops)
    assert {name: array.shape for name, array in together.items()} == {"spectrum": (3, RADII), "fake": (3, 1)}
    assert set(together) == set(CARD.outputs)
    for name, array in OBSERVE(crops[1:2]).items():
        np.testing.assert_array_equal(array[0], together[name][1])
    assert OBSERVE(crops[:0])["fake"].shape == (0, 1)


def test_crops_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"spectrum takes crops of shape \(B, 3, 256, 256\); given"):
        OBSERVE(np.zeros((1, 3, 128, 128), np.float32))
