"""Portraits at 512 pixels: taken from the network before its last step, against made at 1024 and shrunk."""

from __future__ import annotations

import cv2
import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from hifibench.data import generator
from hifibench.data.generator import Generator
from hifibench.records import Floats

IMAGES = 4


def styles() -> Floats:
    return generator.shared().styles(range(IMAGES))


def bench(benchmark: BenchmarkFixture, network: Generator, shrink: bool) -> None:
    given = styles()

    def make() -> list[object]:
        frames = network.render(given)
        if not shrink:
            return list(frames)
        return [cv2.resize(frame, (512, 512), interpolation=cv2.INTER_AREA) for frame in frames]

    frames = benchmark.pedantic(make, rounds=3, warmup_rounds=1)
    assert np.shape(frames) == (IMAGES, 512, 512, 3)
    benchmark.extra_info["images_per_s"] = IMAGES / benchmark.stats.stats.median


def test_portraits_at_512(benchmark: BenchmarkFixture) -> None:
    bench(benchmark, generator.shared(), shrink=False)


def test_portraits_at_1024_shrunk(benchmark: BenchmarkFixture) -> None:
    bench(benchmark, Generator(1024), shrink=True)
