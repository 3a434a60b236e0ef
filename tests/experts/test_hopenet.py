from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from resnet_files import random_trunk
from torch import Tensor

from hifibench import assets
from hifibench.errors import MissingError, UsageError
from hifibench.experts import hopenet
from hifibench.experts.published_reconstruction import HOPENET
from hifibench.experts.published_reconstruction import hopenet as plugin
from hifibench.faces import pose

State = dict[str, Tensor]
HEADS = ("fc_yaw", "fc_pitch", "fc_roll")


def snapshot(seed: int = 0) -> State:
    """As PyTorch 0.2 wrote it: without counters, with the layer that is not used."""
    generator = torch.Generator().manual_seed(seed + 1)
    state = {
        name: value for name, value in random_trunk(seed).state_dict().items() if "num_batches_tracked" not in name
    }
    for head in HEADS:
        state[f"{head}.weight"] = torch.randn(66, 2048, generator=generator) * 0.02
        state[f"{head}.bias"] = torch.randn(66, generator=generator)
    state["fc_finetune.weight"] = torch.randn(3, 2051, generator=generator)
    state["fc_finetune.bias"] = torch.randn(3, generator=generator)
    return state


class Python2Pickler(pickle._Pickler):  # the only one whose opcodes can be chosen
    """Writes strings as Python 2 did."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_str(self, text: str) -> None:
        raw = text.encode()
        self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw)
        self.memoize(text)

    dispatch[str] = save_str


def python2_dump(value: Any, stream: Any, protocol: int) -> None:
    Python2Pickler(stream, protocol).dump(value)


FORMS: dict[str, Callable[[State, Path], None]] = {
    "zip": torch.save,
    "legacy": lambda state, file: torch.save(state, file, _use_new_zipfile_serialization=False),
    "python 2": lambda state, file: torch.save(
        state,
        file,
        pickle_module=SimpleNamespace(__name__="pickle2", Pickler=Python2Pickler, dump=python2_dump),
        _use_new_zipfile_serialization=False,
    ),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    file = tmp_path / "networks" / "hopenet" / "hopenet_robust_alpha1.pkl"
    file.parent.mkdir(parents=True)
    return file


def by_hand(state: State, crops: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll as the authors' code prints them, from torchvision's trunk."""
    mean, std = (np.array(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    network = random_trunk()
    with torch.no_grad():
        features = network(torch.from_numpy(((crops - mean) / std).astype(np.float32))).double().numpy()
    angles = []
    for head in HEADS:
        logits = features @ state[f"{head}.weight"].double().numpy().T + state[f"{head}.bias"].double().numpy()
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        angles.append((shares * np.arange(66)).sum(1) * 3 - 99)
    return np.stack(angles, 1)


@pytest.mark.parametrize("form", FORMS)
def test_angles_are_the_expectations_over_the_bins_of_torchvisions_features(form: str, place: Path) -> None:
    state = snapshot()
    FORMS[form](state, place)
    crops = np.random.default_rng(2).random((2, 3, 224, 224), np.float32) * np.float32([[[[1]]], [[[0.2]]]])
    found = plugin.load("cpu").observe(crops)
    assert found.keys() == HOPENET.outputs.keys()
    expected = by_hand(state, crops)
    np.testing.assert_allclose(found["pose_deg"], expected * (-1, 1, 1), atol=1e-3)
    assert np.ptp(expected, axis=0).min() > 0.01  # the image matters, on every axis
    assert np.abs(by_hand(state, crops[:, ::-1]) - expected).max() > 0.01


def test_the_files_of_old_are_of_the_forms_that_their_names_say(tmp_path: Path) -> None:
    state = {"weight": torch.arange(3.0)}
    for form, write in FORMS.items():
        write(state, tmp_path / form)
        torch.testing.assert_close(torch.load(tmp_path / form, weights_only=True), state)
    assert (tmp_path / "zip").read_bytes().startswith(b"PK")
    assert b"U\x06weight" in (tmp_path / "python 2").read_bytes()
    assert b"U\x06weight" not in (tmp_path / "legacy").read_bytes()


def sure(yaw: int, pitch: int, roll: int) -> hopenet.Hopenet:
    """A network that is certain of three bins whatever it sees."""
    network = hopenet.Hopenet().requires_grad_(False)
    for head, place in zip((network.fc_yaw, network.fc_pitch, network.fc_roll), (yaw, pitch, roll), strict=True):
        head.weight.zero_()
        head.bias.fill_(-1000)
        head.bias[place] = 1000
    return network


def drawn(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """Where its authors draw the head's axes for these angles: x, then the nose, in pixels to the right and down."""
    p, y, r = np.radians((pitch_deg, -yaw_deg, roll_deg))
    across = (np.cos(y) * np.cos(r), np.cos(p) * np.sin(r) + np.cos(r) * np.sin(p) * np.sin(y))
    return np.array([across, (np.sin(y), -np.cos(y) * np.sin(p))])


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["yaw", "pitch", "roll"])
@pytest.mark.parametrize("place", [23, 43])
def test_a_head_drawn_by_its_authors_is_turned_as_ours_is(axis: int, place: int) -> None:
    # Bin 33 is that of no turn.
    bins = [place if number == axis else 33 for number in range(3)]
    with torch.no_grad():
        found = sure(*bins)(torch.rand(1, 3, 224, 224))[0].numpy()
    theirs = [3 * (one - 33) for one in bins]
    assert np.abs(found[axis]) == 30
    ours = pose.rotation(found)[:2, [0, 2]].T * (1, -1)
    np.testing.assert_allclose(ours, drawn(*theirs), atol=1e-6)


def test_certain_of_a_bin_it_reads_three_degrees_a_bin() -> None:
    with torch.no_grad():
        found = sure(0, 65, 40)(torch.rand(2, 3, 224, 224))
    np.testing.assert_allclose(found, [(99, 96, 21)] * 2, atol=1e-4)


def test_it_stays_frozen_and_passes_gradients_to_the_crops(place: Path) -> None:
    torch.save(snapshot(), place)
    network = hopenet.load(place).train()
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())
    crops = torch.rand(1, 3, 224, 224, requires_grad=True)
    network(crops).sum().backward()
    assert crops.grad is not None and bool((crops.grad != 0).any())


class Intruder:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


def test_another_file_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"hopenet_robust_alpha1\.pkl.*deep-head-pose"):
        assets.path("hopenet")
    with pytest.raises(MissingError, match=r"There is no checkpoint .*\.pkl"):
        hopenet.load(place)
    state = {name: torch.zeros(()).expand(value.shape) for name, value in snapshot().items()}
    for change, message in (
        (
            {"fc_yaw.weight": torch.zeros(62, 2048)},
            r"fc_yaw\.weight has shape \(62, 2048\), expected \(66, 2048\)\. Give",
        ),
        ({"layer5.weight": torch.zeros(1)}, r"layer5\.weight is unknown\. Give the hopenet_robust_alpha1\.pkl"),
    ):
        torch.save({**state, **change}, place)
        with pytest.raises(UsageError, match=message):
            hopenet.load(place)
    torch.save({name: value for name, value in state.items() if name != "layer3.5.conv2.weight"}, place)
    with pytest.raises(UsageError, match=r"layer3\.5\.conv2\.weight is missing\. Give"):
        hopenet.load(place)
    torch.save({**state, "more": Intruder(tmp_path / "trace")}, place, _use_new_zipfile_serialization=False)
    with pytest.raises(UsageError, match=r"asks for \w+\.mkdir; .* It was not opened"):
        hopenet.load(place)
    assert not (tmp_path / "trace").exists()
