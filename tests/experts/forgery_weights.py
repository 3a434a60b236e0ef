"""Random weights of forgery detectors under the names of their releases, and what those networks compute.

Written down from the layouts, without timm and the modules under test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import ceil
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = dict[str, Tensor]


class SeparableConv2d(nn.Module):
    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inward, inward, 3, 1, 1, groups=inward, bias=False)
        self.pointwise = nn.Conv2d(inward, outward, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.conv1(x))


class Block(nn.Module):
    def __init__(self, widths: tuple[int, ...], stride: int, first_relu: bool = True) -> None:
        super().__init__()
        self.skip = self.skipbn = None
        if widths[0] != widths[-1] or stride != 1:
            self.skip = nn.Conv2d(widths[0], widths[-1], 1, stride, bias=False)
            self.skipbn = nn.BatchNorm2d(widths[-1])
        self.relu = nn.ReLU(inplace=False)
        steps: list[nn.Module] = []
        for inward, outward in pairwise(widths):
            steps += [self.relu, SeparableConv2d(inward, outward), nn.BatchNorm2d(outward)]
        steps = steps if first_relu else steps[1:]
        self.rep = nn.Sequential(*steps, *([nn.MaxPool2d(3, stride, 1)] if stride != 1 else []))

    def forward(self, x: Tensor) -> Tensor:
        return self.rep(x) + (x if self.skip is None else self.skipbn(self.skip(x)))


class Xception(nn.Module):
    """Chollet's network under Cadene's names; ``last_linear`` has a dropout before it where there is one."""

    def __init__(self, dropout: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.relu = nn.ReLU(inplace=False)
        self.conv2 = nn.Conv2d(32, 64, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.block1 = Block((64, 128, 128), 2, first_relu=False)
        self.block2 = Block((128, 256, 256), 2)
        self.block3 = Block((256, 728, 728), 2)
        for number in range(4, 12):
            setattr(self, f"block{number}", Block((728, 728, 728, 728), 1))
        self.block12 = Block((728, 728, 1024), 2)
        self.conv3 = SeparableConv2d(1024, 1536)
        self.bn3 = nn.BatchNorm2d(1536)
        self.conv4 = SeparableConv2d(1536, 2048)
        self.bn4 = nn.BatchNorm2d(2048)
        last = nn.Linear(2048, 2)
        self.last_linear = nn.Sequential(nn.Dropout(), last) if dropout else last

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        for number in range(1, 13):
            x = getattr(self, f"block{number}")(x)
        x = self.bn4(self.conv4(self.bn3(self.conv3(x)).relu())).relu()
        return self.last_linear(x.mean((2, 3)))


class TransferModel(nn.Module):
    def __init__(self, dropout: bool = False) -> None:
        super().__init__()
        self.modelchoice = "xception"
        self.model = Xception(dropout)


TransferModel.__module__ = "network.models"
for _kind in (SeparableConv2d, Block, Xception):
    _kind.__module__ = "network.xception"


@contextmanager
def release() -> Iterator[None]:
    """The modules of the release can be imported within, as pickling a class of theirs needs, and not beyond."""
    network, models, xception = map(ModuleType, ("network", "network.models", "network.xception"))
    models.TransferModel = TransferModel  # type: ignore[attr-defined]
    for kind in (SeparableConv2d, Block, Xception):
        setattr(xception, kind.__name__, kind)
    made = {module.__name__: module for module in (network, models, xception)}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


def transfer_model(images: Tensor, dropout: bool = False, seed: int = 0) -> TransferModel:
    """The whole module of the release with random weights, statistics included, in evaluation mode.

    Of two images ``(2, 3, H, W)`` it takes one for rather real and the other for rather forged.
    """
    torch.manual_seed(seed)
    whole = TransferModel(dropout).eval()
    for module in whole.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=(1.5 / module.weight[0].numel()) ** 0.5)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.4, 1.2)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    last = next(module for module in whole.modules() if isinstance(module, nn.Linear))
    with torch.no_grad():
        margins = whole.model(2 * images - 1).diff(dim=1)[:, 0]
        last.weight *= 2 / (margins[0] - margins[1]).abs()
        last.bias.zero_()
        last.bias[1] = -whole.model(2 * images - 1).diff(dim=1).mean()
    return whole


# Expansion, kernel, stride, width and repeats of EfficientNet-B0's stages (Tan and Le 2019, table 1).
_STAGES = (
    *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
    *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
)


def _width(width: float) -> int:
    """To the nearest multiple of 8, but not below nine tenths."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def dfdc_state(images: Tensor, wider: float = 1.0, deeper: float = 1.0, seed: int = 0) -> State:
    """An EfficientNet and the classifier, with the names that timm gave them in 2020; B7 is 2.0 and 3.1.

    Statistics are near those of two images ``(2, 3, H, W)``, or random layers would forget them or explode; it takes
    one for rather real and the other for rather forged.
    """
    generator = torch.Generator().manual_seed(seed)
    state: State = {}

    def convolution(name: str, outward: int, inward: int, kernel: int, bias: bool = False) -> None:
        scale = 1 / (inward * kernel**2) ** 0.5
        state[f"{name}.weight"] = torch.randn(outward, inward, kernel, kernel, generator=generator) * scale
        if bias:
            state[f"{name}.bias"] = torch.randn(outward, generator=generator) * 0.2

    def normalisation(name: str, width: int) -> None:
        state[f"{name}.weight"] = torch.rand(width, generator=generator) * 0.8 + 0.4
        state[f"{name}.bias"] = torch.randn(width, generator=generator) * 0.2
        state[f"{name}.running_mean"] = torch.randn(width, generator=generator) * 0.2
        state[f"{name}.running_var"] = torch.rand(width, generator=generator) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def settle(name: str, x: Tensor) -> None:
        spread = x.std((0, 2, 3)) + 0.05
        state[f"{name}.running_mean"] = x.mean((0, 2, 3)) + spread * state[f"{name}.running_mean"]
        state[f"{name}.running_var"] = spread.square() * state[f"{name}.running_var"]

    inward = _width(32 * wider)
    convolution("encoder.conv_stem", inward, 3, 3)
    normalisation("encoder.bn1", inward)
    for stage, (expansion, kernel, _, width, repeats) in enumerate(_STAGES):
        for block in range(ceil(repeats * deeper)):
            name, middle, outward = f"encoder.blocks.{stage}.{block}", inward * expansion, _width(width * wider)
            names = iter(("bn1", "bn2", "bn3"))
            if expansion > 1:
                convolution(f"{name}.conv_pw", middle, inward, 1)
                normalisation(f"{name}.{next(names)}", middle)
            convolution(f"{name}.conv_dw", middle, 1, kernel)
            normalisation(f"{name}.{next(names)}", middle)
            convolution(f"{name}.se.conv_reduce", inward // 4, middle, 1, bias=True)
            convolution(f"{name}.se.conv_expand", middle, inward // 4, 1, bias=True)
            convolution(f"{name}.conv_pwl" if expansion > 1 else f"{name}.conv_pw", outward, middle, 1)
            normalisation(f"{name}.{next(names)}", outward)
            inward = outward
    features = _width(1280 * wider)
    convolution("encoder.conv_head", features, inward, 1)
    normalisation("encoder.bn2", features)
    for name, classes in (("encoder.classifier", 1000), ("fc", 1)):
        state[f"{name}.weight"] = torch.randn(classes, features, generator=generator) / features**0.5
        state[f"{name}.bias"] = torch.zeros(classes)
    logits = dfdc(state, images, settle)
    state["fc.weight"] *= 2 / (logits[0] - logits[1]).abs()
    state["fc.bias"] -= dfdc(state, images).mean()
    return state


def dfdc(state: State, crops: Tensor, before_norm: Callable[[str, Tensor], None] = lambda name, x: None) -> Tensor:
    """Logits ``(B,)`` of crops in [0, 1]; ``before_norm`` sees what each normalisation is given."""

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        kernel, side = weight.shape[-1], x.shape[-1]
        # As in TensorFlow: the sides end where they must, and what is odd is added right and below.
        missing = max((ceil(side / stride) - 1) * stride + kernel - side, 0)
        before, after = missing // 2, missing - missing // 2
        groups = len(weight) if weight.shape[1] == 1 and x.shape[1] > 1 else 1
        return F.conv2d(
            F.pad(x, (before, after, before, after)), weight, state.get(f"{name}.bias"), stride, groups=groups
        )

    def norm(name: str, x: Tensor) -> Tensor:
        before_norm(name, x)
        mean, var, weight, bias = (
            state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-3).sqrt() * weight + bias

    def swish(x: Tensor) -> Tensor:
        return x * x.sigmoid()

    mean, std = (crops.new_tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = swish(norm("encoder.bn1", conv("encoder.conv_stem", (crops - mean) / std, 2)))
    for stage, (expansion, _, stride, _, _) in enumerate(_STAGES):
        block = 0
        while f"encoder.blocks.{stage}.{block}.conv_dw.weight" in state:
            name, y, names = f"encoder.blocks.{stage}.{block}", x, iter(("bn1", "bn2", "bn3"))
            if expansion > 1:
                y = swish(norm(f"{name}.{next(names)}", conv(f"{name}.conv_pw", y)))
            y = swish(norm(f"{name}.{next(names)}", conv(f"{name}.conv_dw", y, 1 if block else stride)))
            squeezed = swish(conv(f"{name}.se.conv_reduce", y.mean((2, 3), keepdim=True)))
            y = y * conv(f"{name}.se.conv_expand", squeezed).sigmoid()
            y = norm(f"{name}.{next(names)}", conv(f"{name}.conv_pwl" if expansion > 1 else f"{name}.conv_pw", y))
            x = x + y if x.shape == y.shape else y
            block += 1
    x = swish(norm("encoder.bn2", conv("encoder.conv_head", x))).mean((2, 3))
    return (x @ state["fc.weight"].T + state["fc.bias"])[:, 0]
