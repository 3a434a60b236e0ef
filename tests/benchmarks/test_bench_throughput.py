"""How fast a swap is, against the machine's own limit in the same run. Run with ``tox -e benchmarks``.

Goals on a GPU of the H200's class: HifiFace's generator at 256 pixels, offline, reaches 40 % of the rate of matrix
products in bfloat16; one pair at a time, networks that look at source and target included, takes 4 ms in the median.
Processors have no goal: they show that the command measures what it says, and how repeatable it is.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
import torch
from devices import on
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn

from hifibench.contracts import Crop, Networks, SwapperCard
from hifibench.faces.detect import Detector
from hifibench.hififace.config import TDDFA, Config
from hifibench.hififace.generator import Generator
from hifibench.hififace.plugins import full
from hifibench.records import Cost, Precision, Status, Swap
from hifibench.throughput import engine, inputs, work
from hifibench.throughput.ceiling import ceiling, share
from hifibench.throughput.clock import Clock, undisturbed
from hifibench.throughput.measure import Limits, offline, single_stream
from hifibench.throughput.method import macs
from hifibench.throughput.records import SingleStream

SHARE, MS = 0.40, 4.0
GPU, SIZE = "cuda", 256
BATCHES = (1, 8, 16, 32, 64, 128)
ROUNDS = 3

NO_GPU = "not measured: no CUDA device"


class _Swap(nn.Module):
    """I_r and M_r of a generator."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, target: Tensor, v_sid: Tensor) -> tuple[Tensor, Tensor]:
        made = self.generator(target, v_sid)
        return made.i_r, made.m_r


class _Vector(nn.Module):
    """A v_sid of the right length for every source, so that the generator can be timed without any weights."""

    def forward(self, source: Tensor) -> tuple[Tensor]:
        return (source.flatten(1)[:, :565] - 0.5,)


class Untrained:
    """HifiFace of the paper's size: how long it takes does not depend on what it has learnt."""

    card = SwapperCard("hififace-256", "untrained", Crop("ffhq", SIZE), Crop("ffhq", SIZE))

    def __init__(self, device: str, networks: Networks | None = None) -> None:
        generator = Generator(Config(face_model=TDDFA)).eval().requires_grad_(False)
        own = Networks(_Vector(), None, _Swap(generator).to(device, memory_format=torch.channels_last))
        self.networks = networks or own

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        return Swap(target, None, (Status.OK,) * len(target))

    def cost(self) -> Cost:
        return Cost(None, None, None)


def pairs(size: int, count: int = 8) -> inputs.Batch:
    generator = torch.Generator().manual_seed(0)
    return inputs.Batch(*(torch.rand(count, 3, size, size, generator=generator) for _ in range(2)))


def told(capsys: pytest.CaptureFixture[str], *lines: str) -> None:
    with capsys.disabled():
        print("", *lines, sep="\n  ")


