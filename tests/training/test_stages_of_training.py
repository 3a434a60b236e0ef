"""Methods of two stages: turns that rest, weights that are frozen, averages that keep to those that move."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_training import PLAN, Tiny, assert_same, make_loop, weights, write_faces

from hifibench.training.average import WeightAverage
from hifibench.training.contract import Batch, Losses

BORDER = 6


class Staged(Tiny):
    """From step `BORDER` on the first layer is frozen and the discriminator rests."""

    def losses(self, turn: str, batch: Batch, step: int) -> Losses | None:  # type: ignore[override]
        second = step >= BORDER
        self.networks["generator"].first.requires_grad_(not second)
        if second and turn == "discriminator":
            return None
        return super().losses(turn, batch, step)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"))


def test_frozen_weights_and_resting_networks_stay_and_so_do_their_averages(faces: Path, tmp_path: Path) -> None:
    method = Staged(PLAN)
    loop = make_loop(faces, tmp_path, plan=_until(BORDER), method=method)
    loop.run()
    generator, discriminator = method.networks["generator"], method.networks["discriminator"]
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    resting = {name: value.clone() for name, value in discriminator.state_dict().items()}
    averaged = {name: value.clone() for name, value in loop.exported.state_dict().items()}

    loop = make_loop(faces, tmp_path, method=method)
    loop.run()
    assert loop.step == PLAN.steps
    assert torch.equal(generator.first.weight, before["first.weight"])
    assert not torch.equal(generator.last.weight, before["last.weight"])
    assert_same(discriminator.state_dict(), resting)
    assert torch.equal(loop.exported.first.weight, averaged["first.weight"])
    assert not torch.equal(loop.exported.last.weight, averaged["last.weight"])


def test_a_training_resumed_at_the_border_of_its_stages_goes_on_exactly(faces: Path, tmp_path: Path) -> None:
    whole = make_loop(faces, tmp_path / "whole", method=Staged(PLAN))
    whole.run()
    for steps in (BORDER, PLAN.steps):
        cut = make_loop(faces, tmp_path / "cut", plan=_until(steps), method=Staged(PLAN))
        cut.run()
    assert_same(weights(whole), weights(cut))


def test_each_weight_is_averaged_over_the_steps_that_it_took() -> None:
    network = torch.nn.Linear(1, 1, dtype=torch.float64)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    average = WeightAverage(network, 0.5)
    start = float(network.weight.detach())
    network.bias.requires_grad_(False)
    for _ in range(3):
        optimiser.zero_grad(set_to_none=True)
        network(torch.ones(1, 1, dtype=torch.float64)).sum().backward()
        optimiser.step()
        average.follow(optimiser)
    # Adam's first steps under a gradient of 1 are of the size of its rate; decays are 1/10, 2/11, 3/12.
    expected = start
    for step, decay in enumerate((1 / 10, 2 / 11, 3 / 12)):
        expected = decay * expected + (1 - decay) * (start - 0.1 * (step + 1))
    assert float(average.network.weight) == pytest.approx(expected, abs=1e-6)
    assert float(average.network.bias) == float(network.bias)


def _until(steps: int):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(PLAN, steps=steps)
