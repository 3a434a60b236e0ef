from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_training import PLAN, SIZE, Tiny, assert_same
from torch import Tensor, nn

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.training import memory
from hifibench.training.contract import Batch, Losses
from hifibench.training.memory import MARGIN, Need

PIXELS = SIZE * SIZE
FLOAT = 4


class Squares:
    """Keeps for the backward pass what can be counted by hand: the output of a convolution, which is squared."""

    turns = ("generator", "discriminator")
    crop = Crop("ffhq", SIZE)
    settings: Mapping[str, object] = {}

    def __init__(self) -> None:
        self.networks: Mapping[str, nn.Module] = {
            "generator": nn.Conv2d(3, 5, 1, bias=False),
            "discriminator": nn.Conv2d(3, 11, 1, bias=False),
        }
        self.frozen = [nn.Linear(7, 3).requires_grad_(False)]

    def losses(self, turn: str, batch: Batch, step: int) -> Losses:
        made = self.networks[turn](batch.target)
        return Losses(made.square().sum(), {})

    def swap(self, source: Tensor, target: Tensor) -> Tensor:
        return target

    def watch(self) -> Mapping[str, Tensor]:
        return {}

    def compile(self) -> None:
        pass


def random_state() -> Tensor:
    return torch.random.get_rng_state()


def test_what_is_needed_is_what_is_counted_by_hand() -> None:
    trained, frozen = 3 * 5 + 3 * 11, 7 * 3 + 3
    found = memory.need(Squares(), replace(PLAN, average=0.9))
    assert found.held == FLOAT * (trained + frozen)
    assert found.fixed == FLOAT * (3 * trained + 3 * 5)  # a gradient and two moments each; the averaged generator
    assert found.pair == FLOAT * 11 * PIXELS  # the turns come one after the other: the larger one counts
    assert memory.need(Squares(), replace(PLAN, average=0.0)).fixed == FLOAT * 3 * trained
    assert memory.needed(Squares(), PLAN, 6) == round(found.held + MARGIN * (found.fixed + 6 * found.pair))


def test_tensors_that_share_their_memory_count_once() -> None:
    class Twice(Squares):
        def losses(self, turn: str, batch: Batch, step: int) -> Losses:
            made = self.networks[turn](batch.target)
            return Losses(made.square().sum() + made.transpose(1, 2).square().sum() + made[:, :2].square().sum(), {})

    assert memory.need(Twice(), PLAN).pair == memory.need(Squares(), PLAN).pair


def test_a_second_derivative_keeps_more() -> None:
    class Penalised(Squares):
        def losses(self, turn: str, batch: Batch, step: int) -> Losses:
            real = batch.target.detach().requires_grad_()
            made = self.networks[turn](real).square().square()
            (gradient,) = torch.autograd.grad(made.sum(), real, create_graph=True)
            return Losses(gradient.square().sum(), {})

    assert memory.need(Penalised(), PLAN).pair >= 4 * memory.need(Squares(), PLAN).pair


def test_the_trial_changes_nothing() -> None:
    method = Tiny(PLAN)
    state = {name: one.state_dict() for name, one in method.networks.items()}
    before = {f"{name}.{key}": value.clone() for name, one in state.items() for key, value in one.items()}
    drawn = random_state()
    assert memory.needed(method, PLAN, 4) > 0
    assert_same(before, {f"{name}.{key}": value for name, one in state.items() for key, value in one.items()})
    assert torch.equal(random_state(), drawn)
    assert all(one.grad is None for network in method.networks.values() for one in network.parameters())


def test_what_fits_passes_and_what_does_not_is_told_which_batch_would() -> None:
    plan = replace(PLAN, batch=4096)
    free = 20_000_000
    with pytest.raises(
        UsageError, match=r"preset tiny needs 0\.1 GB for a batch of 4096, and cpu has 0\.0 GB"
    ) as caught:
        memory.check(Squares(), plan, "cpu", 1, free)
    batch = int(re.search(r"--batch (\d+) would fit", str(caught.value))[1])
    assert batch == int(20_000_000 / MARGIN / (FLOAT * 11 * PIXELS))  # little else counts
    memory.check(Squares(), replace(plan, batch=batch), "cpu", 1, free)
    with pytest.raises(UsageError, match=f"--batch {batch} would fit"):
        memory.check(Squares(), replace(plan, batch=batch + 1), "cpu", 1, free)


def test_processes_on_a_processor_share_its_memory() -> None:
    free = 20_000_000
    with pytest.raises(UsageError, match="in each of 4 processes") as caught:
        memory.check(Squares(), replace(PLAN, batch=4096), "cpu", 4, free)
    batch = int(re.search(r"--batch (\d+) would fit", str(caught.value))[1])
    assert batch % 4 == 0
    memory.check(Squares(), replace(PLAN, batch=batch), "cpu", 4, free)
    with pytest.raises(UsageError):
        memory.check(Squares(), replace(PLAN, batch=batch + 4), "cpu", 4, free)


def test_it_is_said_where_no_batch_fits() -> None:
    free = 1000
    with pytest.raises(UsageError, match="no batch would fit: take a smaller preset"):
        memory.check(Squares(), PLAN, "cpu", 1, free)


@pytest.mark.parametrize("keeps", [32, 0])
def test_a_trial_that_does_not_fit_itself_is_given_up(keeps: int) -> None:
    reached = []

    class Large(Squares):
        def losses(self, turn: str, batch: Batch, step: int) -> Losses:
            made = self.networks[turn](batch.target)
            for _ in range(keeps):  # each keeps its input for the backward pass
                made = made.square()
            if not keeps:
                raise torch.OutOfMemoryError
            reached.append(made)
            return Losses(made.sum(), {})

    free = 30_000
    with pytest.raises(UsageError, match=r"needs more than 0\.0 GB for one pair alone.* no batch would fit"):
        memory.check(Large(), PLAN, "cpu", 1, free)
    assert not reached


def test_need_is_linear_in_the_pairs_and_its_own_inverse() -> None:
    need = Need(held=1000, fixed=500, pair=70)
    assert need.total(3) - need.total(2) == pytest.approx(MARGIN * 70, abs=1)
    for free in (0, 600, 650, 741, 742, 10_000):
        pairs = need.pairs_in(free)
        assert pairs == 0 or need.more(pairs) <= free + 1
        assert need.more(pairs + 1) > free - 1


def test_this_machine_has_memory() -> None:
    assert memory.free_bytes("cpu") > 100_000_000


@pytest.mark.parametrize(("limit", "left"), [("1000000", 250_000), ("500", 0), ("max", None)])
def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, left: int) -> None:
    whole = memory.free_bytes("cpu")
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("750000\n")
    monkeypatch.setattr(memory, "_CONTROL_GROUP", tmp_path)
    free = memory.free_bytes("cpu")
    assert free == left if left is not None else abs(free - whole) < whole / 2
