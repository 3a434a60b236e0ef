"""Random weights of face-parsing networks under the names of their releases, and what those networks compute.

Written down from the layouts, without the modules under test: layers are looked up by name in a state dict.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
MODULES = {2: 1, 3: 4, 4: 3}
"""Stage of HRNetV2 -> how often its branches exchange."""


class Layout:
    """Collects random weights by name."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.state: State = {}

    def _random(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def convolution(self, name: str, outward: int, inward: int, kernel: int, bias: bool = False) -> None:
        self.state[f"{name}.weight"] = self._random(outward, inward, kernel, kernel) / (inward * kernel**2) ** 0.5
        if bias:
            self.state[f"{name}.bias"] = self._random(outward) * 0.1

    def normalisation(self, name: str, width: int) -> None:
        self.state[f"{name}.weight"] = torch.rand(width, generator=self.generator) + 0.4
        self.state[f"{name}.bias"] = self._random(width) * 0.1
        self.state[f"{name}.running_mean"] = self._random(width) * 0.1
        self.state[f"{name}.running_var"] = torch.rand(width, generator=self.generator) + 0.5
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def both(self, convolution: str, normalisation: str, outward: int, inward: int, kernel: int) -> None:
        self.convolution(convolution, outward, inward, kernel)
        self.normalisation(normalisation, outward)

    def basic(self, name: str, outward: int, inward: int) -> None:
        self.both(f"{name}.conv1", f"{name}.bn1", outward, inward, 3)
        self.both(f"{name}.conv2", f"{name}.bn2", outward, outward, 3)
        if outward != inward:
            self.both(f"{name}.downsample.0", f"{name}.downsample.1", outward, inward, 1)


class By:
    """Applies layers of a state dict."""

    def __init__(self, state: State) -> None:
        self.state = state

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        return F.conv2d(x, weight, self.state.get(f"{name}.bias"), stride, weight.shape[-1] // 2)

    def norm(self, name: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (
            self.state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def step(self, convolution: str, normalisation: str, x: Tensor, stride: int = 1) -> Tensor:
        return self.norm(normalisation, self.conv(convolution, x, stride))

    def basic(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        y = self.step(f"{name}.conv1", f"{name}.bn1", x, stride).relu()
        y = self.step(f"{name}.conv2", f"{name}.bn2", y)
        if f"{name}.downsample.0.weight" in self.state:
            x = self.step(f"{name}.downsample.0", f"{name}.downsample.1", x, stride)
        return (y + x).relu()


def bisenet_state(classes: int = 19) -> State:
    layout = Layout(1)
    layout.both("cp.resnet.conv1", "cp.resnet.bn1", 64, 3, 7)
    inward = 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            layout.basic(f"cp.resnet.layer{stage}.{block}", width, inward)
            inward = width
    for name, width in (("cp.arm16", 256), ("cp.arm32", 512)):
        layout.both(f"{name}.conv.conv", f"{name}.conv.bn", 128, width, 3)
        layout.both(f"{name}.conv_atten", f"{name}.bn_atten", 128, 128, 1)
    layout.both("cp.conv_head32.conv", "cp.conv_head32.bn", 128, 128, 3)
    layout.both("cp.conv_head16.conv", "cp.conv_head16.bn", 128, 128, 3)
    layout.both("cp.conv_avg.conv", "cp.conv_avg.bn", 128, 512, 1)
    layout.both("ffm.convblk.conv", "ffm.convblk.bn", 256, 256, 1)
    layout.convolution("ffm.conv1", 64, 256, 1)
    layout.convolution("ffm.conv2", 256, 64, 1)
    for name, inward, width in (("conv_out", 256, 256), ("conv_out16", 128, 64), ("conv_out32", 128, 64)):
        layout.both(f"{name}.conv.conv", f"{name}.conv.bn", width, inward, 3)
        layout.convolution(f"{name}.conv_out", classes, width, 1)
    return layout.state


def bisenet(state: State, image: Tensor) -> Tensor:
    by = By(state)
    x = F.max_pool2d(by.step("cp.resnet.conv1", "cp.resnet.bn1", image, 2).relu(), 3, 2, 1)
    features = []
    for stage in range(1, 5):
        x = by.basic(f"cp.resnet.layer{stage}.0", x, 1 if stage == 1 else 2)
        x = by.basic(f"cp.resnet.layer{stage}.1", x)
        features.append(x)
    _, at_8, at_16, at_32 = features

    def unit(name: str, y: Tensor) -> Tensor:
        return by.step(f"{name}.conv", f"{name}.bn", y).relu()

    def attended(name: str, y: Tensor) -> Tensor:
        y = unit(f"{name}.conv", y)
        mean = y.mean((2, 3), keepdim=True)
        return y * by.step(f"{name}.conv_atten", f"{name}.bn_atten", mean).sigmoid()

    def doubled(y: Tensor) -> Tensor:
        return y.repeat_interleave(2, 2).repeat_interleave(2, 3)

    context = attended("cp.arm32", at_32) + unit("cp.conv_avg", at_32.mean((2, 3), keepdim=True))
    context = attended("cp.arm16", at_16) + unit("cp.conv_head32", doubled(context))
    context = unit("cp.conv_head16", doubled(context))
    fused = unit("ffm.convblk", torch.cat([at_8, context], 1))
    scale = by.conv("ffm.conv2", by.conv("ffm.conv1", fused.mean((2, 3), keepdim=True)).relu()).sigmoid()
    scores = by.conv("conv_out.conv_out", unit("conv_out.conv", fused + fused * scale))
    return F.interpolate(scores, image.shape[2:], mode="bilinear", align_corners=True)


def hrnet_state(width: int = 18, classes: int = 19, kernel: int = 1) -> State:
    layout = Layout(2)
    layout.both("conv1", "bn1", 64, 3, 3)
    layout.both("conv2", "bn2", 64, 64, 3)
    inward = 64
    for block in range(4):
        name = f"layer1.{block}"
        layout.both(f"{name}.conv1", f"{name}.bn1", 64, inward, 1)
        layout.both(f"{name}.conv2", f"{name}.bn2", 64, 64, 3)
        layout.both(f"{name}.conv3", f"{name}.bn3", 256, 64, 1)
        if block == 0:
            layout.both(f"{name}.downsample.0", f"{name}.downsample.1", 256, 64, 1)
        inward = 256
    widths = [width * 2**branch for branch in range(4)]
    layout.both("transition1.0.0", "transition1.0.1", widths[0], 256, 3)
    layout.both("transition1.1.0.0", "transition1.1.0.1", widths[1], 256, 3)
    layout.both("transition2.2.0.0", "transition2.2.0.1", widths[2], widths[1], 3)
    layout.both("transition3.3.0.0", "transition3.3.0.1", widths[3], widths[2], 3)
    for stage, modules in MODULES.items():
        for name in (f"stage{stage}.{module}" for module in range(modules)):
            for branch in range(stage):
                for block in range(4):
                    layout.basic(f"{name}.branches.{branch}.{block}", widths[branch], widths[branch])
            for to in range(stage):
                for of in range(stage):
                    fuse = f"{name}.fuse_layers.{to}.{of}"
                    if of > to:
                        layout.both(f"{fuse}.0", f"{fuse}.1", widths[to], widths[of], 1)
                    for step in range(to - of):
                        outward = widths[to] if step == to - of - 1 else widths[of]
                        layout.both(f"{fuse}.{step}.0", f"{fuse}.{step}.1", outward, widths[of], 3)
    layout.convolution("last_layer.0", 15 * width, 15 * width, 1, bias=True)
    layout.normalisation("last_layer.1", 15 * width)
    layout.convolution("last_layer.3", classes, 15 * width, kernel, bias=True)
    return layout.state


def hrnet(state: State, image: Tensor, align_corners: bool = False) -> Tensor:
    by = By(state)

    def up(y: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(y, like.shape[2:], mode="bilinear", align_corners=align_corners)

    x = by.step("conv1", "bn1", image, 2).relu()
    x = by.step("conv2", "bn2", x, 2).relu()
    for name in (f"layer1.{block}" for block in range(4)):
        y = by.step(f"{name}.conv1", f"{name}.bn1", x).relu()
        y = by.step(f"{name}.conv2", f"{name}.bn2", y).relu()
        y = by.step(f"{name}.conv3", f"{name}.bn3", y)
        if name == "layer1.0":
            x = by.step(f"{name}.downsample.0", f"{name}.downsample.1", x)
        x = (x + y).relu()
    maps = [by.step("transition1.0.0", "transition1.0.1", x).relu()]
    source = x
    for stage, modules in MODULES.items():
        name = f"transition{stage - 1}.{stage - 1}.0"
        maps.append(by.step(f"{name}.0", f"{name}.1", source, 2).relu())
        for name in (f"stage{stage}.{module}" for module in range(modules)):
            for branch in range(stage):
                for block in range(4):
                    maps[branch] = by.basic(f"{name}.branches.{branch}.{block}", maps[branch])
            fused = []
            for to in range(stage):
                total = maps[to]
                for of in range(stage):
                    fuse, y = f"{name}.fuse_layers.{to}.{of}", maps[of]
                    if of > to:
                        total = total + up(by.step(f"{fuse}.0", f"{fuse}.1", y), maps[to])
                    elif of < to:
                        for step in range(to - of):
                            y = by.step(f"{fuse}.{step}.0", f"{fuse}.{step}.1", y, 2)
                            y = y if step == to - of - 1 else y.relu()
                        total = total + y
                fused.append(total.relu())
            maps = fused
        source = maps[-1]
    x = torch.cat([maps[0], *(up(one, maps[0]) for one in maps[1:])], 1)
    x = by.step("last_layer.0", "last_layer.1", x).relu()
    return up(by.conv("last_layer.3", x), image)
