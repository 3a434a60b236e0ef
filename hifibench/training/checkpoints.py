"""Checkpoints of a training: whole or absent, of the right training or refused, the newest few kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hifibench.errors import UsageError
from hifibench.files import atomic_path

SCHEMA = 1
_NAME = re.compile(r"step-(\d{8})\.pt")


def path(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` steps lies."""
    return folder / "checkpoints" / f"step-{step:08d}.pt"


def steps(folder: Path) -> list[int]:
    """Steps after which checkpoints were kept, ascending."""
    found = (folder / "checkpoints").glob("step-*.pt")
    return sorted(int(match[1]) for file in found if (match := _NAME.fullmatch(file.name)))


def save(folder: Path, step: int, state: Mapping[str, Any], keep: int) -> Path:
    """Write a checkpoint and remove all but the newest ``keep``.

    Raises:
        MissingError: the disk is full, or the folder cannot be written to; earlier checkpoints are untouched.
    """
    import torch

    target = path(folder, step)
    with atomic_path(target) as temporary:
        try:
            torch.save({"schema": SCHEMA, "step": step, **state}, temporary)
        except RuntimeError as error:  # what PyTorch's writer makes of a full disk
            raise OSError(0, str(error).splitlines()[0]) from error
    for old in steps(folder)[:-keep]:
        path(folder, old).unlink(missing_ok=True)
    return target


def load(file: Path, device: str = "cpu") -> dict[str, Any]:
    """Read a checkpoint without running any code that it may carry.

    Raises:
        UsageError: it is truncated, no checkpoint of this project, or of a newer version.
    """
    import pickle

    import torch

    try:
        state = torch.load(file, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, OSError, pickle.UnpicklingError) as error:
        raise UsageError(
            f"The checkpoint {file} cannot be read ({str(error).splitlines()[0] if str(error) else 'it is empty'}). "
            "It may be truncated: remove it, and training goes on from the one before."
        ) from error
    if not isinstance(state, dict) or "schema" not in state:
        raise UsageError(f"{file} is no checkpoint of 'hifibench train'.")
    if state["schema"] > SCHEMA:
        raise UsageError(f"{file} was written by a newer version (schema {state['schema']}, known: {SCHEMA}).")
    return dict(state)


def differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Where two sets of settings differ: ``name: there, now here``."""
    names = sorted({*here, *there})
    return [
        f"{name}: {there.get(name)!r}, now {here.get(name)!r}" for name in names if here.get(name) != there.get(name)
    ]
