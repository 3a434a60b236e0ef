"""Recognisers of the ArcFace family from ONNX files that the user brings: opened, and refused where they are others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hifibench.errors import UsageError
from hifibench.onnx_session import session
from hifibench.records import Floats

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SIZE, FEATURES = 112, 512


def open_recogniser(file: Path, device: str, wanted: str) -> InferenceSession:
    """Open it, and try it on one image of a single colour.

    Args:
        file: an ``.onnx`` file from ``(1, 3, 112, 112)`` to ``(1, 512)``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        wanted: what the file should be, for messages.

    Raises:
        UsageError: it is no ONNX network, one of another shape (the message says which), or one whose weights are
            damaged.
    """
    network = session(file, device)
    inputs, outputs = network.get_inputs(), network.get_outputs()
    made: Floats = np.empty(0, np.float32)
    # Free dimensions have names in place of numbers, and some exporters name what is fixed: only a run tells.
    if len(inputs) == len(outputs) == 1 and len(inputs[0].shape) == 4:
        try:
            made = network.run(None, {inputs[0].name: np.zeros((1, 3, SIZE, SIZE), np.float32)})[0]
        except Exception:  # ONNX Runtime's exceptions share no base class but this
            made = np.empty(0, np.float32)
    if made.shape != (1, FEATURES):
        takes, gives = (", ".join(f"{one.name} {one.shape}" for one in side) for side in (inputs, outputs))
        raise UsageError(
            f"{file} maps {takes} to {gives}, expected one image (1, 3, {SIZE}, {SIZE}) to one embedding "
            f"(1, {FEATURES}). Give {wanted}."
        )
    if not np.isfinite(made).all():
        raise UsageError(
            f"{file} makes something else than finite numbers of an image of a single colour. Give {wanted}."
        )
    return network


def refuse_own_scaling(file: Path, wanted: str) -> None:
    """Refuse a network that scales its input itself, as exports from MXNet do: it wants other numbers than [-1, 1].

    Args:
        file: an ONNX network.
        wanted: what the file should be, for messages.

    Raises:
        UsageError: something is subtracted, multiplied or divided before the first convolution.
    """
    import onnx

    for node in onnx.load(str(file), load_external_data=False).graph.node:
        if node.op_type == "Conv":
            return
        if node.op_type in {"Sub", "Mul", "Div"}:
            raise UsageError(
                f"{file} scales its input itself ({node.op_type} before the first convolution), expected a network "
                f"that takes RGB in [-1, 1]. Give {wanted}."
            )
