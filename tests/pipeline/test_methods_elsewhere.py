"""Methods that cannot be used, run elsewhere or were released as files: what a run makes of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from hifibench import registry
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.errors import MissingError
from hifibench.pipeline.run import run
from hifibench.pipeline.swap import found, loaded
from hifibench.records import Cost, Frame, ImageRef, Pair, Status, Swap, Swapped
from hifibench.suite import PortraitData, Suite

CARD = SwapperCard("elsewhere", "", source=Crop("arcface", 112), target=Crop("ffhq", 64))
SUITE = Suite(
    name="small",
    title="Small",
    data=PortraitData(kind="portraits", split="test", identities=100, views=2, pairs=20),
    methods=("target-copy", "elsewhere"),
    metrics=("pose[3ddfa]",),
)


class Child:
    """A swapper that gives its target back and remembers what was asked of it."""

    card = CARD

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.told: list[str] = []

    def start(self, logs: Path) -> None:
        self.told.append("start")
        (logs / "child.log").write_text("hello")
        if self.broken == "start":
            raise MissingError("There is no interpreter.")

    def stop(self) -> None:
        self.told.append("stop")

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        self.told.append(f"swap {len(target)}")
        if self.broken == "swap":
            raise MissingError("The child has no weights.")
        return Swap(target, None, (Status.OK,) * len(target))

    def cost(self) -> Cost:
        return Cost(1, 2, None)


class Release:
    """Released frames: the target, mirrored; the first ones asked for are missing."""

    card = SwapperCard("elsewhere", "", source=Crop("frame"), target=Crop("frame"))

    def __init__(self, missing: int = 0) -> None:
        self.missing, self.asked = missing, count()

    def find(self, pair: Pair, source: ImageRef, target: ImageRef, frame: Frame) -> Swapped:
        if next(self.asked) < self.missing:
            return Swapped(None, Status.FILE_MISSING, f"{target.video}_{source.video}.mp4")
        return Swapped(np.ascontiguousarray(frame[:, ::-1]), Status.OK)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """``offer(swapper or error)`` is what the method ``elsewhere`` loads from now on."""
    get = type(registry.swappers).get
    now: list[Any] = [None]

    def load(device: str) -> Any:
        if isinstance(now[0], Exception):
            raise now[0]
        return now[0]

    def patched(self: Any, name: str) -> Any:
        if self.noun == "method" and name == "elsewhere":
            return SwapperPlugin(getattr(now[0], "card", CARD), load)
        return get(self, name)

    monkeypatch.setattr(type(registry.swappers), "get", patched)
    return lambda swapper: now.__setitem__(0, swapper)


def method(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text())["methods"][1]


@pytest.mark.slow
def test_a_method_that_cannot_be_used_has_a_row_that_says_why_and_is_tried_again(
    offer: Callable[[Any], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Every way in which it may turn out: on loading, on starting, on the first pair; by any kind of error.
    ways = (
        (MissingError("Get g.pth from its authors."), "Get g.pth from its authors."),
        (RuntimeError("oom"), "RuntimeError: oom"),
        (Child("start"), "There is no interpreter."),
        (Child("swap"), "The child has no weights."),
    )
    for swapper, why in ways:
        offer(swapper)
        caplog.clear()
        done = run(SUITE, tmp_path, limit=4)
        assert done.results is not None
        assert method(tmp_path)["status"] == {"not available": 4}
        assert why in method(tmp_path)["messages"][0]
        (line,) = [record.getMessage() for record in caplog.records if "not available" in record.getMessage()]
        assert line.startswith("elsewhere is not available") and why in line
        (row,) = [one for one in done.results["scores"] if one["method"] == "elsewhere"]
        assert row["n_failed"] == 4 and row["value"] is None
        (other,) = [one for one in done.results["scores"] if one["method"] == "target-copy"]
        assert other["n_failed"] == 0 and other["value"] == 0
    assert ways[2][0].told == ["start", "stop"] and ways[3][0].told[-1] == "stop"  # type: ignore[union-attr]

    child = Child()
    offer(child)
    run(SUITE, tmp_path, limit=4)
    assert method(tmp_path)["status"] == {"ok": 4} and method(tmp_path)["messages"] == []
    assert child.told == ["start", "swap 1", "swap 4", "stop"]
    assert (tmp_path / "logs" / "elsewhere" / "child.log").read_text() == "hello"


@pytest.mark.slow
def test_released_frames_are_scored_and_missing_ones_named_and_looked_for_again(
    offer: Callable[[Any], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    offer(Release(missing=5))
    caplog.set_level(logging.WARNING)
    done = run(SUITE, tmp_path, limit=8)
    assert done.results is not None
    assert method(tmp_path)["status"] == {"file missing": 5, "ok": 3} and method(tmp_path)["cost"] is None
    assert "elsewhere" not in json.loads((tmp_path / "timing.json").read_text())["methods"]
    (line,) = [one.getMessage() for one in caplog.records if "file missing" in one.getMessage()]
    assert "5 of 8 pairs" in line and line.count(".mp4") == 3 and line.endswith("and 2 more")
    offer(Release())
    run(SUITE, tmp_path, limit=8)
    assert method(tmp_path)["status"] == {"ok": 8}
    pose = [one for one in done.results["scores"] if one["method"] == "elsewhere"]
    assert pose[0]["n"] == 8 and pose[0]["n_failed"] == 5


def test_a_release_is_held_to_the_targets_size_and_breaks_on_single_pairs() -> None:
    release, frame = Release(), np.zeros((40, 60, 3), np.uint8)
    args = (Pair("0", "s", "t"), ImageRef("s", "", "a", "a"), ImageRef("t", "", "b", "b"))
    assert found(release, *args, frame).status is Status.OK
    small = lambda pair, source, target, frame: Swapped(frame[:20], Status.OK)  # noqa: E731
    release.find = small  # type: ignore[method-assign]
    assert found(release, *args, frame).message.startswith("The released frame has 60x20 and the target's 60x40 pixels")

    def breaks(*_: Any) -> Swapped:
        raise OSError("disk on fire")

    release.find = breaks  # type: ignore[method-assign]
    assert found(release, *args, frame) == Swapped(
        None, Status.FAILED, "OSError: disk on fire", pytest.approx(np.nan, nan_ok=True)
    )


def test_what_was_started_is_stopped_whatever_happens(tmp_path: Path) -> None:
    child = Child()
    with pytest.raises(KeyboardInterrupt), loaded(SwapperPlugin(CARD, lambda device: child), "cpu", tmp_path / "logs"):
        raise KeyboardInterrupt
    assert child.told == ["start", "stop"]
