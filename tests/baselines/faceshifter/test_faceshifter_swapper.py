from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import faceshifter_by_hand as by_hand
import pytest
import torch
from faceshifter_tiny import CONFIG, SIZE, recogniser

import baselines.faceshifter as package
from baselines.faceshifter import faceshifter, from_weights
from baselines.faceshifter.network import FaceShifterNet
from baselines.faceshifter.presets import LITE
from baselines.faceshifter.swapper import FaceShifter
from hifibench.contracts import Crop, Swapper, SwapperCard
from hifibench.errors import MissingError, UsageError
from hifibench.records import Status
from hifibench.training.weights import OtherFormError, save

CARD = SwapperCard("tiny", "tiny", Crop("ffhq", SIZE), Crop("ffhq", SIZE))


@pytest.fixture
def network() -> FaceShifterNet:
    made = FaceShifterNet(CONFIG)
    by_hand.randomise(made)
    return made


@torch.no_grad()
def test_a_swap_is_both_stages_in_the_ranges_of_the_harness(network: FaceShifterNet) -> None:
    swapper, look = FaceShifter(CARD, network, recogniser()), recogniser()
    assert isinstance(swapper, Swapper) and swapper.card is CARD
    source, target = torch.rand(2, 3, 3, SIZE, SIZE)
    made = swapper.swap(source, target)
    assert made.mask is None and made.status == (Status.OK,) * 3 and made.image.dtype == torch.float32
    expected = network(2 * target - 1, look(source), look(target)).y
    torch.testing.assert_close(made.image, ((expected + 1) / 2).clamp(0, 1), rtol=1e-4, atol=1e-5)
    assert float(((expected + 1) / 2).amin()) < 0 < 1 < float(((expected + 1) / 2).amax())  # there was something to cut
    swapped = swapper.swap(target, source)
    assert float((swapped.image - made.image).abs().mean()) > 0.01


def test_a_row_does_not_depend_on_its_company(network: FaceShifterNet) -> None:
    swapper = FaceShifter(CARD, network, recogniser())
    source, target = torch.rand(2, 3, 3, SIZE, SIZE)
    alone = swapper.swap(source[1:2], target[1:2]).image
    torch.testing.assert_close(swapper.swap(source, target).image[1:2], alone, rtol=0, atol=0)


@torch.no_grad()
def test_sources_and_targets_are_looked_at_one_by_one(network: FaceShifterNet) -> None:
    swapper, look = FaceShifter(CARD, network, recogniser()), recogniser()
    source, target = torch.rand(2, 3, 3, SIZE, SIZE)
    made = swapper.swap(source, target).image
    for row, (x_s, x_t) in enumerate(zip(source.split(1), target.split(1), strict=True)):
        x_s, x_t = (one.contiguous(memory_format=torch.channels_last) for one in (x_s, x_t))
        y = network(2 * x_t - 1, look(x_s), look(x_t)).y
        assert torch.equal(made[row], (y / 2 + 0.5).clamp(0, 1)[0])


def test_its_cost_is_both_stages_and_two_looks(network: FaceShifterNet) -> None:
    cost = FaceShifter(CARD, network, recogniser()).cost()
    from baselines.faceshifter.network import count

    own = count(CONFIG)
    assert own.macs is not None
    assert cost.macs == own.macs + 2 * 48 * 512  # the tiny recogniser is one linear layer
    assert (cost.params_trainable, cost.params_frozen) == (own.params_trainable, 48 * 512 + 512)


def trained(folder: Path, form: str = package.FORM, **config: Any) -> Path:
    """Weights as a training writes them, of a network of the harness's own crops."""
    shape = {"base": 3, "generator_base": 4, "widest": 8, "hear_base": 4, "hear_widest": 6, "hear_depth": 3, **config}
    plan = replace(LITE, size=64, method={**LITE.method, **shape})
    made = FaceShifterNet(package._config(plan))
    by_hand.randomise(made)
    file = folder / "mine.safetensors"
    if form == package.FORM:
        assert faceshifter.training is not None
        faceshifter.training().export(made, {"preset": "lite", "steps": 7, "licence": "none"}, file)
    else:
        save(made, form, {"size": 64}, {}, file)
    return file


@torch.no_grad()
def test_exported_weights_come_back_as_a_method(tmp_path: Path) -> None:
    plugin = from_weights("mine", trained(tmp_path))
    assert plugin.card.name == "mine" and plugin.card.summary == "FaceShifter, 7 steps of lite"
    assert plugin.card.source == plugin.card.target == Crop("ffhq", 64)
    assert plugin.card.trained_with == ("w600k",) and len(plugin.card.weights) == 64
    swapper = plugin.load("cpu")
    assert isinstance(swapper, FaceShifter)
    first = FaceShifterNet(swapper.network.config)
    state = by_hand.randomise(first)
    for name, value in swapper.network.state_dict().items():
        torch.testing.assert_close(value, state[name].half().float() if value.is_floating_point() else state[name])
    assert not swapper.network.training and not any(one.requires_grad for one in swapper.network.parameters())
    source, target = torch.rand(2, 1, 3, 64, 64)
    assert swapper.swap(source, target).image.shape == (1, 3, 64, 64)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="There are no weights at"):
        from_weights("mine", tmp_path / "absent.safetensors")
    with pytest.raises(OtherFormError, match="form 'hifibench simswap 1'; expected 'hifibench faceshifter 1'"):
        from_weights("mine", trained(tmp_path, "hifibench simswap 1"))
    file = trained(tmp_path)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(UsageError, match="no whole safetensors file"):
        from_weights("mine", file)


def test_without_shipped_weights_it_says_how_to_train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    absent = tmp_path / "faceshifter.safetensors"
    monkeypatch.setattr(package, "WEIGHTS", absent)
    with pytest.raises(MissingError, match="hifibench train faceshifter --preset lite"):
        package._load(faceshifter.card, absent, "cpu")


def test_the_card_names_its_teacher() -> None:
    card = faceshifter.card
    assert card.source == card.target == Crop("ffhq", 128)
    assert card.trained_with == ("w600k",) and card.assets == ("w600k-mbf",)
    assert "arXiv:1912.13457" in card.paper
