"""Others' PyTorch checkpoints: opened without running code, and poured into a network of ours or refused by name."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hifibench.errors import MissingError, UsageError, first_line

_NetworkT = TypeVar("_NetworkT", bound=nn.Module)
_MORE = 3


def read(file: Path, wanted: str, stand_ins: Sequence[type] = ()) -> Any:
    """Read a checkpoint of tensors, plain containers and instances of the stand-ins' originals.

    Args:
        file: what ``torch.save`` wrote.
        wanted: what the file should be, for messages: "the backbone.pth of GHOST".
        stand_ins: classes that take the place of others. Each has the full name of its original as ``original`` and
            no code of its own; its instances get the attributes of the originals' instances.

    Returns:
        What was saved, on the CPU.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, or asks for anything else (the message says what).
    """
    if not file.is_file():
        raise MissingError(f"There is no checkpoint {file}. Give {wanted}.")
    # PyTorch hands a class out under the name beside it, so the originals are neither needed nor imported.
    admitted: list[Any] = [(one, vars(one)["original"]) for one in stand_ins]
    try:
        with torch.serialization.safe_globals(admitted), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the pickle's protocol is unusual: it is refused or read
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch raise what its parts raise: no common base class but this
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        if asked:
            raise UsageError(
                f"{file} asks for {asked[1]}; expected {wanted}. It was not opened, since such a file can run any code."
            ) from error
        # Of what unpickling says the first line advises to switch this very check off.
        said = type(error).__name__ if isinstance(error, pickle.UnpicklingError) else first_line(error)
        raise UsageError(
            f"{file} is no whole PyTorch checkpoint of tensors and plain containers ({said}). Give {wanted}."
        ) from error


def state(file: Path, wanted: str) -> dict[str, Tensor]:
    """Read a state dict, also one that lies under ``state_dict``, or whose every name begins with ``module.``.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, asks for code, or is no state dict.
    """
    saved = read(file, wanted)
    held = saved.get("state_dict", saved) if isinstance(saved, dict) else saved
    if not isinstance(held, dict) or not held or not all(isinstance(value, Tensor) for value in held.values()):
        names = ", ".join(map(str, saved)) if isinstance(saved, dict) and len(saved) < 10 else type(saved).__name__
        raise UsageError(f"{file} holds no state dict (it holds: {names or 'nothing'}). Give {wanted}.")
    prefix = "module." if all(str(name).startswith("module.") for name in held) else ""
    return {str(name).removeprefix(prefix): value for name, value in held.items()}


def fill(network: _NetworkT, weights: Mapping[str, Tensor], file: Path, wanted: str) -> _NetworkT:
    """Put the weights into a network, all of them and nothing but them.

    Args:
        network: on any device, ``meta`` too.
        weights: its state dict, in any floating type.
        file: where they come from, for messages.
        wanted: what the file should be, for messages.

    Returns:
        The network on the CPU in float32, frozen and in evaluation mode.

    Raises:
        UsageError: a name is missing, unknown, or of another shape (the message says which), or weights are not finite
            numbers.
    """
    expected = network.state_dict()
    wrong = [f"{name} is missing" for name in expected if name not in weights]
    wrong += [f"{name} is unknown" for name in weights if name not in expected]
    wrong += [
        f"{name} holds {value.dtype} in the layout {value.layout}"
        for name, value in weights.items()
        if value.is_complex() or value.is_quantized or value.layout != torch.strided
    ]
    wrong += [
        f"{name} has shape {tuple(weights[name].shape)}, expected {tuple(value.shape)}"
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if wrong:
        more = f" and {len(wrong) - _MORE} more" if len(wrong) > _MORE else ""
        raise UsageError(f"{file} holds another network: {'; '.join(wrong[:_MORE])}{more}. Give {wanted}.")
    # Such a network runs, and gives nothing that could be scored.
    damaged = [name for name in expected if not torch.isfinite(weights[name]).all()]
    if damaged:
        raise UsageError(f"{file}: {damaged[0]} holds something else than finite numbers. Get the file again.")
    own = {name: (weights[name].to(value.dtype).contiguous()) for name, value in expected.items()}
    network.load_state_dict(own, assign=True)
    return network.requires_grad_(False).eval()
