"""Enhancing training crops by a portrait-enhancement network that the user has as an ONNX file.

Ours-512 takes training images enhanced to 512 pixels as supervision (HifiFace, Ours-512, by the method of Li 2020 that
it cites). Which network the file holds is for the user to say; nothing here is fitted to one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hifibench.errors import UsageError
from hifibench.onnx_session import session
from hifibench.records import Floats, Frame
from hifibench.user_files import digest

RANGES: dict[str, tuple[float, float]] = {"-1..1": (-1.0, 1.0), "0..1": (0.0, 1.0)}
"""Name -> the numbers that stand for black and white, in what the network takes and in what it gives."""


class Enhancer:
    """A network from a crop to the same crop, restored.

    May be used from several threads; a child process needs its own.

    Args:
        path: ONNX, one file with its weights: one input ``(1, 3, S, S)`` float32 RGB; the first output is
            ``(1, 3, n S, n S)`` float32 RGB for a whole number n.
        size: side S of the crops in pixels.
        value_range: one of `RANGES`.

    Raises:
        UsageError: there is no such file or range, or the network does not do that, which is tried once.
    """

    def __init__(self, path: Path, size: int, value_range: str) -> None:
        if value_range not in RANGES:
            raise UsageError(f"There is no value range {value_range!r}; expected {' or '.join(RANGES)}.")
        if not path.is_file():
            raise UsageError(f"There is no enhancement network {path}. Give an .onnx file.")
        self._path, self._size, self._range = path, size, RANGES[value_range]
        self._network = session(path)
        self.settings = {"network": digest(path), "range": value_range}
        """What decides the pixels; plain data."""
        self._try()

    def enhance(self, crop: Frame) -> Frame:
        """The restored crop.

        Numbers outside the range are clipped, and a larger output is averaged down.

        Args:
            crop: ``(S, S, 3)`` uint8 RGB.

        Returns:
            ``(S, S, 3)`` uint8 RGB.

        Raises:
            ValueError: the crop has another shape, or the network gives numbers that are not finite.
        """
        if crop.shape != (self._size, self._size, 3):
            raise ValueError(f"This network enhances crops of {self._size} pixels; given {crop.shape}.")
        made = self._run(crop)[0].transpose(1, 2, 0)
        if not np.isfinite(made).all():
            raise ValueError("the enhancement network gives numbers that are not finite")
        black, white = self._range
        unit = np.clip((made - black) / (white - black), 0, 1)
        times = len(made) // self._size
        averaged = unit.reshape(self._size, times, self._size, times, 3).mean((1, 3))
        restored: Frame = np.rint(averaged * 255).astype(np.uint8)
        return restored

    def _run(self, crop: Frame) -> Floats:
        black, white = self._range
        image = crop.astype(np.float32) / 255 * (white - black) + black
        name = self._network.get_inputs()[0].name
        made: Floats = self._network.run(
            [self._network.get_outputs()[0].name], {name: np.ascontiguousarray(image.transpose(2, 0, 1)[None])}
        )[0]
        return made

    def _try(self) -> None:
        """Run it once, so that a wrong network is told before the first image."""
        size, inputs = self._size, self._network.get_inputs()
        wanted = f"one input (1, 3, {size}, {size}) of float32 RGB"
        if len(inputs) != 1:
            raise UsageError(
                f"{self._path} takes the inputs {', '.join(one.name for one in inputs)}; expected {wanted}. "
                "Export the network with the others fixed."
            )
        try:
            made = self._run(np.full((size, size, 3), 128, np.uint8))
        except Exception as error:  # what ONNX Runtime raises has no common base class but this
            raise UsageError(
                f"{self._path} takes {inputs[0].shape} of {inputs[0].type}, and does not run on {wanted}: "
                f"{str(error).splitlines()[0]}. "
                "Give a portrait-enhancement network for crops of that size, or another --size."
            ) from error
        shape = np.shape(made)
        square = len(shape) == 4 and shape[:2] == (1, 3) and shape[2] == shape[3] and shape[2] >= size
        if not square or shape[2] % size:
            raise UsageError(
                f"{self._path} gives an output of shape {shape}; expected (1, 3, {size}, {size}), or whole "
                "multiples of these sides. Give a portrait-enhancement network, or another --size."
            )
        if not np.isfinite(made).all():
            raise UsageError(f"{self._path} gives numbers that are not finite; it is broken, or not of float32.")


def least_side(size: int) -> float:
    """The least side of faces to enhance, in pixels of the original, where none is given.

    The paper drops images under 256 pixels before it enhances the others to 512 (HifiFace, Sec. 4).
    """
    return min(size, 256)
