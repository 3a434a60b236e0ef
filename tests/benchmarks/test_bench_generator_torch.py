"""Portraits per second from the torch networks, in float32 and under autocast. Run with ``tox -e benchmarks``."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from hifibench.data.generator_torch import TorchGenerator

CASES = [
    *itertools.product(["cpu"], [1, 4], ["float32", "bfloat16"]),
    *itertools.product(["cuda"], [1, 8, 32], ["float32", "bfloat16", "float16"]),
]


@pytest.mark.parametrize(("device", "batch", "precision"), CASES)
def test_portraits_at_512(benchmark: BenchmarkFixture, device: str, batch: int, precision: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    network = TorchGenerator(device, batch=batch)
    styles = network.styles(range(batch))
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    half = getattr(torch, precision if precision != "float32" else "bfloat16")
    with torch.autocast(device, half, enabled=precision != "float32"):
        frames = benchmark.pedantic(network.render, (styles,), rounds=5, warmup_rounds=2)
    assert np.shape(frames) == (batch, 512, 512, 3)
    benchmark.extra_info["images_per_s"] = batch / benchmark.stats.stats.min
    if device == "cuda":
        benchmark.extra_info["peak_mb"] = torch.cuda.max_memory_allocated() / 1e6
