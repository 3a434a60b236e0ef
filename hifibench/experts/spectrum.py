"""A forgery detector without training: faces that were generated or blended often lack the finest detail.

Source of the spectrum: R. Durall et al., "Watch your up-convolution: CNN based generative deep neural networks are
failing to reproduce spectral distributions", CVPR 2020, section 3.1 (azimuthal average of the power spectrum).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked
from hifibench.records import Floats

SIZE = 256
RADII = SIZE // 2
"""Frequencies 1 to 128 cycles per crop."""

CARD = ExpertCard(
    name="spectrum",
    summary="fine detail that a face crop lacks, from its power spectrum; no network, no training",
    role="forgery",
    crop=Crop("ffpp-xception", SIZE),
    outputs={
        "spectrum": f"({RADII},) log10 of the mean power of the luminance at 1 to {RADII} cycles per crop",
        "fake": "(1,) decades by which the power of the high third falls below that of the low; no probability",
    },
    paper="R. Durall et al., Watch your up-convolution: CNN based generative deep neural networks are failing to "
    "reproduce spectral distributions, CVPR 2020",
    licence="Apache-2.0",
    limits="A weak, transparent stand-in for trained detectors: it knows missing high frequencies and nothing else. "
    "Blur and enlargement count as forgery whoever did them, noise and the blocks of JPEG as truth; a swap that keeps "
    "the target's grain passes. On generated portraits it rises with blur up to 1.5 pixels of the crop, where rounding "
    "to 8 bits is all that is left, and then falls a little. Faces smaller than the crop are smooth in originals and "
    "swaps alike.",
)

_LUMA = np.array([0.299, 0.587, 0.114])
_HANN = np.hanning(SIZE + 1)[:-1]
_WINDOW = np.outer(_HANN, _HANN)
# The error of rounding to 8 bits: below it nothing is known, and a flat crop has a logarithm.
_FLOOR = (1 / 255) ** 2 / 12 * float((_WINDOW**2).sum())
_THIRD = RADII // 3


class Spectrum:
    """The `spectrum` expert."""

    card = CARD

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        rows = [power(np.tensordot(_LUMA, crop.astype(np.float64), 1)) for crop in checked(CARD, crops)]
        powers = np.stack(rows) if rows else np.empty((0, RADII))
        low, high = powers[:, :_THIRD].mean(1), powers[:, -_THIRD:].mean(1)
        return {
            "spectrum": np.log10(powers).astype(np.float32),
            "fake": np.log10(low / high)[:, None].astype(np.float32),
        }


def power(luminance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean power at each frequency, whatever its direction; of a flat image the error of rounding to 8 bits.

    A Hann window keeps the edges of the crop out of it. White noise of variance v has ``v`` times the sum of the
    squared window at every frequency.

    Args:
        luminance: ``(256, 256)`` in [0, 1].

    Returns:
        ``(128,)``, at 1 to 128 cycles per crop.
    """
    # A mean under the window would leak into the lowest frequencies.
    mean = (luminance * _WINDOW).sum() / _WINDOW.sum()
    powers = np.abs(np.fft.fft2((luminance - mean) * _WINDOW)) ** 2
    cycles = np.fft.fftfreq(SIZE, 1 / SIZE)
    radius = np.rint(np.hypot(*np.meshgrid(cycles, cycles))).astype(np.int64).ravel()
    counts, sums = np.bincount(radius), np.bincount(radius, powers.ravel())
    return sums[1 : RADII + 1] / counts[1 : RADII + 1] + _FLOOR


spectrum = ExpertPlugin(CARD, lambda device: Spectrum())
