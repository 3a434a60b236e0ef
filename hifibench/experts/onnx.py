"""ONNX networks: run by ONNX Runtime to observe, rebuilt as torch modules to train against.

Observing needs the same bits whatever the machine and the batch, so a session has one thread and sees one crop at a
time. Training needs gradients with respect to the image, which ONNX Runtime does not give.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hifibench.errors import UsageError
from hifibench.records import Floats

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from hifibench.experts.onnx_graph import OnnxGraph


def run_rows(network: InferenceSession, inputs: Floats) -> Floats:
    """Run a network on each row by itself.

    Batched matrix products round differently from single ones, so a batch would tie a row to its neighbours.

    Args:
        network: one input ``(1, …)`` float32, one output ``(1, K)``.
        inputs: ``(B, …)`` float32.

    Returns:
        ``(B, K)`` float32.
    """
    (given,), (made,) = network.get_inputs(), network.get_outputs()
    outputs = np.empty((len(inputs), made.shape[-1]), np.float32)
    for row, one in enumerate(inputs):
        outputs[row] = network.run(None, {given.name: one[None]})[0][0]
    return outputs


def to_torch(path: Path) -> OnnxGraph:
    """Rebuild a plain convolutional network from torch operations: frozen weights, gradients to the input.

    Returns:
        A module ``(B, …) -> (B, K)``, float32, on the CPU, in evaluation mode for good; the batch size is free even
        where the file fixes it.

    Raises:
        UsageError: the file is no ONNX network, or uses an operation that `onnx_graph` does not know.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    from hifibench.experts.onnx_graph import OnnxGraph

    try:
        model = onnx.load(str(path))
    except DecodeError as error:
        raise UsageError(f"{path} cannot be read as an ONNX network: {error}. Give an .onnx file.") from error
    return OnnxGraph(model.graph, path.name)
