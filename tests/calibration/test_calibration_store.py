from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest
from calibrations import calibration, entry

from hifibench.calibration import store
from hifibench.errors import UsageError

CARDS = {"mediapipe": "c1", "edgeface": "other"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "shipped.json")
    return tmp_path


def test_what_is_written_is_read(cache: Path) -> None:
    path = store.keep(calibration())
    assert store.read(path) == calibration()
    raw = json.loads(path.read_text())
    assert raw["metrics"][0]["series"][0]["resolution"]["1000"] == {"metric": 0.1, "dose": None}


def test_without_any_there_is_none(cache: Path) -> None:
    assert store.find("pose[mediapipe]", CARDS) is None


def test_the_shipped_one_holds_until_there_is_one_of_the_users(cache: Path) -> None:
    store.SHIPPED.write_text(store.to_json(calibration(entry(floor=1.0))))
    found = store.find("pose[mediapipe]", CARDS)
    assert found is not None and found.entry.floor.again == 1.0
    store.keep(calibration(entry(floor=2.0)))
    found = store.find("pose[mediapipe]", CARDS)
    assert found is not None and found.entry.floor.again == 2.0 and found.manifest == calibration().manifest
    assert store.find("shape[3ddfa]", CARDS) is None


def test_the_newest_holds_whatever_its_name(cache: Path) -> None:
    for age, seed in enumerate((2, 3, 1)):
        path = store.keep(replace(calibration(entry(floor=float(age))), seed=seed))
        os.utime(path, ns=(age, age))
    found = store.find("pose[mediapipe]", CARDS)
    assert found is not None and found.entry.floor.again == 2.0


def test_one_of_a_few_metrics_leaves_those_of_the_others_in_place(cache: Path) -> None:
    store.keep(calibration(entry(floor=1.0), entry("gaze[mediapipe]")))
    store.keep(calibration(entry(floor=2.0)))
    assert store.find("gaze[mediapipe]", CARDS) is not None
    store.keep(calibration(entry(floor=3.0)))
    assert len(list(store.folder().iterdir())) == 2


@pytest.mark.parametrize("cards", [{"mediapipe": "changed"}, {}])
def test_a_changed_card_is_not_calibrated(cache: Path, cards: dict[str, str]) -> None:
    store.keep(calibration())
    assert store.find("pose[mediapipe]", cards) is None


def test_an_older_calibration_holds_where_the_newer_was_of_other_cards(cache: Path) -> None:
    for age, (card, floor) in enumerate((("c1", 1.0), ("c2", 2.0))):
        path = store.keep(replace(calibration(entry(card=card, floor=floor)), seed=age))
        os.utime(path, ns=(age, age))
    found = store.find("pose[mediapipe]", CARDS)
    assert found is not None and found.entry.floor.again == 1.0


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}'])
def test_a_damaged_one_is_told_of_and_passed_over(cache: Path, caplog: pytest.LogCaptureFixture, text: str) -> None:
    store.SHIPPED.write_text(store.to_json(calibration()))
    broken = store.folder() / "broken.json"
    broken.parent.mkdir(parents=True)
    broken.write_text(text)
    with pytest.raises(UsageError, match=r"broken.json is no calibration: .*Delete it"):
        store.read(broken)
    with caplog.at_level(logging.WARNING):
        assert store.find("pose[mediapipe]", CARDS) is not None
    assert "broken.json" in caplog.text


def test_another_schema_is_refused(cache: Path) -> None:
    path = store.keep(calibration(schema=99))
    with pytest.raises(UsageError, match="schema 99, expected 1"):
        store.read(path)


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot read .*hifibench calibrate"):
        store.read(tmp_path / "none.json")


def test_a_number_of_pairs_that_was_not_asked_for_resolves_by_the_root() -> None:
    [yaw] = entry().judged
    assert yaw.resolves(100) == pytest.approx(0.3) and yaw.resolves(25) == pytest.approx(0.6)