def test_the_generator_reaches_its_share_of_the_ceiling(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Offline, bfloat16; the ceiling is measured anew before each round."""
    if not torch.cuda.is_available():
        told(capsys, f"HifiFace-256 generator, offline, share of the matrix-product ceiling: {NO_GPU}")
        pytest.skip(NO_GPU)
    swapper, crops, clock = Untrained(GPU), pairs(SIZE), Clock(GPU)
    count = macs(swapper.networks, crops, GPU)["generator"]
    runner, form = engine.ready(swapper, GPU, "bf16", crops)

    def call(batch: int) -> Callable[[int], object]:
        return work.generator_call(runner, inputs.sets(crops, batch, runner.place))

    shares, rates, best = [], [], 1
    for batches in (BATCHES, *((),) * (ROUNDS - 1)):
        limit = ceiling(GPU, "bf16", clock)
        with undisturbed(GPU, "bf16"):
            many = offline(call, clock, Limits(), batches or (best,))
        best = many.batch
        reached = share(2 * count * many.images_per_s, limit)
        assert reached is not None
        shares.append(reached)
        rates.append(many.images_per_s)
    benchmark.pedantic(lambda: call(best)(0), rounds=1)
    benchmark.extra_info.update(share=median(shares), images_per_s=median(rates), batch=best)
    told(
        capsys,
        f"HifiFace-256 generator, offline, {form.engine} {form.used}, batch {best}, {count / 1e9:.1f} GMACs:",
        f"{median(rates):.0f} images/s ({min(rates):.0f} to {max(rates):.0f}), {100 * median(shares):.1f} % of the "
        f"ceiling ({100 * min(shares):.1f} to {100 * max(shares):.1f} %), which is {limit.tflops:.0f} TFLOP/s "
        f"({limit.low:.0f} to {limit.high:.0f}); goal {100 * SHARE:.0f} %",
        on(GPU),
    )
    assert median(shares) >= SHARE


def test_one_pair_with_its_extractors_is_quick(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Single-stream: the source's and the target's networks as in ``hififace``, the generator of the paper's size."""
    if not torch.cuda.is_available():
        told(capsys, f"HifiFace-256 with extractors, single-stream p50: {NO_GPU}")
        pytest.skip(NO_GPU)
    swapper, crops, clock = extracted(GPU), pairs(SIZE), Clock(GPU)
    runner, form = engine.ready(swapper, GPU, "bf16", crops)
    call = work.extractors_call(runner, inputs.sets(crops, 1, runner.place))
    with undisturbed(GPU, "bf16"):
        found = [single_stream(call, clock, Limits()) for _ in range(ROUNDS)]
        benchmark.pedantic(call, (0,), rounds=1)
    p50 = [one.ms_p50 for one in found]
    benchmark.extra_info.update(ms_p50=median(p50))
    told(
        capsys,
        f"HifiFace-256 with extractors, single-stream, {form.engine} {form.used}: p50 {median(p50):.2f} ms "
        f"({min(p50):.2f} to {max(p50):.2f}), p99 {median(one.ms_p99 for one in found):.2f} ms; goal {MS:g} ms",
        on(GPU),
    )
    assert median(p50) <= MS


def extracted(device: str) -> Untrained:
    """An untrained generator of the paper's size behind the networks that ``hififace`` looks at faces with."""
    from hifibench.hififace.swapper import HifiFace

    shipped: Any = full.load(device)
    generator = Generator(Config(face_model=TDDFA)).eval().requires_grad_(False)
    whole = HifiFace(Untrained.card, generator.to(device, memory_format=torch.channels_last), shipped.extractor)
    return Untrained(device, whole.networks)


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_the_shipped_generator_on_a_processor(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], precision: Precision
) -> None:
    """No goal: what the command says of ``hififace`` here, three times over, with the spread."""
    swapper: Any = full.load("cpu")
    # Portraits, since bfloat16 is held to what it does to faces.
    crops, clock = inputs.crops(inputs.portrait_jobs(Detector())[0], swapper.card), Clock("cpu")
    counted = macs(swapper.networks, crops, "cpu")
    runner, form = engine.ready(swapper, "cpu", precision, crops)
    limits = Limits(2.0, 50)
    shares, p50, whole = [], [], list[SingleStream]()
    for _ in range(ROUNDS):
        limit = ceiling("cpu", form.used, clock)
        with undisturbed("cpu", form.used):
            many = offline(
                lambda batch: work.generator_call(runner, inputs.sets(crops, batch, runner.place)),
                clock, limits, (1, 4),
            )  # fmt: skip
            alone = work.generator_call(runner, inputs.sets(crops, 1, runner.place))
            p50.append(single_stream(alone, clock, limits).ms_p50)
            everything = work.extractors_call(runner, inputs.sets(crops, 1, runner.place))
            whole.append(single_stream(everything, clock, limits))
        reached = share(2 * counted["generator"] * many.images_per_s, limit)
        assert reached is not None and reached > 0
        shares.append(reached)
    benchmark.pedantic(alone, (0,), rounds=1)
    both = [one.ms_p50 for one in whole]
    told(
        capsys,
        f"hififace (128 pixels), {precision}: {form.engine} {form.used}{'; ' + form.said if form.said else ''}",
        f"generator, offline: {100 * median(shares):.0f} % of the ceiling ({100 * min(shares):.0f} to "
        f"{100 * max(shares):.0f} %); single-stream p50 {median(p50):.1f} ms ({min(p50):.1f} to {max(p50):.1f})",
        f"+extractors, single-stream p50 {median(both):.1f} ms ({min(both):.1f} to {max(both):.1f})",
        on("cpu"),
    )
