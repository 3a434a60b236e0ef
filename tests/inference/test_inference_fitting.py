from __future__ import annotations

from typing import Any

import pytest
import torch
from small_networks import Small, faces
from torch import Tensor

from hifibench.device import out_of_memory
from hifibench.errors import MethodError
from hifibench.inference import quicken
from hifibench.inference.fitting import Fitting
from hifibench.records import Cost, Status, Swap


class Narrow:
    """Holds so many pairs at once; the statuses tell them apart."""

    card = Small().card

    def __init__(self, most: int, error: Any = lambda: torch.cuda.OutOfMemoryError("CUDA out of memory.")) -> None:
        self.most, self.error = most, error
        self.batches: list[int] = []

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        self.batches.append(len(target))
        if len(target) > self.most:
            raise self.error()
        dark = [float(one.mean()) < 0.5 for one in target]
        status = tuple(Status.FAILED if one else Status.OK for one in dark)
        return Swap(source + target, target[:, :1], status, tuple("too dark" if one else "" for one in dark))

    def cost(self) -> Cost:
        return Cost(1, 2, 3)


ERRORS = [
    lambda: torch.cuda.OutOfMemoryError("CUDA out of memory."),
    lambda: RuntimeError("DefaultCPUAllocator: Out of memory: you tried to allocate"),
]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("most", "tried"), [(5, [5, 5, 3]), (6, [6, 6, 1]), (13, [13]), (1, [1] * 13)])
def test_a_batch_that_does_not_fit_is_halved_once_for_all(
    error: Any, most: int, tried: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    source, target = faces(13)
    narrow, whole = Narrow(most, error), Narrow(99)
    fitting, expected = Fitting(narrow), whole.swap(source, target)
    halves = [13, 6, 3, 1]
    begun = next(size for size in halves if size <= most)
    for _ in range(2):
        made = fitting.swap(source, target)
        assert torch.equal(made.image, expected.image) and torch.equal(made.mask, expected.mask)
        assert (made.status, made.messages) == (expected.status, expected.messages)
    failed = [size for size in halves if size > most]
    parts = [min(begun, 13 - at) for at in range(0, 13, begun)]
    assert narrow.batches == failed + parts * 2
    assert len(caplog.records) == (1 if failed else 0)
    assert not failed or f"13 pairs do not fit into memory; {begun} at once do" in caplog.text
    assert fitting.card is narrow.card and fitting.cost() == Cost(1, 2, 3)


def test_one_pair_that_does_not_fit_ends_the_method() -> None:
    with pytest.raises(MethodError, match=r"does not hold one pair \(CUDA out of memory.\)"):
        Fitting(Narrow(0)).swap(*faces(3))


def test_other_errors_pass_as_they_are() -> None:
    narrow = Narrow(0, lambda: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        Fitting(narrow).swap(*faces(3))
    assert narrow.batches == [3]
    assert not out_of_memory(ValueError("out of memory"))


def test_networks_that_run_out_of_memory_are_halved_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a processor rows go one by one, so the batch is made to look as elsewhere."""
    import hifibench.inference.engines as engines

    def together(networks: Any, target: Tensor, sources: Any) -> Any:
        of_source = [torch.cat(part) for part in zip(*sources, strict=True)]
        return networks.generator(target, *of_source, *networks.target(target))

    monkeypatch.setattr(engines, "draw", together)
    monkeypatch.setattr(engines, "SingleThreads", lambda: None)
    swapper = Small()
    swapper.generator.most = 2
    source, target = faces(5)
    made = Fitting(quicken(swapper, "cpu", "fp32")).swap(source, target)
    assert swapper.generator.batches == [5, 2, 2, 1] and swapper.source.calls == 5
    torch.testing.assert_close(made.image, Small().swap(source, target).image)
    assert len(made.status) == 5 and made.messages == ()
