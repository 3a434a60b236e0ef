"""The HifiFace that a study looks into: a method by name, or weights in a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hifibench import registry
from hifibench.contracts import Crop, SwapperCard
from hifibench.errors import UsageError
from hifibench.hififace import weights
from hifibench.hififace.config import TDDFA
from hifibench.hififace.method import TEMPLATE
from hifibench.hififace.plugins import plugins
from hifibench.hififace.swapper import HifiFace
from hifibench.hififace.teachers import load_face_model, load_recogniser, make_extractor


def by_name(method: str, device: str) -> HifiFace:
    """A registered method.

    Raises:
        UsageError: there is no such method, or it is no HifiFace.
        MissingError: it has no weights.
    """
    swapper = registry.swappers.get(method).load(device)
    if not isinstance(swapper, HifiFace):
        known = ", ".join(plugin.card.name for plugin in plugins.values())
        raise UsageError(f"{method} is no HifiFace, and a study looks at what only that has. Known: {known}.")
    return swapper


def from_file(file: Path, device: str) -> HifiFace:
    """Weights that a training wrote, with the embedded 3D face model and recogniser.

    Raises:
        UsageError: the file is broken, holds something else, or a generator for another 3D face model.
        MissingError: there is no such file, or a network that it needs cannot be had.
    """
    generator = weights.load(file, device)
    config = generator.config
    if config.face_model != TDDFA:
        raise UsageError(
            f"The generator in {file} was made for a face model with {config.face_model.identity} identity and "
            f"{config.face_model.expression} expression coefficients. The studies run with the embedded 3DDFA_V2, "
            f"which has {TDDFA.identity} and {TDDFA.expression}: give weights that were trained with that."
        )
    crop = Crop(TEMPLATE, config.size)
    card = SwapperCard(
        name=file.stem,
        summary=f"HifiFace {config.variant} at {config.size} pixels, from a file",
        source=crop,
        target=crop,
        trained_with=("w600k", "3ddfa"),
        weights=hashlib.sha256(file.read_bytes()).hexdigest(),
    )
    extractor = make_extractor(load_face_model("3ddfa", device), load_recogniser(None, device), device)
    return HifiFace(card, generator, extractor)
