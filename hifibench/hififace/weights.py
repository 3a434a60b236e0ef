"""Trained generators as files (`hifibench.training.weights`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.hififace.config import Config, FaceModelLayout
from hifibench.training import weights

if TYPE_CHECKING:
    from hifibench.hififace.generator import Generator

FORMAT = "hifibench hififace 1"


def save(generator: Generator, card: Mapping[str, Any], file: Path) -> None:
    """Write a generator's weights as `hifibench.training.weights.save` does."""
    weights.save(generator, FORMAT, asdict(generator.config), card, file)


def card(file: Path) -> dict[str, Any]:
    """The card in a file of weights, and under ``config`` what it is a generator of; reads no tensor.

    Raises:
        MissingError: there is no such file.
        UsageError: it is truncated, or no file of `save`.
    """
    return weights.card(file, FORMAT)


def load(file: Path, device: str = "cpu") -> Generator:
    """A generator with trained weights, in float32, for inference.

    Raises:
        MissingError: there is no such file.
        UsageError: it is truncated, or holds something else than a generator.
    """
    import torch

    from hifibench.hififace.generator import Generator

    raw = card(file)["config"]
    generator = Generator(Config(**{**raw, "face_model": FaceModelLayout(**raw["face_model"])}))
    weights.fill(generator, file)
    generator.to(device).to(memory_format=torch.channels_last)
    return generator
