from __future__ import annotations

from pathlib import Path

import graphs
import pytest
import torch
from test_iresnet import Malicious

from hifibench.errors import MissingError, UsageError
from hifibench.experts import curricular, iresnet, recogniser_files


def saved(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


def test_the_keys_say_which_network_it_is_and_how_deep(tmp_path: Path) -> None:
    shallow = saved(tmp_path / "a.pth", graphs.iresnet((2, 2, 2, 2), half=True))
    deeper = saved(
        tmp_path / "b.pth", {f"module.{k}": v for k, v in graphs.curricular((3, 4, 14, 3), half=True).items()}
    )
    images = torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(5)) * 2 - 1
    for file, expected in ((shallow, iresnet.load(shallow, 18)), (deeper, curricular.load(deeper, 50))):
        network = recogniser_files.load(file)
        assert type(network) is type(expected)
        torch.testing.assert_close(network(images), expected(images), rtol=0, atol=0)
        assert not any(parameter.requires_grad for parameter in network.parameters())


def tiny(names: list[str]) -> graphs.State:
    return {name: torch.zeros(1) for name in names}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (tiny(["layer1.0.weight"]), r"weights are called layer1\.0\.weight\)"),
        (tiny([f"w{i}" for i in range(5)]), r"is none of the known .* called w0, w1, w2 and 2 more\)\. Give the state"),
        (tiny(["input_layer.0.weight", "body.0.x", "body.1.x"]), r"none of the known recognisers"),
        (tiny(["features.weight", "layer1.0.x", "layer2.0.x"]), r"none of the known recognisers"),
        (
            tiny(["features.weight", *(f"layer{i}.{j}.x" for i in range(1, 5) for j in range(2))]),
            r"another network: conv1\.weight is missing",
        ),
        ([1.0], r"holds no state dict \(it holds: list\)"),
        ({"x": Malicious("false")}, r"asks for \w+\.system; expected the state dict of an ArcFace IResNet"),
    ],
)
def test_other_networks_are_refused(value: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        recogniser_files.load(saved(tmp_path / "other.pth", value))


def test_absent_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"There is no checkpoint .*none\.pth"):
        recogniser_files.load(tmp_path / "none.pth")
    (tmp_path / "half.pth").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UsageError, match=r"half\.pth is no whole PyTorch checkpoint"):
        recogniser_files.load(tmp_path / "half.pth")
