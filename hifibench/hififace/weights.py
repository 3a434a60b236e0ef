"""Trained generators as files: safetensors in half precision, with their configuration and their card inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.errors import MissingError, UsageError
from hifibench.files import atomic_path
from hifibench.hififace.config import Config, FaceModelLayout

if TYPE_CHECKING:
    from hifibench.hififace.generator import Generator

FORMAT = "hifibench hififace 1"


def save(generator: Generator, card: Mapping[str, Any], file: Path) -> None:
    """Write a generator's weights as float16, atomically.

    Args:
        generator: trained.
        card: how it was trained: data, steps, images seen, hardware, hours, commit, losses at the end, licence.
        file: ``*.safetensors``.

    Raises:
        MissingError: the file cannot be written.
    """
    import torch
    from safetensors.torch import save_file

    tensors = {
        name: value.detach().cpu().to(torch.float16).contiguous() for name, value in generator.state_dict().items()
    }
    metadata = {
        "format": FORMAT,
        "config": json.dumps(asdict(generator.config), sort_keys=True),
        "card": json.dumps(dict(card), sort_keys=True),
    }
    with atomic_path(file) as temporary:
        save_file(tensors, str(temporary), metadata)


def card(file: Path) -> dict[str, Any]:
    """The card in a file of weights, and under ``config`` what it is a generator of; reads no tensor.

    Raises:
        MissingError: there is no such file.
        UsageError: it is truncated, or no file of `save`.
    """
    metadata = _metadata(file)
    return {**json.loads(metadata["card"]), "config": json.loads(metadata["config"])}


def load(file: Path, device: str = "cpu") -> Generator:
    """A generator with trained weights, in float32, for inference.

    Raises:
        MissingError: there is no such file.
        UsageError: it is truncated, or holds something else than a generator.
    """
    import torch
    from safetensors.torch import load_file

    from hifibench.hififace.generator import Generator

    raw = json.loads(_metadata(file)["config"])
    generator = Generator(Config(**{**raw, "face_model": FaceModelLayout(**raw["face_model"])}))
    try:
        generator.load_state_dict({name: value.float() for name, value in load_file(str(file)).items()})
    except RuntimeError as error:
        raise UsageError(f"The weights in {file} do not fit the generator that they name: {error}.") from error
    generator.eval().requires_grad_(False)
    generator.to(device).to(memory_format=torch.channels_last)
    return generator


def _metadata(file: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise MissingError(f"There are no weights at {file}. 'hifibench train' writes them at the end of a training.")
    try:
        with safe_open(str(file), "pt") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
    except SafetensorError as error:
        raise UsageError(f"{file} is no whole safetensors file ({error}). Get it again.") from error
    if metadata.get("format") != FORMAT:
        raise UsageError(f"{file} holds no generator of HifiFace; its format is {metadata.get('format')!r}.")
    return metadata
