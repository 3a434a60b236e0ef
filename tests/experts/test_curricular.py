from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import pytest
import torch
from test_iresnet import Malicious
from torch import Tensor

from hifibench.errors import MissingError, UsageError
from hifibench.experts import curricular

STAGES = {50: (3, 4, 14, 3), 101: (3, 13, 30, 3)}


@pytest.fixture(scope="module")
def state() -> graphs.State:
    return graphs.curricular(STAGES[50], half=True)


@pytest.fixture(scope="module")
def file(state: graphs.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("curricular") / "Backbone.pth"
    torch.save(state, path)
    return path


def crops(rows: int = 2) -> Tensor:
    return torch.rand(rows, 3, 112, 112, generator=torch.Generator().manual_seed(4)) * 2 - 1


def test_agrees_with_the_graph_of_the_public_names(state: graphs.State, file: Path, tmp_path: Path) -> None:
    network, images = curricular.load(file, 50), crops()
    expected = graphs.run(graphs.curricular_graph(state, STAGES[50], tmp_path / "c.onnx"), images)
    np.testing.assert_allclose(network(images), expected, atol=1e-4, rtol=1e-4)
    assert expected.shape == (2, 512) and np.abs(expected[0] - expected[1]).max() > 0.1
    assert (network(images.flip(1)) - network(images)).abs().max() > 1e-2


@pytest.mark.parametrize("layers", [50, 101])
def test_names_and_shapes_of_weights_are_those_of_the_public_code(layers: int) -> None:
    with torch.device("meta"):
        network = curricular.CurricularFace(layers)
    expected = graphs.curricular(STAGES[layers], half=True)
    assert {name: value.shape for name, value in network.state_dict().items()} == {
        name: value.shape for name, value in expected.items()
    }
    assert {module.eps for module in network.modules() if hasattr(module, "running_var")} == {1e-5}
    assert not any(name.startswith("output_layer.4") for name, _ in network.named_parameters())


def test_is_frozen_for_good_and_lets_gradients_through(file: Path) -> None:
    network = curricular.load(file, 50)
    images = crops(1).requires_grad_()
    torch.nn.Sequential(network).train()
    assert not any(module.training for module in network.modules())
    network(images).sum().backward()
    assert images.grad is not None and images.grad.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_under_autocast_the_embedding_is_float32(file: Path) -> None:
    network = curricular.load(file, 50)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(crops(1))
    assert rounded.dtype == torch.float32
    assert torch.cosine_similarity(rounded, network(crops(1))).item() > 0.99


def test_the_hundred_and_one_layers_are_told_from_fewer(file: Path) -> None:
    with pytest.raises(UsageError, match=r"another network: body\.16\..* and \d+ more\. Give .* of 101 layers"):
        curricular.load(file)


def test_other_files_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(
        MissingError, match=r"There is no checkpoint .*none\.pth\. Give the state dict of an IR network"
    ):
        curricular.load(tmp_path / "none.pth")
    with pytest.raises(UsageError, match=r"no IR network of 100 layers\. Choose one of 50, 101, 152"):
        curricular.load(file, 100)
    torch.save({"x": Malicious(f"touch {tmp_path / 'ran'}")}, tmp_path / "evil.pth")
    with pytest.raises(UsageError, match=r"asks for \w+\.system; expected the state dict of an IR network"):
        curricular.load(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
    (tmp_path / "half.pth").write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(UsageError, match=r"half\.pth is no whole PyTorch checkpoint"):
        curricular.load(tmp_path / "half.pth", 50)
