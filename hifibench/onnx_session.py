"""Opening an ONNX network so that it gives the same bits on every machine, and tells nobody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hifibench.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def session(path: Path) -> InferenceSession:
    """Open an ONNX file on the CPU.

    One thread and sequential execution: sums are then formed in the same order on any number of cores. Threads may
    share a session. Telemetry is off.

    Raises:
        UsageError: the file is no ONNX network.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class but this
        raise UsageError(f"{path} cannot be opened as an ONNX network: {error}. Give an .onnx file.") from error
