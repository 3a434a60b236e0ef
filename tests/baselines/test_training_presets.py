"""The papers' presets are the papers' settings; what is worked out lazily is so in `lite` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from baselines.faceshifter.presets import PRESETS as FACESHIFTER
from baselines.simswap.presets import PRESETS as SIMSWAP
from hifibench.hififace.presets import presets
from hifibench.training.contract import Optimiser, Plan

HIFIFACE = presets("full")


@pytest.mark.parametrize(
    ("plan", "size", "batch", "steps", "adam", "same_identity"),
    [
        # Wang et al. 2021, Sec. 4.1; Chen et al. 2020, Sec. 3.3 and 4; Li et al. 2020, Sec. 4.
        (HIFIFACE["paper-256"], 256, 32, 200_000, Optimiser(1e-4, (0.0, 0.99)), 0.5),
        (HIFIFACE["paper-512"], 512, 32, 200_000, Optimiser(1e-4, (0.0, 0.99)), 0.5),
        (SIMSWAP["paper-224"], 224, 16, 1_000_000, Optimiser(4e-4, (0.0, 0.999)), 0.5),
        (FACESHIFTER["paper-256"], 256, 32, 550_000, Optimiser(4e-4, (0.0, 0.999)), 0.2),
    ],
)
def test_the_papers_presets_are_as_printed(
    plan: Plan, size: int, batch: int, steps: int, adam: Optimiser, same_identity: float
) -> None:
    assert (plan.size, plan.batch, plan.steps) == (size, batch, steps)
    assert dict(plan.optimisers) == {"generator": adam, "discriminator": adam}
    assert plan.same_identity == same_identity and not plan.flip and plan.average == 0
    assert plan.method["first_steps"] == 0


def lazy(plan: Plan) -> dict[str, int]:
    return {name: value for name, value in plan.method.items() if name.endswith("_every")}


@pytest.mark.parametrize(
    ("made", "expected"),
    [(HIFIFACE, {"r1_every": 16, "cyc_every": 4}), (SIMSWAP, {"gp_every": 32}), (FACESHIFTER, {})],
)
def test_only_the_small_presets_leave_out_penalties_in_between(
    made: Mapping[str, Plan], expected: dict[str, int]
) -> None:
    for name, plan in made.items():
        assert lazy(plan) == (expected if name == "lite" else dict.fromkeys(expected, 1)), name


def test_the_papers_weights_of_the_losses() -> None:
    assert HIFIFACE["paper-256"].method["weights"] == {
        "shape": 0.5,
        "id": 5.0,
        "seg": 100.0,
        "rec": 20.0,
        "cyc": 1.0,
        "lpips": 5.0,
        "adv": 1.0,
    }
    assert HIFIFACE["paper-512"] == replace(HIFIFACE["paper-256"], name="paper-512", size=512)
    chosen = SIMSWAP["paper-224"].method
    assert chosen["weights"] == {"id": 10.0, "rec": 10.0, "adv": 1.0, "wfm": 10.0} and chosen["gp"] == 1e-5
    paper = FACESHIFTER["paper-256"].method["weights"]
    assert [paper[name] for name in ("adv", "att", "id", "rec")] == [1.0, 10.0, 5.0, 10.0]
