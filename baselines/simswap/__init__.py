"""SimSwap (Chen et al., ACM Multimedia 2020): trained here, and by its authors' own weights."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.simswap.config import Config
from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.records import Cost
from hifibench.training import shipped

if TYPE_CHECKING:
    from torch import nn

    from hifibench.training.contract import Plan, Trainable, TrainerPlugin

FORM = "hifibench simswap 1"
"""Of files of weights (`hifibench.training.weights`)."""

WEIGHTS = Path(__file__).with_name("trained") / "simswap.safetensors"
"""Weights that come with the package."""

PAPER = (
    "R. Chen et al., SimSwap: An efficient framework for high fidelity face swapping, ACM Multimedia 2020 "
    "(arXiv:2106.06340)"
)
_CARD = shipped.lite_card(
    "simswap",
    "SimSwap lite, identity injection and weak feature matching",
    PAPER,
    "where the paper had more than 500 epochs of VGGFace2. Marks stand near some mouths; expression follows the target "
    "weakly.",
    WEIGHTS,
)


def _load(card: SwapperCard, file: Path, device: str) -> Swapper:
    import torch

    from baselines.simswap.generator import Generator
    from baselines.simswap.swapper import SimSwap
    from hifibench.training import recogniser, weights

    if file == WEIGHTS:
        shipped.need(file, card.name)
    generator = Generator(Config(**weights.card(file, FORM)["config"]))
    weights.fill(generator, file)
    generator.to(device).to(memory_format=torch.channels_last)
    return SimSwap(card, generator, recogniser.w600k(card.source, device))


def from_weights(name: str, file: Path) -> SwapperPlugin:
    """Weights of a training of one's own as a method: `hifibench.training.shipped.own`."""
    return shipped.own(name, file, FORM, "SimSwap", PAPER, _load)


def _count() -> Cost:
    from baselines.simswap.generator import count
    from baselines.simswap.presets import LITE

    return count(_config(LITE))


@cache
def _training() -> TrainerPlugin:
    from baselines.simswap.generator import count
    from baselines.simswap.presets import PRESETS
    from hifibench.training.contract import TrainerPlugin

    return TrainerPlugin(
        PRESETS, lambda plan: shipped.ASSETS, lambda plan: count(_config(plan)), _make, _export, from_weights
    )


def _config(plan: Plan) -> Config:
    return Config(plan.size, **{name: plan.method[name] for name in ("width", "blocks", "identity_scale", "momentum")})


def _make(plan: Plan, device: str) -> Trainable:
    from baselines.simswap.losses import Weights
    from baselines.simswap.method import TEMPLATE, Schedule, SimSwapTraining
    from hifibench.training import recogniser

    chosen = plan.method
    schedule = Schedule(
        Weights(**chosen["weights"]),
        Weights(**{**chosen["weights"], **chosen["first_weights"]}),
        **{name: chosen[name] for name in ("first_steps", "wfm_from", "gp", "gp_every", "jitter")},
    )
    identity = recogniser.w600k(Crop(TEMPLATE, plan.size), device)
    return SimSwapTraining(_config(plan), identity, schedule, chosen["discriminator"], device)


def _export(generator: nn.Module, card: dict[str, Any], file: Path) -> None:
    from dataclasses import asdict

    from baselines.simswap.generator import Generator
    from hifibench.training import weights

    assert isinstance(generator, Generator)
    weights.save(generator, FORM, asdict(generator.config), card, file)


simswap = SwapperPlugin(_CARD, partial(_load, _CARD, WEIGHTS), _training, _count)


def __getattr__(name: str) -> SwapperPlugin:
    """``simswap_224`` and ``simswap_512``: made when asked for, since their cards read the user's files."""
    from baselines.simswap.published import GENERATORS, plugin

    method = name.replace("_", "-")
    if method not in GENERATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return plugin(method)
