"""Looking at many images: the same for every way in which the work is cut, decoded once, few at a time."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hifibench import registry
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.pipeline.looks import DETECTOR, Beside, Look, face_outputs
from hifibench.pipeline.observe import Observer
from hifibench.profiling import Profile
from hifibench.records import Face, Frame

FACE = Face(np.float32([8, 8, 55, 55]), np.float32([[22, 26], [41, 26], [32, 36], [24, 46], [40, 46]]), 1.0)
NAMES = ("mean", "corner", "apart")


class Mean:
    """Its mean is taken row by row, as the contract wants it."""

    card = ExpertCard("mean", "mean", role="lighting", crop=Crop("arcface", 16), outputs={"mean": "(1,)"})

    def __init__(self) -> None:
        self.given: list[int] = []

    def observe(self, crops: Any) -> dict[str, Any]:
        self.given.append(len(crops))
        return {"mean": np.array([[crop.mean()] for crop in crops], np.float32)}


class Corner(Mean):
    card = ExpertCard("corner", "corner", role="lighting", crop=Crop("box", 8), outputs={"corner": "(3,)"})

    def observe(self, crops: Any) -> dict[str, Any]:
        self.given.append(len(crops))
        return {"corner": crops[:, :, 0, 0]}


class Apart:
    card = ExpertCard("apart", "apart", role="comparison", crop=Crop("frame"), outputs={"apart": "()"}, needs=("mean",))

    def compare(self, swap: Frame, target: Frame, seen: Any) -> dict[str, Any]:
        return {"apart": np.abs(swap.astype(float) - target).mean() + seen["mean"]["mean"][0]}


class Panel:
    """The experts of one test, and what they were given."""

    def __init__(self) -> None:
        self.mean, self.corner, self.apart = Mean(), Corner(), Apart()
        made = (self.mean, self.corner, self.apart)
        self.plugins = {one.card.name: ExpertPlugin(one.card, lambda device, one=one: one) for one in made}


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    there = Panel()
    with registry.experts.standing_in(there.plugins):
        yield there


def observer(root: Path, **options: Any) -> Observer:
    made = Observer(NAMES, workers=2, **options)
    made._cache._root = root
    made._panel.detector = lambda: Detector()  # type: ignore[method-assign,assignment,return-value]
    return made


class Detector:
    """Finds the same face in all frames but dark ones."""

    def detect(self, frame: Frame) -> list[Face]:
        return [FACE] if frame.any() else []


def picture(number: int) -> Frame:
    if number % 7 == 6:
        return np.zeros((64, 64, 3), np.uint8)
    return np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)


def image(number: int) -> Look | None:
    """Every fifth is nothing, every seventh has no face, every third has a target beside it."""
    if number % 5 == 4:
        return None
    if number % 3:
        return Look(picture(number), name=str(number))
    seen = {DETECTOR: face_outputs(FACE), "mean": {"mean": np.float32([number])}}
    return Look(picture(number), FACE, {"comparison": Beside(picture(number + 1000), seen)}, name=str(number))


def test_images_are_seen_the_same_however_the_work_is_cut(panel: Panel, tmp_path: Path) -> None:
    alone = observer(tmp_path / "alone")
    expected = [{} if (look := image(number)) is None else alone.look(look) for number in range(23)]
    for way, options in {"rows": {}, "batches": {"batch": 3}, "one large": {"batch": 100}}.items():
        panel.mean.given.clear()
        got = list(observer(tmp_path / way, **options).looks(range(23), image))
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert one.keys() == other.keys()
            for expert in one:
                np.testing.assert_equal(one[expert], other[expert])
        # What is stored is the same to the byte, too.
        assert tree(tmp_path / way) == tree(tmp_path / "alone")
        assert max(panel.mean.given) == {"rows": 1, "batches": 3, "one large": sum(panel.mean.given)}[way]
    assert expected[1].keys() == {DETECTOR, "mean", "corner"}
    assert expected[3].keys() == {DETECTOR, "mean", "corner", "apart"}
    assert expected[4] == {}
    assert expected[6].keys() == {DETECTOR}
    # Who compares with the target has nothing to say where only the true swap is there.
    beside = {"truth": Beside(picture(3), {})}
    assert alone.look(Look(picture(3), FACE, beside)).keys() == {DETECTOR, "mean", "corner"}


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.npz")}


@pytest.mark.parametrize("batch", [1, 4])
def test_an_image_is_got_once_and_an_expert_looks_once_whoever_asks_again(
    panel: Panel, tmp_path: Path, batch: int
) -> None:
    got: list[int] = []

    def get(number: int) -> Look | None:
        got.append(number)
        return image(number)

    watching = observer(tmp_path, batch=batch)
    first = list(watching.looks(range(10), get))
    assert sorted(got) == list(range(10))
    # Eight of ten are images and one of those shows no face.
    assert sum(panel.mean.given) == sum(panel.corner.given) == 7
    again = list(watching.looks(range(10), get))
    assert sum(panel.mean.given) == 7
    np.testing.assert_equal(again, first)


@pytest.mark.parametrize("batch", [1, 8])
def test_only_a_few_frames_are_in_memory_however_many_there_are(panel: Panel, tmp_path: Path, batch: int) -> None:
    alive: dict[int, weakref.ref[Frame]] = {}
    counting = threading.Lock()
    most = 0

    def get(number: int) -> Look:
        nonlocal most
        frame = picture(7 * number)
        with counting:
            alive[number] = weakref.ref(frame, lambda _: alive.pop(number, None))
            most = max(most, len(alive))
        return Look(frame)

    for _ in observer(tmp_path, batch=batch).looks(range(120), get):
        pass
    gc.collect()
    assert most <= 4  # one in each of two threads, and one that is just being let go of there
    assert not alive


def test_experts_asked_for_by_name_look_alone(panel: Panel, tmp_path: Path) -> None:
    seen = observer(tmp_path).look(Look(picture(1), experts={"corner"}))
    assert seen.keys() == {DETECTOR, "corner"}


@pytest.mark.parametrize("batch", [1, 4])
def test_an_error_ends_the_work_and_passes_through(panel: Panel, tmp_path: Path, batch: int) -> None:
    def get(number: int) -> Look:
        if number == 5:
            raise OSError("no such picture: 5")
        return Look(picture(1))

    with pytest.raises(OSError, match="no such picture: 5"):
        list(observer(tmp_path, batch=batch).looks(range(100), get))
    assert not [one for one in threading.enumerate() if one.name.startswith(("look", "experts"))]


@pytest.mark.parametrize("batch", [1, 4])
def test_a_profile_says_what_took_the_time_and_none_is_the_same_work(panel: Panel, tmp_path: Path, batch: int) -> None:
    profile = Profile()
    list(observer(tmp_path, batch=batch, profile=profile).looks(range(10), image, "observe", "mine"))
    assert {(span.stage, span.method) for span in profile.spans} == {("observe", "mine")}
    experts = {f"expert {name}" for name in NAMES}
    assert {span.part for span in profile.spans} == {"decode", "hash", "detect", "crop", "cache", "write"} | experts
    assert sum(span.items for span in profile.spans if span.part == "decode") == 10
    assert sum(span.items for span in profile.spans if span.part == "expert mean") == 7


def test_a_swap_that_is_its_crowded_target_to_the_bit_is_not_told_as_an_image(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Face(FACE.box + np.float32([60, 0, 60, 0]), FACE.landmarks + np.float32([60, 0]), 0.9)
    monkeypatch.setattr(Detector, "detect", lambda *_: [FACE, other])
    watching = observer(tmp_path)
    watching.look(Look(picture(0), name="original"))
    beside = Beside(picture(0), {DETECTOR: face_outputs(FACE), "mean": {"mean": np.float32([0])}})
    watching.look(Look(picture(0), FACE, {"comparison": beside}, name="pair of target-copy"))
    assert watching.crowded == ["original"]


def test_threads_inside_are_off_while_any_work_is_under_way_and_come_back(panel: Panel, tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        watching = observer(tmp_path)
        looks = watching.looks(range(3), lambda _: Look(picture(1)))
        next(looks)
        assert watching.map(lambda _: cv2.getNumThreads(), range(2)) == [1, 1]
        assert cv2.getNumThreads() == 1
        looks.close()
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
