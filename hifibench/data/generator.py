"""Photoreal faces of people who do not exist: MobileStyleGAN on the CPU, at the size that is needed.

A seed gives a point ``z`` of the prior, the mapping network a style, the synthesis network an image
(Belousov 2021, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis",
arXiv:2104.04767). The network ends in an inverse Haar wavelet that turns 512 x 512 coefficients into the
1024 x 1024 image; its low band is twice the mean over 2 x 2 pixels. So the image at half the size is already there
before that last step, and is taken from there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hifibench import assets
from hifibench.data import style_space
from hifibench.errors import MissingError, UsageError
from hifibench.records import Floats

if TYPE_CHECKING:
    from openvino import CompiledModel, Model

NAME = "MobileStyleGAN (FFHQ 1024)"
PSI = 0.7
"""Truncation: styles are drawn towards their mean by this factor (Karras et al. 2019, section B)."""

STYLE_DIM = 512
ASSETS = (
    "mobilestylegan-mapping-xml",
    "mobilestylegan-mapping-bin",
    "mobilestylegan-synthesis-xml",
    "mobilestylegan-synthesis-bin",
)

VERSION = 1
"""Raised by whoever changes what the code below computes."""

_PRIOR_STREAM = 0x706F7274
"""Keeps the prior's random stream apart from any other that is seeded by the same number."""

_LOW_BAND = "Slice_764/Split"
"""The node whose first output is the low band of the last inverse wavelet, ``(1, 3, 512, 512)``."""


def latent(seed: int) -> Floats:
    """The point of the prior that belongs to a seed: ``(512,)`` float32, standard normal, independent of all others.

    Raises:
        UsageError: the seed is negative.
    """
    if seed < 0:
        raise UsageError(f"The seed {seed} is negative; give one of zero or above.")
    return np.random.default_rng([_PRIOR_STREAM, seed]).standard_normal(STYLE_DIM).astype(np.float32)


def fingerprint() -> dict[str, object]:
    """All that decides the pixels of a seed, for the keys of caches."""
    return {
        "name": NAME,
        "version": VERSION,
        "psi": PSI,
        "assets": [assets.catalogue()[name].sha256 for name in ASSETS],
        "style_space": style_space.fingerprint(),
    }


class Generator:
    """The two networks, compiled when first used; may be called from several threads, which then take turns.

    The same style gives the same bits whatever the number of threads and whatever was asked before: every image is
    an inference of its own in float32.

    Attributes:
        size: side of the images in pixels.
    """

    def __init__(self, size: Literal[512, 1024] = 512) -> None:
        if size not in (512, 1024):
            raise UsageError(f"Portraits come at 512 or 1024 pixels, not {size}.")
        self.size = size
        self._lock = Lock()
        self._compiled: dict[str, CompiledModel] = {}

    def mapped(self, latents: Floats) -> Floats:
        """The mapping network alone.

        Args:
            latents: ``(N, 512)`` float32, standard normal.

        Returns:
            ``(N, 512)`` float32 styles, not truncated.

        Raises:
            MissingError: an asset is absent, or openvino is not installed.
        """
        return self._run("mapping", latents)

    def styles(self, seeds: Sequence[int]) -> Floats:
        """The truncated styles of some seeds, ``(N, 512)`` float32: ``mean + PSI (style - mean)``.

        Raises:
            UsageError: a seed is negative.
            MissingError: as in `mapped`.
        """
        return self.truncated(seeds, style_space.shipped().mean)

    def truncated(self, seeds: Sequence[int], mean: Floats) -> Floats:
        """`styles` about a given mean style ``(512,)``."""
        latents = np.stack([latent(seed) for seed in seeds]) if len(seeds) else np.empty((0, STYLE_DIM), np.float32)
        styles: Floats = mean + np.float32(PSI) * (self.mapped(latents) - mean)
        return styles

    def synthesise(self, styles: Floats) -> Floats:
        """Styles ``(N, 512)`` to images ``(N, 3, size, size)`` float32 RGB, nominally in ``[-1, 1]``, not clipped.

        Raises:
            MissingError: as in `mapped`.
        """
        images = self._run("synthesis", styles)
        if self.size == 512:
            images /= 2  # the low band is twice the mean
        return images

    def render(self, styles: Floats) -> NDArray[np.uint8]:
        """Styles ``(N, 512)`` to frames ``(N, size, size, 3)`` uint8 RGB.

        Raises:
            MissingError: as in `mapped`.
        """
        levels = np.rint((self.synthesise(styles) + 1) * np.float32(127.5))
        return np.ascontiguousarray(np.clip(levels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1))

    def _run(self, network: str, rows: Floats) -> Floats:
        with self._lock:
            if network not in self._compiled:
                self._compiled[network] = self._compile(network)
            compiled = self._compiled[network]
            shape = compiled.output(0).shape[1:]
            outputs = np.empty((len(rows), *shape), np.float32)
            for row, style in enumerate(np.asarray(rows, np.float32)):
                outputs[row] = compiled(style[None])[0][0]
        return outputs

    def _compile(self, network: str) -> CompiledModel:
        openvino = _openvino()
        core = openvino.Core()
        model = core.read_model(
            str(assets.path(f"mobilestylegan-{network}-xml")), str(assets.path(f"mobilestylegan-{network}-bin"))
        )
        if network == "synthesis" and self.size == 512:
            model = _cut_at_low_band(model, openvino)
        return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})


def _cut_at_low_band(model: Model, openvino: Any) -> Model:
    node = next(op for op in model.get_ordered_ops() if op.friendly_name == _LOW_BAND)
    return openvino.Model([openvino.opset13.result(node.output(0))], model.get_parameters(), "synthesis-512")


def _openvino() -> Any:
    """Import openvino without letting it report the import to its makers.

    Its package sends usage data on import unless the reporting package cannot be imported, in which case it goes on
    without; an entry of ``None`` in ``sys.modules`` is Python's documented way to have that.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise MissingError(
            f"Generated portraits need the package openvino, which cannot be imported: {error}. "
            "Install it with 'python -m pip install openvino', or bring photographs of your own (--pairs)."
        ) from error
    return openvino


@cache
def shared() -> Generator:
    """The process's own generator at 512 pixels."""
    return Generator()
