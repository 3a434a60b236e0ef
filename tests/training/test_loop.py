from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_training import PLAN, SETTINGS, SIZE, Tiny, Written, assert_same, make_loop, weights, write_faces
from torch import Tensor

from hifibench.data.prepared import PreparedFaces
from hifibench.errors import ImageError, UsageError
from hifibench.training import checkpoints
from hifibench.training.contract import Batch, Losses
from hifibench.training.log import CollapseWatch, TrainingError
from hifibench.training.loop import Progress
from hifibench.training.pairs import Pairs


class Poisoned(Tiny):
    """Gives, in a turn of a step, a loss of which one part is no number."""

    def __init__(self, step: int, turn: str, part: str) -> None:
        super().__init__(PLAN)
        self._at, self._part = (step, turn), part
        self.before: dict[str, Tensor] = {}

    def losses(self, turn: str, batch: Batch, step: int) -> Losses:
        total, parts = super().losses(turn, batch, step)
        if (step, turn) == self._at:
            self.before = {key: value.clone() for key, value in self.networks[turn].state_dict().items()}
            return Losses(total * math.nan, {**parts, self._part: torch.tensor(math.nan)})
        return Losses(total, parts)


@pytest.mark.parametrize(("turn", "part"), [("generator", "id"), ("discriminator", "adv_d")])
def test_a_loss_that_is_no_number_stops_before_the_weights_are_touched(
    faces: Path, tmp_path: Path, turn: str, part: str
) -> None:
    method = Poisoned(5, turn, part)
    loop = make_loop(faces, tmp_path, method=method)
    with pytest.raises(TrainingError, match=rf"step 6, turn {turn}: {part} nan\. The weights after step 4 are kept"):
        loop.run()
    assert_same(method.before, method.networks[turn].state_dict())
    assert checkpoints.steps(tmp_path) == [4]


def test_a_gradient_that_is_no_number_reaches_no_checkpoint(faces: Path, tmp_path: Path) -> None:
    class Sharp(Tiny):
        def losses(self, turn: str, batch: Batch, step: int) -> Losses:
            total, parts = super().losses(turn, batch, step)
            # Finite, and so is the loss; its slope is not.
            return Losses(total + (total * 0).sqrt() * 0 if step == 7 else total, parts)

    with pytest.raises(TrainingError, match="after step 8: the weights of generator"):
        make_loop(faces, tmp_path, method=Sharp(PLAN)).run()
    assert checkpoints.steps(tmp_path) == [4]


def test_collapsed_masks_stop_the_training(faces: Path, tmp_path: Path) -> None:
    class Collapsed(Tiny):
        def watch(self) -> Mapping[str, Tensor]:
            return {"mask_in_face": torch.tensor(0.01)}

    loop = make_loop(faces, tmp_path, method=Collapsed(PLAN))
    loop._collapse = CollapseWatch(patience=6)
    with pytest.raises(TrainingError, match="after step 6: the mask has collapsed"):
        loop.run()
    assert loop.step == 5


def test_the_newest_checkpoints_are_kept(faces: Path, tmp_path: Path) -> None:
    make_loop(faces, tmp_path, settings=replace(SETTINGS, save_every=2, keep=2)).run()
    assert checkpoints.steps(tmp_path) == [10, 12]


def test_averaged_weights_follow_the_closed_form(faces: Path, tmp_path: Path) -> None:
    class Remembered(Tiny):
        def losses(self, turn: str, batch: Batch, step: int) -> Losses:
            if turn == "generator":
                self.history.append(self.networks["generator"].first.weight.detach().double().clone())
            return super().losses(turn, batch, step)

        history: list[Tensor] = []  # noqa: RUF012

    method = Remembered(PLAN)
    loop = make_loop(faces, tmp_path, method=method)
    loop.run()
    live = method.networks["generator"]
    values = [*method.history, live.first.weight.detach().double()]
    decays = [min(PLAN.average, (1 + step) / (10 + step)) for step in range(PLAN.steps)]
    # The weights after step k count (1 - decay_k) times all later decays; the first ones all decays.
    expected = values[0] * math.prod(decays)
    for step, value in enumerate(values[1:]):
        expected += value * (1 - decays[step]) * math.prod(decays[step + 1 :])
    torch.testing.assert_close(loop.exported.first.weight.double(), expected, rtol=0, atol=1e-6)
    assert float((live.first.weight - loop.exported.first.weight).detach().abs().max()) > 1e-3
    assert torch.equal(loop.exported.norm.running_var, live.norm.running_var)
    assert not any(one.requires_grad for one in loop.exported.parameters())


def test_without_an_average_the_generator_itself_is_exported(faces: Path, tmp_path: Path) -> None:
    loop = make_loop(faces, tmp_path, replace(PLAN, average=0.0, steps=2))
    loop.run()
    assert loop.exported is loop.method.networks["generator"]


