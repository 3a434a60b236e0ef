"""Lite swapping: eager float32, channels first, against ``--precision auto``, on portraits. Run with ``tox -e
benchmarks``.

The eager side is the swapper's own networks with their weights channels first, on one pair after the other, each source
looked at for each of its pairs. Both sides are timed in turn, in the same process, crops in memory.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from devices import on
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from hifibench import registry
from hifibench.contracts import Networks, NetworkSwapper
from hifibench.data import portraits
from hifibench.device import cores
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.inference import quicken
from hifibench.inference.choice import LARGEST, MEAN, difference
from hifibench.inference.quick import Quick
from hifibench.records import Swap
from hifibench.torch_swaps import as_swap, draw, look

GOAL = 4.0
METHODS = ("hififace", "simswap", "faceshifter")
PEOPLE, ROUNDS = 20, 5
FIRST = 2_000_000_001
TARGETS = {"new sources": 1, "10 targets a source": 10}


@pytest.fixture(autouse=True)
def _all_cores() -> Iterator[None]:
    """Both sides may use all of them: ``OMP_NUM_THREADS`` would bind torch alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(cores())
    yield
    torch.set_num_threads(before)


@contextmanager
def channels_first() -> Iterator[None]:
    """The networks ask for channels last by themselves; here nobody gets them."""
    contiguous = Tensor.contiguous
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "contiguous", lambda self, memory_format=None: contiguous(self))
        yield


def pairs(swapper: NetworkSwapper, targets: int) -> tuple[Tensor, Tensor]:
    detector = Detector()
    frames = [portraits.load(portraits.uri(FIRST + number, 0)) for number in range(PEOPLE)]
    faces = [detector.choose(frame) for frame in frames]

    def crops(crop: object) -> Tensor:
        return torch.from_numpy(
            np.stack([templates.take(frame, face, crop)[0] for frame, face in zip(frames, faces, strict=True)])  # type: ignore[arg-type]
        )

    giving = (torch.arange(PEOPLE) // targets * targets + 1) % PEOPLE
    return crops(swapper.card.source)[giving], crops(swapper.card.target)


def plainly(networks: Networks, source: Tensor, target: Tensor) -> Swap:
    with torch.no_grad(), channels_first():
        made = [
            draw(networks, t, [look(networks.source, s)]) for s, t in zip(source.split(1), target.split(1), strict=True)
        ]
    return as_swap(tuple(torch.cat(part) for part in zip(*made, strict=True)))


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


@pytest.mark.parametrize("row", TARGETS)
@pytest.mark.parametrize("method", METHODS)
def test_lite_swapping_on_a_processor(
    benchmark: BenchmarkFixture, method: str, row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    swapper = registry.swappers.get(method).load("cpu")
    assert isinstance(swapper, NetworkSwapper)
    networks = Networks(*(copy.deepcopy(one) for one in vars(swapper.networks).values()))
    for network in (networks.source, networks.target, networks.generator):
        if network is not None:
            network.to(memory_format=torch.contiguous_format)
    source, target = pairs(swapper, TARGETS[row])
    quick = quicken(swapper, "cpu", "auto")
    assert isinstance(quick, Quick)

    def fresh() -> Swap:
        quick.forget()  # every round begins with sources that nobody has seen
        return quick.swap(source, target)

    apart = difference(fresh(), plainly(networks, source, target))
    rounds: list[tuple[float, float]] = []

    def both() -> None:
        rounds.append((seconds(lambda: plainly(networks, source, target)), seconds(fresh)))

    benchmark.pedantic(both, rounds=ROUNDS)
    slow, fast = (np.array(column) for column in zip(*rounds, strict=True))
    ratios = slow / fast
    choice = quick.choice
    assert choice is not None
    with capsys.disabled():
        print(
            f"\n{method}, {row}: eager fp32 channels first {PEOPLE / np.median(slow):.1f} images/s, auto "
            f"({choice.used} by {choice.engine}) {PEOPLE / np.median(fast):.1f} images/s: {np.median(ratios):.2f} x "
            f"({ratios.min():.2f} to {ratios.max():.2f} over {ROUNDS} rounds, {torch.get_num_threads()} threads); "
            f"differs by {apart.mean:.2f}/255 on average, {apart.largest:.1f}/255 at most"
        )
    assert apart.mean <= MEAN and apart.largest <= LARGEST
    if choice.used == "fp32" and np.median(ratios) < GOAL:
        pytest.skip(f"{np.median(ratios):.2f} x is short of {GOAL:g} x in fp32: {choice.reason}")
    assert np.median(ratios) >= GOAL


@pytest.mark.parametrize("method", METHODS)
def test_lite_swapping_on_a_gpu(benchmark: BenchmarkFixture, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not torch.cuda.is_available():
        with capsys.disabled():
            print(f"\n{method}: not measured: no CUDA device")
        pytest.skip("no CUDA device")
    plain, swapper = (registry.swappers.get(method).load("cuda") for _ in range(2))
    assert isinstance(swapper, NetworkSwapper)
    source, target = pairs(swapper, 1)
    quick = quicken(swapper, "cuda", "auto")
    assert isinstance(quick, Quick)

    def fresh() -> Swap:
        quick.forget()  # as above: every source is new
        return quick.swap(source, target)

    apart = difference(fresh(), plain.swap(source, target))
    for _ in range(3):  # graphs are recorded in the first calls
        fresh()
    rounds: list[tuple[float, float]] = []

    def both() -> None:
        rounds.append((seconds(lambda: plain.swap(source, target)), seconds(fresh)))

    benchmark.pedantic(both, rounds=ROUNDS)
    ratios = np.array([slow / fast for slow, fast in rounds])
    with capsys.disabled():
        print(
            f"\n{method}: auto ({quick.choice}) {np.median(ratios):.2f} times eager fp32 ({ratios.min():.2f} to "
            f"{ratios.max():.2f}), {PEOPLE} pairs with new sources; {apart}; {on('cuda')}"
        )
    assert apart.agrees
