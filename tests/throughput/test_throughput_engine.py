"""Networks that are compiled really are, and what a method held is given back."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from timed_networks import OneFace, TinyNetworks, jobs, plugin
from torch import nn

from hifibench.contracts import Networks, SwapperCard
from hifibench.throughput import engine, measure, method
from hifibench.throughput.clock import Clock
from hifibench.throughput.measure import Limits
from hifibench.throughput.method import Ceilings, Plan
from hifibench.throughput.records import Ceiling


def test_every_batch_of_every_network_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch gives up on a function after eight variants, and then runs it eagerly without a word."""
    made: list[object] = []
    real: Any = torch.compile

    def backend(graph: Any, example: object) -> Any:
        made.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda network, **words: real(network, backend=backend, dynamic=False))
    sizes, alive = range(1, 13), []
    for kind in (torch.float32, torch.float64):
        alive.append(engine.compiled(Networks(nn.Identity(), None, nn.Conv2d(3, 3, 3).to(kind))))
        with torch.no_grad():
            for size in sizes:
                alive[-1].generator(torch.rand(size, 3, 8, 8, dtype=kind))
    assert len(made) == 2 * len(sizes)


def test_a_method_is_gone_when_its_memory_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[TinyNetworks]] = []

    def load(card: SwapperCard) -> TinyNetworks:
        swapper = TinyNetworks(card)
        alive.append(weakref.ref(swapper))
        return swapper

    gone: list[bool] = []
    forget = method._forget
    monkeypatch.setattr(measure, "WINDOW_S", 0.002)
    monkeypatch.setattr(method, "ceiling", lambda *words: Ceiling("fp32", 64, 1.0, 0.9, 1.1, 5))

    def watched(device: str) -> None:
        forget(device)
        gone.append(alive[0]() is None)

    monkeypatch.setattr(method, "_forget", watched)
    detector: Any = OneFace()
    plan = Plan(("generator",), (1,), "fp32", "cpu", Limits(0.02, 3))
    clock = Clock("cpu")
    method.measured(plugin(load), plan, jobs(), detector, clock, Ceilings("cpu", clock), tmp_path / "logs")
    assert gone == [True]
