"""SimSwap's ArcFace: a file that holds a whole pickled module, read without running any code.

The file names the classes of its modules. Stand-ins without code take their place; what the modules carried (kernel
sizes, strides, …) is compared with the network below, so a file of another network is refused even where its weights
would fit.

Source: R. Chen et al., "SimSwap: An efficient framework for high fidelity face swapping", ACM MM 2020; its recogniser
is the residual network with optional squeeze and excitation of the project InsightFace-v2.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hifibench.errors import UsageError
from hifibench.experts import checkpoint
from hifibench.experts.frozen import Frozen

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""How SimSwap brings RGB in [0, 1] to what the network sees: those of ImageNet."""

WANTED = "SimSwap's arcface_checkpoint.tar of 2023 (release 1.0 of its repository; as it is, not unpacked)"

_WIDTHS = (64, 128, 256, 512)
_SIZE, _FEATURES, _REDUCTION = 7, 512, 16


class _Squeeze(nn.Module):
    """Squeeze and excitation: channels are scaled by what their means say."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(width, width // _REDUCTION), nn.PReLU(), nn.Linear(width // _REDUCTION, width), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = self.fc(self.avg_pool(x).flatten(1))
        return x * scale[:, :, None, None]


class _Block(nn.Module):
    """Two convolutions, the second one strides; one slope serves both between them and after the sum."""

    def __init__(self, inward: int, width: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(inward)
        self.conv1 = nn.Conv2d(inward, inward, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inward)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(inward, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inward, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.se = _Squeeze(width) if squeeze else None

    def forward(self, x: Tensor) -> Tensor:
        branch = self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(self.bn0(x))))))
        if self.se is not None:
            branch = self.se(branch)
        shortcut = x if self.downsample is None else self.downsample(x)
        activated: Tensor = self.prelu(branch + shortcut)
        return activated


class ArcFaceResNet(Frozen):
    """The network, with fresh weights, in evaluation mode for good.

    Args:
        blocks: residual blocks of the four stages; (3, 4, 23, 3) for 101 layers.
        squeeze: whether the blocks have squeeze and excitation.
    """

    def __init__(self, blocks: tuple[int, ...] = (3, 4, 23, 3), squeeze: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.prelu = nn.PReLU()
        self.maxpool = nn.MaxPool2d(2, 2)
        inward = (_WIDTHS[0], *_WIDTHS)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(
                *(
                    _Block(width if i else before, width, 2 if width > before and not i else 1, squeeze)
                    for i in range(n)
                )
            )
            for before, width, n in zip(inward, _WIDTHS, blocks, strict=False)
        )
        self.bn2 = nn.BatchNorm2d(_WIDTHS[-1])
        self.dropout = nn.Dropout()
        self.fc = nn.Linear(_WIDTHS[-1] * _SIZE**2, _FEATURES)
        self.bn3 = nn.BatchNorm1d(_FEATURES)
        self.eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 112, 112)`` RGB, standardised by `MEAN` and `STD`, to ``(B, 512)``, not of unit length.

        Under autocast the trunk runs in the lower precision and the head in float32.
        """
        x = self.maxpool(self.prelu(self.bn1(self.conv1(crops))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        x = self.dropout(self.bn2(x)).flatten(1)
        with torch.autocast(crops.device.type, enabled=False):
            embeddings: Tensor = self.bn3(self.fc(x.float()))
        return embeddings


def load(file: Path) -> ArcFaceResNet:
    """Load SimSwap's recogniser: frozen, differentiable with respect to the crops.

    Args:
        file: ``arcface_checkpoint.tar``: a module of ``models.arcface_models.ResNet``, whatever its depth, in the zip
            format that PyTorch writes since 1.6. (The file of 2021 has the older format and a whole training run in
            it.)

    Returns:
        The network on the CPU in float32, in evaluation mode.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged or in the older format, asks for any class but those of such a module (none is ever
            called), or holds another network.
    """
    if file.is_file() and not zipfile.is_zipfile(file):
        raise UsageError(
            f"{file} is no zip archive as PyTorch writes since 1.6: it is damaged, or SimSwap's file of 2021, which "
            f"cannot be read without running its code. Give {WANTED}."
        )
    saved = checkpoint.read(file, WANTED, _STAND_INS)
    if not isinstance(saved, _StandIn):
        raise UsageError(f"{file} holds a {type(saved).__name__}, expected a pickled module. Give {WANTED}.")
    held = dict(_walk(file, saved))
    with torch.device("meta"):
        network = ArcFaceResNet(*_form(held))
    _compare(file, held, network)
    return checkpoint.fill(network, _weights(file, held), file, WANTED)


class _StandIn:
    """What a module of the file becomes: its attributes, and nothing that could be called."""

    original = ""


def _stand_in(name: str) -> type[_StandIn]:
    return type(name.rpartition(".")[2], (_StandIn,), {"original": name})


_STAND_INS = tuple(
    map(
        _stand_in,
        (
            "models.arcface_models.ResNet",
            "models.arcface_models.IRBlock",
            "models.arcface_models.SEBlock",
            *(
                f"{kind.__module__}.{kind.__qualname__}"
                for kind in (
                    nn.AdaptiveAvgPool2d,
                    nn.BatchNorm1d,
                    nn.BatchNorm2d,
                    nn.Conv2d,
                    nn.Dropout,
                    nn.Linear,
                    nn.MaxPool2d,
                    nn.PReLU,
                    nn.Sequential,
                    nn.Sigmoid,
                )
            ),
        ),
    )
)

_OURS = {ArcFaceResNet: "ResNet", _Block: "IRBlock", _Squeeze: "SEBlock"}

_SETTINGS = (
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "groups",
    "padding_mode",
    "ceil_mode",
    "output_size",
    "eps",
)
"""What changes the result of a module and leaves its weights alone."""


def _parts(file: Path, module: _StandIn, kind: str, part: type) -> dict[str, Any]:
    """``_modules``, ``_parameters`` or ``_buffers`` of a module, without those that are None."""
    parts = vars(module).get(kind)
    present = {name: one for name, one in parts.items() if one is not None} if isinstance(parts, Mapping) else {}
    if not isinstance(parts, Mapping) or not all(isinstance(one, part) for one in present.values()):
        raise UsageError(f"{file} holds a {type(module).__name__} without proper {kind}. Give {WANTED}.")
    return present


def _walk(file: Path, root: _StandIn) -> Iterator[tuple[str, _StandIn]]:
    """All modules with their paths, as ``nn.Module.named_modules`` gives them."""
    pending, seen = [("", root)], set()
    while pending:
        path, module = pending.pop()
        if id(module) in seen:
            raise UsageError(f"{file} holds one module in two places, {path} among them. Give {WANTED}.")
        seen.add(id(module))
        yield path, module
        parts = _parts(file, module, "_modules", _StandIn)
        pending += [(f"{path}.{name}" if path else str(name), one) for name, one in parts.items()]


def _form(held: Mapping[str, _StandIn]) -> tuple[tuple[int, ...], bool]:
    """Blocks of the four stages, and whether they squeeze."""
    blocks = tuple(sum(path.startswith(f"layer{i}.") and path.count(".") == 1 for path in held) for i in range(1, 5))
    return blocks, "layer1.0.se" in held


def _compare(file: Path, held: Mapping[str, _StandIn], network: nn.Module) -> None:
    """Refuse a file whose modules are not those of the network, one by one, class and settings."""
    ours = dict(network.named_modules())
    wrong = [f"{path} is unknown" for path in held if path not in ours]
    for path, module in ours.items():
        if path not in held:
            wrong.append(f"{path} is missing")
            continue
        kind = _OURS.get(type(module), type(module).__name__)
        if type(held[path]).__name__ != kind:
            wrong.append(f"{path or 'the whole'} is a {type(held[path]).__name__}, expected {kind}")
        theirs = vars(held[path])
        wrong += [
            f"{path} has {setting} {theirs[setting]!r}, expected {getattr(module, setting)!r}"
            for setting in _SETTINGS
            if setting in theirs
            and hasattr(module, setting)
            and repr(theirs[setting]) != repr(getattr(module, setting))
        ]
    if wrong:
        raise UsageError(f"{file} holds another network: {'; '.join(wrong[:3])}. Give {WANTED}.")


def _weights(file: Path, held: Mapping[str, _StandIn]) -> dict[str, Tensor]:
    """The state dict of the modules."""
    return {
        f"{path}.{name}" if path else str(name): tensor
        for path, module in held.items()
        for kind in ("_parameters", "_buffers")
        for name, tensor in _parts(file, module, kind, Tensor).items()
    }
