from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hifibench.training import optimisers
from hifibench.training.average import WeightAverage
from hifibench.training.contract import Optimiser

MADE = Optimiser(lr=1e-2, betas=(0.5, 0.9))


def network() -> nn.Sequential:
    """Weights of four, two and one dimensions; the four-dimensional ones lie in memory channel by channel."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = nn.Sequential(nn.Conv2d(5, 37, 3), nn.InstanceNorm2d(37, affine=True), nn.Flatten(), nn.Linear(37, 3))
    return made.to(memory_format=torch.channels_last)


def learn(made: nn.Module, optimiser: torch.optim.Adam, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        for one in made.parameters():
            one.grad = torch.empty_like(one).copy_(torch.randn(one.shape))
        optimiser.step()


def by_hand(weight: Tensor, gradients: list[Tensor]) -> Tensor:
    """Algorithm 1 of Kingma and Ba, in double precision."""
    (b1, b2), m, v = MADE.betas, torch.zeros_like(weight, dtype=torch.float64), 0.0
    theta = weight.double()
    for t, g in enumerate((one.double() for one in gradients), start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        theta = theta - MADE.lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)) ** 0.5 + 1e-8)
    return theta


def test_it_is_fused_and_adam() -> None:
    made = network()
    begun, seen = copy.deepcopy(made), []
    optimiser = optimisers.adam(made.parameters(), MADE)
    assert optimiser.param_groups[0]["fused"] is True
    for step in range(6):
        learn(made, optimiser, range(step, step + 1))
        seen.append([one.grad.clone() for one in made.parameters()])
    for number, (before, after) in enumerate(zip(begun.parameters(), made.parameters(), strict=True)):
        expected = by_hand(before.detach(), [step[number] for step in seen])
        torch.testing.assert_close(after.detach().double(), expected, rtol=0, atol=1e-6)


def test_threads_do_not_change_a_bit() -> None:
    ended = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        made = nn.Linear(1000, 301)
        nn.init.constant_(made.weight, 0.3)
        nn.init.constant_(made.bias, 0.3)
        learn(made, optimisers.adam(made.parameters(), MADE), range(5))
        ended.append([one.detach().clone() for one in made.parameters()])
    assert all(torch.equal(*both) for both in zip(*ended, strict=True))


def test_without_a_fused_kernel_another_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimisers, "FUSED_ON", ("cuda",))
    made = network()
    optimiser = optimisers.adam(made.parameters(), MADE)
    assert optimiser.param_groups[0]["fused"] is None
    learn(made, optimiser, range(2))


def kept(optimiser: torch.optim.Adam, **group: Any) -> dict[str, Any]:
    """What comes back from a checkpoint, the group changed."""
    file = io.BytesIO()
    torch.save(optimiser.state_dict(), file)
    file.seek(0)
    state: dict[str, Any] = torch.load(file, weights_only=True)
    state["param_groups"] = [one | group for one in state["param_groups"]]
    return state


@pytest.mark.parametrize("there", [None, False, True])
def test_a_checkpoint_goes_on_in_the_way_of_this_device(there: bool | None) -> None:
    whole = network()
    learn(whole, optimisers.adam(whole.parameters(), MADE), range(8))
    made = network()
    first = optimisers.adam(made.parameters(), MADE)
    learn(made, first, range(5))
    again = optimisers.adam(made.parameters(), MADE)
    optimisers.restore(again, kept(first, fused=there))
    assert again.param_groups[0]["fused"] is True
    learn(made, again, range(5, 8))
    assert all(torch.equal(*both) for both in zip(whole.parameters(), made.parameters(), strict=True))


def test_moments_that_lie_otherwise_in_a_checkpoint_are_laid_out_as_the_weights() -> None:
    whole, made = network(), network()
    first = optimisers.adam(whole.parameters(), MADE)
    learn(whole, first, range(5))
    made.load_state_dict(whole.state_dict())
    state = kept(first)
    for moments in state["state"].values():
        moments |= {name: one.contiguous() for name, one in moments.items()}
    again = optimisers.adam(made.parameters(), MADE)
    optimisers.restore(again, state)
    learn(whole, first, range(5, 8))
    learn(made, again, range(5, 8))
    assert all(torch.equal(*both) for both in zip(whole.parameters(), made.parameters(), strict=True))


def test_gradients_that_lie_otherwise_reach_their_own_weights() -> None:
    one, other = network(), network()
    for made, contiguous in ((one, False), (other, True)):
        torch.manual_seed(0)
        for weight in made.parameters():
            gradient = torch.randn(weight.shape)
            weight.grad = gradient if contiguous else torch.empty_like(weight).copy_(gradient)
        optimisers.as_weights(made.parameters())
        optimisers.adam(made.parameters(), MADE).step()
    assert all(torch.equal(*both) for both in zip(one.parameters(), other.parameters(), strict=True))


def test_weights_without_a_gradient_are_left_alone() -> None:
    made = network()
    optimisers.as_weights(made.parameters())
    optimisers.adam(made.parameters(), MADE).step()
    assert all(torch.equal(*both) for both in zip(made.parameters(), network().parameters(), strict=True))


class _Counted:
    def __init__(self, step: Tensor) -> None:
        self.step = step

    def __int__(self) -> int:
        raise AssertionError("the optimiser was asked for its step again")

    __float__ = __int__


def test_the_average_asks_the_optimiser_once() -> None:
    """A fused optimiser counts on the device: reading its counts waits for all that the device still has to do."""
    made = nn.Linear(2, 2)
    average = WeightAverage(made, 0.9)
    optimiser = optimisers.adam(made.parameters(), MADE)
    learn(made, optimiser, range(3))
    average.follow(optimiser)
    for weight in made.parameters():
        optimiser.state[weight]["step"] = _Counted(optimiser.state[weight]["step"])
    before = average.network.weight.clone()
    average.follow(optimiser)
    expected = before.lerp(made.weight.detach(), 1 - min(0.9, (1 + 3) / (10 + 3)))  # the fourth step: three are done
    torch.testing.assert_close(average.network.weight, expected)
