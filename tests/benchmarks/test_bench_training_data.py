"""Does the data path starve the device? What a core reads, how many readers a step needs, and Adam against fused Adam.

Run with ``pytest tests/benchmarks/test_bench_training_data.py --benchmark-only --override-ini=addopts= -s``. Seconds of
one core are processor time, so that company on the machine counts little; what steps wait is wall time.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from devices import on
from numpy.typing import NDArray
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn

from hifibench.data import images, portraits
from hifibench.data.prepared import SCHEMA, PreparedFaces
from hifibench.device import cores
from hifibench.hififace.config import TDDFA, Config
from hifibench.hififace.generator import Generator
from hifibench.training import optimisers
from hifibench.training.batches import QUEUED, batches
from hifibench.training.contract import Optimiser
from hifibench.training.pairs import PairImages, Pairs, indices

PEOPLE = 8
ROUNDS = 7


class Step(NamedTuple):
    """A step of a preset on a device that takes ``device_ms`` for it; a guess at an H200, not a measurement."""

    name: str
    size: int
    batch: int
    device_ms: float


STEPS = (Step("lite", 128, 8, 25.0), Step("paper-256", 256, 32, 150.0))


@pytest.fixture(scope="module", params=STEPS, ids=lambda step: step.name)
def step(request: pytest.FixtureRequest) -> Step:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def data(step: Step, tmp_path_factory: pytest.TempPathFactory) -> PreparedFaces:
    """Crops of generated portraits, which PNG packs about as it packs photographs, with a mask that is an oval."""
    folder, rows, size = tmp_path_factory.mktemp(step.name), [], step.size
    mask = np.zeros((size, size), np.uint8)
    cv2.ellipse(mask, (size // 2, size // 2), (size // 4, size // 3), 0, 0, 360, 255, -1)
    for person in range(PEOPLE):
        for view in range(2):
            frame = portraits.load(portraits.uri(person, view))
            crop = cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)
            name = f"p{person}/{view}"
            images.save_png(folder / "crops" / f"{name}.png", np.dstack([crop, mask]))
            rows.append({"identity": f"p{person}", "image": name, "file": f"crops/{name}.png", "source": name})
            rows[-1] |= {"side": float(size), "landmarks": np.zeros(10, np.float32), "content": ""}  # type: ignore[dict-item]
    pd.DataFrame(rows).to_parquet(folder / "index.parquet")
    settings = {"crop": {"template": "ffhq", "size": size}}
    (folder / "prepared.json").write_text(json.dumps({"schema": SCHEMA, "settings": settings}))
    return PreparedFaces(folder)


def pairs(data: PreparedFaces, step: Step) -> PairImages:
    return PairImages(data, Pairs(data.rows, 0, flip=True), step.batch)


class Plainly:
    """The straightforward way: Pillow opens each file twice, numpy takes colours and mask out of RGBA."""

    def __init__(self, data: PreparedFaces, step: Step) -> None:
        self._data, self._pairs, self._batch = data, Pairs(data.rows, 0, flip=True), step.batch

    def _load(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        path = self._data.folder / self._data._files[row].as_py()
        with Image.open(path) as image:
            image.verify()
        with Image.open(path) as image:
            pixels = np.array(image, np.uint8)
        return np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pair = self._pairs.at(*divmod(index, self._batch))
        (source, _), (target, mask) = self._load(pair.source), self._load(pair.target)

        def tensor(pixels: NDArray[np.uint8], flip: bool) -> Tensor:
            turned = pixels[:, ::-1] if flip else pixels
            return torch.from_numpy(np.ascontiguousarray(np.atleast_3d(turned).transpose(2, 0, 1)))

        return (
            tensor(source, pair.flip_source),
            tensor(target, pair.flip_target),
            torch.tensor(pair.same),
            tensor(mask, pair.flip_target),
        )


def took_ms(work: Callable[[], object], clock: Callable[[], float]) -> float:
    begin = clock()
    work()
    return (clock() - begin) * 1e3


def alternately(
    one: Callable[[], object], other: Callable[[], object], clock: Callable[[], float] = time.process_time
) -> tuple[list[float], list[float]]:
    """Milliseconds of both, of processor time unless another clock is named, turn by turn on the same machine."""
    one(), other()
    times = [(took_ms(one, clock), took_ms(other, clock)) for _ in range(ROUNDS)]
    return [first for first, _ in times], [second for _, second in times]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def test_images_a_core_reads(benchmark: BenchmarkFixture, data: PreparedFaces, step: Step) -> None:
    cv2.setNumThreads(1)
    ours, plain, count = pairs(data, step), Plainly(data, step), 32
    for number in range(count):
        assert all(torch.equal(*both) for both in zip(ours[number], plain[number], strict=True))
    slow, fast = alternately(
        lambda: [plain[number] for number in range(count)], lambda: [ours[number] for number in range(count)]
    )
    ratios = [one / other for one, other in zip(slow, fast, strict=True)]
    ms = statistics.median(fast) / count
    needed = math.ceil(step.batch * ms / step.device_ms)
    print(
        f"\n{step.name}, {step.size} px: a core reads {2000 / ms:.0f} images/s ({ms:.2f} ms a pair), {spread(ratios)} "
        f"times as many as plainly; steps of {step.batch} pairs in {step.device_ms:.0f} ms need {needed} reading "
        f"processes; one is enough for steps of {step.batch * ms:.0f} ms and more"
    )
    benchmark.extra_info |= {"ratio": ratios, "images_per_s": 2000 / ms}
    benchmark.pedantic(lambda: ours[0], rounds=ROUNDS)


def waited(stream: Iterator[object], step: Step, steps: int = 6) -> float:
    """Share of the time that steps wait which a device takes ``device_ms`` for."""
    begin, lost = time.perf_counter(), 0.0
    for _ in range(steps):
        time.sleep(step.device_ms / 1e3)  # a device works while the processor rests
        asked = time.perf_counter()
        next(stream)
        lost += time.perf_counter() - asked
    return lost / (time.perf_counter() - begin)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """torch's threads wait for work by spinning, on the cores of the readers; a device needs no more than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_device_waits(benchmark: BenchmarkFixture, data: PreparedFaces, step: Step, workers: int) -> None:
    read, numbers = pairs(data, step), indices(0, 10_000, step.batch, 0, 1)
    with closing(batches(read, numbers, step.batch, workers, torch.device("cpu"))) as stream:
        for _ in range(1 + QUEUED * workers):  # the readers start, and what they had ready is used up
            next(stream)
        lost = [100 * waited(stream, step) for _ in range(3)]
    print(
        f"\n{step.name}, steps of {step.device_ms:.0f} ms for {step.batch} pairs, {workers} readers on {cores()} "
        f"cores: waited {spread(lost)} % of the time"
    )
    benchmark.extra_info["waited"] = lost
    benchmark.pedantic(lambda: None)


