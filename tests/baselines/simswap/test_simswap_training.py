"""SimSwap under training: who learns from what, when what is weighted how, and what comes out of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from simswap_tiny import TINY, images, recogniser

from baselines.simswap import FORM, from_weights, losses, simswap
from baselines.simswap.method import Schedule, SimSwapTraining, moved
from baselines.simswap.presets import PRESETS
from hifibench.errors import MissingError, UsageError
from hifibench.records import Status
from hifibench.training import weights
from hifibench.training.contract import Batch

DISCRIMINATOR = {"scales": 2, "layers": 2, "channels": 4}
FIRST, LATER = losses.Weights(3, 5, 7, 11), losses.Weights(2, 0.5, 0.25, 4)


def training(**changes: Any) -> SimSwapTraining:
    torch.manual_seed(0)
    chosen = {"first_weights": FIRST, "first_steps": 2, "wfm_from": 1, "gp": 1e-2, "gp_every": 2}
    schedule = Schedule(LATER, **chosen | changes)
    return SimSwapTraining(TINY, recogniser(), schedule, DISCRIMINATOR)


def batch() -> Batch:
    same = torch.tensor([True, False, False, True])
    return Batch(images(4, seed=1), images(4, seed=2), same, torch.ones(4, 1, 32, 32))


def taught(network: torch.nn.Module) -> set[str]:
    return {name for name, one in network.named_parameters() if one.grad is not None and one.grad.abs().max() > 0}


def test_each_turn_teaches_its_own_network_and_all_of_it() -> None:
    method = training()
    generator, discriminator = method.networks["generator"], method.networks["discriminator"]
    method.losses("generator", batch(), 0).total.backward()
    # What a batch norm follows needs no bias; of a bias before AdaIN the same is true.
    assert taught(generator) >= {name for name, one in generator.named_parameters() if one.dim() > 1}
    assert not taught(discriminator)
    generator.zero_grad(set_to_none=True)
    method.losses("discriminator", batch(), 0).total.backward()
    assert not taught(generator)
    assert taught(discriminator) >= {name for name, one in discriminator.named_parameters() if one.dim() > 1}


@pytest.mark.parametrize(("step", "expected"), [(0, FIRST), (1, FIRST), (2, LATER)])
def test_the_total_is_the_weighted_sum_of_its_parts(step: int, expected: losses.Weights) -> None:
    found = training().losses("generator", batch(), step)
    assert set(found.parts) == set(losses.Weights._fields)
    total = sum(getattr(expected, name) * value.item() for name, value in found.parts.items())
    assert found.total.item() == pytest.approx(total, rel=1e-5)


def test_the_losses_are_those_of_the_swap_the_source_and_the_target() -> None:
    method, given = training(), batch()
    found = method.losses("generator", given, 0).parts
    see, judge = recogniser(), method.networks["discriminator"]
    with torch.no_grad():
        v_s = see(given.source)
        i_r = method.networks["generator"](given.target, v_s)
        d_r, d_t = judge(i_r), judge(given.target)
        expected = {
            "id": losses.loss_id(see(i_r), v_s),
            "rec": losses.loss_rec(i_r, given.target, given.same),
            "adv": losses.loss_adv_g(d_r),
            "wfm": losses.loss_wfm(d_r, d_t, 1),
        }
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert method.watch()["id_cosine"].item() == pytest.approx(1 - expected["id"].item(), abs=1e-5)


def test_the_discriminator_calls_targets_real_and_swaps_not() -> None:
    method, given = training(gp=0.0), batch()
    method.losses("generator", given, 0)
    found = method.losses("discriminator", given, 0)
    judge = method.networks["discriminator"]
    with torch.no_grad():
        i_r = method.networks["generator"](given.target, recogniser()(given.source))
        expected = losses.loss_adv_d(judge(given.target), judge(i_r))
    assert found.total.item() == pytest.approx(expected.item(), rel=1e-4)
    assert set(found.parts) == {"adv_d"}


def test_the_penalty_comes_every_other_step_with_twice_its_weight() -> None:
    for step, expected in ((1, 0.0), (2, 2 * 1e-2)):
        method = training()
        method.losses("generator", batch(), step)
        found = method.losses("discriminator", batch(), step)
        assert ("gp" in found.parts) == (step == 2)
        penalty = found.parts.get("gp", torch.zeros(())).item()
        assert found.total.item() == pytest.approx(found.parts["adv_d"].item() + expected * penalty, rel=1e-5)


@pytest.mark.parametrize("every", [1, 3, 32])
def test_over_a_round_the_lazy_penalty_weighs_what_one_in_each_step_does(every: int) -> None:
    """Karras et al. (CVPR 2020), Appendix B: every k-th step, times k. All steps mix the same images."""
    extra = []
    for step in range(2 * every, 3 * every):
        method = training(gp=0.5, gp_every=every)
        method._swap = images(4, seed=3)
        torch.manual_seed(1)
        found = method.losses("discriminator", batch(), step)
        extra.append(found.total.item() - found.parts["adv_d"].item())
        if "gp" in found.parts:
            penalty = found.parts["gp"].item()
    assert sum(extra) / every == pytest.approx(0.5 * penalty, rel=1e-3) and penalty > 0
    assert sum(one != 0 for one in extra) == 1


def test_what_the_recogniser_sees_is_moved_by_all_steps_up_to_the_most_and_mirrored_half_the_time() -> None:
    """Every pixel holds its own place, so where it went can be read off."""
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    image = torch.stack([rows, columns, columns]).expand(2, -1, -1, -1)
    seen = set()
    for seed in range(200):
        torch.manual_seed(seed)
        made = moved(image, 1)
        assert torch.equal(made[0], made[1])
        row, column, _ = made[0]
        mirrored = bool(column[4, 5] < column[4, 2])
        column = column.flip(1) if mirrored else column
        down, right = int(row[4, 4]) - 4, int(column[4, 4]) - 4
        assert torch.equal(row, (rows + down).clamp(0, 7))
        assert torch.equal(column, (columns + right).clamp(0, 7))
        seen.add((down, right, mirrored))
    assert len(seen) == 3 * 3 * 2
    assert torch.equal(moved(image, 0), image)


def test_the_recogniser_sees_the_moved_swap() -> None:
    plain, jittery = training(), training(jitter=3)
    states = {name: one.state_dict() for name, one in plain.networks.items()}
    for name, one in jittery.networks.items():
        one.load_state_dict(states[name])
    values = [plain.losses("generator", batch(), 0).parts]
    for seed in range(4):
        torch.manual_seed(seed)
        values.append(jittery.losses("generator", batch(), 0).parts)
    assert len({round(one["id"].item(), 7) for one in values}) > 3
    for name in ("rec", "adv", "wfm"):
        assert max(one[name].item() for one in values) == pytest.approx(values[0][name].item(), rel=1e-5)


def test_the_discriminator_cannot_go_first() -> None:
    with pytest.raises(RuntimeError, match="after the generator's"):
        training().losses("discriminator", batch(), 0)


def test_swaps_for_the_grid_are_those_of_running_statistics_and_leave_them_alone() -> None:
    method, given = training(), batch()
    generator = method.networks["generator"]
    method.losses("generator", given, 0)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    together = method.swap(given.source, given.target)
    alone = method.swap(given.source[:1], given.target[:1])
    torch.testing.assert_close(alone[0], together[0], atol=1e-5, rtol=0)
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert generator.training


def test_a_few_steps_bring_the_swap_nearer_to_the_source() -> None:
    method, given = training(first_weights=losses.Weights(10, 1, 0.1, 0.1), first_steps=60), batch()
    optimisers = {turn: torch.optim.Adam(method.networks[turn].parameters(), lr=3e-3) for turn in method.turns}
    history = []
    for step in range(60):
        for turn in method.turns:
            found = method.losses(turn, given, step)
            optimisers[turn].zero_grad()
            found.total.backward()
            optimisers[turn].step()
            if turn == "generator":
                history.append(found.parts["id"].item())
    assert sum(history[-5:]) / 5 < 0.7 * sum(history[:5]) / 5


def test_presets_differ_from_the_paper_only_where_they_say() -> None:
    paper, lite = PRESETS["paper-224"], PRESETS["lite"]
    assert (paper.size, paper.same_identity, paper.average) == (224, 0.5, 0.0)
    assert {(one.lr, one.betas) for one in paper.optimisers.values()} == {(4e-4, (0.0, 0.999))}
    assert paper.method["weights"] == losses.Weights()._asdict() and paper.method["gp"] == 1e-5
    assert (lite.size, lite.batch, lite.steps, lite.flip) == (128, 8, 2_500, True)
    assert set(paper.method) == set(lite.method)


def test_exported_weights_swap_as_the_trained_network_does(tmp_path: Path) -> None:
    assert simswap.training is not None
    plugin = simswap.training()
    lite = plugin.presets["lite"]
    plan = replace(lite, size=32, method={**lite.method, "width": 1 / 64, "blocks": 1})
    method = plugin.make(plan, "cpu")
    method.losses("generator", batch(), 0)
    file = tmp_path / "mine.safetensors"
    plugin.export(method.networks["generator"], {"steps": 1, "preset": "lite", "licence": "mine"}, file)

    opened = from_weights("mine", file)
    assert opened.card.name == "mine" and opened.card.target.size == 32 and "mine" in opened.card.licence
    swapper, given = opened.load("cpu"), batch()
    swap = swapper.swap(given.source, given.target)  # type: ignore[union-attr]
    assert swap.mask is None and swap.status == (Status.OK,) * 4 and swap.image.dtype == torch.float32
    torch.testing.assert_close(swap.image, method.swap(given.source, given.target), atol=2e-3, rtol=0)
    cost = swapper.cost()  # type: ignore[union-attr]
    assert cost.params_trainable == plugin.count(plan).params_trainable
    assert cost.macs is not None and cost.macs > (plugin.count(plan).macs or 0)


def test_weights_of_another_method_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    weights.save(torch.nn.Linear(2, 2), "hifibench other 1", {}, {}, file)
    with pytest.raises(UsageError, match=f"expected '{FORM}'"):
        from_weights("mine", file)
    with pytest.raises(MissingError, match="There are no weights"):
        from_weights("mine", tmp_path / "none.safetensors")
