"""Opening an ONNX network so that it gives the same bits on every machine, and tells nobody."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_log = logging.getLogger("hifibench")

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def session(model: Path | bytes, device: str = "cpu") -> InferenceSession:
    """Open an ONNX network.

    One thread and sequential execution: on the CPU, sums are then formed in the same order on any number of cores.
    Threads may share a session. Telemetry is off.

    Args:
        model: the file, or what would stand in one.
        device: ``cpu``, ``cuda`` or ``cuda:N``. Where ONNX Runtime cannot use CUDA, the CPU takes over, and this is
            logged once.

    Raises:
        UsageError: it is no ONNX network.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3  # errors only
    try:
        given = model if isinstance(model, bytes) else str(model)
        opened = onnxruntime.InferenceSession(given, options, providers=_providers(device))
    except Exception as error:  # ONNX Runtime's exceptions share no base class but this
        what = "What was put together" if isinstance(model, bytes) else model
        raise UsageError(f"{what} cannot be opened as an ONNX network: {error}. Give an .onnx file.") from error
    if device.startswith("cuda") and _CUDA not in opened.get_providers():
        _say_once(f"ONNX Runtime cannot use {device} here: its networks run on the CPU. It needs onnxruntime-gpu.")
    return opened


def _providers(device: str) -> list[Any]:
    import onnxruntime

    if not device.startswith("cuda") or _CUDA not in onnxruntime.get_available_providers():
        return [_CPU]
    # Neither rounded products nor algorithms chosen by a race: both would change the bits.
    options = {
        "device_id": device.partition(":")[2] or "0",
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    return [(_CUDA, options), _CPU]


@cache
def _say_once(message: str) -> None:
    _log.warning(message)
