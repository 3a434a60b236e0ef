"""The HifiFace that a study looks into: a method by name, or weights in a file."""

from __future__ import annotations

from pathlib import Path

from hifibench import registry
from hifibench.errors import UsageError
from hifibench.hififace.plugins import from_weights, plugins
from hifibench.hififace.swapper import HifiFace


def by_name(method: str, device: str) -> HifiFace:
    """A registered method.

    Raises:
        UsageError: there is no such method, or it is no HifiFace.
        MissingError: it has no weights.
    """
    swapper = registry.swappers.get(method).load(device)
    if not isinstance(swapper, HifiFace):
        known = ", ".join(plugin.card.name for plugin in plugins.values())
        raise UsageError(f"{method} is no HifiFace, and a study looks at what only that has. Known: {known}.")
    return swapper


def from_file(file: Path, device: str) -> HifiFace:
    """Weights that a training wrote, with the 3D face model and the recogniser that it was trained with.

    Raises:
        UsageError: the file is broken or holds something else.
        MissingError: there is no such file, or a network that it needs cannot be had.
    """
    swapper = from_weights(file.stem, file).load(device)
    assert isinstance(swapper, HifiFace)
    return swapper
