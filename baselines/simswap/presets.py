"""The presets of ``hifibench train simswap``: the paper's settings, and one that a processor can do."""

from __future__ import annotations

from typing import Any

from hifibench.training.contract import Optimiser, Plan

_PAPER = dict.fromkeys(("generator", "discriminator"), Optimiser(lr=4e-4, betas=(0.0, 0.999)))
_LITE = {"generator": Optimiser(lr=5e-4), "discriminator": Optimiser(lr=4e-4)}


def _method(**changes: Any) -> dict[str, Any]:
    return {
        # Shape of the networks (`baselines.simswap.config.Config`).
        "width": 1.0,
        "blocks": 9,
        "identity_scale": 1.0,
        "momentum": 0.1,
        "discriminator": {"scales": 2, "layers": 4, "channels": 64},
        # What is minimised (`baselines.simswap.method.Schedule`).
        "wfm_from": 3,
        "gp": 1e-5,
        "gp_every": 1,
        "jitter": 0,
        "first_steps": 0,
        "first_weights": {},
        "weights": {"id": 10.0, "rec": 10.0, "adv": 1.0, "wfm": 10.0},
    } | changes


PAPER_224 = Plan("paper-224", size=224, batch=16, steps=1_000_000, optimisers=_PAPER, method=_method())
"""Sec. 3.3 and 4: 224 pixels, Adam with betas 0 and 0.999 and a rate of 4e-4, weights 10, 10, 1e-5 and 10.

Open in the paper: the batch and the number of steps (it says more than 500 epochs; here those of the authors' training
code), and m of weak feature matching (here the last two of the discriminators' five layers). Other than there, batches
of one person and of two do not take turns: half of the pairs of each batch show one person. The identity is that of the
embedded recogniser, and crops are FFHQ's.
"""

LITE = Plan(
    "lite",
    size=128,
    batch=8,
    steps=2_500,
    optimisers=_LITE,
    same_identity=0.25,
    flip=True,
    average=0.995,
    method=_method(
        width=0.25,
        blocks=6,
        identity_scale=512**0.5,
        momentum=0.01,
        discriminator={"scales": 2, "layers": 3, "channels": 16},
        wfm_from=2,
        gp_every=32,
        # Identity first, which the target's look would otherwise keep out for long.
        first_steps=800,
        first_weights={"id": 10.0, "rec": 20.0, "adv": 0.3, "wfm": 2.0},
        weights={"id": 10.0, "rec": 40.0, "adv": 0.5, "wfm": 8.0},
    ),
)
"""What two processor cores learn in half an hour from generated portraits: the budget of HifiFace's ``lite``."""

PRESETS = {plan.name: plan for plan in (PAPER_224, LITE)}
