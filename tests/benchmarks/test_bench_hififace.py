"""HifiFace's speed: a swap at 256 pixels, a step of training, on processors and GPUs. Run with ``tox -e benchmarks``.

The plain network is the same one in float32, channels first, operation by operation.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn

from hifibench.hififace.blocks import fuse_norms
from hifibench.hififace.config import TDDFA, Config
from hifibench.hififace.generator import Generator
from hifibench.hififace.plugins import full
from hifibench.training.contract import Batch, Plan, Trainable
from hifibench.training.precision import bf16_pays

CPU_FORWARD, CPU_TRAINING = 2.0, 5.0
ROUND = 4
"""Steps of ``lite`` from one cycle to the next."""
GPU_IMAGES_PER_S, GPU_STEPS_PER_S = 1000.0, 5.0

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
native_bf16 = pytest.mark.skipif(not bf16_pays("cpu"), reason="this processor has no bfloat16 instructions")


def seconds(call: Callable[[], object], rounds: int) -> float:
    """Best of some rounds, after two that do not count."""
    times = []
    for _ in range(rounds + 2):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times[2:])


def shown(generator: nn.Module, target: Tensor, v_sid: Tensor, bf16: bool) -> Tensor:
    with torch.inference_mode(), torch.autocast(target.device.type, torch.bfloat16, enabled=bf16):
        return generator(target, v_sid).i_r


@native_bf16
@pytest.mark.parametrize(("bf16", "tolerance"), [(True, 2e-2), (False, 1e-4)], ids=["bf16", "fp32"])
def test_forward_at_256_on_a_processor(benchmark: BenchmarkFixture, bf16: bool, tolerance: float) -> None:
    torch.manual_seed(0)
    plain = Generator(Config(face_model=TDDFA)).eval()
    quick = Generator(Config(face_model=TDDFA)).eval().to(memory_format=torch.channels_last)
    quick.load_state_dict(plain.state_dict())
    fuse_norms(quick)
    target, v_sid = torch.rand(1, 3, 256, 256), torch.randn(1, 565)
    near = target.contiguous(memory_format=torch.channels_last)
    expected = shown(plain, target, v_sid, bf16=False)
    slow = seconds(lambda: shown(plain, target, v_sid, bf16=False), rounds=5)
    got = benchmark.pedantic(shown, (quick, near, v_sid, bf16), rounds=10, warmup_rounds=2)
    error = float((got - expected).abs().max())
    ratio = slow / benchmark.stats.stats.min
    benchmark.extra_info.update(plain_ms=1e3 * slow, times_faster=ratio, max_error=error)
    assert error <= tolerance
    assert ratio >= CPU_FORWARD or not bf16


def pairs(count: int, size: int, device: str) -> Batch:
    generator = torch.Generator().manual_seed(0)
    image, other, mask = (torch.rand(count, channels, size, size, generator=generator) for channels in (3, 3, 1))
    same = torch.arange(count) % 2 == 0
    layout = torch.channels_last
    return Batch(
        image.to(device, memory_format=layout),
        other.to(device, memory_format=layout),
        same.to(device),
        (mask > 0.5).float().to(device),
    )


def steps(
    method: Trainable, optimisers: dict[str, torch.optim.Optimizer], batch: Batch, bf16: bool, count: int
) -> None:
    """Steps 1, 2 and so on; what is done now and then only, as in ``lite``, takes its share of the time."""
    for number in range(1, count + 1):
        step(method, optimisers, batch, bf16, number)


def step(
    method: Trainable, optimisers: dict[str, torch.optim.Optimizer], batch: Batch, bf16: bool, number: int = 1
) -> None:
    for turn in method.turns:
        with torch.autocast(batch.source.device.type, torch.bfloat16, enabled=bf16):
            total = method.losses(turn, batch, number).total
        optimisers[turn].zero_grad(set_to_none=True)
        total.backward()
        optimisers[turn].step()
    if batch.source.is_cuda:
        torch.cuda.synchronize()


def made(plan: Plan, device: str) -> tuple[Trainable, dict[str, torch.optim.Optimizer]]:
    torch.manual_seed(0)
    assert full.training is not None
    method = full.training().make(plan, device)
    return method, {turn: torch.optim.Adam(method.networks[turn].parameters(), lr=1e-4) for turn in method.turns}


def as_published(method: Trainable) -> None:
    """Channels first, everywhere."""
    for value in vars(method).values():
        for network in value.values() if isinstance(value, dict) else (value,):
            if isinstance(network, nn.Module):
                network.to(memory_format=torch.contiguous_format)


@native_bf16
def test_a_lite_step_on_a_processor(benchmark: BenchmarkFixture) -> None:
    assert full.training is not None
    plan = full.training().presets["lite"]
    batch = pairs(plan.batch, plan.size, "cpu")
    method, optimisers = made(plan, "cpu")
    as_published(method)
    first = Batch(*(one.contiguous() if one.dim() == 4 else one for one in batch))
    slow = seconds(lambda: steps(method, optimisers, first, False, ROUND), rounds=2) / ROUND
    method, optimisers = made(plan, "cpu")
    method.compile()
    benchmark.pedantic(steps, (method, optimisers, batch, True, ROUND), rounds=4, warmup_rounds=1)
    quick = benchmark.stats.stats.min / ROUND
    benchmark.extra_info.update(
        images_per_s=plan.batch / quick, plain_images_per_s=plan.batch / slow, times_faster=slow / quick
    )
    assert slow / quick >= CPU_TRAINING


@cuda
def test_forward_at_256_on_a_gpu(benchmark: BenchmarkFixture) -> None:
    generator = Generator(Config(face_model=TDDFA)).eval().to("cuda", memory_format=torch.channels_last)
    generator.compile()
    target = torch.rand(32, 3, 256, 256, device="cuda").contiguous(memory_format=torch.channels_last)
    v_sid = torch.randn(32, 565, device="cuda")

    def forward() -> None:
        shown(generator, target, v_sid, bf16=True)
        torch.cuda.synchronize()

    benchmark.pedantic(forward, rounds=20, warmup_rounds=5)
    images_per_s = 32 / benchmark.stats.stats.min
    benchmark.extra_info.update(images_per_s=images_per_s, peak_gb=torch.cuda.max_memory_allocated() / 1e9)
    assert images_per_s >= GPU_IMAGES_PER_S


@cuda
@pytest.mark.parametrize("preset", ["paper-256", "paper-512"])
def test_a_step_of_the_paper_on_a_gpu(benchmark: BenchmarkFixture, preset: str) -> None:
    assert full.training is not None
    plan = full.training().presets[preset]
    plan = plan if preset == "paper-256" else replace(plan, batch=8)
    torch.cuda.reset_peak_memory_stats()
    method, optimisers = made(plan, "cuda")
    method.compile()
    batch = pairs(plan.batch, plan.size, "cuda")
    benchmark.pedantic(step, (method, optimisers, batch, True), rounds=10, warmup_rounds=5)
    rate = 1 / benchmark.stats.stats.min
    benchmark.extra_info.update(steps_per_s=rate, peak_gb=torch.cuda.max_memory_allocated() / 1e9)
    assert preset != "paper-256" or rate >= GPU_STEPS_PER_S