def test_batches_a_second_on_a_gpu(benchmark: BenchmarkFixture, data: PreparedFaces, step: Step) -> None:
    """What a real device waits where copies run beside the step."""
    if not torch.cuda.is_available():
        print(f"\n{step.name}: what steps on a GPU wait was not measured: no CUDA device")
        pytest.skip("no CUDA device")
    device, lost = torch.device("cuda", 0), []
    work = torch.randn(4096, 4096, device=device)

    def busy() -> None:
        end = time.perf_counter() + step.device_ms / 1e3
        while time.perf_counter() < end:
            (work @ work).sum().item()

    workers = min(8, cores())
    stream = batches(pairs(data, step), indices(0, 10_000, step.batch, 0, 1), step.batch, workers, device)
    next(stream)
    for _ in range(30):
        busy()
        asked = time.perf_counter()
        next(stream)
        torch.cuda.current_stream().synchronize()
        lost.append((time.perf_counter() - asked) * 1e3)
    stream.close()
    print(f"\n{step.name}, {workers} readers: waited {spread(lost)} ms a step; {on('cuda')}")
    benchmark.extra_info["waited_ms"] = lost
    benchmark.pedantic(lambda: None)


def test_fused_adam(benchmark: BenchmarkFixture) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = Generator(Config(128, 0.25, "full", TDDFA)).to(device).to(memory_format=torch.channels_last)
    made = [nn.ParameterList(nn.Parameter(one.detach().clone()) for one in generator.parameters()) for _ in range(2)]
    for one in (weight for network in made for weight in network):
        one.grad = torch.randn_like(one)
    ours = optimisers.adam(made[0].parameters(), Optimiser())
    plain = torch.optim.Adam(made[1].parameters(), lr=1e-4, betas=(0.0, 0.99))

    def step(optimiser: torch.optim.Adam) -> Callable[[], None]:
        def run() -> None:
            optimiser.step()
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    # A process that waits for a GPU may rest.
    slow, fast = alternately(step(plain), step(ours), time.process_time if device == "cpu" else time.perf_counter)
    ratios = [one / other for one, other in zip(slow, fast, strict=True)]
    print(
        f"\nAdam over {sum(one.numel() for one in generator.parameters()) / 1e6:.1f} M weights on {on(device)}: "
        f"fused {spread(fast)} ms, {spread(ratios)} times as fast as PyTorch's choice"
    )
    if device == "cpu":
        print("Fused Adam on a GPU was not measured: no CUDA device")
    benchmark.extra_info["ratio"] = ratios
    benchmark.pedantic(step(ours), rounds=ROUNDS)
