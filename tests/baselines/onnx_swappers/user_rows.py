"""Rows of a user's own around the tiny files, and what their methods make of crops."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import baselines.onnx_swappers as package
from baselines.onnx_swappers.swapper import OnnxSwapper
from hifibench.records import Swap

SIZE = 16
CROP: dict[str, Any] = {
    "file": "tiny.onnx",
    "identity": "crop",
    "source": {"template": "arcface", "size": SIZE, "mean": [0, 0, 0], "std": [1, 1, 1]},
    "target": {"template": "ffhq", "size": SIZE, "mean": [0, 0, 0], "std": [1, 1, 1]},
}
EMBEDDING: dict[str, Any] = {
    **CROP,
    "identity": "embedding",
    "recogniser": "who.onnx",
    "source": {"template": "arcface", "size": 112, "mean": [0.5] * 3, "std": [0.5] * 3},
}


def table(base: Mapping[str, Any] = CROP, **changes: Any) -> dict[str, Any]:
    """A row with some fields changed; ``source__size=9`` reaches into a table."""
    fields = copy.deepcopy(dict(base))
    for name, value in changes.items():
        outer, _, inner = name.partition("__")
        if inner:
            fields.setdefault(outer, {})[inner] = value
        else:
            fields[outer] = value
    return fields


def crops(rows: int, size: int = SIZE, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng((seed, size))
    return (rng.uniform(0, 0.6, (rows, 3, size, size)) + rng.uniform(0, 0.4, (rows, 3, 1, 1))).astype(np.float32)


def load(fields: Mapping[str, Any], folder: Path) -> OnnxSwapper:
    swapper = package.make("mine", fields, folder).load("cpu")
    assert isinstance(swapper, OnnxSwapper)
    return swapper


def swap(fields: Mapping[str, Any], folder: Path, source: np.ndarray, target: np.ndarray) -> Swap:
    return load(fields, folder).swap(torch.from_numpy(source), torch.from_numpy(target))
