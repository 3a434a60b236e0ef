"""HifiFace and its ablations as methods of the harness: cards, how to load them, how to train them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.hififace import teacher_files
from hifibench.hififace.config import Config, Variant
from hifibench.hififace.counts import count
from hifibench.hififace.teachers import layout
from hifibench.records import Cost
from hifibench.training import shipped

if TYPE_CHECKING:
    from torch import nn

    from hifibench.hififace.extractor import SidExtractor
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
        limits="128 pixels, so swaps are soft on large faces; trained for under an hour on two processor cores, on "
        "generated portraits, where the paper had days on four GPUs and photographs.",
        weights=shipped.digest(file),
    )


def _load(card: SwapperCard, file: Path, teachers: Mapping[str, str], device: str) -> Swapper:
    from hifibench.hififace import weights
    from hifibench.hififace.swapper import HifiFace

    if file.parent == TRAINED:
        shipped.need(file, card.name)
    return HifiFace(card, weights.load(file, device), _extractor(teachers, device))


def from_weights(name: str, file: Path) -> SwapperPlugin:
    """Weights of a training of one's own as a method.

    Args:
        name: its row in the tables.
        file: what ``hifibench train`` wrote.

    Raises:
        MissingError: there is no such file, or a network that it was trained with is not in the cache.
        UsageError: it holds something else.
    """
    from hifibench.hififace import weights

    said = weights.card(file)
    size, teachers = said["config"]["size"], said.get("teachers", {})
    for digest in _hashes(teachers):
        teacher_files.kept(digest)
    card = SwapperCard(
        name=name,
        summary=f"HifiFace {said['config']['variant']}, {said.get('steps', '?')} steps of {said.get('preset', '?')}",
        source=Crop("ffhq", size),
        target=Crop("ffhq", size),
        paper=PAPER,
        licence=f"code Apache-2.0; weights: {said.get('licence', 'those of the training data and the teachers')}",
        assets=_TEACHERS,
        trained_with=_trained_with(teachers),
        weights=shipped.digest(file),
    )
    return SwapperPlugin(card, partial(_load, card, file, teachers))


def _count(variant: Variant) -> Cost:
    from hifibench.hififace.presets import presets

    return count(_config(presets(variant)["lite"]))


def _training(variant: Variant) -> TrainerPlugin:
    from hifibench.hififace.presets import presets
    from hifibench.training.contract import TrainerPlugin

    return TrainerPlugin(presets(variant), _assets, lambda plan: count(_config(plan)), _make, _export, from_weights)


def _config(plan: Plan) -> Config:
    return Config(plan.size, plan.method["width"], plan.method["variant"], layout(plan.method["shape_model"]))


def _assets(plan: Plan) -> tuple[str, ...]:
    from hifibench.experts.perceptual import ASSETS

    return (*_TEACHERS, ASSETS[plan.method["lpips"]])


def _make(plan: Plan, device: str) -> Trainable:
    from hifibench.experts.perceptual import lpips_module
    from hifibench.hififace.losses import Weights
    from hifibench.hififace.method import HifiFaceTraining

    chosen: dict[str, Any] = dict(plan.method)
    teachers = _teachers(chosen)
    return HifiFaceTraining(
        _config(plan),
        _extractor(teachers, device),
        lpips_module(chosen["lpips"]),
        Weights(**chosen["weights"]),
        first_weights=Weights(**{**chosen["weights"], **chosen["first_weights"]}),
        first_steps=chosen["first_steps"],
        discriminator_width=chosen["discriminator_width"],
        r1=chosen["r1"],
        r1_every=chosen["r1_every"],
        cyc_every=chosen["cyc_every"],
        feather=chosen["feather"],
        teachers=teachers,
        device=device,
    )


def _export(generator: nn.Module, card: dict[str, Any], file: Path) -> None:
    from hifibench.hififace import weights
    from hifibench.hififace.generator import Generator

    assert isinstance(generator, Generator)
    weights.save(generator, card, file)


_FILES = ("shape_model_file", "bfm_file", "recogniser_file")


def _teachers(chosen: Mapping[str, Any]) -> dict[str, str]:
    """F_3d by name, and the user's files by hash; empty where all are the embedded ones."""
    files = {name: teacher_files.keep(Path(chosen[name])) for name in _FILES if chosen.get(name) is not None}
    return {"shape_model": chosen["shape_model"], **files} if files or chosen["shape_model"] != "3ddfa" else {}


def _hashes(teachers: Mapping[str, str]) -> list[str]:
    return [teachers[name] for name in _FILES if name in teachers]


def _trained_with(teachers: Mapping[str, str]) -> tuple[str, ...]:
    """The teachers as a card names them: the embedded ones as experts, the user's by content."""
    recogniser, shape = teachers.get("recogniser_file"), teachers.get("shape_model_file")
    return (f"sha256:{recogniser}" if recogniser else "w600k", f"sha256:{shape}" if shape else "3ddfa")


def _extractor(teachers: Mapping[str, str], device: str) -> SidExtractor:
    from hifibench.hififace.teachers import load_face_model, load_recogniser, make_extractor

    files = {name: teacher_files.kept(teachers[name]) for name in _FILES if name in teachers}
    face_model = load_face_model(
        teachers.get("shape_model", "3ddfa"),
        device,
        face_model_file=files.get("shape_model_file"),
        bfm_file=files.get("bfm_file"),
    )
    return make_extractor(face_model, load_recogniser(files.get("recogniser_file"), device), device)


plugins: dict[Variant, SwapperPlugin] = {
    variant: SwapperPlugin(
        card,
        partial(_load, card, weights_file(variant), {}),
        cache(partial(_training, variant)),
        partial(_count, variant),
    )
    for variant, card in ((variant, _card(variant)) for variant in _SUMMARY)
}
full, n3d, bare, blend, concat = (plugins[variant] for variant in ("full", "n3d", "bare", "blend", "concat"))
