"""Deep3DFaceRecon as an expert, and what the cards and files of all three published networks have in common."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from resnet_files import random_trunk
from torch import Tensor
from torchvision.models import resnet50

from hifibench import assets
from hifibench.brought import BROUGHT
from hifibench.errors import MissingError
from hifibench.experts import published_reconstruction as room
from hifibench.faces import pose, templates

PLUGINS = (room.deep3d, room.ringnet, room.hopenet)
WIDTHS = (80, 64, 80, 3, 27, 2, 1)


def net_recon(seed: int = 0) -> dict[str, Tensor]:
    """Random weights and statistics under the names of the release, features and coefficients of the order of 1."""
    generator = torch.Generator().manual_seed(seed)
    state = {f"backbone.{name}": value for name, value in random_trunk(seed).state_dict().items()}
    for number, width in enumerate(WIDTHS):
        state[f"final_layers.{number}.weight"] = torch.randn(width, 2048, 1, 1, generator=generator) * 0.01
        state[f"final_layers.{number}.bias"] = torch.randn(width, generator=generator) * 0.1
    return state


def coefficients(state: dict[str, Tensor], crops: np.ndarray) -> np.ndarray:
    """The 257 of each crop: torchvision's trunk, then the heads in NumPy."""
    trunk = resnet50(weights=None).eval()
    trunk.fc = torch.nn.Identity()
    trunk.load_state_dict({name[9:]: value for name, value in state.items() if name.startswith("backbone.")})
    with torch.no_grad():
        features = trunk(torch.from_numpy(crops)).double().numpy()
    heads = [
        features @ state[f"final_layers.{number}.weight"][:, :, 0, 0].double().numpy().T
        + state[f"final_layers.{number}.bias"].double().numpy()
        for number in range(len(WIDTHS))
    ]
    return np.hstack(heads)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    return tmp_path


def test_deep3d_gives_the_coefficients_of_its_heads(cache: Path) -> None:
    state = net_recon()
    place = cache / "networks" / "deep3d" / "epoch_20.pth"
    place.parent.mkdir(parents=True)
    torch.save({"net_recon": state, "opt_00": {"state": {}, "param_groups": []}}, place)
    crops = np.random.default_rng(1).random((2, 3, 224, 224), np.float32) * np.float32([[[[1]]], [[[0.3]]]])
    expert = room.deep3d.load("cpu")
    found = expert.observe(crops)
    assert {name: value.shape[1] for name, value in found.items()} == {
        "identity": 80,
        "expression": 64,
        "pose_deg": 3,
        "light": 27,
    }
    assert found.keys() == room.DEEP3D.outputs.keys()
    assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}
    expected = coefficients(state, crops)
    angles = np.degrees(expected[:, 224:227])
    np.testing.assert_allclose(found["identity"], expected[:, :80], atol=1e-4)
    np.testing.assert_allclose(found["expression"], expected[:, 80:144], atol=1e-4)
    np.testing.assert_allclose(found["light"], expected[:, 227:254], atol=1e-4)
    np.testing.assert_allclose(found["pose_deg"], np.stack([angles[:, 1], -angles[:, 0], -angles[:, 2]], 1), atol=1e-2)
    assert np.abs(expected[0] - expected[1]).max() > 0.1  # the image matters
    assert np.abs(coefficients(state, crops[:, ::-1].copy()) - expected).max() > 1e-2
    for name, value in expert.observe(crops[1:]).items():
        np.testing.assert_array_equal(found[name][1:], value)


def test_deep3ds_pose_turns_the_head_as_its_three_matrices_do() -> None:
    turns = np.random.default_rng(0).uniform(-1, 1, (5, 3)).astype(np.float32)
    nothing = np.zeros((5, 1), np.float32)
    found = room.deep3d_outputs(nothing, nothing, nothing, turns, nothing, nothing)["pose_deg"]
    for (x, y, z), pose_deg in zip(turns.astype(float), found, strict=True):
        about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
        about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
        about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
        np.testing.assert_allclose(pose.rotation(pose_deg), np.array(about_z) @ about_y @ about_x, atol=1e-5)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.card.name)
def test_each_card_names_a_crop_and_files_that_there_are(plugin, cache: Path) -> None:
    card = plugin.card
    assert card.crop.template in templates.names()
    assert card.crop.size == 224
    assert set(card.assets) <= BROUGHT.keys()
    assert "Nothing was measured with the authors' weights" in card.limits
    with pytest.raises(MissingError, match="One file is missing that hifibench does not fetch") as told:
        plugin.load("cpu")
    [name] = card.assets
    assert str(cache / "networks" / name / BROUGHT[name].filenames[0]) in str(told.value)
    assert BROUGHT[name].origin in str(told.value)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.card.name)
def test_a_card_changes_with_the_users_file(plugin, cache: Path) -> None:
    [name] = plugin.card.assets
    before = plugin.card.hash
    place = cache / "networks" / name / BROUGHT[name].filenames[0]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    assert assets.state(name) is assets.State.PRESENT
    assert plugin.card.hash != before


@pytest.mark.parametrize("name", ["deep3d", "bfm-front", "ringnet", "hopenet"])
def test_what_is_to_be_brought_says_where_it_comes_from(name: str) -> None:
    one = BROUGHT[name]
    assert "https://" in one.origin
    assert one.registration == (name in ("bfm-front", "ringnet"))
    assert one.licence.research_only == (name != "hopenet")


def test_cards_are_made_without_torch_or_tensorflow() -> None:
    heavy = "torch timm torchvision tensorflow safetensors cv2"
    code = (
        "import sys; import hifibench.experts.published_reconstruction, hifibench.commands_convert; "
        f"print([name for name in {heavy!r}.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
