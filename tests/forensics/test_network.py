from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hifibench.contracts import Crop
from hifibench.errors import MissingError, UsageError
from hifibench.experts import blend_cnn
from hifibench.forensics import network as n


@pytest.fixture
def network() -> n.BlendNetwork:
    torch.manual_seed(0)
    made = n.BlendNetwork().eval()
    with torch.no_grad():
        for name, value in made.state_dict().items():
            if "running_var" in name or name.endswith(("bn.weight", "bn1.weight", "bn2.weight", "1.weight")):
                value.uniform_(0.5, 1.5)
            elif "running_mean" in name or name.endswith("bias"):
                value.normal_(0, 0.2)
    return made


def by_hand(weights: dict[str, torch.Tensor], crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same network, written down as sums of products of double precision."""
    held = {name: value.double() for name, value in weights.items()}

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, gain, shift = (
            held[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * gain + shift

    def conv(x: torch.Tensor, name: str, stride: int) -> torch.Tensor:
        weight = held[f"{name}.weight"]
        side = weight.shape[-1]
        columns = F.unfold(x, side, padding=side // 2, stride=stride)
        made = torch.einsum("ok,bkl->bol", weight.flatten(1), columns)
        return made.unflatten(2, (x.shape[2] // stride, x.shape[3] // stride))

    crops = crops.double()
    ones = torch.eye(3, dtype=torch.float64)[..., None, None].expand(3, 3, 3, 3)
    near = F.conv2d(crops, ones, padding=1) / F.conv2d(torch.ones_like(crops), ones, padding=1)
    x = conv(torch.cat([2 * (2 * crops - 1), 16 * (crops - near)], 1), "stem", 2)
    x = norm(x, "bn").clamp(min=0)
    for block, stride in (("near.0", 2), ("near.1", 2), ("far.0", 2), ("far.1", 1)):
        made = norm(conv(x, f"{block}.conv1", stride), f"{block}.bn1").clamp(min=0)
        made = norm(conv(made, f"{block}.conv2", 1), f"{block}.bn2")
        short = x if stride == 1 else norm(conv(x, f"{block}.shortcut.0", stride), f"{block}.shortcut.1")
        x = (made + short).clamp(min=0)
    features = x.mean((2, 3))
    return features @ held["verdict.weight"].T + held["verdict.bias"], features


def test_it_computes_what_is_written_down(network: n.BlendNetwork) -> None:
    crops = torch.rand(2, 3, n.SIZE, n.SIZE)
    with torch.inference_mode():
        logit, features = network(crops)
        expected_logit, expected_features = by_hand(network.state_dict(), crops)
        swapped, _ = by_hand(network.state_dict(), crops.flip(1))
    assert features.shape == (2, n.EMBEDDING) and logit.shape == (2, 1)
    torch.testing.assert_close(features.double(), expected_features, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(logit.double(), expected_logit, atol=1e-4, rtol=1e-4)
    assert (swapped - expected_logit).abs().min() > 1e-3, "channels would not matter"


def test_the_places_of_a_seam_are_eight_pixels_wide(network: n.BlendNetwork) -> None:
    logits, places = network.taught(torch.rand(2, 3, n.SIZE, n.SIZE))
    assert logits.shape == (2, 1) and places.shape == (2, n.SIZE // 8, n.SIZE // 8)


def test_it_is_compact(network: n.BlendNetwork, tmp_path: Path) -> None:
    assert sum(weight.numel() for weight in network.parameters()) <= 1_500_000
    n.save(network, {}, tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size <= 3_000_000


def test_the_expert_is_of_the_network() -> None:
    assert (blend_cnn.SIZE, blend_cnn.EMBEDDING) == (n.SIZE, n.EMBEDDING)
    assert blend_cnn.CARD.crop == Crop("dfdc", n.SIZE)


def test_what_is_saved_is_loaded(network: n.BlendNetwork, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    n.save(network, {"steps": 3}, file)
    loaded = n.load(file)
    crops = torch.rand(1, 3, n.SIZE, n.SIZE)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(crops)[0], network(crops)[0], atol=0.02, rtol=0.02)
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())


def test_absent_and_damaged_files_are_refused(network: n.BlendNetwork, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no weights of blend-cnn at .*python -m hifibench\.forensics\.train"):
        n.load(tmp_path / "none.safetensors")
    file = tmp_path / "w.safetensors"
    n.save(network, {}, file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UsageError, match="no whole safetensors file"):
        n.load(file)
    from hifibench.training import weights

    weights.save(torch.nn.Linear(2, 2), "another form", {}, {}, file)
    with pytest.raises(UsageError, match="'another form'; expected 'hifibench blend-cnn 1'"):
        n.load(file)


def test_random_statistics_matter(network: n.BlendNetwork) -> None:
    """The parity above would not see a forgotten norm if its statistics were 0 and 1."""
    assert np.abs(network.bn.running_var.numpy() - 1).max() > 0.1
