"""Trained networks as files: safetensors in half precision, with their configuration and their card inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.errors import MissingError, UsageError
from hifibench.files import atomic_path

if TYPE_CHECKING:
    from torch import nn


class OtherFormError(UsageError):
    """A file holds weights of another method, or none at all."""


def save(network: nn.Module, form: str, config: Mapping[str, Any], card: Mapping[str, Any], file: Path) -> None:
    """Write a network's weights as float16, atomically; what is no floating point stays as it is.

    Args:
        network: trained.
        form: what kind of file this is, such as ``hifibench hififace 1``; `card` and `fill` ask for it.
        config: all that is needed to make the network again; plain JSON values.
        card: how it was trained: data, steps, images seen, hardware, hours, commit, losses at the end, licence.
        file: ``*.safetensors``.

    Raises:
        MissingError: the file cannot be written.
    """
    import torch
    from safetensors.torch import save_file

    tensors = {
        name: (value.to(torch.float16) if value.is_floating_point() else value).contiguous()
        for name, value in ((name, value.detach().cpu()) for name, value in network.state_dict().items())
    }
    metadata = {
        "format": form,
        "config": json.dumps(dict(config), sort_keys=True),
        "card": json.dumps(dict(card), sort_keys=True),
    }
    with atomic_path(file) as temporary:
        save_file(tensors, str(temporary), metadata)


def card(file: Path, form: str) -> dict[str, Any]:
    """The card in a file of weights, and under ``config`` what it is a network of; reads no tensor.

    Raises:
        MissingError: there is no such file.
        UsageError: it is truncated.
        OtherFormError: it is of another form.
    """
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise MissingError(f"There are no weights at {file}. 'hifibench train' writes them at the end of a training.")
    try:
        with safe_open(str(file), "pt") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
    except SafetensorError as error:
        raise UsageError(f"{file} is no whole safetensors file ({error}). Get it again.") from error
    if metadata.get("format") != form:
        raise OtherFormError(f"{file} is of the form {metadata.get('format')!r}; expected {form!r}.")
    return {**json.loads(metadata["card"]), "config": json.loads(metadata["config"])}


def fill(network: nn.Module, file: Path) -> None:
    """Put the weights of a file into a network of its configuration, and freeze it for inference.

    Args:
        network: made by the configuration that `card` gave.
        file: what `save` wrote.

    Raises:
        UsageError: they do not fit the network.
    """
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(str(file)))  # copied into the network's own float32
    except RuntimeError as error:
        raise UsageError(f"The weights in {file} do not fit the network that they name: {error}.") from error
    network.eval().requires_grad_(False)
