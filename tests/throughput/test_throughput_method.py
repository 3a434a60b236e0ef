"""One method: what each scope runs, what it costs, and what is said where it cannot be timed."""

from __future__ import annotations

import gc
import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from timed_networks import CARD, GENERATOR_MACS, SOURCE_MACS, OneFace, Plain, TinyNetworks, jobs, plugin
from torch import Tensor, nn

from hifibench.contracts import Networks, SwapperCard, SwapperPlugin
from hifibench.errors import MethodError, MissingError
from hifibench.records import Swap
from hifibench.throughput import engine, inputs, measure, method, work
from hifibench.throughput.ceiling import ceiling, operations, share
from hifibench.throughput.clock import Clock, Peak, undisturbed
from hifibench.throughput.measure import Limits
from hifibench.throughput.method import NOT_SHOWN, RELEASED, Ceilings, Plan, measured
from hifibench.throughput.records import SCOPES, Ceiling, Method

PLAN = Plan(SCOPES, (1, 2), "fp32", "cpu", Limits(0.02, 3))
LIMIT = Ceiling("fp32", 512, 0.5, 0.4, 0.6, 5)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that a small network fills."""
    monkeypatch.setattr(measure, "WINDOW_S", 0.002)


class Known(Ceilings):
    """A limit that nobody has to measure."""

    def __init__(self) -> None:
        super().__init__("cpu", Clock("cpu"))

    def of(self, precision: str) -> Ceiling:
        return replace(LIMIT, precision=precision)


def of(tmp_path: Path, one: SwapperPlugin, plan: Plan = PLAN) -> Method:
    detector: Any = OneFace()
    return measured(one, plan, jobs(), detector, Clock("cpu"), Known(), tmp_path / "logs")


def test_a_method_of_networks_is_timed_in_all_scopes(tmp_path: Path) -> None:
    got = of(tmp_path, plugin())
    assert (got.name, got.card, got.reason) == (CARD.name, CARD.hash, "")
    assert (got.networks, got.params_trainable, got.params_frozen, got.pairs) == (True, 81, 15, 3)
    assert got.source_ms is not None and got.source_ms > 0
    assert got.format is not None
    assert (got.format.asked, got.format.used, got.format.engine) == ("fp32", "fp32", "torch eager")
    assert [one.scope for one in got.scopes] == list(SCOPES)
    for one in got.scopes:
        assert one.reason == ""
        assert one.single_stream is not None and one.offline is not None
        assert one.single_stream.ms_p50 <= one.single_stream.ms_p90 <= one.single_stream.ms_p99
        assert [point.batch for point in one.offline.sweep] == [1, 2]
        assert one.offline.n >= 3


def test_multiply_accumulates_are_those_counted_by_hand_and_give_rate_and_share(tmp_path: Path) -> None:
    generator, extractors, whole = of(tmp_path, plugin()).scopes
    assert generator.macs == GENERATOR_MACS
    assert extractors.macs == GENERATOR_MACS + SOURCE_MACS
    assert generator.offline is not None
    rate = 2 * GENERATOR_MACS * generator.offline.images_per_s
    assert generator.flops_per_s == pytest.approx(rate)
    assert generator.ceiling_share == pytest.approx(rate / 0.5e12)
    assert (whole.macs, whole.flops_per_s, whole.ceiling_share) == (None, None, None)


def test_a_method_without_networks_has_its_own_swap_for_extractors_and_no_generator(tmp_path: Path) -> None:
    got = of(tmp_path, plugin(Plain))
    generator, extractors, whole = got.scopes
    assert (got.networks, got.format, got.source_ms) == (False, None, None)
    assert (generator.reason, generator.offline) == (NOT_SHOWN, None)
    assert extractors.offline is not None and whole.offline is not None
    assert extractors.flops_per_s == pytest.approx(2 * 1000 * extractors.offline.images_per_s)
    assert extractors.ceiling_share is None, "nobody knows in which format it computes"


def test_only_the_scopes_asked_for_are_timed(tmp_path: Path) -> None:
    got = of(tmp_path, plugin(), replace(PLAN, scopes=("+extractors",)))
    assert [one.scope for one in got.scopes] == ["+extractors"]


def test_whole_frames_come_one_by_one(tmp_path: Path) -> None:
    card = replace(CARD, target=replace(CARD.target, template="frame", size=0), source=CARD.source)
    got = of(tmp_path, SwapperPlugin(card, lambda device: Plain(card)))
    _, extractors, whole = got.scopes
    for one in (extractors, whole):
        assert one.offline is not None and one.offline.batch == 1


def test_pairs_that_fail_are_left_out(tmp_path: Path) -> None:
    first = inputs.crops(jobs(), CARD).target[0]
    got = of(tmp_path, plugin(lambda card: Plain(card, lambda target: torch.equal(target, first))))
    assert (got.pairs, got.reason) == (2, "")


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (lambda card: Plain(card, lambda target: True), "could swap none of 3 pairs: no chin"),
        (lambda card: missing(), "people.pth is missing"),
        (lambda card: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_method_that_cannot_be_used_is_a_row_with_the_reason(
    tmp_path: Path, load: Callable[[SwapperCard], Any], said: str
) -> None:
    got = of(tmp_path, plugin(load))
    assert said in got.reason
    assert got.scopes == ()


def missing() -> None:
    raise MissingError("people.pth is missing. Get it from its authors.")


def test_a_release_is_no_error(tmp_path: Path) -> None:
    class Release:
        card = CARD

        def find(self, pair: object, source: object, target: object, frame: object) -> None:
            raise AssertionError

    assert of(tmp_path, plugin(lambda card: Release())).reason == RELEASED


def test_a_scope_that_breaks_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    class Alone(Plain):
        def swap(self, source: Tensor, target: Tensor) -> Swap:
            if len(target) > 1:
                raise ValueError("one at a time")
            return super().swap(source, target)

    generator, extractors, whole = of(tmp_path, plugin(Alone)).scopes
    assert generator.reason == NOT_SHOWN
    assert "one at a time" in extractors.reason
    assert whole.offline is not None, "the harness tries the pairs of such a batch one by one"


def test_memory_that_runs_out_at_the_second_batch_ends_the_sweep(tmp_path: Path) -> None:
    class Narrow(TinyNetworks):
        def __init__(self, card: SwapperCard) -> None:
            super().__init__(card)
            self.networks = Networks(self.networks.source, None, Greedy(self.networks.generator))

    class Greedy(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, target: Tensor, identity: Tensor) -> Any:
            if len(target) > 1:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return self.inner(target, identity)

    for one in of(tmp_path, plugin(Narrow)).scopes[:2]:
        assert one.offline is not None
        assert (one.offline.batch, one.offline.ended) == (1, "a batch of 2 does not fit into memory")


def test_the_generator_alone_looks_at_no_source_and_the_others_at_a_new_one_each_time() -> None:
    swapper = TinyNetworks()
    runner, _ = engine.ready(swapper, "cpu", "fp32", inputs.crops(jobs(), CARD))
    batches = inputs.sets(inputs.crops(jobs(), CARD), 2, runner.place)
    source: Any = swapper.networks.source
    call = work.generator_call(runner, batches)
    before = source.looks
    for number in range(5):
        call(number)
    assert source.looks == before
    call = work.extractors_call(runner, batches)
    for number in range(5):
        call(number)
    assert source.looks == before + 10


def test_all_ways_from_crops_to_a_crop_agree() -> None:
    swapper, crops = TinyNetworks(), inputs.crops(jobs(), CARD)
    runner, _ = engine.ready(swapper, "cpu", "fp32", crops)
    with undisturbed("cpu"):
        expected = swapper.swap(crops.source, crops.target).image
        alone = runner.generate(crops.target, runner.given(crops))[0]
        shown = work.Shown(CARD, runner).swap(crops.source, crops.target)
    torch.testing.assert_close(alone, expected, rtol=0, atol=0)
    torch.testing.assert_close(runner.through(crops)[0], expected, rtol=0, atol=0)
    torch.testing.assert_close(shown.image, expected, rtol=0, atol=0)
    assert shown.mask is not None


def test_the_whole_scope_finds_both_faces_of_every_pair_and_pastes() -> None:
    detector: Any = OneFace()
    with ThreadPoolExecutor(2) as pool, torch.no_grad():
        call = work.whole_call(Plain(), jobs(), 2, detector, pool)
        call(0)
        call(1)
    assert detector.frames == 8


def test_a_swap_that_fails_while_it_is_timed_is_no_time() -> None:
    detector: Any = OneFace()
    with ThreadPoolExecutor(2) as pool, pytest.raises(MethodError, match="had swapped before: no chin"):
        work.whole_call(Plain(fails=lambda target: True), jobs(), 1, detector, pool)(0)


def test_channels_last_weights_get_images_like_that() -> None:
    swapper = TinyNetworks()
    swapper.networks.generator.to(memory_format=torch.channels_last)
    runner, form = engine.ready(swapper, "cpu", "fp32", inputs.crops(jobs(), CARD))
    image = runner.place(torch.rand(2, 3, 16, 16))
    assert form.channels_last
    assert image.is_contiguous(memory_format=torch.channels_last) and not image.is_contiguous()
    assert not engine.ready(TinyNetworks(), "cpu", "fp32", inputs.crops(jobs(), CARD)).format.channels_last


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 8, 10])
def test_every_pair_goes_round(batch: int) -> None:
    listed = inputs.rows(5, batch)
    assert {len(one) for one in listed} == {batch}
    assert {index for one in listed for index in one} == set(range(5))
    assert all(one != other for one, other in zip(listed, [*listed[1:], listed[0]], strict=True))


def test_crops_are_those_of_the_card() -> None:
    crops = inputs.crops(jobs(), CARD)
    assert crops.source.shape == crops.target.shape == (3, 3, 16, 16)
    (first, *_) = inputs.sets(crops, 4, lambda image: image)
    torch.testing.assert_close(first.target, crops.target[[0, 1, 2, 0]])


def test_the_ceiling_is_the_best_of_several_sizes_with_its_spread() -> None:
    got = ceiling("cpu", "fp32", Clock("cpu"), (32, 64), part_s=0.005)
    assert got.size == max(got.sizes, key=lambda size: got.sizes[size])
    assert set(got.sizes) == {32, 64}
    assert 0 < got.low <= got.tflops <= got.high
    assert got.tflops == got.sizes[got.size]


def test_the_rate_of_a_product_of_matrices_counts_two_for_a_multiply_accumulate() -> None:
    assert operations(4) == 2 * 4 * 4 * 4

    class Ticks:
        """A tenth of a second passes between two looks."""

        time = 0.0

        def now(self) -> float:
            self.time += 0.1
            return self.time

    got = ceiling("cpu", "fp32", Ticks(), (64,), part_s=0.1)
    assert got.tflops == pytest.approx(operations(64) / 0.1 / 1e12)


def test_share() -> None:
    assert share(0.25e12, LIMIT) == pytest.approx(0.5)
    assert share(None, LIMIT) is None and share(1.0, None) is None


def test_nothing_is_collected_while_the_clock_runs_and_settings_come_back() -> None:
    assert gc.isenabled()
    with undisturbed("cpu"):
        assert not gc.isenabled() and not torch.is_grad_enabled()
    assert gc.isenabled() and torch.is_grad_enabled()
    with pytest.raises(ValueError, match="broken"), undisturbed("cpu"):
        raise ValueError("broken")
    assert gc.isenabled()


def test_the_peak_of_memory_is_what_was_taken_since() -> None:
    peak = Peak("cpu")
    if peak.taken() is None:
        pytest.skip("this system does not tell")
    before = peak.taken()
    # New pages, and many: whatever else the process gives back or takes meanwhile is little beside them.
    with mmap.mmap(-1, 256 * 2**20) as block:
        block[:: 2**12] = b"x" * len(block[:: 2**12])
    taken = peak.taken()
    assert taken is not None and before is not None
    assert 200 * 2**20 < taken - before < 300 * 2**20


def test_networks_that_cannot_be_counted_have_no_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(run: object) -> int:
        raise RuntimeError("unknown operation")

    monkeypatch.setattr(method.torch_swaps, "macs", refuse)
    generator = of(tmp_path, plugin()).scopes[0]
    assert (generator.macs, generator.ceiling_share) == (None, None)
    assert generator.offline is not None
