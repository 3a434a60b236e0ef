"""The presets of ``hifibench train faceshifter``: the paper's settings, and one that a processor can do."""

from __future__ import annotations

from typing import Any

from hifibench.training.contract import Optimiser, Plan

_PAPER = dict.fromkeys(("generator", "discriminator"), Optimiser(lr=4e-4, betas=(0.0, 0.999)))
_LITE = {"generator": Optimiser(lr=5e-4), "discriminator": Optimiser(lr=4e-4)}
_HEAR = {"hear_id": 1.0, "hear_chg": 1.0, "hear_rec": 1.0}


def _method(**changes: Any) -> dict[str, Any]:
    return {
        # Shape of the networks (`baselines.faceshifter.config.Config`).
        "base": 32,
        "generator_base": 64,
        "widest": 1024,
        "blocks": 2,
        "tanh": True,
        "hear_base": 64,
        "hear_widest": 512,
        "hear_depth": 5,
        "discriminator": {"scales": 3, "layers": 4, "channels": 64},
        # The two stages (`baselines.faceshifter.method.Stages`).
        "hear_from": 500_000,
        "occluded": 0.5,
        "first_steps": 0,
        "first_weights": {},
        "weights": {"adv": 1.0, "att": 10.0, "id": 5.0, "rec": 10.0, **_HEAR},
    } | changes


PAPER_256 = Plan("paper-256", size=256, batch=32, steps=550_000, optimisers=_PAPER, same_identity=0.2, method=_method())
"""Sec. 4: 500 K steps of AEI-Net and 50 K of HEAR-Net, 4 x 8 images, Adam with betas 0 and 0.999 and
a rate of 4e-4, a fifth of the sources being the targets themselves (half of them for HEAR-Net).

Open in the paper: the discriminators' depth (here pix2pixHD's), the share of occluded targets, and the norms of its
losses (here means, as in the rebuilds). Other than there, z_id is that of the embedded recogniser, HEAR-Net sees all
images and not the tenth with the largest errors, and the occlusions are plain shapes.
"""

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
        base=16,
        generator_base=16,
        widest=112,
        hear_base=16,
        hear_widest=96,
        hear_depth=4,
        discriminator={"scales": 2, "layers": 3, "channels": 16},
        hear_from=2_100,
        # Identity first, which the target's look would otherwise keep out for long.
        first_steps=800,
        first_weights={"adv": 0.3, "att": 1.0, "id": 10.0, "rec": 40.0},
        weights={"adv": 0.5, "att": 5.0, "id": 10.0, "rec": 100.0, "hear_id": 5.0, "hear_chg": 1.0, "hear_rec": 60.0},
    ),
)
"""What two processor cores learn in half an hour from generated portraits: the budget of HifiFace's ``lite``."""

PRESETS = {plan.name: plan for plan in (PAPER_256, LITE)}
