from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hifibench.data import images
from hifibench.errors import GateError, MissingError
from hifibench.training.log import COLLAPSED, CollapseWatch, Log, Means, TrainingError, check_finite, check_weights


def board(folder: Path) -> object:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder / "tensorboard")).Reload()


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in board(folder).Scalars(name)]


def write(folder: Path, begun: int, last: int, scale: float = 1.0) -> None:
    log = Log(folder, begun)
    for step in range(begun + 1, last + 1):
        log.row(step, {"id": scale * step, "seg": 0.5})
    log.close()


def read(folder: Path) -> list[dict[str, str]]:
    with (folder / "losses.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_are_in_the_table_and_on_the_board(tmp_path: Path) -> None:
    write(tmp_path, 0, 3)
    assert (tmp_path / "losses.csv").read_text() == "step,id,seg\n1,1,0.5\n2,2,0.5\n3,3,0.5\n"
    assert scalars(tmp_path, "id") == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_rows_after_the_resumed_step_are_dropped_from_both(tmp_path: Path) -> None:
    write(tmp_path, 0, 6)
    write(tmp_path, 4, 8, scale=10)
    assert [row["id"] for row in read(tmp_path)] == ["1", "2", "3", "4", "50", "60", "70", "80"]
    assert scalars(tmp_path, "id") == [(step, step * (10.0 if step > 4 else 1.0)) for step in range(1, 9)]


def test_a_log_begun_anew_has_no_old_rows(tmp_path: Path) -> None:
    write(tmp_path, 0, 3)
    write(tmp_path, 0, 2, scale=10)
    assert [row["id"] for row in read(tmp_path)] == ["10", "20"]


@pytest.mark.parametrize("left", ["4,0.", "4", "\0\0\0\0\n", "\n"])
def test_what_a_killed_process_left_of_a_line_goes(tmp_path: Path, left: str) -> None:
    write(tmp_path, 0, 3)
    with (tmp_path / "losses.csv").open("a") as stream:
        stream.write(left)
    write(tmp_path, 3, 4)
    assert [row["step"] for row in read(tmp_path)] == ["1", "2", "3", "4"]
    assert all(len(row) == 3 and None not in row.values() for row in read(tmp_path))


def test_a_loss_that_is_not_in_every_row_leaves_gaps(tmp_path: Path) -> None:
    log = Log(tmp_path, 0)
    log.row(1, {"id": 1.0, "r1": 0.25})
    log.row(2, {"id": 2.0})
    log.close()
    assert [row["r1"] for row in read(tmp_path)] == ["0.25", ""]


def test_grids_are_files_and_on_the_board(tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (48, 32, 3), np.uint8)
    log = Log(tmp_path, 0)
    log.grid(5, frame, {"hifibench:method": "tiny"})
    log.close()
    np.testing.assert_array_equal(images.load(tmp_path / "grids" / "step-00000005.png"), frame)
    [image] = board(tmp_path).Images("swaps")
    assert (image.step, image.width, image.height) == (5, 32, 48)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MissingError, match=r"Cannot write to .*file: .*give another --out"):
        Log(tmp_path / "file", 0)
    log = Log(tmp_path, 0)
    (tmp_path / "losses.csv").mkdir()
    with pytest.raises(MissingError, match=r"Cannot write to .*: Is a directory"):
        log.row(1, {"id": 1.0})


SOME = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=3)


@given(st.lists(SOME, min_size=1, max_size=20), st.integers(0, 20))
def test_means_are_over_the_steps_that_gave_a_value_and_may_be_taken_up(steps: list[list[float]], cut: int) -> None:
    named = [dict(zip("abc", values, strict=False)) for values in steps]
    means = Means()
    for values in named[:cut]:
        means.add(values)
    means = Means(means.state)
    for values in named[cut:]:
        means.add(values)
    taken = means.take()
    for name in "abc":
        given_ = [values[name] for values in named if name in values]
        assert (name in taken) == bool(given_)
        if given_:
            assert taken[name] == pytest.approx(math.fsum(given_) / len(given_), abs=1e-9)
    assert means.take() == {}


def test_losses_that_are_no_numbers_stop_the_training_with_their_names() -> None:
    check_finite(3, "generator", 1.0, {"id": 1.0}, None)
    with pytest.raises(TrainingError, match=r"step 3, turn generator: id nan, adv inf\. The weights after step 2"):
        check_finite(3, "generator", math.nan, {"id": math.nan, "seg": 1.0, "adv": math.inf}, 2)
    with pytest.raises(TrainingError, match=r"total -inf\. No checkpoint was written yet"):
        check_finite(3, "generator", -math.inf, {"id": 1.0}, None)
    assert issubclass(TrainingError, GateError)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_found(value: float) -> None:
    networks = {"generator": nn.Linear(3, 3), "discriminator": nn.BatchNorm2d(2)}
    check_weights(3, networks)
    networks["discriminator"].running_var[1] = value
    with pytest.raises(TrainingError, match="after step 3: the weights of discriminator are no finite numbers"):
        check_weights(3, networks)
    with torch.no_grad():
        networks["generator"].weight[0, 0] = value
    with pytest.raises(TrainingError, match="generator and discriminator"):
        check_weights(3, networks)


def test_collapse_is_said_after_patience_and_not_before() -> None:
    watch = CollapseWatch(patience=3)
    for step, mask in enumerate([0.0, 0.01, COLLAPSED, 0.0, 0.049]):  # COLLAPSED itself is not collapsed
        watch.see(step, mask)
    with pytest.raises(TrainingError, match=r"after step 5: the mask has collapsed\. M_r was below 0\.05 .* 3 steps"):
        watch.see(5, 0.0)
