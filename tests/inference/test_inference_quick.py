from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_networks import Small, faces
from torch import Tensor

from hifibench.errors import MethodError
from hifibench.inference import choice, engines, precision_of, quick, quicken, vino
from hifibench.inference.choice import Choice, Used, difference
from hifibench.inference.engines import Eager
from hifibench.inference.fitting import Fitting
from hifibench.inference.quick import Quick
from hifibench.records import Cost, Status, Swap


class Off(Eager):
    """An engine that is off by so much; counts the batches it is given."""

    def __init__(self, swapper: Small, by: float, used: Used = "bf16") -> None:
        super().__init__(swapper.networks, torch.device("cpu"))
        self.name, self._by, self.used, self.calls = "stand-in 1.0", by, used, 0

    def draw(self, target: Tensor, sources: Any) -> tuple[Tensor, ...]:
        self.calls += 1
        image, mask = super().draw(target, sources)
        return image + self._by / 255, mask


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``native(by=1.0)``: this machine computes in bfloat16, off by so many of 255, in float32 by ``fp32``."""
    monkeypatch.setattr(quick, "without_bf16", lambda device: "")
    made: list[Off] = []

    def give(by: float, fp32: float = 99.0) -> list[Off]:
        def load(swapper: Small, used: Used) -> Off:
            made.append(Off(swapper, by if used == "bf16" else fp32, used))
            return made[-1]

        monkeypatch.setattr(quick, "OpenVino", load)
        return made

    return give


def test_fp32_has_the_bits_of_the_swapper_itself_whatever_the_company() -> None:
    swapper = Small()
    fast = quicken(swapper, "cpu", "fp32")
    assert isinstance(fast, Quick) and fast.card is swapper.card and fast.cost() == swapper.cost()
    assert precision_of(fast) == Choice("fp32", "fp32", "eager")
    source, target = faces(5)
    expected = swapper.swap(source, target)
    for rows in (slice(0, 5), slice(2, 3), slice(1, 4)):
        made = fast.swap(source[rows], target[rows])
        assert torch.equal(made.image, expected.image[rows]) and torch.equal(made.mask, expected.mask[rows])
        assert made.status == expected.status[rows]


def test_a_swapper_without_networks_stays_as_it_is() -> None:
    class Plain:
        card = Small().card

        def swap(self, source: Tensor, target: Tensor) -> Swap:
            return Swap(target, None, (Status.OK,) * len(target))

        def cost(self) -> Cost:
            return Cost(0, 0, None)

    plain = Plain()
    for precision in ("fp32", "bf16", "auto"):
        assert quicken(plain, "cpu", precision) is plain
    assert precision_of(plain) is None


def test_a_source_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "SOURCES", 3)
    swapper = Small()
    fast, plain = quicken(swapper, "cpu", "fp32"), Small()
    source, target = faces(4)
    repeated = source[[0, 1, 0, 0]]
    made = fast.swap(repeated, target)
    assert swapper.source.calls == 2 and swapper.target.calls == 4
    assert torch.equal(made.image, plain.swap(repeated, target).image)
    fast.swap(source[:1], target[1:2])
    assert swapper.source.calls == 2
    fast.swap(source, target)  # four sources, of which two are known; the first of four goes
    assert swapper.source.calls == 4
    fast.swap(source[1:], target[1:])
    assert swapper.source.calls == 4
    fast.swap(source[:1], target[:1])
    assert swapper.source.calls == 5


@pytest.mark.parametrize(("by", "used"), [(0.5, "bf16"), (3.0, "fp32"), (float("nan"), "fp32")])
def test_auto_takes_bf16_only_where_the_first_batch_agrees(
    native: Any, by: float, used: str, caplog: pytest.LogCaptureFixture
) -> None:
    made, swapper = native(by), Small()
    fast = quicken(swapper, "cpu", "auto")
    assert precision_of(fast) is None
    first, second = faces(3), faces(3, seed=1)
    expected = swapper.swap(*first).image
    off = Swap(expected + by / 255, None, ())
    got = fast.swap(*first).image
    assert torch.equal(got, off.image if used == "bf16" else expected)
    told = precision_of(fast)
    assert told is not None and (told.asked, told.used) == ("auto", used)
    last = by if used == "bf16" else 99.0  # of what was tried
    assert told.mean_difference == told.largest_difference == pytest.approx(last, abs=1e-3)
    assert ("differs from fp32" in told.reason) == (used == "fp32") == ("runs in fp32" in caplog.text)
    fast.swap(*second)
    assert made[0].calls == (2 if used == "bf16" else 1), "decided once"


def test_one_wild_value_is_enough_to_disagree() -> None:
    image = torch.zeros(2, 3, 8, 8)
    wild = image.clone()
    wild[1, 0, 0, 0] = 0.1
    apart = difference(Swap(image, None, ()), Swap(wild, None, ()))
    assert apart == pytest.approx((255 * 0.1 / 192, 25.5), abs=1e-3) and not apart.agrees
    mask = torch.zeros(2, 1, 8, 8)
    both = difference(Swap(image, mask, ()), Swap(image, mask + 0.01, ()))
    assert both == pytest.approx((2.55, 2.55), abs=1e-3) and not both.agrees
    assert difference(Swap(image, mask, ()), Swap(image + 0.5 / 255, mask, ())).agrees


def test_auto_keeps_to_fp32_on_hardware_without_bf16(
    native: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = native(0.0, fp32=0.1)
    monkeypatch.setattr(quick, "without_bf16", choice.without_bf16)
    monkeypatch.setattr(choice, "_flags", lambda: {"avx2", "avx512f"})
    fast, expected = quicken(Small(), "cpu", "auto"), Small().swap(*faces(2))
    assert torch.equal(fast.swap(*faces(2)).image, expected.image + 0.1 / 255)
    assert [one.used for one in made] == ["fp32"]
    told = precision_of(fast)
    assert told is not None and (told.used, told.engine, told.form) == ("fp32", "stand-in 1.0", "fp32, stand-in")
    assert told.reason == "the processor has no bf16 instructions"
    assert told.largest_difference == pytest.approx(0.1, abs=1e-2)
    assert "small runs in fp32, by stand-in 1.0: the processor has no bf16 instructions" in caplog.text
    for flag in ("avx512_bf16", "amx_bf16"):
        monkeypatch.setattr(choice, "_flags", lambda flag=flag: {flag})
        assert choice.without_bf16("cpu") == ""


def test_float32_by_another_engine_is_next_where_bfloat16_disagrees(native: Any) -> None:
    made = native(3.0, fp32=0.2)
    fast = quicken(Small(), "cpu", "auto")
    expected = Small().swap(*faces(3)).image
    assert torch.equal(fast.swap(*faces(3)).image, expected + 0.2 / 255)
    assert [(one.used, one.calls) for one in made] == [("bf16", 1), ("fp32", 1)]
    told = precision_of(fast)
    assert told is not None and told.form == "fp32, stand-in" and "bf16 by stand-in 1.0 differs" in told.reason
    again = quicken(Small(), "cpu", "auto", told)
    assert precision_of(again) == told and made[-1].used == "fp32" and len(made) == 3


def test_auto_keeps_to_fp32_where_a_network_cannot_be_converted(
    native: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(swapper: Small, used: Used) -> None:
        raise vino.UnusableError("small's source network cannot be converted: no such operation")

    monkeypatch.setattr(quick, "OpenVino", broken)
    fast = quicken(Small(), "cpu", "auto")
    assert torch.equal(fast.swap(*faces(2)).image, Small().swap(*faces(2)).image)
    told = precision_of(fast)
    assert told is not None and told.used == "fp32" and "no such operation" in told.reason
    assert "no such operation" in caplog.text
    # Asked for by name, bfloat16 is had another way.
    caplog.clear()
    asked = quicken(Small(), "cpu", "bf16")
    assert precision_of(asked) == Choice("bf16", "bf16", "eager autocast") and "under autocast" in caplog.text
    image = asked.swap(*faces(2)).image
    expected = Small().swap(*faces(2)).image
    assert image.dtype == torch.float32 and 0 < float((image - expected).abs().max()) < 0.02


def test_what_was_decided_before_is_kept_to(native: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = native(9.0)  # would not be taken today
    source, target = faces(2)
    decided = Choice("auto", "bf16", "stand-in 1.0", 0.1, 0.2)
    fast = quicken(Small(), "cpu", "auto", decided)
    assert precision_of(fast) == decided
    off = fast.swap(source, target).image - Small().swap(source, target).image
    assert float(off.mean()) == pytest.approx(9 / 255, abs=1e-4) and len(made) == 1
    plain = quicken(Small(), "cpu", "auto", replace(decided, used="fp32", engine="eager"))
    assert torch.equal(plain.swap(source, target).image, Small().swap(source, target).image) and len(made) == 1
    with pytest.raises(MethodError, match=r"begun by torch.compile.*in bf16.*here it would be stand-in 1.0"):
        quicken(Small(), "cpu", "auto", replace(decided, engine="torch.compile, CUDA graphs"))

    def broken(swapper: Small, used: Used) -> None:
        raise vino.UnusableError("not here")

    monkeypatch.setattr(quick, "OpenVino", broken)
    with pytest.raises(MethodError, match=r"not here.*--precision fp32"):
        quicken(Small(), "cpu", "auto", decided)


def test_what_was_decided_and_fails_at_work_is_no_swap_in_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Tensor) -> Any:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(quick, "OpenVino", lambda swapper, used: compiled(swapper, lambda network: fails))
    fast = quicken(Small(), "cpu", "auto", Choice("auto", "bf16", "torch.compile, CUDA graphs"))
    with pytest.raises(MethodError, match=r"begun by torch.compile.*fell back to eager autocast"):
        fast.swap(*faces(2))


def test_a_batch_that_does_not_fit_leaves_nothing_of_the_other_format_to_be_compared_with(native: Any) -> None:
    class Wide(Off):
        """Sees sources wrongly, and runs out of memory over more than two."""

        def sources(self, source: Tensor) -> Any:
            return [tuple(part + 5 for part in one) for one in super().sources(source)]

        def draw(self, target: Tensor, sources: Any) -> Any:
            if len(target) > 2:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().draw(target, sources)

    native(0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick, "OpenVino", lambda swapper, used: Wide(swapper, 0.0))
        fast = quicken(Small(), "cpu", "auto")
        made = Fitting(fast).swap(*faces(4))
    told = precision_of(fast)
    assert told is not None and told.used == "fp32" and "differs" in told.reason
    assert torch.equal(made.image, Small().swap(*faces(4)).image)


def test_a_choice_comes_back_from_its_file_and_a_damaged_one_is_none() -> None:
    one = Choice("auto", "fp32", "eager", 1.5, 20.0, "it differs")
    assert Choice.from_json(one.to_json()) == one
    for raw in (None, {}, {"asked": "auto"}, {**one.to_json(), "more": 1}, {**one.to_json(), "used": "int8"}, [1]):
        assert Choice.from_json(raw) is None


def compiled(swapper: Small, compiler: Any) -> engines.Graphs:
    return engines.Graphs(swapper.networks, torch.device("cpu"), compiler)


def test_batches_of_graphs_are_filled_up_and_their_outputs_kept() -> None:
    swapper, copies = Small(), []

    def compiler(network: torch.nn.Module) -> Any:
        copies.append(network)
        return network

    engine = compiled(swapper, compiler)
    source, target = faces(5)
    image, mask = engine.draw(target, engine.sources(source))
    assert copies[2].batches == [1] * 8 and swapper.generator.batches == []  # rows of a filled batch, on a processor
    assert image.shape == target.shape and mask.shape == (5, 1, 16, 16)
    assert float((image - Small().swap(source, target).image).abs().max()) < 0.02


def test_graphs_of_all_methods_are_made_in_one_thread_however_many_there_are() -> None:
    threads = set()

    def compiler(network: torch.nn.Module) -> Any:
        import torch._dynamo

        def call(*args: Tensor) -> Any:
            threads.add(threading.get_ident())
            assert torch._dynamo.config.recompile_limit == engines.FORMS
            return network(*args)

        return call

    for engine in (compiled(Small(), compiler), compiled(Small(), compiler)):
        engine.draw(faces(2)[1], engine.sources(faces(2)[0]))
        assert engine.name == "torch.compile, CUDA graphs"
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_a_network_that_does_not_compile_goes_on_under_autocast(caplog: pytest.LogCaptureFixture) -> None:
    def never(network: torch.nn.Module) -> Any:
        raise RuntimeError("no compiler\nfor that")

    def later(network: torch.nn.Module) -> Any:
        def call(*args: Tensor) -> Any:
            raise RuntimeError("no kernel")

        return call

    source, target = faces(3)
    plain = Eager(Small().networks, torch.device("cpu"), bf16=True)
    expected = plain.draw(target, plain.sources(source))
    for compiler, said in ((never, "no compiler"), (later, "no kernel")):
        caplog.clear()
        engine = compiled(Small(), compiler)
        made = engine.draw(target, engine.sources(source))
        engine.draw(target, engine.sources(source))
        assert all(map(torch.equal, made, expected)) and engine.name == "eager autocast"
        (record,) = caplog.records
        assert f"torch.compile fails on cpu: {said}. Plain autocast goes on." == record.message


def test_memory_that_runs_out_is_no_failure_to_compile() -> None:
    def full(network: torch.nn.Module) -> Any:
        def call(*args: Tensor) -> Any:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

        return call

    engine = compiled(Small(), full)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        engine.sources(faces(1)[0])
    assert engine.name == "torch.compile, CUDA graphs"
