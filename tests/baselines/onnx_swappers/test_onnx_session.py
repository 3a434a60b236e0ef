"""Where networks run: on the GPU where ONNX Runtime can, else on the processor, and this is said."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest
from onnx_files import Converter

from hifibench import onnx_session

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    onnx_session._say_once.cache_clear()
    return Converter().write(tmp_path / "x.onnx")


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this ONNX Runtime has CUDA")
def test_without_cuda_the_processor_takes_over_and_this_is_said_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "hifibench"):
        assert onnx_session.session(file).get_providers() == [CPU]
        assert not caplog.records
        for _ in range(2):
            assert onnx_session.session(file, "cuda").get_providers() == [CPU]
    (record,) = caplog.records
    assert "cannot use cuda here: its networks run on the CPU. It needs onnxruntime-gpu" in record.message


@pytest.mark.parametrize(("device", "index"), [("cuda", "0"), ("cuda:2", "2")])
@pytest.mark.parametrize("works", [True, False])
def test_cuda_is_asked_for_where_it_is_built_in(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    device: str,
    index: str,
    works: bool,
) -> None:
    asked: list[Any] = []

    def opened(path: str, options: Any, providers: list[Any]) -> Any:
        asked.extend(providers)
        return SimpleNamespace(get_providers=lambda: [CUDA, CPU] if works else [CPU])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", opened)
    with caplog.at_level(logging.WARNING, "hifibench"):
        onnx_session.session(file, device)
    (name, options), last = asked
    assert (name, options["device_id"], last) == (CUDA, index, CPU)
    assert options["use_tf32"] == "0"
    assert bool(caplog.records) is not works
    asked.clear()
    onnx_session.session(file)
    assert asked == [CPU]
