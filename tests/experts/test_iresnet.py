from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hifibench.errors import MissingError, UsageError
from hifibench.experts import iresnet

State = dict[str, Tensor]
STAGES = {18: (2, 2, 2, 2), 100: (3, 13, 30, 3)}


def normalisation(width: int) -> State:
    return {
        "weight": torch.rand(width) + 0.5,
        "bias": torch.randn(width) * 0.1,
        "running_mean": torch.randn(width) * 0.1,
        "running_var": torch.rand(width) + 0.5,
        "num_batches_tracked": torch.tensor(7),
    }


def kernel(*shape: int) -> Tensor:
    return torch.randn(shape) / (shape[1] * shape[2] * shape[3]) ** 0.5


def weights(layers: int = 18) -> State:
    """A state dict under the names that InsightFace's arcface_torch gives."""
    torch.manual_seed(layers)
    state: State = {}

    def put(prefix: str, values: State) -> None:
        state.update({f"{prefix}.{name}": value for name, value in values.items()})

    put("conv1", {"weight": kernel(64, 3, 3, 3)})
    put("bn1", normalisation(64))
    put("prelu", {"weight": torch.rand(64)})
    inward = 64
    for stage, (width, blocks) in enumerate(zip((64, 128, 256, 512), STAGES[layers], strict=True), 1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            put(f"{name}.bn1", normalisation(inward))
            put(f"{name}.conv1", {"weight": kernel(width, inward, 3, 3)})
            put(f"{name}.bn2", normalisation(width))
            put(f"{name}.prelu", {"weight": torch.rand(width)})
            put(f"{name}.conv2", {"weight": kernel(width, width, 3, 3)})
            put(f"{name}.bn3", normalisation(width))
            if block == 0:
                put(f"{name}.downsample.0", {"weight": kernel(width, inward, 1, 1)})
                put(f"{name}.downsample.1", normalisation(width))
            inward = width
    put("bn2", normalisation(512))
    put("fc", {"weight": torch.randn(512, 512 * 7 * 7) / 158, "bias": torch.randn(512) * 0.1})
    put("features", normalisation(512))
    return state


def forward(state: State, x: Tensor) -> Tensor:
    """The network of the public code, in functional calls."""

    def bn(name: str, x: Tensor) -> Tensor:
        mean, var, scale, shift = (state[f"{name}.{s}"] for s in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, scale, shift, eps=1e-5)

    def conv(name: str, x: Tensor, stride: int = 1, padding: int = 1) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], None, stride, padding)

    x = F.prelu(bn("bn1", conv("conv1", x)), state["prelu.weight"])
    for stage in range(1, 5):
        block = 0
        while (name := f"layer{stage}.{block}") + ".conv1.weight" in state:
            y = conv(f"{name}.conv1", bn(f"{name}.bn1", x))
            y = F.prelu(bn(f"{name}.bn2", y), state[f"{name}.prelu.weight"])
            y = bn(f"{name}.bn3", conv(f"{name}.conv2", y, stride=2 if block == 0 else 1))
            if block == 0:
                x = bn(f"{name}.downsample.1", conv(f"{name}.downsample.0", x, stride=2, padding=0))
            x, block = y + x, block + 1
    return bn("features", F.linear(bn("bn2", x).flatten(1), state["fc.weight"], state["fc.bias"]))


@pytest.fixture(scope="module")
def state() -> State:
    return weights()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[object], Path]:
    def save(value: object) -> Path:
        torch.save(value, tmp_path / "backbone.pth")
        return tmp_path / "backbone.pth"

    return save


