from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hifibench.errors import MissingError, UsageError
from hifibench.experts import arcface_pickle

THEIRS = "models.arcface_models"
BLOCKS = (1, 2, 1, 1)


class SEBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Linear(width, width // 16), nn.PReLU(), nn.Linear(width // 16, width), nn.Sigmoid())


class IRBlock(nn.Module):
    def __init__(self, inward: int, width: int, stride: int, use_se: bool) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(inward)
        self.conv1 = nn.Conv2d(inward, inward, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inward)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(inward, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or inward != width:
            self.downsample = nn.Sequential(nn.Conv2d(inward, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.stride, self.use_se = stride, use_se
        if use_se:
            self.se = SEBlock(width)


class ResNet(nn.Module):
    """Built as SimSwap's is, with weights at which every part of it tells."""

    def __init__(self, blocks: tuple[int, ...] = BLOCKS, use_se: bool = False) -> None:
        super().__init__()
        torch.manual_seed(sum(blocks))
        self.inplanes, self.use_se = 512, use_se
        self.conv1 = nn.Conv2d(3, 64, 3, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU()
        self.maxpool = nn.MaxPool2d(2, 2)
        inward = 64
        for stage, (width, count) in enumerate(zip((64, 128, 256, 512), blocks, strict=True), 1):
            made = []
            for block in range(count):
                made.append(IRBlock(inward, width, 2 if stage > 1 and block == 0 else 1, use_se))
                inward = width
            setattr(self, f"layer{stage}", nn.Sequential(*made))
        self.bn2 = nn.BatchNorm2d(512)
        self.dropout = nn.Dropout()
        self.fc = nn.Linear(512 * 7 * 7, 512)
        self.bn3 = nn.BatchNorm1d(512)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for tensor, low in ((module.weight, 0.5), (module.running_var, 0.5), (module.bias, -0.3)):
                    nn.init.uniform_(tensor, low, low + 0.8)
                nn.init.normal_(module.running_mean, 0, 0.1)
            elif isinstance(module, nn.PReLU):
                nn.init.uniform_(module.weight, 0.1, 0.9)
        nn.init.constant_(self.prelu.weight, -0.5)  # no longer monotone, so its order with the pooling tells


def forward(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The network of the public code, in functional calls."""

    def bn(name: str, x: Tensor) -> Tensor:
        mean, var, scale, shift = (state[f"{name}.{s}"] for s in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, scale, shift, eps=1e-5)

    def conv(name: str, x: Tensor, stride: int = 1, padding: int = 1) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], None, stride, padding)

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    x = F.max_pool2d(F.prelu(bn("bn1", conv("conv1", x, padding=0)), state["prelu.weight"]), 2, 2)
    for stage in range(1, 5):
        block = 0
        while (name := f"layer{stage}.{block}") + ".conv1.weight" in state:
            stride, slope = 2 if stage > 1 and block == 0 else 1, state[f"{name}.prelu.weight"]
            y = F.prelu(bn(f"{name}.bn1", conv(f"{name}.conv1", bn(f"{name}.bn0", x))), slope)
            y = bn(f"{name}.bn2", conv(f"{name}.conv2", y, stride))
            if f"{name}.se.fc.0.weight" in state:
                scale = F.prelu(linear(f"{name}.se.fc.0", y.mean((2, 3))), state[f"{name}.se.fc.1.weight"])
                y = y * torch.sigmoid(linear(f"{name}.se.fc.2", scale))[:, :, None, None]
            if stride == 2:
                x = bn(f"{name}.downsample.1", conv(f"{name}.downsample.0", x, 2, 0))
            x, block = F.prelu(y + x, slope), block + 1
    return bn("bn3", linear("fc", bn("bn2", x).flatten(1)))


Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Save]:
    """Writes a whole module as SimSwap's authors did, with classes that are gone when it is read."""

    def write(value: object, zipped: bool = True) -> Path:
        file = tmp_path / "arcface_checkpoint.tar"
        with monkeypatch.context() as patch:
            package, module = types.ModuleType("models"), types.ModuleType(THEIRS)
            for one in (ResNet, IRBlock, SEBlock, Stranger):
                patch.setattr(one, "__module__", THEIRS)
                setattr(module, one.__name__, one)
            patch.setitem(sys.modules, "models", package)
            patch.setitem(sys.modules, THEIRS, module)
            torch.save(value, file, _use_new_zipfile_serialization=zipped)
        assert THEIRS not in sys.modules
        return file

    yield write
    assert "models" not in sys.modules


class Stranger(nn.Module):
    pass


class Malicious:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture(scope="module")
def crops() -> Tensor:
    return torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("use_se", [False, True])
def test_agrees_with_functional_calls(save: Save, crops: Tensor, use_se: bool) -> None:
    theirs = ResNet(use_se=use_se)
    network = arcface_pickle.load(save(theirs))
    expected = forward(theirs.state_dict(), crops)
    torch.testing.assert_close(network(crops), expected, atol=1e-4, rtol=1e-4)
    assert expected.shape == (2, 512) and (expected[0] - expected[1]).abs().max() > 0.05


def test_names_and_shapes_are_theirs_at_the_published_depth() -> None:
    with torch.device("meta"):
        theirs, ours = ResNet((3, 4, 23, 3)), arcface_pickle.ArcFaceResNet()
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    assert shapes == {name: value.shape for name, value in theirs.state_dict().items()}
    assert sum(parameter.numel() for parameter in ours.parameters()) == 51_888_098
    assert shapes["layer3.22.conv2.weight"] == (256, 256, 3, 3) and shapes["fc.weight"] == (512, 25088)


def test_is_frozen_for_good_and_lets_gradients_through(save: Save, crops: Tensor) -> None:
    network = arcface_pickle.load(save(ResNet().train()))
    x = crops[:1].clone().requires_grad_()
    nn.Sequential(network).train()
    assert not any(module.training for module in network.modules())
    assert torch.equal(network(x), network(x))
    network(x).sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_package_of_the_same_name_is_not_imported(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save(ResNet())
    (tmp_path / "models").mkdir()
    for name in ("__init__", "arcface_models"):
        (tmp_path / "models" / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    arcface_pickle.load(file)
    assert not (tmp_path / "ran").exists()
    __import__("models")
    assert (tmp_path / "ran").exists()
    del sys.modules["models"]


def test_nothing_stays_admitted(save: Save) -> None:
    file = save(ResNet())
    before = torch.serialization.get_safe_globals()
    arcface_pickle.load(file)
    assert {*map(str, torch.serialization.get_safe_globals())} == {*map(str, before)}


@pytest.mark.parametrize(
    ("function", "argument", "name"),
    [
        (os.system, "touch {}", r"\w+\.system"),
        (eval, "open({!r}, 'w')", "eval"),
        (getattr, "{}", "getattr"),
        (torch.load, "{}", r"torch\.serialization\.load"),
    ],
)
@pytest.mark.parametrize("where", ["beside the weights", "in place of the module"])
def test_code_is_refused_by_name_and_not_run(
    save: Save, tmp_path: Path, function: Any, argument: str, name: str, where: str
) -> None:
    target = tmp_path / "ran"
    value: Any = Malicious(function, argument.format(str(target)))
    if where == "beside the weights":
        module = ResNet()
        module.dropout.extra = value
        value = module
    with pytest.raises(UsageError, match=f"asks for {name}; expected SimSwap's .* can run any code"):
        arcface_pickle.load(save(value))
    assert not target.exists()


def test_stand_ins_cannot_be_called_with_anything(save: Save) -> None:
    module = ResNet()
    module.dropout.extra = Malicious(IRBlock, 64, 64, 1, False)
    with pytest.raises(UsageError, match=r"no whole PyTorch checkpoint .*takes no arguments"):
        arcface_pickle.load(save(module))


def test_other_classes_are_refused_by_name(save: Save) -> None:
    module = ResNet()
    module.extra = Stranger()
    with pytest.raises(UsageError, match=r"asks for models\.arcface_models\.Stranger; expected SimSwap's"):
        arcface_pickle.load(save(module))


def other(path: str, change: Callable[[Any], object]) -> ResNet:
    module = ResNet(use_se=True)
    change(module.get_submodule(path))
    return module


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (
            "layer2.0.conv2",
            lambda m: setattr(m, "stride", (1, 1)),
            r"layer2\.0\.conv2 has stride \(1, 1\), expected \(2",
        ),
        ("conv1", lambda m: setattr(m, "padding", (1, 1)), r"conv1 has padding \(1, 1\), expected \(0, 0\)"),
        ("layer1.0.bn0", lambda m: setattr(m, "eps", 1e-3), r"layer1\.0\.bn0 has eps 0\.001, expected 1e-05"),
        ("maxpool", lambda m: setattr(m, "stride", 1), "maxpool has stride 1, expected 2"),
        ("layer1.0.se.avg_pool", lambda m: setattr(m, "output_size", 2), "avg_pool has output_size 2, expected 1"),
        ("layer1.0.se.fc", lambda m: m.__setitem__(3, nn.Dropout()), r"se\.fc\.3 is a Dropout, expected Sigmoid"),
        ("", lambda m: setattr(m, "dropout", None), "dropout is missing"),
        ("layer4", lambda m: m.add_module("more", nn.PReLU()), r"layer4\.more is unknown"),
        (
            "layer3.0",
            lambda m: setattr(m, "bn0", nn.BatchNorm2d(64)),
            r"bn0\.weight has shape \(64,\), expected \(128,",
        ),
        ("fc", lambda m: setattr(m, "bias", None), r"fc\.bias is missing"),
        ("fc", lambda m: m.register_buffer("more", torch.ones(1)), r"fc\.more is unknown"),
        ("fc", lambda m: setattr(m, "_parameters", [1]), "holds a Linear without proper _parameters"),
        ("fc", lambda m: m._buffers.update(x="y"), "holds a Linear without proper _buffers"),
        ("layer2", lambda m: m.add_module("0", m[1]), r"holds one module in two places"),
    ],
)
def test_another_network_is_told_by_what_differs(
    save: Save, path: str, change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        arcface_pickle.load(save(other(path, change)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: {"model": ResNet()}, "holds a dict, expected a pickled module"),
        (lambda: ResNet().state_dict(), "holds a OrderedDict, expected a pickled module"),
        (lambda: nn.Sequential(ResNet()), "the whole is a Sequential, expected ResNet|0 is unknown"),
    ],
)
def test_what_is_no_such_module_is_refused(save: Save, value: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        arcface_pickle.load(save(value()))


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_absent_damaged_and_older_files_are_refused(save: Save, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"There is no checkpoint .*none\.tar\. Give SimSwap's arcface_checkpoint"):
        arcface_pickle.load(tmp_path / "none.tar")
    with pytest.raises(UsageError, match=r"no zip archive .* damaged, or SimSwap's file of 2021"):
        arcface_pickle.load(save(ResNet(), zipped=False))
    file = save(ResNet())
    file.write_bytes(file.read_bytes()[:1_000_000])
    with pytest.raises(UsageError, match=r"no zip archive .* damaged, or SimSwap's file of 2021"):
        arcface_pickle.load(file)
