"""Checkpoints of a training: whole or absent, of the right training or refused, the newest few kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hifibench.errors import UsageError
from hifibench.files import TEMPORARY, atomic_path

SCHEMA = 1
_UNREADABLE = (RuntimeError, EOFError, ValueError, LookupError, AttributeError, TypeError, OSError)
_NAME = re.compile(r"step-(\d{8})\.pt")


def path(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` steps lies."""
    return folder / "checkpoints" / f"step-{step:08d}.pt"


def steps(folder: Path) -> list[int]:
    """Steps after which checkpoints were kept, ascending."""
    found = (folder / "checkpoints").glob("step-*.pt")
    return sorted(int(match[1]) for file in found if (match := _NAME.fullmatch(file.name)))


def save(folder: Path, step: int, state: Mapping[str, Any], keep: int) -> Path:
    """Write a checkpoint, then remove all but the newest ``keep`` and what killed processes left half-written.

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
    for left in target.parent.glob(f"{TEMPORARY}*"):
        left.unlink(missing_ok=True)
    return target


def load(file: Path) -> dict[str, Any]:
    """Read a checkpoint, to the processor's memory, without running any code that it may carry.

    Raises:
        UsageError: it is truncated, no checkpoint of this project, or of a newer version.
    """
    import pickle
    import struct

    import torch

    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    # What readers raise on files that break off or hold something else.
    except (*_UNREADABLE, pickle.UnpicklingError, struct.error) as error:
        raise UsageError(
            f"The checkpoint {file} cannot be read ({str(error).splitlines()[0] if str(error) else 'it is empty'}). "
            "It may be truncated: remove it, and training goes on from the one before."
        ) from error
    if not isinstance(state, dict) or not isinstance(state.get("schema"), int):
        raise UsageError(f"{file} is no checkpoint of 'hifibench train'. Move it away, or give another --out.")
    if state["schema"] > SCHEMA:
        raise UsageError(
            f"{file} was written by a newer version (schema {state['schema']}, known: {SCHEMA}). Update hifibench, or "
            "give another --out."
        )
    return dict(state)


def differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Where two sets of settings differ: ``name: there, now here``; nested names are joined by dots."""
    one, other = _flat(here), _flat(there)
    return [
        f"{name}: {other.get(name)!r}, now {one.get(name)!r}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
