"""A forgery detector that sees spectra alone: blends differ inside and outside in how much detail they have.

Source of the spectrum: R. Durall et al., "Watch your up-convolution: CNN based generative deep neural networks are
failing to reproduce spectral distributions", CVPR 2020, section 3.1 (azimuthal average of the power spectrum). There a
classifier looks at the spectrum of the face; here at those of the crop's middle, of a ring around it and of its rim
besides, since a swap leaves the rim as it was.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.errors import MissingError, UsageError
from hifibench.experts.crops import checked
from hifibench.forensics.shipped import SPECTRAL, figures
from hifibench.records import Floats
from hifibench.user_files import digest

SIZE = 256
RADII = SIZE // 2
"""Frequencies 1 to 128 cycles per crop."""

TILE, STEP = 64, 32
TILE_RADII = TILE // 2
"""Frequencies of a tile, 4 to 128 cycles per crop in steps of 4."""

ZONES = ("middle", "ring", "rim")
"""Where tiles lie: the 9 in the middle of 7 by 7, the 16 around them, the 24 at the rim."""

FEATURES = RADII + len(ZONES) * TILE_RADII

CARD = ExpertCard(
    name="spectrum",
    summary="spectra of the face crop, of its middle and of its rim, judged by a small classifier trained on "
    "self-blended portraits",
    role="forgery",
    crop=Crop("dfdc", SIZE),
    outputs={
        "spectrum": f"({RADII},) log10 of the mean power of the luminance at 1 to {RADII} cycles per crop",
        "fake": "(1,) logit that the face is forged, the higher the likelier; no calibrated probability",
    },
    paper="R. Durall et al., Watch your up-convolution: CNN based generative deep neural networks are failing to "
    "reproduce spectral distributions, CVPR 2020; trained on blends after K. Shiohara and T. Yamasaki, Detecting "
    "deepfakes with self-blended images, CVPR 2022",
    licence="code Apache-2.0; weights: research only, as the generated portraits they were trained on",
    limits="A weak, transparent detector: it knows differences in detail and grain within a crop and nothing of what "
    "the crop shows, so a swap that keeps the target's grain passes. Trained on generated portraits alone, where a "
    "background out of focus is common." + figures(SPECTRAL),
    weights=digest(SPECTRAL),
    version=2,
)

_LUMA = np.array([0.299, 0.587, 0.114])
_ROUNDING = (1 / 255) ** 2 / 12


class Classifier(NamedTuple):
    """A network with one hidden layer on standardised features; float64.

    Attributes:
        mean: ``(F,)``.
        scale: ``(F,)``, standard deviations.
        hidden: ``(F, H)``.
        hidden_bias: ``(H,)``.
        out: ``(H,)``.
        out_bias: ``(1,)``.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    hidden: NDArray[np.float64]
    hidden_bias: NDArray[np.float64]
    out: NDArray[np.float64]
    out_bias: NDArray[np.float64]

    def logit(self, features: NDArray[np.float64]) -> float:
        """The logit of one row of features ``(F,)``."""
        units = np.maximum(((features - self.mean) / self.scale) @ self.hidden + self.hidden_bias, 0)
        return float(units @ self.out + self.out_bias[0])


class Spectrum:
    """The `spectrum` expert.

    Args:
        classifier: what turns spectra into a logit.
    """

    card = CARD

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        rows = [features(crop) for crop in checked(CARD, crops)]
        seen = np.stack(rows) if rows else np.empty((0, FEATURES))
        fake = np.array([self._classifier.logit(row) for row in rows], np.float32).reshape(-1, 1)
        return {"spectrum": seen[:, :RADII].astype(np.float32), "fake": fake}


def features(crop: Floats) -> NDArray[np.float64]:
    """What the classifier sees of a crop ``(3, 256, 256)`` RGB in [0, 1]: spectra and nothing else.

    Returns:
        ``(F,)``: log10 of the power at 1 to 128 cycles per crop, then of the mean over the tiles of each zone.
    """
    luminance = np.tensordot(_LUMA, crop.astype(np.float64), 1)
    seen: NDArray[np.float64] = np.log10(np.concatenate([power(luminance), *zones(luminance)]))
    return seen


