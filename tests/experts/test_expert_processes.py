"""Experts in processes of their own: they see the same, and one that dies is named."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hifibench import registry
from hifibench.errors import HifibenchError
from hifibench.experts.processes import Processes
from hifibench.pipeline.looks import Look
from hifibench.pipeline.observe import Observer
from hifibench.records import Face

FRAGILE = '''
import os
import time
from pathlib import Path

import numpy as np

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin

MARK = Path(__file__).with_name("died")


class Fragile:
    """Dies of white, the first time of half of it, refuses a quarter, and takes long over three."""

    card = ExpertCard("fragile", "dies", role="lighting", crop=Crop("arcface", 4), outputs={"process": "(1,)"})

    def observe(self, crops):
        most = crops.max()
        if most == 1 or (most == 0.5 and not MARK.exists()):
            MARK.touch()
            os._exit(9)
        if most == 0.75:
            MARK.touch()
            time.sleep(300)
        if most == 0.25:
            raise ValueError("a quarter is nothing to look at")
        return {"process": np.full((len(crops), 1), os.getpid(), np.float32), "twice": crops * 2}


fragile = ExpertPlugin(Fragile.card, lambda device: Fragile())
'''


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    (tmp_path / "fragile_expert.py").write_text(FRAGILE)
    info = tmp_path / "fragile-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fragile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hifibench.experts]\nfragile = fragile_expert:fragile\n")
    monkeypatch.syspath_prepend(tmp_path)
    pool = Processes(1)
    yield pool
    pool.close()


def crops(brightest: float) -> np.ndarray:
    made = np.full((2, 3, 4, 4), 0.125, np.float32)
    made.flat[0] = brightest
    return made


def test_an_expert_is_found_by_name_sees_elsewhere_what_it_sees_here_and_one_that_dies_is_named(
    processes: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    card = registry.experts.get("fragile").card
    assert processes.know(card)
    # Another card under the name, and a name that only this process knows, are not for other processes.
    assert not processes.know(replace(card, version=2))
    assert not processes.know(replace(card, name="of-this-process"))

    seen = processes.observe("fragile", crops(0), "p1")
    np.testing.assert_array_equal(seen["twice"], crops(0) * 2)
    here = processes.observe("fragile", crops(0), "p2")["process"]
    np.testing.assert_array_equal(here, seen["process"])  # it is loaded once, in one process

    with pytest.raises(ValueError, match="a quarter"):
        processes.observe("fragile", crops(0.25), "p3")

    with caplog.at_level(logging.WARNING):
        again = processes.observe("fragile", crops(0.5), "p4")
    np.testing.assert_array_equal(again["twice"], crops(0.5) * 2)
    assert again["process"][0] != here[0]
    assert "A process died while fragile was looking at p4" in caplog.text

    with pytest.raises(HifibenchError, match=r"'fragile' was looking at p000005, and so did a fresh one.*--device cpu"):
        processes.observe("fragile", crops(1), "p000005")
    np.testing.assert_array_equal(processes.observe("fragile", crops(0), "p6")["twice"], crops(0) * 2)


def test_the_observer_has_such_experts_elsewhere_and_says_which_image_killed_one(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = Face(np.float32([0, 0, 3, 3]), np.float32([[1, 1], [2, 1], [1.5, 2], [1, 3], [2, 3]]), 1.0)
    watching = Observer(["fragile"], workers=1, batch=4, processes=1)
    monkeypatch.setattr(watching._cache, "_root", tmp_path / "observations")
    monkeypatch.setattr(watching._panel, "on_cpu", lambda name: True)
    monkeypatch.setattr(watching, "find", lambda *_: face)

    def get(level: int) -> Look:
        return Look(np.full((8, 8, 3), level, np.uint8), name=f"level {level}")

    seen = list(watching.looks([10, 20], get))
    assert {one["fragile"]["process"][0] for one in seen} != {np.float32(os.getpid())}
    assert len({one["fragile"]["process"][0] for one in seen}) == 1
    with pytest.raises(ValueError, match="no such level"):
        list(watching.looks([30, 256], lambda level: Look(np.zeros((8, 8, 3), np.uint8)) if level < 256 else beyond()))
    assert no_child_is_left()
    with pytest.raises(HifibenchError, match="looking at level 255"):
        list(watching.looks([10, 20, 255], get))
    assert no_child_is_left()


def beyond() -> Look:
    raise ValueError("no such level")


def no_child_is_left() -> bool:
    deadline = time.monotonic() + 30
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not multiprocessing.active_children()


def test_a_process_that_hangs_ends_when_it_is_told_to_and_nothing_is_tried_again(
    processes: Processes, tmp_path: Path
) -> None:
    said: list[str] = []

    def wait() -> None:
        with pytest.raises(HifibenchError) as error:
            processes.observe("fragile", crops(0.75), "p7")
        said.append(str(error.value))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "died").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    processes.close()
    waiting.join(timeout=30)
    assert said == ["The processes were ended while the expert 'fragile' was looking at p7: other work had failed."]
    assert no_child_is_left()


def test_processes_outlive_a_stage_but_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    observer = Observer([], workers=1, batch=2, processes=1)
    closed: list[int] = []
    monkeypatch.setattr(observer._panel, "close", lambda: closed.append(1))
    with closing(observer.looks(range(4), lambda number: None)) as seen:
        assert next(seen) == {}
    assert not closed

    def broken(number: int) -> None:
        raise ValueError("no such image")

    with pytest.raises(ValueError, match="no such image"):
        list(observer.looks(range(4), broken))
    assert closed == [1]
