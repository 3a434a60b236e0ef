"""The authors' files: their names and shapes, their conventions, and what is said when they are missing or wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import simswap_by_hand as hand
import torch
from simswap_tiny import generator, images
from torch import nn

from baselines import simswap
from baselines.simswap import published
from baselines.simswap.config import Config
from hifibench.contracts import Crop, SwapperPlugin
from hifibench.errors import MissingError, UsageError
from hifibench.experts import arcface_pickle


class Arc(nn.Module):
    """Takes crops as SimSwap's recogniser does; linear, so that every pixel and channel tells."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(11)
        self.rows, self.columns = (torch.randn(112, 16, generator=rng) for _ in range(2))
        self.out = torch.randn(768, 512, generator=rng)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        assert crops.shape[1:] == (3, 112, 112)
        return torch.einsum("bchw,hi,wj->bcij", crops, self.rows, self.columns).flatten(1) @ self.out


def written(name: str, file: Path) -> dict[str, torch.Tensor]:
    """A state dict of the authors' names and shapes, each tensor of one number of its own, so that it takes no room."""
    tensors = {
        key: torch.tensor(i % 97).long() if shape == () else torch.tensor(i / 1000).expand(shape)
        for i, (key, shape) in enumerate(hand.SHAPES[name].items(), 1)
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, file)
    return tensors


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    return tmp_path / "methods"


@pytest.mark.parametrize("name", ["simswap-224", "simswap-512"])
def test_a_state_dict_of_the_authors_names_loads_strictly(name: str, tmp_path: Path) -> None:
    tensors = written(name, tmp_path / "G.pth")
    loaded = published.load_generator(published.GENERATORS[name], tmp_path / "G.pth")
    state = loaded.state_dict()
    assert state.keys() == tensors.keys()
    for key, value in tensors.items():
        assert state[key].shape == value.shape and bool((state[key] == value).all()), key
    assert not loaded.training and not any(one.requires_grad for one in loaded.parameters())


@pytest.mark.parametrize(
    ("drop", "add", "said"),
    [
        ("BottleNeck.8.style2.linear.bias", None, r"BottleNeck\.8\.style2\.linear\.bias is missing"),
        (None, ("down4.0.weight", (512, 512, 3, 3)), r"down4\.0\.weight is unknown"),
        (None, ("up1.1.weight", (64, 128, 4, 4)), r"up1\.1\.weight has shape \(64, 128, 4, 4\)"),
    ],
)
@pytest.mark.parametrize("name", ["simswap-224", "simswap-512"])
def test_names_that_do_not_fit_are_named(
    name: str, drop: str | None, add: tuple[str, tuple[int, ...]] | None, said: str, tmp_path: Path
) -> None:
    tensors = written(name, tmp_path / "G.pth")
    if drop:
        del tensors[drop]
    if add:
        tensors[add[0]] = torch.tensor(1.0).expand(add[1])
    torch.save(tensors, tmp_path / "G.pth")
    with pytest.raises(UsageError, match=f"{said}.*SimSwap's .*net_G"):
        published.load_generator(published.GENERATORS[name], tmp_path / "G.pth")


def test_each_generator_refuses_the_others_file(tmp_path: Path) -> None:
    for mine, other in (("simswap-224", "simswap-512"), ("simswap-512", "simswap-224")):
        written(other, tmp_path / "G.pth")
        with pytest.raises(UsageError, match="another network"):
            published.load_generator(published.GENERATORS[mine], tmp_path / "G.pth")


def test_what_the_blocks_of_512_hold_beside_the_network_is_left_out(tmp_path: Path) -> None:
    for name, fits in (("simswap-512", True), ("simswap-224", False)):
        tensors = written(name, tmp_path / "G.pth")
        torch.save({**tensors, "BottleNeck.0.spare.1.weight": torch.zeros(4)}, tmp_path / "G.pth")
        if fits:
            published.load_generator(published.GENERATORS[name], tmp_path / "G.pth")
        else:
            with pytest.raises(UsageError, match=r"BottleNeck\.0\.spare\.1\.weight is unknown"):
                published.load_generator(published.GENERATORS[name], tmp_path / "G.pth")


def test_a_file_that_asks_for_code_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(1, 1), tmp_path / "G.pth")
    with pytest.raises(UsageError, match=r"asks for torch\.nn"):
        published.load_generator(published.GENERATORS["simswap-224"], tmp_path / "G.pth")


@pytest.mark.parametrize(
    ("name", "crop", "file"),
    [
        ("simswap-224", Crop("simswap-224", 224), "latest_net_G.pth"),
        ("simswap-512", Crop("ffhq", 512), "550000_net_G.pth"),
    ],
)
def test_missing_files_are_named_with_source_licence_and_place(name: str, crop: Crop, file: str, cache: Path) -> None:
    plugin: SwapperPlugin = getattr(simswap, name.replace("-", "_"))
    assert plugin.card.source == plugin.card.target == crop and plugin.card.weights == ""
    with pytest.raises(MissingError) as caught:
        plugin.load("cpu")
    for words in (str(cache / name / file), str(cache / name / "arcface_checkpoint.tar"), "CC BY-NC 4.0", "https://"):
        assert words in str(caught.value)
    written(name, cache / name / file)
    with pytest.raises(MissingError) as caught:
        getattr(simswap, name.replace("-", "_")).load("cpu")
    assert file not in str(caught.value) and "arcface_checkpoint.tar" in str(caught.value)


def test_no_other_name_is_a_method() -> None:
    with pytest.raises(AttributeError, match="simswap_1024"):
        _ = simswap.simswap_1024


@pytest.mark.parametrize(("name", "size"), [("simswap-224", 224), ("simswap-512", 512)])
def test_a_swap_is_what_the_conventions_say(name: str, size: int, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halvings = published.GENERATORS[name].config.halvings
    network = generator(Config(size=size, width=1 / 32, blocks=1, halvings=halvings))
    small = published.GENERATORS[name]._replace(config=network.config)
    monkeypatch.setitem(published.GENERATORS, name, small)
    monkeypatch.setattr(arcface_pickle, "load", lambda file: Arc())
    (cache / name).mkdir(parents=True)
    torch.save(network.state_dict(), cache / name / small.file)
    (cache / name / published.ARCFACE).write_bytes(b"any")

    plugin: SwapperPlugin = getattr(simswap, name.replace("-", "_"))
    noise = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(5))
    source, target = (images(1, size, seed=1) + noise) / 2, images(1, size, seed=2)
    got = plugin.load("cpu").swap(source, target).image  # type: ignore[union-attr]

    at = (np.arange(112) * size) // 112
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    seen = source.double().numpy()[:, :, at][:, :, :, at]
    seen = (seen - mean[None, :, None, None]) / std[None, :, None, None]
    v = Arc()(torch.from_numpy(seen).float()).double().numpy()
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    weights = {key: value.double().numpy() for key, value in network.state_dict().items()}
    want = hand.generator(target.double().numpy(), v, weights)
    np.testing.assert_allclose(got.double().numpy(), want, atol=1e-4)


def test_the_card_changes_with_the_files_and_a_process_never_mixes_them(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = cache / "simswap-224" / "latest_net_G.pth"
    written("simswap-224", file)
    (file.parent / published.ARCFACE).write_bytes(b"one")
    before: SwapperPlugin = simswap.simswap_224
    (file.parent / published.ARCFACE).write_bytes(b"another")
    after: SwapperPlugin = simswap.simswap_224
    assert before.card.hash != after.card.hash
    with pytest.raises(MissingError, match="have changed"):
        before.load("cpu")