def crops(rows: int = 2) -> Tensor:
    return torch.rand(rows, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_agrees_with_functional_calls_under_the_public_names(state: State, saved: Callable[[object], Path]) -> None:
    network = iresnet.load(saved(state), layers=18)
    expected = forward(state, crops())
    torch.testing.assert_close(network(crops()), expected, atol=1e-4, rtol=1e-4)
    assert expected.shape == (2, 512) and (expected[0] - expected[1]).abs().max() > 0.1
    assert (expected.norm(dim=1) > 1.5).all()


@pytest.mark.parametrize(("layers", "parameters"), [(18, 24_025_600), (100, 65_156_160)])
def test_parameters_are_as_many_as_published_and_names_as_well(layers: int, parameters: int) -> None:
    with torch.device("meta"):
        network, expected = iresnet.IResNet(layers), weights(layers)
    assert {name: value.shape for name, value in network.state_dict().items()} == {
        name: value.shape for name, value in expected.items()
    }
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert {module.eps for module in network.modules() if hasattr(module, "running_var")} == {1e-5}


def test_the_hundred_layers_are_told_from_fewer(state: State, saved: Callable[[object], Path]) -> None:
    with pytest.raises(UsageError, match=r"another network: layer1\.2\.bn1\.weight is missing; .* and \d+ more\."):
        iresnet.load(saved(state))


def test_is_frozen_for_good_and_lets_gradients_through(state: State, saved: Callable[[object], Path]) -> None:
    network = iresnet.load(saved(state), 18)
    x = crops(1).requires_grad_()
    torch.nn.Sequential(network).train()
    assert not any(module.training for module in network.modules())
    network(x).sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_wrapped_prefixed_and_half_precision_weights_load(state: State, saved: Callable[[object], Path]) -> None:
    whole = iresnet.load(saved(state), 18).state_dict()
    prefixed = {f"module.{name}": value for name, value in state.items()}
    for form in (prefixed, {"state_dict": state, "epoch": 3}, {"state_dict": prefixed}):
        loaded = iresnet.load(saved(form), 18).state_dict()
        assert all(torch.equal(loaded[name], value) for name, value in whole.items())
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    loaded = iresnet.load(saved(halves), 18).state_dict()
    assert loaded["fc.weight"].dtype == torch.float32 and loaded["bn1.num_batches_tracked"].dtype == torch.int64
    torch.testing.assert_close(loaded["fc.weight"], whole["fc.weight"], atol=1e-4, rtol=1e-3)


def test_under_autocast_the_embedding_is_float32(state: State, saved: Callable[[object], Path]) -> None:
    network = iresnet.load(saved(state), 18)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(crops(1))
    assert rounded.dtype == torch.float32
    assert torch.cosine_similarity(rounded, network(crops(1))).item() > 0.99


def test_misfits_are_named(state: State, saved: Callable[[object], Path]) -> None:
    changed = {name: value for name, value in state.items() if name != "layer2.1.prelu.weight"}
    changed |= {"bn3.weight": torch.zeros(512), "fc.bias": torch.zeros(256)}
    message = (
        r"backbone\.pth holds another network: layer2\.1\.prelu\.weight is missing; bn3\.weight is unknown; "
        r"fc\.bias has shape \(256,\), expected \(512,\)\. Give the state dict of an IResNet of 18 layers"
    )
    with pytest.raises(UsageError, match=message):
        iresnet.load(saved(changed), 18)


@pytest.mark.parametrize(
    ("value", "held"),
    [([1.0], "list"), ({}, "nothing"), ({"epoch": 3, "net": {}}, "epoch, net"), ({"state_dict": 1}, "state_dict")],
)
def test_what_is_no_state_dict_is_refused(saved: Callable[[object], Path], value: object, held: str) -> None:
    with pytest.raises(UsageError, match=rf"holds no state dict \(it holds: {held}\)"):
        iresnet.load(saved(value), 18)


class Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> object:
        return os.system, (self.command,)


def test_code_is_refused_by_name_and_not_run(tmp_path: Path, saved: Callable[[object], Path]) -> None:
    file = saved({"fc.weight": torch.zeros(1), "x": Malicious(f"touch {tmp_path / 'ran'}")})
    with pytest.raises(UsageError, match=r"asks for \w+\.system; expected the state dict"):
        iresnet.load(file, 18)
    assert not (tmp_path / "ran").exists()


def test_absent_and_damaged_files_and_unknown_depths_are_refused(state: State, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"There is no checkpoint .*none\.pth\. Give the state dict"):
        iresnet.load(tmp_path / "none.pth")
    with pytest.raises(UsageError, match=r"no IResNet of 101 layers\. Choose one of 18, 34, 50, 100"):
        iresnet.load(tmp_path / "none.pth", layers=101)
    torch.save(state, tmp_path / "half.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "half.pth").read_bytes()[:100_000])
    with pytest.raises(UsageError, match=r"half\.pth is no whole PyTorch checkpoint"):
        iresnet.load(tmp_path / "half.pth", 18)
