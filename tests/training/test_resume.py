from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_training
import torch
from tiny_training import PLAN, SETTINGS, Tiny, Written, assert_same, make_loop, weights

from hifibench.errors import UsageError
from hifibench.training import checkpoints
from hifibench.training.contract import Batch, Losses

NO_TIMES = {"images_per_s", "waited"}


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard also where the tests run in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "losses.csv").open(newline="") as stream:
        return [{key: value for key, value in row.items() if key not in NO_TIMES} for row in csv.DictReader(stream)]


def train(faces: Path, folder: Path, steps: int = PLAN.steps, method: Tiny | None = None) -> dict[str, torch.Tensor]:
    loop = make_loop(faces, folder, replace(PLAN, steps=steps), method=method)
    loop.run(Written(folder, loop.step))
    return weights(loop)


class Broken(Tiny):
    """Fails, or is asked to stop, in a turn of a step."""

    def __init__(self, step: int, turn: str, what: type[BaseException] | None) -> None:
        super().__init__(PLAN)
        self._at, self._what = (step, turn), what

    def losses(self, turn: str, batch: Batch, step: int) -> Losses:
        if (step, turn) == self._at:
            if self._what is None:
                signal.raise_signal(signal.SIGINT)
            else:
                raise self._what
        return super().losses(turn, batch, step)


def test_a_training_that_failed_goes_on_to_the_same_weights_and_rows(faces: Path, tmp_path: Path) -> None:
    whole = train(faces, tmp_path / "whole")
    with pytest.raises(RuntimeError):
        train(faces, tmp_path / "failed", method=Broken(10, "discriminator", RuntimeError))
    assert checkpoints.steps(tmp_path / "failed") == [4, 8]
    assert len(rows(tmp_path / "failed")) == 3
    assert_same(whole, train(faces, tmp_path / "failed"))
    assert rows(tmp_path / "failed") == rows(tmp_path / "whole")
    assert [row["step"] for row in rows(tmp_path / "whole")] == ["3", "6", "9", "12"]


def test_a_longer_schedule_is_the_same_training(faces: Path, tmp_path: Path) -> None:
    whole = train(faces, tmp_path / "whole")
    train(faces, tmp_path / "longer", steps=6)
    assert_same(whole, train(faces, tmp_path / "longer"))


@pytest.mark.parametrize("turn", ["generator", "discriminator"])
@pytest.mark.usefixtures("heard")
def test_ctrl_c_finishes_the_step_and_writes_a_checkpoint(faces: Path, tmp_path: Path, turn: str) -> None:
    whole = train(faces, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(faces, tmp_path / "stopped", method=Broken(5, turn, None))
    assert checkpoints.steps(tmp_path / "stopped") == [4, 6]
    assert_same(whole, train(faces, tmp_path / "stopped"))
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")


@pytest.mark.usefixtures("heard")
def test_a_second_ctrl_c_does_not_wait_and_keeps_no_half_step(faces: Path, tmp_path: Path) -> None:
    class Impatient(Broken):
        def losses(self, turn: str, batch: Batch, step: int) -> Losses:
            if (step, turn) == self._at:
                signal.raise_signal(signal.SIGINT)
            return super().losses(turn, batch, step)

    whole = train(faces, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(faces, tmp_path / "stopped", method=Impatient(5, "discriminator", None))
    assert checkpoints.steps(tmp_path / "stopped") == [4]
    assert_same(whole, train(faces, tmp_path / "stopped"))


@pytest.mark.usefixtures("heard")
def test_ctrl_c_works_as_before_after_a_training(faces: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    train(faces, tmp_path)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_killed_process_goes_on_to_the_same_weights_and_rows(faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, tiny_training.__file__, str(faces), str(folder)]
    child = subprocess.Popen([*command, "400", "0.02", "norm"], start_new_session=True)
    try:
        deadline = time.monotonic() + 600
        while len(checkpoints.steps(folder)) < 2 and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.03)  # into the middle of some later step
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    assert child.returncode == -signal.SIGKILL
    reached = checkpoints.steps(folder)[-1]
    steps = reached + 12
    assert_same(train(faces, tmp_path / "whole", steps), train(faces, folder, steps))
    # The last row of the whole training is written because it is the last; the killed one was to go on.
    assert rows(folder) == rows(tmp_path / "whole")


def test_a_finished_training_does_nothing(faces: Path, tmp_path: Path) -> None:
    first = train(faces, tmp_path)
    method = Tiny(PLAN, seed=5)
    assert_same(first, train(faces, tmp_path, method=method))
    assert not method.batches


def test_time_is_counted_over_all_parts(faces: Path, tmp_path: Path) -> None:
    loop = make_loop(faces, tmp_path, replace(PLAN, steps=4))
    loop.run()
    again = make_loop(faces, tmp_path)
    assert again.seconds == loop.seconds > 0
    again.run()
    assert again.seconds > loop.seconds


def test_fewer_steps_than_are_done_are_refused(faces: Path, tmp_path: Path) -> None:
    train(faces, tmp_path)
    with pytest.raises(UsageError, match=r"trained for 12 steps already, and --steps asks for 8\. Give --steps 12 or"):
        train(faces, tmp_path, steps=8)


def test_other_settings_are_named_one_by_one(faces: Path, tmp_path: Path) -> None:
    train(faces, tmp_path, steps=4)
    optimisers = {**PLAN.optimisers, "generator": replace(PLAN.optimisers["generator"], lr=0.5)}
    other = replace(PLAN, batch=8, method={"noise": 0.1}, optimisers=optimisers)
    with pytest.raises(UsageError, match="of another training") as caught:
        make_loop(faces, tmp_path, other, method=Tiny(other, width=8))
    for words in (
        "batch: 4, now 8",
        "noise: 0.05, now 0.1",
        "optimisers.generator.lr: 0.01, now 0.5",
        "width: 4, now 8",
    ):
        assert words in str(caught.value)
    assert "discriminator" not in str(caught.value)


def test_another_method_another_seed_and_other_faces_are_refused(faces: Path, tmp_path: Path) -> None:
    train(faces, tmp_path / "out", steps=4)
    method = Tiny(PLAN)
    method.settings = {**method.settings, "method": "other"}
    with pytest.raises(UsageError, match="method: 'tiny', now 'other'"):
        make_loop(faces, tmp_path / "out", method=method)
    more = tiny_training.write_faces(tmp_path / "more", (3, 3, 3))
    with pytest.raises(UsageError, match=r"data: '[0-9a-f]{64}', now '[0-9a-f]{64}'"):
        make_loop(more, tmp_path / "out")


def test_the_same_weights_come_back_from_workers(faces: Path, tmp_path: Path) -> None:
    methods = [Tiny(PLAN), Tiny(PLAN)]
    ended = []
    for workers, method in enumerate(methods):
        settings = replace(SETTINGS, workers=workers)
        loop = make_loop(faces, tmp_path / str(workers), replace(PLAN, steps=5), settings, method)
        loop.run()
        ended.append(weights(loop))
    assert_same(*ended)
    for one, other in zip(*(method.batches for method in methods), strict=True):
        assert all(torch.equal(*both) for both in zip(one, other, strict=True))
