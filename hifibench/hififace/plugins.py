"""HifiFace and its ablations as methods of the harness: cards, how to load them, how to train them."""

from __future__ import annotations

import hashlib
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.hififace.config import TDDFA, Config, Variant
from hifibench.hififace.counts import count
from hifibench.records import Cost

if TYPE_CHECKING:
    from torch import nn

    from hifibench.training.contract import Plan, Trainable, TrainerPlugin

TRAINED = Path(__file__).with_name("trained")
"""Weights that come with the package."""

PAPER = (
    "Y. Wang et al., HifiFace: 3D shape and semantic prior guided high fidelity face swapping, IJCAI 2021 "
    "(arXiv:2106.09965)"
)
_TEACHERS = ("w600k-mbf", "tddfa-mb1", "tddfa-param-stats", "tddfa-bfm")
_SUMMARY: dict[Variant, str] = {
    "full": "3D shape-aware identity, semantic facial fusion",
    "n3d": "identity vector alone in place of the shape-aware identity (Fig. 7)",
    "bare": "no fusion with the target (Fig. 8)",
    "blend": "fusion of images only (Fig. 8)",
    "concat": "fusion of features by concatenation, without a mask (Fig. 8)",
}


def method(variant: Variant) -> str:
    """The variant's name in tables: ``hififace``, ``hififace-n3d`` and so on."""
    return "hififace" if variant == "full" else f"hififace-{variant}"


def weights_file(variant: Variant) -> Path:
    """Where the weights that come with the package lie."""
    return TRAINED / f"{method(variant)}.safetensors"


def _card(variant: Variant) -> SwapperCard:
    file = weights_file(variant)
    return SwapperCard(
        name=method(variant),
        summary=f"HifiFace lite, {_SUMMARY[variant]}; trained on generated portraits",
        source=Crop("ffhq", 128),
        target=Crop("ffhq", 128),
        paper=PAPER,
        licence="code Apache-2.0; weights: research only, as their teachers and training images",
        assets=_TEACHERS,
        trained_with=("w600k", "3ddfa"),
        limits="128 pixels, so swaps are soft on large faces; trained for hours on two processor cores and generated "
        "portraits, where the paper had days on four GPUs and photographs.",
        weights=hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "",
    )


def _load(variant: Variant, device: str) -> Swapper:
    from hifibench.hififace import weights
    from hifibench.hififace.swapper import HifiFace

    generator = weights.load(weights_file(variant), device)
    return HifiFace(plugins[variant].card, generator, _extractor(device))


def _count(variant: Variant) -> Cost:
    from hifibench.hififace.presets import presets

    return count(_config(presets(variant)["lite"]))


def _training(variant: Variant) -> TrainerPlugin:
    from hifibench.hififace.presets import presets
    from hifibench.training.contract import TrainerPlugin

    return TrainerPlugin(presets(variant), _assets, lambda plan: count(_config(plan)), _make, _export)


def _config(plan: Plan) -> Config:
    return Config(plan.size, plan.method["width"], plan.method["variant"], TDDFA)


def _assets(plan: Plan) -> tuple[str, ...]:
    from hifibench.experts.perceptual import ASSETS

    return (*_TEACHERS, ASSETS[plan.method["lpips"]])


def _make(plan: Plan, device: str) -> Trainable:
    from hifibench.experts.perceptual import lpips_module
    from hifibench.hififace.losses import Weights
    from hifibench.hififace.method import HifiFaceTraining

    chosen: dict[str, Any] = dict(plan.method)
    return HifiFaceTraining(
        _config(plan),
        _extractor(device),
        lpips_module(chosen["lpips"]),
        Weights(**chosen["weights"]),
        chosen["discriminator_width"],
        chosen["r1"],
        chosen["r1_every"],
        device,
    )


def _export(generator: nn.Module, card: dict[str, Any], file: Path) -> None:
    from hifibench.hififace import weights
    from hifibench.hififace.generator import Generator

    assert isinstance(generator, Generator)
    weights.save(generator, card, file)


def _extractor(device: str) -> Any:
    from hifibench.experts.recognition import w600k_module
    from hifibench.hififace.extractor import SidExtractor, TddfaModel

    return SidExtractor(TddfaModel(device), w600k_module(device))


plugins: dict[Variant, SwapperPlugin] = {
    variant: SwapperPlugin(
        _card(variant), partial(_load, variant), cache(partial(_training, variant)), partial(_count, variant)
    )
    for variant in _SUMMARY
}
full, n3d, bare, blend, concat = (plugins[variant] for variant in ("full", "n3d", "bare", "blend", "concat"))
