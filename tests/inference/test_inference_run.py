"""What a run keeps of its methods' number formats, on a few portraits, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import CARD, Small
from torch import Tensor

from hifibench import data, registry
from hifibench.contracts import SwapperPlugin
from hifibench.data.images import load
from hifibench.faces.detect import Detector
from hifibench.inference import quick
from hifibench.inference.choice import Used
from hifibench.inference.engines import Eager
from hifibench.inference.vino import UnusableError
from hifibench.pipeline import precision
from hifibench.pipeline.run import run
from hifibench.pipeline.store import RunFolder, Shard
from hifibench.pipeline.swap import Job, swap_jobs
from hifibench.profiling import Profile
from hifibench.records import Cost, Manifest, Status, Swap
from hifibench.suite import PortraitData, Suite

pytestmark = pytest.mark.slow

DATA = PortraitData(kind="portraits", split="test", identities=100, views=2, pairs=20)
SMALL = Suite(name="small", title="Small", data=DATA, methods=("small",), metrics=("pose[3ddfa]",))


class Off(Eager):
    """An engine that is off by ``by`` / 255; remembers the first target that it was shown."""

    by = 0.5
    made: list[Off] = []  # noqa: RUF012

    def __init__(self, swapper: Small, used: Used) -> None:
        super().__init__(swapper.networks, torch.device("cpu"))
        self.name, self.first = "stand-in 1.0", None
        self.made.append(self)

    def draw(self, target: Tensor, sources: Any) -> tuple[Tensor, ...]:
        self.first = target if self.first is None else self.first
        image, mask = super().draw(target, sources)
        return image + self.by / 255, torch.ones_like(mask)


class Plain:
    """Shows no networks."""

    card = replace(CARD, name="plain")

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        return Swap(target, None, (Status.OK,) * len(target))

    def cost(self) -> Cost:
        return Cost(0, 0, None)


@pytest.fixture(autouse=True)
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods ``small`` and ``plain``, and a machine that has bfloat16; gives what was loaded."""
    loaded: list[str] = []

    def plugin(make: Callable[[], Any], card: Any) -> SwapperPlugin:
        def load(device: str) -> Any:
            loaded.append(card.name)
            return make()

        return SwapperPlugin(card, load)

    class Near(Small):
        """With masks of ones in both formats."""

        def __init__(self) -> None:
            super().__init__()
            forward = self.generator.forward
            self.generator.forward = lambda *given: (forward(*given)[0], torch.ones_like(given[0][:, :1]))  # type: ignore[method-assign]

    there = {"small": plugin(Near, CARD), "plain": plugin(Plain, Plain.card)}
    get = type(registry.swappers).get

    def patched(self: Any, name: str) -> Any:
        return there[name] if self.noun == "method" and name in there else get(self, name)

    monkeypatch.setattr(type(registry.swappers), "get", patched)
    monkeypatch.setattr(quick, "without_bf16", lambda device: "")
    monkeypatch.setattr(quick, "OpenVino", Off)
    monkeypatch.setattr(Off, "by", 0.5)
    monkeypatch.setattr(Off, "made", [])
    return loaded


def marks(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "swaps" / "small").glob("chunk-*.json"))]


