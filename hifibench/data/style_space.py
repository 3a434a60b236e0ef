"""What is known of the generator's style space: its mean, and which way to step to turn a head or raise a smile.

The numbers are shipped in ``directions.npz``; `hifibench.data.directions` finds them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifibench.files import atomic_path
from hifibench.records import Floats

ATTRIBUTES = ("yaw", "pitch", "smile", "mouth_open", "light_side", "brightness")
"""What a step can change, A of them, in the order of every array below; `hifibench.data.directions` defines each."""


@dataclass(frozen=True)
class StyleSpace:
    """Directions in the space of styles, in units that are observed.

    Attributes:
        mean: ``(512,)`` float32, the mean style.
        directions: ``(A, 512)`` float32: the step that raises one attribute by one unit and leaves the others.
        correlation: ``(A,)`` float32: how well an attribute is linear in the style: Pearson's r of its
            cross-validated prediction.
        gain: ``(A, A)`` float32: what was seen when faces were moved that had no part in finding the directions: row:
            attribute stepped along, column: attribute observed, in its own unit per unit asked for. Ideally the
            identity.
    """

    mean: Floats
    directions: Floats
    correlation: Floats
    gain: Floats

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file atomically; the same numbers give the same bytes."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                attributes=np.array(ATTRIBUTES),
                mean=self.mean,
                directions=self.directions,
                correlation=self.correlation,
                gain=self.gain,
            )

    @classmethod
    def load(cls, path: Path) -> StyleSpace:
        """The inverse of `save`.

        Raises:
            ValueError: the file is about other attributes.
        """
        with np.load(path, allow_pickle=False) as file:
            found = tuple(file["attributes"].tolist())
            if found != ATTRIBUTES:
                raise ValueError(
                    f"{path} has the attributes {found}, expected {ATTRIBUTES}. "
                    "Find the directions anew: python -m hifibench.data.directions."
                )
            return cls(*(_frozen(file[name]) for name in ("mean", "directions", "correlation", "gain")))


def shipped_path() -> Path:
    """The file that comes with the package."""
    with resources.as_file(resources.files("hifibench.data").joinpath("directions.npz")) as path:
        return path


@cache
def shipped() -> StyleSpace:
    """The style space of the generator that is used here; read once."""
    return StyleSpace.load(shipped_path())


@cache
def fingerprint() -> str:
    """SHA-256 of the shipped file, hexadecimal."""
    return hashlib.sha256(shipped_path().read_bytes()).hexdigest()


def _frozen(array: NDArray[np.float32]) -> Floats:
    array.setflags(write=False)
    return array
