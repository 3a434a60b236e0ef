"""The portrait generator on any device: batched, and differentiable with respect to the style.

The networks of `hifibench.data.generator` in torch. Their images equal OpenVINO's up to the order of additions, not bit
for bit: what an evaluation looks at is made by `hifibench.data.portraits`.

Measured at 512 pixels on one core of an AMD EPYC with AVX-512 (no AMX), images/s of `TorchGenerator.render` and memory
beside the weights; the error is that of frames, over six styles, two of them not truncated:

=================  =======  =======  ===========  ==================================
precision          batch 1  batch 4  memory       error against float32
=================  =======  =======  ===========  ==================================
float32            2.5      2.1      300 MB each
bfloat16 autocast  5.8      4.1      200 MB each  PSNR 44 to 50 dB, at most 63 levels
float16 autocast                                  PSNR 58 to 61 dB, at most 6 levels
=================  =======  =======  ===========  ==================================

OpenVINO makes 3.6 images/s there. On a CPU a batch of 1 is quickest; float16 is slow there and meant for GPUs. The
largest activation seen, over 24 styles that were not truncated, is 6 e3, a tenth of float16's range. At 1024 pixels an
image takes 350 MB in float32. CUDA: not measured. There torch convolves float32 in TF32, which keeps ten bits, unless
``torch.backends.cudnn.allow_tf32`` is switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hifibench.data import style_space
from hifibench.data.generator import PSI, STYLE_DIM, latent
from hifibench.data.mobilestylegan import MappingNetwork, SynthesisNetwork, Weights
from hifibench.errors import UsageError
from hifibench.records import Floats


class TorchGenerator:
    """The two networks on a device; `mapped`, `styles` and `render` are those of `hifibench.data.generator.Generator`.

    Args:
        device: as torch names it.
        size: side of the images in pixels.
        batch: most images that `render` has in memory at once.

    Attributes:
        size, device, batch: as given.
        mapping: latents ``(N, 512)`` to styles, not truncated; differentiable.
        synthesis: styles ``(N, 512)`` to images; differentiable.

    Raises:
        UsageError: the size is another one, or the batch is empty.
        MissingError: an asset is absent.
    """

    def __init__(self, device: str | torch.device = "cpu", size: Literal[512, 1024] = 512, batch: int = 8) -> None:
        if size not in (512, 1024):
            raise UsageError(f"Portraits come at 512 or 1024 pixels, not {size}.")
        if batch < 1:
            raise UsageError(f"Portraits cannot be rendered {batch} at a time; give a batch of 1 or more.")
        self.size, self.device, self.batch = size, torch.device(device), batch
        self.mapping = MappingNetwork(Weights.of("mapping")).to(self.device)
        synthesis = SynthesisNetwork(Weights.of("synthesis"), size).to(self.device)
        self.synthesis = synthesis.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def mapped(self, latents: Floats) -> Floats:
        """The mapping network alone: ``(N, 512)`` float32, standard normal, to ``(N, 512)`` styles, not truncated."""
        styles: Floats = self.mapping(torch.from_numpy(latents).to(self.device)).cpu().numpy()
        return styles

    def styles(self, seeds: Sequence[int]) -> Floats:
        """The truncated styles of some seeds, ``(N, 512)`` float32: ``mean + PSI (style - mean)``.

        Raises:
            UsageError: a seed is negative.
        """
        latents = np.stack([latent(seed) for seed in seeds]) if len(seeds) else np.empty((0, STYLE_DIM), np.float32)
        mean = style_space.shipped().mean
        styles: Floats = mean + np.float32(PSI) * (self.mapped(latents) - mean)
        return styles

    def synthesise(self, styles: Tensor) -> Tensor:
        """Styles ``(N, 512)`` on the device to images, at once and differentiably.

        Returns:
            ``(N, 3, size, size)`` float32 RGB, nominally in [-1, 1], not clipped.
        """
        images: Tensor = self.synthesis(styles)
        return images

    @torch.inference_mode()
    def render(self, styles: Floats) -> NDArray[np.uint8]:
        """Styles ``(N, 512)`` to frames ``(N, size, size, 3)`` uint8 RGB, `batch` of them at a time."""
        frames = np.empty((len(styles), self.size, self.size, 3), np.uint8)
        for start in range(0, len(styles), self.batch):
            rows = slice(start, start + self.batch)
            images = self.synthesise(torch.from_numpy(styles[rows]).to(self.device))
            levels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            frames[rows] = levels.permute(0, 2, 3, 1).cpu().numpy()
        return frames
