from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from baselines import doses
from hifibench import registry
from hifibench.calibration.series import BY_NAME, SERIES
from hifibench.contracts import ReleasedSwapper
from hifibench.records import Frame, ImageRef, Pair, Status

SOURCE, TARGET = "fake:person=3;shot=30", "fake:person=7;shot=70"


class FakeHeads:
    """Scenes as words: what was changed stands behind the name, and a frame is made of the name."""

    VERSION = 1
    LABELS = ("background", "skin", "occluder")
    FACE = (1,)

    def __init__(self) -> None:
        self.yaw = 12.0
        self.occluded = True

    def parse(self, uri: str) -> object:
        words = dict(word.split("=") for word in uri.removeprefix("fake:").split("|")[0].split(";"))
        return type("Scene", (), {name: int(value) for name, value in words.items()})()

    def swapped(self, source: str, target: str) -> str:
        return f"fake:person={self.parse(source).person};shot={self.parse(target).shot}"  # type: ignore[attr-defined]

    def changed(self, uri: str, what: str, amount: float, other: int = 0) -> str:
        return f"{uri}|{what}:{amount:g}:{other}"

    def drawn(self, uri: str) -> Frame:
        return np.random.default_rng(abs(hash(uri))).integers(60, 190, (32, 32, 3)).astype(np.uint8)

    def facts(self, uri: str) -> dict[str, np.ndarray]:
        labels = np.zeros((32, 32), np.uint8)
        labels[8:24, 8:24] = 1
        if self.occluded:
            labels[16:20, 16:20] = 2
        moved = float(uri.rpartition("|")[2].split(":")[1]) if "|shape" in uri else 0.0
        shape = np.tile(np.float32([3 * moved, 0, 4 * moved]), 10)
        return {
            "pose_deg": np.float32([self.yaw, -8, 0]),
            "gaze_deg": np.float32([-3, 1]),
            "parsing": labels,
            "shape": shape,
        }


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> FakeHeads:
    made = FakeHeads()
    monkeypatch.setattr(doses, "_heads", lambda: made)
    return made


@pytest.fixture
def find(heads: FakeHeads) -> Callable[[str], Frame]:
    plugins = {plugin.card.name: plugin for plugin in doses.PLUGINS}

    def call(name: str) -> Frame:
        swapper = plugins[name].load("cpu")
        assert isinstance(swapper, ReleasedSwapper) and swapper.card == plugins[name].card
        images = (ImageRef("s", SOURCE, "3", "s"), ImageRef("t", TARGET, "7", "t"))
        found = swapper.find(Pair("p", "s", "t"), *images, np.zeros((32, 32, 3), np.uint8))
        assert found.status is Status.OK and found.frame is not None
        return found.frame

    return call


def truth(heads: FakeHeads) -> Frame:
    return heads.drawn(heads.swapped(SOURCE, TARGET))


def test_there_is_a_method_for_every_dose_and_none_twice() -> None:
    assert len(set(doses.NAMES)) == len(doses.NAMES) == 3 + sum(len(series.doses) for series in SERIES)
    assert all(plugin.card.kind == "reference" for plugin in doses.PLUGINS)
    assert all(list(series.doses) == sorted(series.doses) and series.doses[0] > 0 for series in SERIES)


def test_every_dose_starts_from_the_true_swap(heads: FakeHeads) -> None:
    scenes = [series for series in SERIES if series.how == "scene"]
    truth = heads.swapped(SOURCE, TARGET)
    assert all(doses.dosed(series, 0.5, SOURCE, TARGET).startswith(f"{truth}|{series.name}:") for series in scenes)


@pytest.mark.parametrize(
    ("name", "other"), [("shape", 7), ("identity", 7), ("skin", 7), ("expression", 30), ("light", 30)]
)
def test_damage_goes_where_bad_swaps_go(heads: FakeHeads, name: str, other: int) -> None:
    assert doses.dosed(BY_NAME[name], 0.25, SOURCE, TARGET).endswith(f"|{name}:0.25:{other}")


