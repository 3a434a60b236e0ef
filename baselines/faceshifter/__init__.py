"""FaceShifter (Li et al., CVPR 2020), trained here in both stages, and GHOST, a public rebuild of the first one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.faceshifter.ghost import ghost
from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.records import Cost
from hifibench.training import shipped

if TYPE_CHECKING:
    from torch import nn

    from baselines.faceshifter.config import Config
    from hifibench.training.contract import Plan, Trainable, TrainerPlugin

__all__ = ["faceshifter", "from_weights", "ghost"]

FORM = "hifibench faceshifter 1"
"""Of files of weights (`hifibench.training.weights`)."""

WEIGHTS = Path(__file__).with_name("trained") / "faceshifter.safetensors"
"""Weights that come with the package."""

PAPER = (
    "L. Li et al., FaceShifter: Towards high fidelity and occlusion aware face swapping, CVPR 2020 (arXiv:1912.13457)"
)
VERSION = 2
"""Of what the code computes, for all weights: source and target are looked at one by one since."""
_CARD = replace(
    shipped.lite_card(
        "faceshifter",
        "FaceShifter lite, both stages (AEI-Net, HEAR-Net)",
        PAPER,
        "where the paper had 550,000 steps on four GPUs and photographs. Coloured noise stands around some faces. Its "
        "second stage learned occlusions from plain shapes.",
        WEIGHTS,
    ),
    version=VERSION,
)


def _load(card: SwapperCard, file: Path, device: str) -> Swapper:
    import torch

    from baselines.faceshifter.config import Config
    from baselines.faceshifter.network import FaceShifterNet
    from baselines.faceshifter.swapper import FaceShifter
    from hifibench.training import recogniser, weights

    if file == WEIGHTS:
        shipped.need(file, card.name)
    network = FaceShifterNet(Config(**weights.card(file, FORM)["config"]))
    weights.fill(network, file)
    network.to(device).to(memory_format=torch.channels_last)
    return FaceShifter(card, network, recogniser.w600k(card.source, device))


def from_weights(name: str, file: Path) -> SwapperPlugin:
    """Weights of a training of one's own as a method: `hifibench.training.shipped.own`."""
    return shipped.own(name, file, FORM, "FaceShifter", PAPER, _load, VERSION)


def _count() -> Cost:
    from baselines.faceshifter.network import count
    from baselines.faceshifter.presets import LITE

    return count(_config(LITE))


@cache
def _training() -> TrainerPlugin:
    from baselines.faceshifter.network import count
    from baselines.faceshifter.presets import PRESETS
    from hifibench.training.contract import TrainerPlugin

    return TrainerPlugin(
        PRESETS, lambda plan: shipped.ASSETS, lambda plan: count(_config(plan)), _make, _export, from_weights
    )


def _config(plan: Plan) -> Config:
    from baselines.faceshifter.config import Config

    shape = ("base", "generator_base", "widest", "blocks", "tanh", "hear_base", "hear_widest", "hear_depth")
    return Config(plan.size, **{name: plan.method[name] for name in shape})


def _make(plan: Plan, device: str) -> Trainable:
    from baselines.faceshifter.losses import Weights
    from baselines.faceshifter.method import TEMPLATE, FaceShifterTraining, Stages
    from hifibench.training import recogniser

    chosen = plan.method
    stages = Stages(
        weights=Weights(**chosen["weights"]),
        hear_from=chosen["hear_from"],
        first_steps=chosen["first_steps"],
        first_weights=Weights(**{**chosen["weights"], **chosen["first_weights"]}),
        occluded=chosen["occluded"],
    )
    z_id = recogniser.w600k(Crop(TEMPLATE, plan.size), device)
    return FaceShifterTraining(_config(plan), z_id, stages, chosen["discriminator"], device)


def _export(generator: nn.Module, card: dict[str, Any], file: Path) -> None:
    from dataclasses import asdict

    from baselines.faceshifter.network import FaceShifterNet
    from hifibench.training import weights

    assert isinstance(generator, FaceShifterNet)
    weights.save(generator, FORM, asdict(generator.config), card, file)


faceshifter = SwapperPlugin(_CARD, partial(_load, _CARD, WEIGHTS), _training, _count)
