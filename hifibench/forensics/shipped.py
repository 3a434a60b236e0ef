"""The trained detectors that come with the package, and the figures that were measured when they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TRAINED = Path(__file__).with_name("trained")
NETWORK = TRAINED / "blend-cnn.safetensors"
SPECTRAL = TRAINED / "spectrum.npz"


def note(file: Path) -> Path:
    """Where the card of a file of weights lies: beside it, as JSON."""
    return file.with_suffix(".json")


def figures(file: Path) -> str:
    """One sentence on what was measured on the validation split, for a card's limits; empty where nothing is known."""
    try:
        held: dict[str, Any] = json.loads(note(file).read_text("utf-8"))
        auc: dict[str, float] = held["auc"]
    except (OSError, ValueError, KeyError):
        return ""
    said = ", ".join(f"{name} {100 * value:.1f}" for name, value in auc.items())
    return f" AUC in % on validation portraits, against originals: {said}."