def test_the_grid_shows_the_averaged_weights_and_leaves_the_live_ones(faces: Path, tmp_path: Path) -> None:
    method = Tiny(PLAN)
    loop = make_loop(faces, tmp_path, method=method)
    loop.run()
    before = weights(loop)
    grid = loop.grid(5)
    assert_same(before, weights(loop))
    assert_same(method.swapped_with, loop.exported.state_dict())
    assert grid.shape == (3, 3 * SIZE, 5 * SIZE)
    data, pairs = PreparedFaces(faces), Pairs(PreparedFaces(faces).rows, loop.seed + 1, same_identity=0)
    for column in range(5):
        pair = pairs.at(0, column)
        tiles = grid[:, :, column * SIZE : (column + 1) * SIZE].split(SIZE, dim=1)
        images = [
            torch.from_numpy(data.load(row).frame.copy()).permute(2, 0, 1) / 255 for row in (pair.source, pair.target)
        ]
        for tile, image in zip(tiles, images, strict=False):
            torch.testing.assert_close(tile, image)
        method.networks["generator"].load_state_dict(loop.exported.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(tiles[2], method.swap(images[0][None], images[1][None])[0], rtol=0, atol=1e-5)


def test_a_grid_that_fails_leaves_the_live_weights(faces: Path, tmp_path: Path) -> None:
    class Blind(Tiny):
        def swap(self, source: Tensor, target: Tensor) -> Tensor:
            raise RuntimeError("no swap")

    loop = make_loop(faces, tmp_path, replace(PLAN, steps=3), replace(SETTINGS, save_every=100), Blind(PLAN))
    loop.run()
    before = weights(loop)
    with pytest.raises(RuntimeError, match="no swap"):
        loop.grid()
    assert_same(before, weights(loop))


def test_one_person_alone_trains_and_is_shown(tmp_path: Path) -> None:
    class Shown(Progress):
        def saved(self, step: int, grid: object) -> None:
            self.grid = grid()  # type: ignore[operator]

    show = Shown()
    make_loop(write_faces(tmp_path / "one", [4]), tmp_path / "out", replace(PLAN, same_identity=1.0, steps=2)).run(show)
    assert show.grid.shape[0] == 3


def test_rows_are_means_over_the_steps_that_gave_them(faces: Path, tmp_path: Path) -> None:
    class Kept(Tiny):
        def losses(self, turn: str, batch: Batch, step: int) -> Losses:
            made = super().losses(turn, batch, step)
            self.parts.append({name: float(value) for name, value in made.parts.items()})
            return made

        parts: list[dict[str, float]] = []  # noqa: RUF012

    method = Kept(PLAN)
    loop = make_loop(faces, tmp_path, replace(PLAN, steps=6), replace(SETTINGS, log_every=6), method)
    loop.run(Written(tmp_path, 0))
    with (tmp_path / "losses.csv").open(newline="") as stream:
        [row] = csv.DictReader(stream)
    for name in ("rec", "id", "adv_d", "r1"):
        given = [parts[name] for parts in method.parts if name in parts]
        assert float(row[name]) == pytest.approx(sum(given) / len(given), rel=1e-5)
    assert sum("r1" in parts for parts in method.parts) == 2
    assert float(row["images_per_s"]) > 0 and 0 < float(row["waited"]) < 1
    assert loop.last_row["rec"] == pytest.approx(float(row["rec"]), rel=1e-5)


def test_batches_hold_what_the_contract_says(faces: Path, tmp_path: Path) -> None:
    method = Tiny(PLAN)
    make_loop(faces, tmp_path, method=method).run()
    for batch in method.batches:
        assert batch.source.shape == batch.target.shape == (4, 3, SIZE, SIZE)
        assert batch.source.dtype == batch.target.dtype == batch.mask.dtype == torch.float32
        assert float(batch.source.min()) >= 0 and float(batch.source.max()) <= 1
        assert batch.same.dtype == torch.bool and batch.same.shape == (4,)
        assert batch.mask.shape == (4, 1, SIZE, SIZE) and set(batch.mask.unique().tolist()) == {0.0, 1.0}


def test_it_compiles_where_that_is_not_forbidden(faces: Path, tmp_path: Path) -> None:
    for compiles in (True, False):
        method = Tiny(PLAN)
        settings = replace(SETTINGS, compile=compiles)
        make_loop(faces, tmp_path / str(compiles), replace(PLAN, steps=1), settings, method).run()
        assert method.compiled == compiles


def test_faces_of_another_crop_are_refused(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "larger", size=2 * SIZE)
    with pytest.raises(UsageError, match=r"holds ffhq crops of 32 pixels; this training needs ffhq of 16\."):
        make_loop(faces, tmp_path / "out")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_crop_is_named_without_a_traceback(tmp_path: Path, workers: int) -> None:
    faces = write_faces(tmp_path / "faces", [2, 2])
    (faces / "crops" / "p01" / "0.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"^The prepared crop .*p01/0\.png is damaged") as caught:
        make_loop(faces, tmp_path / "out", settings=replace(SETTINGS, workers=workers)).run()
    assert "Traceback" not in str(caught.value)