def files(folder: Path) -> dict[str, bytes]:
    """All that a run holds but dates and times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "timing.json") and "timing" not in path.parts
    }


def decided(folder: Path) -> Any:
    return json.loads((folder / "swaps" / "small" / "precision.json").read_text())


def test_in_fp32_a_run_holds_what_the_swapper_gives_and_nothing_more(tmp_path: Path) -> None:
    profile = Profile()
    assert run(SMALL, tmp_path, limit=4, profile=profile).results is not None
    assert [set(mark) for mark in marks(tmp_path)] == [{"card", "pairs"}]
    assert not list(tmp_path.rglob("precision.json")) and not Off.made
    assert {"decode", "detect", "align", "swap", "paste", "write"} <= {
        span.part for span in profile.spans if (span.stage, span.method) == ("swap", "small")
    }
    manifest = Manifest.from_json((tmp_path / "manifest.json").read_text())
    frame, detector, swapper = data.loader(DATA), Detector(), registry.swappers.get("small").load("cpu")
    for pair in manifest.pairs:
        source, target = (frame(manifest.image(name)) for name in (pair.source, pair.target))
        (done,) = swap_jobs(swapper, [Job(source, detector.choose(source), target, detector.choose(target))])
        np.testing.assert_array_equal(load(RunFolder(tmp_path).swap_image("small", pair.pair)), done.frame)


def test_another_number_format_makes_the_swaps_anew_and_the_first_one_back_the_same(tmp_path: Path) -> None:
    first = run(SMALL, tmp_path, limit=4).results
    before = files(tmp_path)
    Off.by = 1.0
    assert run(SMALL, tmp_path, limit=4, precision="auto").results is not None
    assert [mark["precision"] for mark in marks(tmp_path)] == ["bf16"]
    told = decided(tmp_path)
    assert (told["asked"], told["used"], told["engine"], told["reason"]) == ("auto", "bf16", "stand-in 1.0", "")
    assert told["largest_difference"] == pytest.approx(1.0, abs=1e-3)
    assert precision.protocol(RunFolder(tmp_path), SMALL.methods) == {
        "precision": "small in bf16 by stand-in 1.0; all else in PyTorch's fp32"
    }
    other = files(tmp_path)
    image = next(name for name in before if name.endswith(".png") and "swaps" in name)
    assert other[image] != before[image]
    assert run(SMALL, tmp_path, limit=4).results == first
    assert files(tmp_path) == before


def test_float32_by_another_engine_is_a_format_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(SMALL, tmp_path, limit=4).results
    before = files(tmp_path)
    Off.by = 1.0  # so that it shows in pictures of 8 bits
    monkeypatch.setattr(quick, "without_bf16", lambda device: "an old machine")
    assert run(SMALL, tmp_path, limit=4, precision="auto").results is not None
    assert [mark["precision"] for mark in marks(tmp_path)] == ["fp32, stand-in"]
    assert precision.protocol(RunFolder(tmp_path), SMALL.methods) == {
        "precision": "small in fp32 by stand-in 1.0; all else in PyTorch's fp32"
    }
    changed = {name for name, data in files(tmp_path).items() if before.get(name) != data}
    assert any(name.endswith(".png") and "swaps" in name for name in changed)
    assert run(SMALL, tmp_path, limit=4).results == first
    assert files(tmp_path) == before


def test_numbers_of_another_format_do_not_outlive_a_start_that_is_not_finished(tmp_path: Path) -> None:
    assert run(SMALL, tmp_path).results is not None
    assert run(SMALL, tmp_path, precision="auto", shard=Shard(1, 2)).results is None
    assert not (tmp_path / "results.json").exists()


def test_two_shards_keep_to_one_decision_made_on_the_first_chunk(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(SMALL, whole, precision="auto")
    first = Off.made[0].first
    Off.made.clear()
    assert run(SMALL, cut, precision="auto", shard=Shard(2, 2)).results is None
    assert torch.equal(Off.made[0].first, first), "the second share decides on the first chunk, which is not its own"
    kept, Off.by = decided(cut), 40.0  # would be refused now
    assert run(SMALL, cut, precision="auto", shard=Shard(1, 2)).results is not None
    assert decided(cut) == kept and [mark["precision"] for mark in marks(cut)] == ["bf16"] * 2
    Off.by = 0.5
    (cut / "swaps" / "small" / "chunk-00000.json").unlink()
    run(SMALL, cut, precision="auto")
    assert files(cut) == files(whole)


def test_what_disagrees_is_swapped_in_fp32_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Off.by = 40.0
    plain, auto = tmp_path / "plain", tmp_path / "auto"
    expected = run(SMALL, plain, limit=4).results
    assert run(SMALL, auto, limit=4, precision="auto").results == expected
    told = decided(auto)
    assert told["used"] == "fp32" and "allowed are" in told["reason"] and told["reason"] in caplog.text
    assert "precision" not in marks(auto)[0] and precision.protocol(RunFolder(auto), SMALL.methods) == {}
    path = auto / "swaps" / "small" / "precision.json"
    path.unlink()
    assert files(auto) == files(plain)


def test_a_format_that_cannot_be_had_any_more_makes_the_method_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(SMALL, tmp_path, precision="auto", shard=Shard(1, 2))
    monkeypatch.setattr(quick, "OpenVino", broken)
    results = run(SMALL, tmp_path, precision="auto", shard=Shard(2, 2)).results
    assert results is not None and results["methods"][0]["status"] == {"not available": 4, "ok": 16}
    monkeypatch.setattr(quick, "OpenVino", Off)
    results = run(SMALL, tmp_path, precision="auto").results
    assert results is not None and results["methods"][0]["status"] == {"ok": 20}


def broken(swapper: Small, used: Used) -> Any:
    raise UnusableError("no such processor")


def test_a_method_without_networks_goes_on_as_it_is_and_is_not_loaded_again(tmp_path: Path, loads: list[str]) -> None:
    suite = Suite(name="small", title="Small", data=DATA, methods=("plain",), metrics=("pose[3ddfa]",))
    plain, auto = tmp_path / "plain", tmp_path / "auto"
    expected = run(suite, plain, limit=4).results
    assert run(suite, auto, limit=4, precision="auto").results == expected
    count = loads.count("plain")
    run(suite, auto, limit=4, precision="auto")
    assert loads.count("plain") == count
    (auto / "swaps" / "plain" / "precision.json").unlink()
    assert files(auto) == files(plain)