def power(luminance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean power at each frequency, whatever its direction; of a flat image the error of rounding to 8 bits.

    A Hann window keeps the edges out of it. White noise of variance v has ``v`` times the sum of the squared window at
    every frequency.

    Args:
        luminance: ``(..., S, S)`` in [0, 1], S even.

    Returns:
        ``(..., S / 2)``, at 1 to S / 2 cycles per image.
    """
    side = luminance.shape[-1]
    rings = _rings(side)
    # A mean under the window would leak into the lowest frequencies.
    mean = (luminance * rings.window).sum((-2, -1), keepdims=True) / rings.window.sum()
    waves = np.fft.rfft2((luminance - mean) * rings.window)
    powers = (waves.real**2 + waves.imag**2).reshape(-1, waves.shape[-2] * waves.shape[-1])
    sums = np.stack([np.bincount(rings.radius, rings.weight * row)[1 : side // 2 + 1] for row in powers])
    # Below the error of rounding nothing is known, and a flat crop has a logarithm.
    means = sums / rings.number + _ROUNDING * float((rings.window**2).sum())
    return means.reshape(*luminance.shape[:-2], side // 2)


class _Rings(NamedTuple):
    """The window, and of the half plane of frequencies that a real image needs each one's radius.

    ``weight`` says how often the whole plane has it, ``number`` how many of the whole plane lie at radii 1 to S / 2.
    """

    window: NDArray[np.float64]
    radius: NDArray[np.int64]
    weight: NDArray[np.float64]
    number: NDArray[np.float64]


@lru_cache(4)
def _rings(side: int) -> _Rings:
    hann = np.hanning(side + 1)[:-1]
    across, down = np.arange(side // 2 + 1), np.fft.fftfreq(side, 1 / side)
    radius = np.rint(np.hypot(across, down[:, None])).astype(np.int64).ravel()
    weight = np.tile(np.where((across == 0) | (across == side // 2), 1.0, 2.0), side)
    number = np.bincount(radius, weight)[1 : side // 2 + 1].astype(np.float64)
    return _Rings(np.outer(hann, hann), radius, weight, number)


def zones(luminance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean power of the tiles of each zone.

    Args:
        luminance: ``(256, 256)`` in [0, 1].

    Returns:
        ``(3, 32)``: `ZONES` by 4, 8… 128 cycles per crop.
    """
    tiles = np.lib.stride_tricks.sliding_window_view(luminance, (TILE, TILE))[::STEP, ::STEP]
    off = np.abs(np.arange(len(tiles)) - len(tiles) // 2)
    zone = np.maximum(np.maximum.outer(off, off) - 1, 0)
    powers = power(tiles)
    return np.stack([powers[zone == one].mean(0) for one in range(len(ZONES))])


def read(file: Path) -> Classifier:
    """The classifier of an ``.npz`` file; no pickle is opened.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, or of another shape.
    """
    if not file.is_file():
        raise MissingError(
            f"There is no classifier of spectra at {file}. Train it: python -m hifibench.forensics.train."
        )
    try:
        with np.load(file, allow_pickle=False) as held:
            made = Classifier(*(held[name].astype(np.float64) for name in Classifier._fields))
    except Exception as error:  # what NumPy and zipfile raise on damaged files has no common base class
        raise UsageError(f"{file} is no whole classifier of spectra ({type(error).__name__}). Get it again.") from error
    units = made.hidden.shape[-1]
    expected = ((FEATURES,), (FEATURES,), (FEATURES, units), (units,), (units,), (1,))
    if tuple(array.shape for array in made) != expected or not all(np.isfinite(array).all() for array in made):
        raise UsageError(f"{file} is a classifier of other features; expected {FEATURES} of them. Get it again.")
    return made


spectrum = ExpertPlugin(CARD, lambda device: Spectrum(read(SPECTRAL)), cpu_only=True)
