"""OpenVINO as the processor's engine: in float32 everywhere, in bfloat16 where the processor has it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_networks import CARD, Small, faces

from hifibench.contracts import SwapperCard
from hifibench.inference import choice, vino
from hifibench.inference.choice import Used, difference
from hifibench.inference.vino import OpenVino, UnusableError
from hifibench.torch_swaps import as_swap

native = pytest.mark.skipif(bool(choice.without_bf16("cpu")), reason="this processor has no bfloat16 instructions")
formats = pytest.mark.parametrize("used", ["fp32", pytest.param("bf16", marks=native)])


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the networks of `swapper` were converted: that takes seconds."""
    root = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIFIBENCH_CACHE", str(root))
        vino._kept(swapper(), vino._openvino())
    return root


@pytest.fixture
def cache(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, for a test to damage."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    return tmp_path / "compiled"


@pytest.fixture
def converted(once: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose networks were converted; what comes of it is what was converted once."""
    names: list[str] = []
    (folder,) = (once / "compiled").iterdir()

    def counted(swapper: Any, openvino: Any) -> Any:
        names.append(swapper.card.name)
        core = openvino.Core()
        return {part: core.read_model(folder / f"{part}.xml") for part in ("source", "target", "generator")}

    monkeypatch.setattr(vino, "_converted", counted)
    return names


def swapper(card: SwapperCard = CARD) -> Small:
    return Small(card, cross=True)


def swap(engine: OpenVino, source: torch.Tensor, target: torch.Tensor) -> Any:
    return as_swap(engine.draw(target, engine.sources(source)))


@formats
@pytest.mark.parametrize("streams", [1, 3])
def test_it_swaps_as_torch_does_and_each_row_for_itself(cache: Path, streams: int, used: Used) -> None:
    source, target = faces(7)
    expected = swapper().swap(source, target)
    engine = OpenVino(swapper(), used, streams)
    made = swap(engine, source, target)
    apart = difference(made, expected)
    assert apart.agrees and (apart.largest < 0.01 if used == "fp32" else apart.mean > 0.01)
    rows = torch.tensor([4, 0, 4])
    again = swap(OpenVino(swapper(), used, 2), source[rows], target[rows])
    assert torch.equal(again.image, made.image[rows]) and torch.equal(again.mask, made.mask[rows])
    assert float((made.image[0] - made.image[1]).abs().mean()) > 0.01
    assert engine.name.startswith("openvino 20")


def test_what_was_converted_is_kept_by_card_and_weights(cache: Path, converted: list[str]) -> None:
    OpenVino(swapper(), "fp32")
    assert converted == []
    (folder,) = cache.iterdir()
    files = [f"{name}.{form}" for name in ("generator", "source", "target") for form in ("bin", "xml")]
    assert sorted(file.name for file in folder.iterdir()) == sorted([*files, "sums.json"])
    OpenVino(swapper(replace(CARD, version=2)), "fp32")
    other = swapper()
    other.generator.paint.bias.add_(0.5)
    OpenVino(other, "fp32")
    assert len(converted) == 2 and len(list(cache.iterdir())) == 3
    OpenVino(other, "fp32")
    assert len(converted) == 2


@pytest.mark.parametrize("damage", ["gone", "short", "other", "no sums"])
def test_what_is_damaged_is_converted_anew(cache: Path, converted: list[str], damage: str) -> None:
    first = swap(OpenVino(swapper(), "fp32"), *faces(2))
    (folder,) = cache.iterdir()
    file = folder / ("sums.json" if damage == "no sums" else "generator.bin")
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"short": whole[:-9], "other": whole[:-1] + b"\xff", "no sums": b"{"}[damage])
    for _ in range(2):
        assert torch.equal(swap(OpenVino(swapper(), "fp32"), *faces(2)).image, first.image) and converted == ["small"]
    assert not list(folder.glob(".hifibench-*"))


def test_where_the_cache_cannot_be_written_to_networks_run_all_the_same(
    cache: Path, converted: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = swap(OpenVino(swapper(), "fp32"), *faces(2))
    shutil.rmtree(cache)
    cache.write_text("a file where the folder is to be")
    assert torch.equal(swap(OpenVino(swapper(), "fp32"), *faces(2)).image, first.image)
    assert converted == ["small"] and "networks of small are not kept" in caplog.text


def test_a_network_that_cannot_be_converted_is_named(cache: Path) -> None:
    class Odd(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor]:
            return (torch.from_numpy(image.numpy()[:, 0, :1, :4]).reshape(-1, 4),)

    odd = Small()
    odd._networks = replace(odd.networks, source=Odd())
    with pytest.raises(UnusableError, match="small's source network cannot be converted"):
        OpenVino(odd, "fp32")


def test_a_processor_that_computes_in_something_else_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = vino._openvino()

    class Core(openvino.Core):
        def compile_model(self, model: Any, device: str, settings: dict[str, Any]) -> Any:
            return super().compile_model(model, device, {**settings, "INFERENCE_PRECISION_HINT": "f32"})

    stand = SimpleNamespace(**{**vars(openvino), "Core": Core})
    monkeypatch.setattr(vino, "_openvino", lambda: stand)
    with pytest.raises(UnusableError, match="not in bf16"):
        OpenVino(swapper(), "bf16")


def test_without_the_package_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UnusableError, match="openvino cannot be imported"):
        OpenVino(swapper(), "bf16")
