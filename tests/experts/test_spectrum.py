from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hifibench.experts.spectrum import (
    CARD,
    FEATURES,
    RADII,
    SIZE,
    TILE,
    TILE_RADII,
    Classifier,
    Spectrum,
    features,
    power,
    spectrum,
    zones,
)
from hifibench.forensics.shipped import SPECTRAL, figures, note

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


@pytest.mark.parametrize("cycles", [1, 5, 60, 128])
def test_a_wave_stands_at_its_frequency(cycles: int) -> None:
    place = np.arange(SIZE) / SIZE
    wave = 0.5 + 0.3 * np.cos(2 * np.pi * cycles * place)
    for image in (np.tile(wave, (SIZE, 1)), np.tile(wave, (SIZE, 1)).T):
        seen = power(image)
        assert seen.shape == (RADII,)
        assert seen.argmax() == cycles - 1
        assert seen[np.abs(np.arange(1, RADII + 1) - cycles) > 3].max() < 1e-3 * seen.max()


@pytest.mark.parametrize("side", [64, 256])
def test_the_half_plane_of_frequencies_says_what_the_whole_says(side: int) -> None:
    image = textured()[:side, :side]
    window = np.outer(np.hanning(side + 1)[:-1], np.hanning(side + 1)[:-1])
    whole = np.abs(np.fft.fft2((image - np.average(image, weights=window)) * window)) ** 2
    cycles = np.fft.fftfreq(side, 1 / side)
    radius = np.rint(np.hypot(*np.meshgrid(cycles, cycles)))
    expected = [whole[radius == one].mean() for one in range(1, side // 2 + 1)]
    np.testing.assert_allclose(power(image), np.add(expected, (window**2).sum() / 255**2 / 12), rtol=1e-9)


def test_zones_tell_the_middle_from_the_rim() -> None:
    image = textured()
    soft = blurred(image, 2.0)
    inside = np.zeros((SIZE, SIZE))
    inside[64:192, 64:192] = 1
    middle, ring, rim = np.log10(zones(image * (1 - inside) + soft * inside)) - np.log10(zones(image))
    assert middle[10:].mean() < -1 and abs(rim[10:].mean()) < 0.05 and middle[10:].mean() < ring[10:].mean()
    middle, _, rim = np.log10(zones(image * inside + soft * (1 - inside))) - np.log10(zones(image))
    assert rim[10:].mean() < -1 < -0.2 < middle[10:].mean()


def test_a_tile_of_a_wave_peaks_at_its_frequency() -> None:
    wave = np.tile(0.5 + 0.3 * np.cos(2 * np.pi * 40 * np.arange(SIZE) / SIZE), (SIZE, 1))
    assert zones(wave).shape == (3, TILE_RADII)
    np.testing.assert_array_equal(zones(wave).argmax(1), 40 // (SIZE // TILE) - 1)


def test_the_classifier_sees_these_spectra_in_this_order() -> None:
    crop = np.random.default_rng(0).random((3, SIZE, SIZE), np.float32)
    luminance = np.tensordot((0.299, 0.587, 0.114), crop.astype(np.float64), 1)
    seen = features(crop)
    assert seen.shape == (FEATURES,)
    np.testing.assert_allclose(seen[:RADII], np.log10(power(luminance)), rtol=1e-12)
    np.testing.assert_allclose(seen[RADII:], np.log10(zones(luminance)).ravel(), rtol=1e-12)


def test_the_logit_is_that_of_the_hidden_layer() -> None:
    rng = np.random.default_rng(0)
    shapes = ((FEATURES,), (FEATURES,), (FEATURES, 5), (5,), (5,), (1,))
    mean, scale, hidden, hidden_bias, out, out_bias = (rng.uniform(0.5, 1.5, shape) - 0.3 for shape in shapes)
    scale += 0.3
    crop = gray(textured())
    got = Spectrum(Classifier(mean, scale, hidden, hidden_bias, out, out_bias)).observe(crop)
    z = (features(crop[0]) - mean) / scale
    units = [max(0.0, float(sum(z * hidden[:, unit])) + hidden_bias[unit]) for unit in range(5)]
    expected = sum(unit * weight for unit, weight in zip(units, out, strict=True)) + out_bias[0]
    assert got["fake"].item() == pytest.approx(expected, rel=1e-6)


def test_of_a_flat_crop_rounding_is_all_that_is_known() -> None:
    got = OBSERVE(gray(np.full((SIZE, SIZE), 0.3)))
    assert np.isfinite(got["spectrum"]).all() and np.isfinite(got["fake"]).all()
    assert np.ptp(got["spectrum"]) < 1e-3


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


def test_the_card_knows_the_weights_and_what_was_measured() -> None:
    assert CARD.version == 2
    assert CARD.weights == hashlib.sha256(SPECTRAL.read_bytes()).hexdigest()
    said = json.loads(note(SPECTRAL).read_text())["auc"]
    assert set(said) == {"self-blends", "re-encode", "source-paste", "faceswap"}
    assert f"faceswap {100 * said['faceswap']:.1f}" in CARD.limits and figures(SPECTRAL) in CARD.limits
    assert abs(said["re-encode"] - 0.5) < 0.08


def test_without_a_card_nothing_is_claimed(tmp_path: Path) -> None:
    assert figures(tmp_path / "spectrum.npz") == ""