def test_angles_turn_back_to_the_camera(heads: FakeHeads) -> None:
    assert doses.dosed(BY_NAME["yaw"], 5, SOURCE, TARGET).endswith("|yaw:-5:0")
    assert doses.dosed(BY_NAME["pitch"], 5, SOURCE, TARGET).endswith("|pitch:5:0")
    assert doses.dosed(BY_NAME["gaze"], 5, SOURCE, TARGET).endswith("|gaze:5:0")
    heads.yaw = -12.0
    assert doses.dosed(BY_NAME["yaw"], 5, SOURCE, TARGET).endswith("|yaw:5:0")


def test_an_angle_of_nothing_is_moved_all_the_same(heads: FakeHeads) -> None:
    assert abs(float(doses.dosed(BY_NAME["roll"], 5, SOURCE, TARGET).split(":")[-2])) == 5


def test_the_amount_is_what_the_facts_say(heads: FakeHeads) -> None:
    assert doses.amount(BY_NAME["yaw"], 5, SOURCE, TARGET) == 5
    assert doses.amount(BY_NAME["shape"], 0.5, SOURCE, TARGET) == pytest.approx(2.5)


def test_references_are_the_true_swap_and_the_source(heads: FakeHeads, find: Callable[[str], Frame]) -> None:
    assert (find("again") == heads.drawn("fake:person=3;shot=70|noise:1:1")).all()
    assert (find("source-copy") == heads.drawn(SOURCE)).all()
    out = io.BytesIO()
    Image.fromarray(heads.drawn("fake:person=3;shot=70")).save(out, "JPEG", quality=90, subsampling=2)
    assert (find("re-encode-truth") == np.asarray(Image.open(out))).all()


def test_a_seam_is_in_the_face_and_nowhere_else(heads: FakeHeads, find: Callable[[str], Frame]) -> None:
    change = find("dose-seam-16").astype(int) - truth(heads)
    face = heads.facts("")["parsing"] == 1
    assert (change[face] == 16).all() and (change[~face] == 0).all()


def test_blur_smooths_each_channel_by_itself(heads: FakeHeads, find: Callable[[str], Frame]) -> None:
    before, after = truth(heads).astype(float), find("dose-blur-2").astype(float)
    assert after.std() < before.std() / 3
    np.testing.assert_allclose(after.mean(axis=(0, 1)), before.mean(axis=(0, 1)), atol=4)
    grey = np.full((8, 8, 3), (10, 100, 200), np.uint8)
    assert (doses.blur(grey, 4.0, lambda labels: np.zeros((8, 8), bool)) == grey).all()


def test_more_compression_is_more_damage(heads: FakeHeads, find: Callable[[str], Frame]) -> None:
    before = truth(heads).astype(int)
    changes = [np.abs(find(name) - before).mean() for name in BY_NAME["jpeg"].methods]
    assert changes == sorted(changes) and changes[0] > 0


def test_a_shift_moves_the_picture_to_the_right(heads: FakeHeads, find: Callable[[str], Frame]) -> None:
    before, after = truth(heads), find("dose-shift-4")
    assert (after[:, 4:] == before[:, :-4]).all() and (after[:, :4] == before[:, :1]).all()


def test_an_occluder_fades_until_it_is_skin(heads: FakeHeads, find: Callable[[str], Frame]) -> None:
    before, after = truth(heads), find("dose-fade-1")
    hidden, face = (heads.facts("")["parsing"] == label for label in (2, 1))
    np.testing.assert_allclose(after[hidden], np.broadcast_to(before[face].mean(axis=0), after[hidden].shape), atol=1)
    assert (after[~hidden] == before[~hidden]).all()
    heads.occluded = False
    assert (find("dose-fade-1") == truth(heads)).all()


def test_offering_them_twice_does_no_harm() -> None:
    doses.offer()
    doses.offer()
    assert registry.swappers.get("dose-yaw-2").card.name == "dose-yaw-2"
