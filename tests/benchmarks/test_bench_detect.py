"""Detection and alignment: 60 portraits of 512 pixels a second on two cores, faces found and cut out.

Run by hand, on a quiet machine:

    pytest tests/benchmarks/test_bench_detect.py --benchmark-only --override-ini=addopts= -s
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hifibench.contracts import Crop
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.pipeline.observe import Observer
from hifibench.records import Frame

PEOPLE, IMAGES, ROUNDS, THREADS = 20, 200, 5, 2


def test_sixty_portraits_a_second_are_detected_and_aligned_by_two_threads(
    benchmark: Any, portrait: Callable[..., Frame]
) -> None:
    rng = np.random.default_rng(0)
    faces = [portrait(seed) for seed in range(PEOPLE)]
    frames = [np.roll(faces[n % PEOPLE], rng.integers(-20, 21, 2), (0, 1)) for n in range(IMAGES)]
    assert {frame.shape for frame in frames} == {(512, 512, 3)}
    detector, crop = Detector(), Crop("arcface", 112)

    def align(frame: Frame) -> tuple[int, ...]:
        face = detector.choose(frame)
        assert face is not None
        return templates.take(frame, face, crop)[0].shape

    observer = Observer((), workers=THREADS)
    observer.map(align, frames[:10])  # the first calls set up memory
    rates: list[float] = []

    def all_of_them() -> None:
        begin = time.perf_counter()
        assert set(observer.map(align, frames)) == {(3, 112, 112)}
        rates.append(IMAGES / (time.perf_counter() - begin))

    benchmark.pedantic(all_of_them, rounds=ROUNDS)
    middle = np.median(rates)
    print(f"\n{THREADS} threads: {middle:.0f} images/s [{min(rates):.0f}, {max(rates):.0f}], {ROUNDS} rounds")
    assert middle >= 60
