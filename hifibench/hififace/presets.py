"""The presets of ``hifibench train hififace``: the paper's settings, and one that a processor can do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hifibench.hififace.config import Variant
from hifibench.training.contract import Optimiser, Plan

_PAPER = {"generator": Optimiser(), "discriminator": Optimiser()}
_LITE = {"generator": Optimiser(lr=5e-4), "discriminator": Optimiser(lr=4e-4)}


def _method(**changes: Any) -> dict[str, Any]:
    return {
        "variant": "full",
        "width": 1.0,
        "discriminator_width": 1.0,
        "r1": 1.0,
        "r1_every": 1,
        "cyc_every": 1,
        "feather": 0.0,
        "lpips": "vgg",
        # F_3d and F_id: the embedded ones, or the user's files (`hifibench.hififace.teachers`).
        "shape_model": "3ddfa",
        "shape_model_file": None,
        "bfm_file": None,
        "recogniser_file": None,
        "first_steps": 0,
        "first_weights": {},
        "weights": {"shape": 0.5, "id": 5.0, "seg": 100.0, "rec": 20.0, "cyc": 1.0, "lpips": 5.0, "adv": 1.0},
    } | changes


PAPER_256 = Plan("paper-256", size=256, batch=32, steps=200_000, optimisers=_PAPER, method=_method())
"""Sec. 4.1: batch 32, Adam with betas 0 and 0.99 and a rate of 1e-4, 200 K steps, half of the pairs of one person."""

PAPER_512 = replace(PAPER_256, name="paper-512", size=512)
"""Ours-512: one more block."""

LITE = Plan(
    "lite",
    size=128,
    batch=8,
    steps=2_500,
    optimisers=_LITE,
    same_identity=0.25,
    flip=True,
    average=0.998,
    method=_method(
        width=0.25,
        discriminator_width=0.125,
        r1_every=16,
        cyc_every=4,
        feather=1 / 32,
        lpips="alex",
        # Identity and mask first, which is quick; then what is the target's. All at once, the target's look wins
        # early and identity is learned several times later; so it is with masks that are soft from the start.
        first_steps=1000,
        first_weights={"shape": 20.0, "id": 10.0, "seg": 60.0, "rec": 20.0, "cyc": 1.0, "lpips": 5.0, "adv": 0.5},
        weights={"shape": 80.0, "id": 6.0, "seg": 60.0, "rec": 80.0, "cyc": 5.0, "lpips": 12.0, "adv": 1.0},
    ),
)
"""What two processor cores learn in half an hour from generated portraits."""


def presets(variant: Variant) -> dict[str, Plan]:
    """The presets of a variant: they differ in the variant alone, so that an ablation compares equal budgets."""
    return {
        plan.name: replace(plan, method={**plan.method, "variant": variant}) for plan in (PAPER_256, PAPER_512, LITE)
    }
