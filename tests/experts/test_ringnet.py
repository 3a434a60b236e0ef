from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ringnet_tf import TRAINING, Graph
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from hifibench import assets
from hifibench.commands_convert import CONVERTERS, convert_ringnet
from hifibench.errors import MissingError, UsageError
from hifibench.experts import ringnet, tf_checkpoint
from hifibench.experts.published_reconstruction import RINGNET
from hifibench.experts.published_reconstruction import ringnet as plugin
from hifibench.experts.ringnet import RingNet

WIDTH, HIDDEN = 4, 8
METADATA = {"format": ringnet.FORMAT, "config": json.dumps({"hidden": HIDDEN, "width": WIDTH})}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def seen(rows: int = 2, size: int = 224, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, 3, size, size), np.float32)


def parameters(network: RingNet, crops: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return torch.cat(network(torch.from_numpy(crops)), dim=1).numpy()


def random_network(seed: int = 0) -> RingNet:
    generator = torch.Generator().manual_seed(seed)
    network = RingNet(HIDDEN, WIDTH).requires_grad_(False)
    for name, value in network.state_dict().items():
        if name.endswith(("gamma", "moving_variance")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.ndim == 4:
            value.normal_(0, value[0].numel() ** -0.5, generator=generator)
        else:
            value.normal_(0, 0.2, generator=generator)
    network.conv1.bias.sub_(1)  # so that a pooling which took zeros for what lies beyond the edge would tell
    return network


def by_hand(state: dict[str, Tensor], image: Tensor) -> Tensor:
    """A strided convolution as a plain one of which every second place is kept, and so on: TF-Slim's own words."""

    def norm(x: Tensor, name: str) -> Tensor:
        gamma, beta, mean, variance = (
            state[f"{name}.{part}"][:, None, None] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return ((x - mean) / (variance + 1e-5).sqrt() * gamma + beta).clamp(min=0)

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        wide = F.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[-1] // 2)
        return wide[:, :, ::stride, ::stride]

    x = conv(image * 2 - 1, "conv1", 2)
    filled = F.pad(x, (0, 1, 0, 1), value=-1e9)
    reach = [
        filled[:, :, dy : dy + x.shape[2] - 1 : 2, dx : dx + x.shape[3] - 1 : 2] for dy in range(3) for dx in range(3)
    ]
    x = torch.stack(reach).amax(0)
    for block, units in enumerate((3, 4, 6, 3), 1):
        for unit in range(units):
            name, stride = f"block{block}.{unit}", 2 if unit == units - 1 and block < 4 else 1
            active = norm(x, f"{name}.preact")
            short = conv(active, f"{name}.shortcut") if unit == 0 else x[:, :, ::stride, ::stride]
            y = norm(conv(active, f"{name}.conv1"), f"{name}.norm1")
            y = norm(conv(y, f"{name}.conv2", stride), f"{name}.norm2")
            x = short + conv(y, f"{name}.conv3")
    features = norm(x, "postnorm").flatten(2).mean(2)
    theta = state["start"]
    for _ in range(3):
        y = torch.cat([features, theta], 1)
        for layer in ("fc1", "fc2", "fc3"):
            y = y @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]
            y = y if layer == "fc3" else y.clamp(min=0)
        theta = theta + y
    return theta


def test_the_network_is_the_one_written_out() -> None:
    network = random_network()
    crops = seen(1, 64)
    double = {name: value.double() for name, value in network.state_dict().items()}
    expected = by_hand(double, torch.from_numpy(crops).double()).numpy()
    np.testing.assert_allclose(parameters(network, crops), expected, atol=1e-4)
    assert np.abs(parameters(network, crops[:, ::-1].copy()) - expected).max() > 1e-2
    assert np.abs(parameters(network, crops[:, :, :, ::-1].copy()) - expected).max() > 1e-2


def test_parameters_are_camera_pose_shape_and_expression() -> None:
    network = random_network()
    found = network(torch.from_numpy(seen(2, 64)))
    assert [part.shape for part in found] == [(2, 3), (2, 6), (2, 100), (2, 50)]
    network.fc3.weight.zero_()
    network.fc3.bias.zero_()
    torch.testing.assert_close(torch.cat(network(torch.from_numpy(seen(1, 64))), 1), network.start)


def test_it_stays_in_evaluation_mode_and_passes_gradients_to_the_crops() -> None:
    network = random_network().train()
    crops = torch.from_numpy(seen(1, 64)).requires_grad_()
    network(crops).shape.square().sum().backward()
    assert crops.grad is not None and bool((crops.grad != 0).any())
    assert not network.training


@pytest.mark.slow
def test_the_official_layout_converts_and_the_expert_sees_what_tensorflow_computes(cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    official = Graph(64, 512)
    prefix = official.save(tmp_path / "ring_6_68641")
    assert assets.state("ringnet") is assets.State.ABSENT
    place = CONVERTERS["ringnet"](prefix)
    assert place == cache / "networks" / "ringnet" / "ringnet.safetensors"
    assert assets.path("ringnet") == place
    crops = seen()
    expected = official.run(crops)
    expert = plugin.load("cpu")
    found = expert.observe(crops)
    assert found.keys() == RINGNET.outputs.keys()
    together = np.hstack([found["pose"], found["shape"], found["expression"]])
    np.testing.assert_allclose(together, expected[:, 3:], atol=1e-4)
    assert np.abs(expected[0] - expected[1]).max() > 1e-2  # the image matters
    alone = expert.observe(crops[1:])
    for name, value in alone.items():
        np.testing.assert_array_equal(found[name][1:], value)


@pytest.mark.slow
@pytest.mark.parametrize("given", ["ring", "ring.index", "ring.meta", "ring.data-00000-of-00001"])
def test_any_file_of_a_checkpoint_names_it_and_what_training_left_is_passed_over(
    given: str, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    small = Graph(WIDTH, HIDDEN, extras=TRAINING)
    prefix = small.save(tmp_path / "ring")
    network = ringnet.load(convert_ringnet(tmp_path / given, WIDTH))
    crops = seen(1)
    np.testing.assert_allclose(parameters(network, crops), small.run(crops), atol=1e-4)
    told = capsys.readouterr().err
    assert told.strip() == "Left out, as no part of the network: Flamenetnormal/v_template"
    with safe_open(str(assets.path("ringnet")), "np") as opened:
        metadata = opened.metadata()
    assert metadata["checkpoint_sha256"] == tf_checkpoint.sha256(prefix)
    assert metadata["checkpoint"] == "ring"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extras", "leave_out", "message"),
    [
        (
            {},
            "resnet_v2_50/block2/unit_3/bottleneck_v2/conv2/BatchNorm/beta",
            r"conv2/BatchNorm/beta is missing\. Give",
        ),
        ({}, "3D_module/fc1/weights", r"one regressor fc1, fc2, fc3 .* it holds none, and 3D_module/fc1/biases, "),
        ({}, "mean_param", r"one start estimate of 159 numbers \(mean_param\); it holds none"),
        ({"more/start": (159,)}, "", r"start estimate .* it holds 2 of them \(mean_param, more/start\)"),
        ({"resnet_v2_50/logits/weights": (1, 1, 4, 2)}, "", r"resnet_v2_50/logits/weights is unknown\. Give"),
        ({"other/fc1/weights": (3, 3)}, "", r"it holds 2 of them \(3D_module, other\)"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(
    extras: dict, leave_out: str, message: str, cache: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow")
    prefix = Graph(WIDTH, HIDDEN, extras=extras, leave_out=leave_out).save(tmp_path / "ring")
    with pytest.raises(UsageError, match=message):
        convert_ringnet(prefix, WIDTH)
    assert not cache.exists()


@pytest.mark.slow
def test_a_network_of_another_width_and_a_damaged_checkpoint_are_refused(cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    prefix = Graph(WIDTH, HIDDEN).save(tmp_path / "ring")
    with pytest.raises(UsageError, match=r"conv1/weights has shape \(7, 7, 3, 4\), expected \(7, 7, 3, 64\);.* more\."):
        convert_ringnet(prefix)
    data = tmp_path / "ring.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match=r"cannot be read from the checkpoint|no whole checkpoint"):
        convert_ringnet(prefix, WIDTH)
    data.write_bytes(whole)
    (tmp_path / "ring.index").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="is no whole checkpoint of TensorFlow"):
        convert_ringnet(prefix, WIDTH)
    assert not cache.exists()


def test_a_missing_checkpoint_or_tensorflow_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        MissingError, match=r"There is no checkpoint .*ring_6: expected ring_6\.index and ring_6\.data-"
    ):
        convert_ringnet(tmp_path / "ring_6")
    with pytest.raises(MissingError, match="There is no checkpoint"):
        convert_ringnet(tmp_path / "no folder" / "ring_6")
    for part in ("index", "data-00000-of-00001"):
        (tmp_path / f"ring_6.{part}").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingError, match=r"python -m pip install tensorflow-cpu"):
        convert_ringnet(tmp_path / "ring_6")


def test_a_converted_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file, state = tmp_path / "ringnet.safetensors", random_network().state_dict()
    with pytest.raises(MissingError, match=r"There is no converted RingNet .* assets convert ringnet CHECKPOINT"):
        ringnet.load(file)
    file.write_bytes(b"ring_6_68641")
    with pytest.raises(UsageError, match=r"no whole safetensors file .* assets convert ringnet CHECKPOINT"):
        ringnet.load(file)
    save_file(state, str(file), {"format": "pt"})
    with pytest.raises(UsageError, match="is of the form 'pt'; expected 'hifibench ringnet 1'"):
        ringnet.load(file)
    save_file({name: value for name, value in state.items() if name != "fc2.bias"}, str(file), METADATA)
    with pytest.raises(UsageError, match=r"holds another network: fc2\.bias is missing\. Give"):
        ringnet.load(file)
    save_file(state, str(file), METADATA)
    crops = seen(1, 64)
    # Where weights lie in memory moves the last digits on some processors.
    np.testing.assert_allclose(parameters(ringnet.load(file), crops), parameters(random_network(), crops), atol=1e-5)


def test_without_its_file_the_expert_says_where_it_comes_from(cache: Path) -> None:
    with pytest.raises(MissingError, match=r"assets convert ringnet CHECKPOINT.*ringnet\.is\.tue\.mpg\.de"):
        plugin.load("cpu")


@pytest.mark.parametrize(
    "config",
    [None, "{", "[1]", '{"depth": 3}', '{"hidden": -1, "width": 4}', '{"hidden": "8", "width": 4}', '{"hidden": 1e9}'],
)
def test_a_converted_file_of_no_known_width_is_refused(config: str | None, tmp_path: Path) -> None:
    metadata = {"format": ringnet.FORMAT} | ({} if config is None else {"config": config})
    save_file({"start": torch.zeros(1)}, tmp_path / "r.safetensors", metadata)
    with pytest.raises(UsageError, match=r"r\.safetensors does not say how wide its network is"):
        ringnet.load(tmp_path / "r.safetensors")
