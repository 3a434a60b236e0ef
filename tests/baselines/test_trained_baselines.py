"""The lite weights of SimSwap and FaceShifter: the budget and the data of HifiFace's, each with a card that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from baselines import faceshifter, simswap
from hifibench.hififace import plugins
from hifibench.hififace import weights as hififace_weights
from hifibench.training import weights

TRAINED = {"simswap": simswap, "faceshifter": faceshifter}
LARGEST = 10_000_000


def card(name: str) -> dict[str, Any]:
    module: Any = TRAINED[name]
    return weights.card(module.WEIGHTS, module.FORM)


@pytest.mark.parametrize("name", TRAINED)
def test_a_card_says_how_the_weights_came_about(name: str) -> None:
    module: Any = TRAINED[name]
    said, plan = card(name), getattr(module, name).training().presets["lite"]
    assert (said["method"], said["preset"]) == (name, "lite")
    assert (said["steps"], said["batch"]) == (plan.steps, plan.batch)
    assert len(said["commit"]) == 40, "trained by code that is in the repository"
    assert said["hours"] > 0 and said["hardware"] and said["losses"]["id_cosine"] > 0.5
    assert "research only" in said["licence"]
    file: Path = module.WEIGHTS
    assert file.stat().st_size <= LARGEST
    assert not any(str(Path.home()) in str(value) or "/tmp" in str(value) for value in said.values())


@pytest.mark.parametrize("name", TRAINED)
def test_the_budget_and_the_data_are_those_of_hififace_lite(name: str) -> None:
    said, theirs = card(name), hififace_weights.card(plugins.weights_file("full"))
    for same in ("preset", "steps", "batch", "images_seen", "seed", "precision"):
        assert said[same] == theirs[same], same
    # The generator and its seeds; not the pixels' hash, which differs between kinds of processors by rounding.
    assert said["data"] == theirs["data"]


@pytest.mark.parametrize("name", TRAINED)
def test_the_weights_fit_the_network_and_are_finite(name: str) -> None:
    swapper: Any = getattr(TRAINED[name], name).load("cpu")
    network = swapper.generator if name == "simswap" else swapper.network
    assert all(bool(value.isfinite().all()) for value in network.state_dict().values())
    assert not network.training
