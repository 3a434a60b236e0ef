"""A device that waits for images is told of, and told of once."""

from __future__ import annotations

import csv
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_training import PLAN, SETTINGS, make_loop
from torch import Tensor

from hifibench.training.log import STARVED, Log, WaitWatch
from hifibench.training.pairs import PairImages
from hifibench.training.show import Recorder


def test_the_first_row_is_passed_over_and_nothing_is_said_twice() -> None:
    watch = WaitWatch(workers=0, cores=4)
    assert watch.see(10, 0.9) is None  # readers start
    assert watch.see(20, STARVED) is None
    assert watch.see(30, 0.5) is not None
    assert watch.see(40, 0.9) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            (2, 16, 1),
            "Up to step 1,500, 34% of the time went into waiting for images. Give more --workers (now 2",
        ),
        ((1, 16, 8), "Give more --workers (now 1 for each of 8 training processes, on 16 cores)."),
        ((2, 16, 8), "More --workers (now 2 for each of 8 training processes, on 16 cores) would not help: put the"),
        ((16, 16, 1), "More --workers (now 16, on 16 cores) would not help: put the prepared set on a faster disk"),
    ],
)
def test_it_says_what_to_do(given: tuple[int, int, int], words: str) -> None:
    watch = WaitWatch(*given)
    watch.see(1, 0.0)
    assert words in str(watch.see(1500, 0.34))


def test_a_training_whose_images_come_slowly_says_so(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = PairImages.__getitem__

    def slowly(self: PairImages, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        time.sleep(0.05)
        return plain(self, index)

    monkeypatch.setattr(PairImages, "__getitem__", slowly)
    said: list[str] = []
    loop = make_loop(faces, tmp_path, replace(PLAN, steps=9), replace(SETTINGS, save_every=100))
    log = Log(tmp_path, 0)
    loop.run(Recorder(log, lambda step, row: None, {}, said.append, WaitWatch(0, 2)))
    log.close()
    with (tmp_path / "losses.csv").open(newline="") as stream:
        waited = [float(row["waited"]) for row in csv.DictReader(stream)]
    assert len(waited) == 3 and min(waited) > STARVED
    [words] = said
    assert words.startswith(f"Up to step 6, {waited[1]:.0%} of the time") and "--workers" in words
