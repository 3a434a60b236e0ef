"""Rendered heads: names, cache, changes and the true swap."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hifibench.data import heads
from hifibench.data.heads import Scene
from hifibench.errors import MissingError, UsageError
from hifibench.faces.pose import rotation

SOURCE, TARGET, OTHER = 2_000_000_012, 2_000_000_077, 2_000_000_005
SHOT = 2_000_001_003


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    heads._picture.cache_clear()
    return tmp_path


def name(person: int = SOURCE, shot: int = SHOT, **more: object) -> str:
    return heads.uri(Scene(person, shot, **more))  # type: ignore[arg-type]


def moved(a: str, b: str) -> set[str]:
    """Names of the facts in which two heads differ."""
    one, other = heads.facts(a), heads.facts(b)
    return {key for key in one if not np.array_equal(one[key], other[key])}


def test_a_name_says_everything_and_reads_back() -> None:
    scene = Scene(12, 77, 5, 3, (("yaw", 10.0, 0), ("shape", 0.25, 99), ("pitch", -1e-05, 0)))
    text = heads.uri(scene)
    assert text == "head:v=1;person=12;shot=77;hair=5;frame=3;with=yaw:10:0,shape:0.25:99,pitch:-1e-05:0"
    assert heads.parse(text) == scene
    assert heads.uri(Scene(12, 77)) == "head:v=1;person=12;shot=77"


def test_hair_of_ones_own_needs_no_word() -> None:
    assert heads.uri(Scene(12, 77, 12)) == heads.uri(Scene(12, 77))
    assert heads.parse("head:v=1;person=12;shot=77;hair=12") == Scene(12, 77)


@pytest.mark.parametrize(
    "text",
    [
        "head:person=1;shot=2",
        "head:v=1;person=01;shot=2",
        "head:v=1;shot=2;person=1",
        "head:v=1;person=1;shot=2;with=",
        "head:v=1;person=1;shot=2;frame=-1",
        "portrait:seed=1;view=0",
    ],
)
def test_malformed_names_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no rendered head; expected the form 'head:v=1;person=12;shot=77'"):
        heads.parse(text)


def test_heads_of_another_version_are_refused_with_both_named() -> None:
    with pytest.raises(UsageError, match=r"is a head of version 7 .* this is version 1.*Plan the pairs anew"):
        heads.load("head:v=7;person=1;shot=2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("with=nose:1:0", "'nose' of a head cannot be changed; expected one of yaw, pitch"),
        ("with=shape:2:0", "A change of shape runs from 0 to 1, not 2"),
        ("with=yaw:120:0", "A change of yaw runs from -90 to 90, not 120"),
        ("with=yaw:1", "'yaw:1' is no change; expected the form 'yaw:10:0'"),
        ("hair=9999999999", "hair=9999999999 lies in no split"),
        ("frame=999999", "frames 0 to 99999, not 999999"),
    ],
)
def test_impossible_numbers_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        heads.parse(f"head:v=1;person=1;shot=2;{text}")


def test_splits_share_no_seed() -> None:
    drawn = {split: {*heads.people(split, 200), *heads.shots(split, 200)} for split in heads.SPLITS}
    assert all(len(seeds) == 400 for seeds in drawn.values())
    for split, seeds in drawn.items():
        assert {heads.split_of(seed) for seed in seeds} == {split}
    assert heads.people("test", 5, 1) == heads.people("test", 9, 1)[:5] != heads.people("test", 5, 2)
    with pytest.raises(UsageError, match="There is no split 'tests'; expected one of train, validation, test"):
        heads.people("tests", 1)


def test_made_once_then_read(_cache: Path) -> None:
    made = heads.load(name())
    assert made.shape == (256, 256, 3) and made.dtype == np.uint8
    path = heads.cached_path(name())
    assert path.is_file() and path.is_relative_to(_cache / "heads")
    before = path.stat().st_mtime_ns
    heads._picture.cache_clear()
    assert np.array_equal(heads.load(name()), made)
    assert path.stat().st_mtime_ns == before
    assert np.array_equal(heads.drawn(name()), made)


def test_a_broken_entry_is_reported_and_made_again(caplog: pytest.LogCaptureFixture) -> None:
    made = heads.load(name())
    path = heads.cached_path(name())
    path.write_bytes(path.read_bytes()[:2000])
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(heads.load(name()), made)
    assert "cannot be read and is made again" in caplog.text
    caplog.clear()
    assert np.array_equal(heads.load(name()), made)
    assert not caplog.text


def test_a_cache_that_cannot_be_written_to_is_an_error(_cache: Path) -> None:
    (_cache / "heads").write_text("a file where the folder should be")
    with pytest.raises(MissingError, match=r"cannot be written to.*HIFIBENCH_CACHE"):
        heads.load(name())


def test_threads_get_one_and_the_same() -> None:
    with ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(heads.load, [name(), name(TARGET)] * 4))
    assert all(np.array_equal(frame, frames[i % 2]) for i, frame in enumerate(frames))


@pytest.mark.slow
def test_another_process_draws_the_same_without_torch() -> None:
    made = heads.drawn(name())
    code = (
        "import sys, hashlib\nfrom hifibench.data import heads\n"
        f"frame = heads.drawn({name()!r})\nassert 'torch' not in sys.modules and 'anny' not in sys.modules\n"
        "print(hashlib.sha256(frame.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == hashlib.sha256(made.tobytes()).hexdigest()


def test_the_true_swap_takes_the_person_of_one_and_the_rest_of_the_other() -> None:
    source, target = name(), name(TARGET, SHOT + 1, frame=5)
    true = heads.swapped(source, target)
    assert heads.parse(true) == Scene(SOURCE, SHOT + 1, TARGET, 5)
    a, b, swap = heads.facts(source), heads.facts(target), heads.facts(true)
    for key in ("identity", "shape", "skin_rgb"):
        assert np.array_equal(swap[key], a[key]) and not np.array_equal(swap[key], b[key])
    for key in ("pose_deg", "gaze_deg", "expression", "light", "rotation", "shift", "focal"):
        assert np.array_equal(swap[key], b[key]) and not np.array_equal(swap[key], a[key])
    frame, goal = heads.drawn(true), heads.drawn(target)
    away = (swap["parsing"] == 0) & (b["parsing"] == 0)
    away[1:-1, 1:-1] &= away[:-2, 1:-1] & away[2:, 1:-1] & away[1:-1, :-2] & away[1:-1, 2:]
    away[[0, 1, 2, -1, -2, -3]] = away[:, [0, 1, 2, -1, -2, -3]] = False
    assert away.mean() > 0.1
    assert np.abs(frame[away].astype(int) - goal[away]).mean() < 1


def test_swapped_with_oneself_is_oneself() -> None:
    assert heads.swapped(name(), name()) == name()
    worn = name(hair=OTHER, frame=2)
    assert heads.swapped(worn, worn) == worn


def test_changes_of_the_person_come_from_the_source_and_others_from_the_target() -> None:
    source = heads.changed(heads.changed(name(), "shape", 0.5, OTHER), "yaw", 9)
    target = heads.changed(heads.changed(name(TARGET), "light", 0.5, OTHER), "skin", 1, OTHER)
    assert heads.parse(heads.swapped(source, target)).changes == (("shape", 0.5, OTHER), ("light", 0.5, OTHER))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turn_adds_its_degrees_and_leaves_the_rest(axis: int) -> None:
    turned = heads.changed(name(), ("yaw", "pitch", "roll")[axis], -7.5)
    seen = {"landmarks", "visible", "parsing", "depth", "occlusion"}
    assert moved(name(), turned) - seen == {"pose_deg", "rotation"}
    gap = heads.facts(turned)["pose_deg"] - heads.facts(name())["pose_deg"]
    assert gap == pytest.approx(np.eye(3)[axis] * -7.5, abs=1e-4)


SEEN = {"parsing", "depth", "occlusion", "visible"}


@pytest.mark.parametrize(
    ("what", "facts"),
    [
        ("expression", {"expression", "vertices", "landmarks", "landmarks3d", "mediapipe_points"}),
        ("shape", {"identity", "shape", "vertices", "landmarks", "landmarks3d", "mediapipe_points"}),
        ("skin", {"skin_rgb"}),
        ("identity", {"identity", "skin_rgb", "shape", "vertices", "landmarks", "landmarks3d", "mediapipe_points"}),
        ("light", {"light"}),
        ("noise", set()),
    ],
)
def test_a_change_moves_its_own_facts_alone(what: str, facts: set[str]) -> None:
    other = heads.changed(name(), what, 1, OTHER)
    assert moved(name(), other) - SEEN == facts
    assert not np.array_equal(heads.drawn(name()), heads.drawn(other))
    assert moved(name(), heads.changed(name(), what, 0, OTHER)) == set()


def test_a_change_is_a_dose() -> None:
    def at(amount: float) -> np.ndarray:  # type: ignore[type-arg]
        return heads.facts(heads.changed(name(), "shape", amount, OTHER))["shape"]

    assert at(0.5) == pytest.approx((at(0.0) + at(1.0)) / 2, abs=1e-3)
    assert at(1.0) == pytest.approx(heads.facts(name(OTHER))["shape"], abs=1e-3)


def test_looking_aside_turns_the_eyes_and_moves_the_lids() -> None:
    aside = heads.changed(name(), "gaze", 12)
    assert heads.facts(aside)["gaze_deg"] - heads.facts(name())["gaze_deg"] == pytest.approx([12, 0], abs=1e-4)
    assert {"gaze_deg", "expression"} <= moved(name(), aside)
    assert "pose_deg" not in moved(name(), aside)


def test_noise_alone_is_small_and_everywhere() -> None:
    gap = heads.drawn(name()).astype(int) - heads.drawn(heads.changed(name(), "noise", 1, 3))
    assert 0.05 < np.abs(gap).mean() < 4
    assert (gap != 0).mean() > 0.1


def test_a_clip_moves_smoothly_and_its_light_stays() -> None:
    clip = [heads.facts(name(frame=frame)) for frame in range(6)]
    pose = np.array([facts["pose_deg"] for facts in clip])
    felt = np.array([facts["expression"] for facts in clip])
    assert (np.abs(np.diff(pose, axis=0)).max(0) > 1e-3).all()
    assert np.abs(np.diff(pose, axis=0)).max() < 3
    assert np.abs(np.diff(pose, 2, axis=0)).max() < 0.5
    assert 0 < np.abs(np.diff(felt, axis=0)).max() < 0.6
    for key in ("light", "identity", "shift", "focal", "skin_rgb"):
        assert all(np.array_equal(facts[key], clip[0][key]) for facts in clip)
    assert np.array_equal(rotation(pose[3]).astype(np.float32), clip[3]["rotation"]) or np.allclose(
        rotation(pose[3]), clip[3]["rotation"], atol=1e-6
    )


def test_facts_are_the_callers_own() -> None:
    heads.facts(name())["parsing"][:] = 99
    heads.drawn(name())[:] = 0
    assert heads.facts(name())["parsing"].max() < len(heads.LABELS)
    assert heads.drawn(name()).any()


def test_facts_are_kept_and_a_damaged_file_of_them_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    uri = heads.uri(Scene(12, 77))
    first = heads.facts(uri)
    path = heads.cached_path(uri).with_suffix(".npz")
    assert path.is_file()
    path.write_bytes(path.read_bytes()[:-700])
    again = heads.facts(uri)
    assert "made again" in caplog.text
    for name, value in first.items():
        np.testing.assert_array_equal(again[name], value)
