"""Observing: every image once for all experts, on all cores, against one pass over the images for each expert."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from devices import on

from hifibench import registry
from hifibench.contracts import Expert
from hifibench.data import images
from hifibench.device import cores
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.pipeline.observe import Look, Observer, Seen
from hifibench.records import Frame

EXPERTS = ("edgeface", "dlib", "w600k", "mediapipe", "3ddfa")
IMAGES, PEOPLE, LOOPED = 1000, 50, 40
ROUNDS, BOTH = 5, 40
CROPS = 2048


def test_observing_all_embedded_experts_is_four_times_as_fast_as_a_loop_over_images_and_experts(
    benchmark: Any, portrait: Callable[..., Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a script for each metric does, load, detect, crop, look, against one shared pass.

    The loop is timed on the first images alone; its time per image does not depend on their number.
    """
    files = _files([portrait(seed) for seed in range(PEOPLE)], tmp_path)
    detector = Detector()
    loaded = {name: registry.experts.get(name).load("cpu") for name in EXPERTS}

    def script(name: str, file: Path) -> None:
        frame = images.load(file)
        face = detector.choose(frame)
        assert face is not None
        expert = loaded[name]
        assert isinstance(expert, Expert)
        expert.observe(templates.take(frame, face, expert.card.crop)[0][None])

    for name in EXPERTS:
        script(name, files[0])
    begin = time.perf_counter()
    for name in EXPERTS:
        for file in files[:LOOPED]:
            script(name, file)
    loop = (time.perf_counter() - begin) / LOOPED

    observer = _observer(monkeypatch, tmp_path)

    def look(files: list[Path]) -> list[Seen]:
        return list(observer.looks(files, lambda file: Look(images.load(file))))

    look(files[:4])  # loads the networks
    seen = benchmark.pedantic(look, (files[4:],), rounds=1)
    shared = benchmark.stats.stats.min / len(seen)
    assert all(set(EXPERTS) <= set(one) for one in seen)
    print(f"one image: loop {1000 * loop:.1f} ms, shared {1000 * shared:.1f} ms, {loop / shared:.2f} times as fast")
    assert loop / shared >= 4


def test_experts_of_the_processor_in_threads_and_in_processes(
    benchmark: Any, portrait: Callable[..., Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of both is quicker where there is no GPU to be kept busy; a run without one looks in threads."""
    files = _files([portrait(seed) for seed in range(PEOPLE)], tmp_path, 4 + ROUNDS * BOTH)
    counts = {"threads": 0, "processes": cores()}
    observers = {name: _observer(monkeypatch, tmp_path / name, count) for name, count in counts.items()}
    rates: dict[str, list[float]] = {name: [] for name in observers}

    def look(name: str, some: list[Path]) -> float:
        begin = time.perf_counter()
        assert len(list(observers[name].looks(some, lambda file: Look(images.load(file))))) == len(some)
        return len(some) / (time.perf_counter() - begin)

    def in_turns() -> None:
        for number in range(ROUNDS):
            some = files[4 + number * BOTH : 4 + (number + 1) * BOTH]
            for name in observers:
                rates[name].append(look(name, some))

    for name in observers:
        look(name, files[:4])  # loads the networks
    benchmark.pedantic(in_turns, rounds=1)
    ratio = np.array(rates["processes"]) / np.array(rates["threads"])
    for name, measured in rates.items():
        print(f"\n{name}: {np.median(measured):.1f} images/s [{min(measured):.1f}, {max(measured):.1f}]", end="")
    print(f"; processes {np.median(ratio):.2f} times ({ratio.min():.2f} to {ratio.max():.2f}), {ROUNDS} rounds in turn")
    for observer in observers.values():
        observer.close()


def test_experts_on_a_gpu_look_at_1500_crops_a_second(benchmark: Any) -> None:
    """The shipped detector's number is held to that; those of published networks, with fresh weights, are printed."""
    import torch

    if not torch.cuda.is_available():
        print("crops/s of the GPU experts: not measured: no CUDA device")
        pytest.skip("no CUDA device")
    from hifibench.experts import blend_cnn, curricular, hopenet, iresnet, xception
    from hifibench.experts.torch_rows import exact, run_rows
    from hifibench.forensics.network import load
    from hifibench.forensics.shipped import NETWORK

    made = {
        "blend-cnn": (load(NETWORK).to(memory_format=torch.channels_last), blend_cnn.SIZE),
        "arcface-r100": (iresnet.IResNet(), 112),
        "curricularface": (curricular.CurricularFace(), 112),
        "hopenet": (hopenet.Hopenet(), 224),
        "xception-ffpp": (xception.Xception(), 299),
    }
    rates: dict[str, list[float]] = {name: [] for name in made}

    def all_of_them() -> None:
        for name, (network, side) in made.items():
            crops = np.random.default_rng(0).random((CROPS, 3, side, side), np.float32)
            begin = time.perf_counter()
            run_rows(network, crops, "cuda")
            rates[name].append(CROPS / (time.perf_counter() - begin))

    with exact("cuda"):
        for network, side in made.values():  # tries whether rows are independent, too
            run_rows(network.eval().to("cuda"), np.zeros((1, 3, side, side), np.float32), "cuda")
        benchmark.pedantic(all_of_them, rounds=5)
    print(f"\n{on('cuda')}; float32 without TF32, from and to memory, crops/s:")
    for name, measured in rates.items():
        print(f"{name}: {np.median(measured):.0f} [{min(measured):.0f}, {max(measured):.0f}]")
    assert np.median(rates["blend-cnn"]) >= 1500


def _files(faces: list[Frame], folder: Path, count: int = IMAGES) -> list[Path]:
    """Distinct pictures of the faces, moved by a few pixels each, as a run keeps its swaps."""
    rng = np.random.default_rng(0)
    files = []
    for number in range(count):
        moved = np.roll(faces[number % len(faces)], rng.integers(-20, 21, 2), (0, 1))
        files.append(folder / f"{number:04d}.png")
        images.save_png(files[-1], moved)
    return files


def _observer(monkeypatch: pytest.MonkeyPatch, folder: Path, processes: int | None = None) -> Observer:
    """All experts and an empty store of observations; the asset files stay where they are."""
    from hifibench import assets

    observer = Observer(EXPERTS, processes=processes)
    for name in EXPERTS:
        for asset in registry.experts.get(name).card.assets:
            assets.path(asset)
    monkeypatch.setattr(observer._cache, "_root", folder / "observations")
    return observer
