"""From the identity space of one recogniser to that which a published ONNX swapper was trained with.

inswapper carries a matrix for it; for others there are small networks that turn the embeddings of InsightFace's
``w600k`` ResNet-50 into those of the swapper's own recogniser (FaceFusion's ``arcface_converter_*`` and
``crossface_*``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hifibench.errors import MissingError, UsageError
from hifibench.experts.onnx import run_rows
from hifibench.onnx_session import session
from hifibench.records import Floats

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FEATURES = 512


def emap(swapper: Path) -> Floats:
    """Read the matrix that inswapper keeps in its own file, as the last of the graph's weights.

    Args:
        swapper: ``inswapper_128.onnx``, or its half-precision twin.

    Returns:
        ``(512, 512)`` float32.

    Raises:
        MissingError: there is no such file.
        UsageError: it is no ONNX network, or its last weights are not such a matrix.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    _need(swapper)
    try:
        weights = onnx.load(str(swapper)).graph.initializer
        matrix = onnx.numpy_helper.to_array(weights[-1]) if weights else np.empty(0)
    # What is not a decoding error comes of weights that should lie in other files, and do not.
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise UsageError(f"{swapper} cannot be read as an ONNX network: {error}. Give an .onnx file.") from error
    if matrix.shape != (FEATURES, FEATURES) or not np.issubdtype(matrix.dtype, np.floating):
        raise UsageError(
            f"The last weights of {swapper} are {matrix.dtype} of shape {matrix.shape}, expected floats "
            f"of shape {FEATURES, FEATURES}. Give inswapper_128.onnx, or choose no map for this swapper."
        )
    return matrix.astype(np.float32)


def through_emap(embeddings: Floats, matrix: Floats) -> Floats:
    """Map embeddings as inswapper wants them.

    Args:
        embeddings: ``(B, 512)`` of the ``w600k`` ResNet-50, of any length above 0.
        matrix: of `emap`; rows are multiplied from the left.

    Returns:
        ``(B, 512)`` unit vectors, float32.
    """
    return unit(unit(embeddings) @ matrix)


def converter(file: Path) -> InferenceSession:
    """Open a network that turns embeddings into embeddings.

    Raises:
        MissingError: there is no such file.
        UsageError: it is no ONNX network, or not one from 512 to 512 numbers.
    """
    network = session(_need(file))
    inputs, outputs = network.get_inputs(), network.get_outputs()
    widths = [[one.shape[-1] if one.shape else 0 for one in side] for side in (inputs, outputs)]
    if widths != [[FEATURES], [FEATURES]] or len(inputs[0].shape) != 2:
        given, made = (", ".join(f"{one.name} {one.shape}" for one in side) for side in (inputs, outputs))
        raise UsageError(
            f"{file} maps {given} to {made}, expected one input and one output of (1, {FEATURES}). "
            "Give a converter of embeddings, such as arcface_converter_simswap.onnx."
        )
    return network


def convert(embeddings: Floats, network: InferenceSession, to_unit: bool) -> Floats:
    """Map embeddings by a network, each by itself.

    Args:
        embeddings: ``(B, 512)`` as its recogniser gives them, not brought to unit length: the published converters do
            that themselves.
        network: of `converter`.
        to_unit: whether the swapper wants unit vectors (SimSwap, HifiFace) or what the network gives (GHOST).

    Returns:
        ``(B, 512)`` float32.
    """
    mapped = run_rows(network, np.ascontiguousarray(embeddings, np.float32))
    return unit(mapped) if to_unit else mapped


def unit(vectors: Floats) -> Floats:
    """``(B, K)`` brought to unit length, row by row."""
    scaled: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def _need(file: Path) -> Path:
    if not file.is_file():
        raise MissingError(f"There is no file {file}. Give an .onnx file that is there.")
    return file
