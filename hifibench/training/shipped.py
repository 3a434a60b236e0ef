"""Trained weights that come with the package."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hifibench.errors import MissingError


def digest(file: Path) -> str:
    """SHA-256 of a file of weights for a card, hexadecimal; empty where this version has none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def need(file: Path, method: str) -> Path:
    """The file, if it is there.

    Raises:
        MissingError: this version has no weights of the method; says how to train them.
    """
    if not file.is_file():
        raise MissingError(
            f"No trained weights of {method} come with this version. Train it with 'hifibench train {method} "
            "--preset lite', and run the suite with --weights NAME=FILE."
        )
    return file
