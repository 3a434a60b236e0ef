"""A small random HifiFace with small stand-ins for its frozen networks, and pairs of painted faces to study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from hifibench.contracts import Crop, SwapperCard
from hifibench.faces.segment import Mask
from hifibench.hififace.analysis.faces import AlignedPair, Side
from hifibench.hififace.analysis.judge import Judge, Judged
from hifibench.hififace.config import Config, FaceModelLayout, Variant
from hifibench.hififace.extractor import FaceCoefficients, SidExtractor
from hifibench.hififace.generator import Generator
from hifibench.hififace.identity import Coefficients
from hifibench.hififace.swapper import HifiFace
from hifibench.records import Floats, Frame

CROP = Crop("ffhq", 128)
LAYOUT = FaceModelLayout(identity=4, expression=2)
SIDE, MARGIN = 160, 16


class FaceModel(nn.Module):
    """Linear in the image, so that what it says of an image differs between images."""

    layout = LAYOUT

    def __init__(self) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(1)
        self.register_buffer("axes", torch.randn(LAYOUT.total, 3 * 16, generator=made))
        self.register_buffer("mesh", torch.randn(68 * 3, LAYOUT.identity, generator=made) / 50)
        self.register_buffer("mean", torch.rand(68, 3, generator=made))

    def forward(self, images: Tensor, crop: Crop) -> FaceCoefficients:
        assert crop == CROP
        numbers = nn.functional.adaptive_avg_pool2d(images.float(), 4).flatten(1) @ cast(Tensor, self.axes).T
        return FaceCoefficients(Coefficients(*numbers.split([4, 2, 3], dim=1)), torch.zeros(len(images), 3, 4))

    def landmarks(self, coefficients: Coefficients, camera: Tensor) -> Tensor:
        return cast(Tensor, self.mean) + (coefficients.identity @ cast(Tensor, self.mesh).T).reshape(-1, 68, 3)


class Recogniser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("axes", torch.randn(512, 3 * 16, generator=torch.Generator().manual_seed(2)))

    def forward(self, crops: Tensor) -> Tensor:
        numbers = nn.functional.adaptive_avg_pool2d(crops.float(), 4).flatten(1) @ cast(Tensor, self.axes).T
        return nn.functional.normalize(numbers, dim=1)


def swapper(variant: Variant = "full") -> HifiFace:
    generator = Generator(Config(128, 1 / 16, variant, LAYOUT)).eval().requires_grad_(False)
    made = torch.Generator().manual_seed(0)
    for values in generator.parameters():  # styles begin at zero, where no identity would be seen
        values.normal_(std=values[0].numel() ** -0.5 if values.ndim > 1 else 0.5, generator=made)
    card = SwapperCard(f"hififace-{variant}", "", CROP, CROP)
    return HifiFace(card, generator, SidExtractor(FaceModel(), Recogniser()))


def side(seed: int) -> Side:
    """A frame around a crop that is cut without sampling."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    frame = np.kron(small, np.ones((SIDE // 8, SIDE // 8, 1), np.uint8))
    inside = frame[MARGIN : MARGIN + CROP.size, MARGIN : MARGIN + CROP.size]
    crop = np.ascontiguousarray(inside.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
    matrix = np.array([[1.0, 0, -MARGIN], [0, 1.0, -MARGIN]])
    return Side(frame, {}, crop, matrix)


def pairs(count: int = 2) -> list[AlignedPair]:
    return [AlignedPair(f"pair_{k}", side(2 * k), side(2 * k + 1)) for k in range(count)]


class Segmenter:
    """The face is a rectangle."""

    fingerprint = "rectangle"

    def segment(self, crop: Frame) -> Mask:
        mask = np.zeros(crop.shape[:2], np.bool_)
        mask[32:96, 40:88] = True
        return mask


class Counting:
    """Stands for a `Judge`: the mean of each swapped frame under every column."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns

    def score(self, swaps: Sequence[Judged]) -> dict[str, Floats]:
        means = np.array([swap.frame.mean() for swap in swaps])
        return dict.fromkeys(self.columns, means)


def counting(columns: Sequence[str]) -> Judge:
    return cast(Judge, Counting(columns))
