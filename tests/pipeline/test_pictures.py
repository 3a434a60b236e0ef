"""The small pictures of a run: which part of the frame they show, and what they say of themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hifibench.faces import align, paste
from hifibench.pipeline.pictures import SIDE_PX, Part, Pictures, around, save
from hifibench.records import Face


def face(left: float, top: float, right: float, bottom: float) -> Face:
    return Face(np.array([left, top, right, bottom], np.float32), np.zeros((5, 2), np.float32), 0.9)


def test_a_small_face_is_shown_in_a_square_around_it() -> None:
    part = around(np.zeros((720, 1280, 3), np.uint8), face(600, 300, 680, 400))
    assert (part.right - part.left, part.bottom - part.top) == (240, 240)
    assert ((part.left + part.right) / 2, (part.top + part.bottom) / 2) == (640, 350)


@pytest.mark.parametrize(
    ("box", "corner"), [((0, 0, 80, 100), (0, 0)), ((1200, 620, 1280, 720), (1280 - 240, 720 - 240))]
)
def test_a_square_stays_within_the_frame(box: tuple[float, ...], corner: tuple[int, int]) -> None:
    part = around(np.zeros((720, 1280, 3), np.uint8), face(*box))
    assert (part.left, part.top) == corner
    assert (part.right - part.left, part.bottom - part.top) == (240, 240)


@pytest.mark.parametrize("found", [None, face(100, 100, 400, 420)])
def test_the_whole_frame_is_shown_where_there_is_no_face_or_a_large_one(found: Face | None) -> None:
    assert around(np.zeros((512, 640, 3), np.uint8), found) == Part(0, 0, 640, 512)


def test_a_picture_is_the_part_of_the_frame_and_not_larger_than_its_bound(tmp_path: Path) -> None:
    frame = np.zeros((600, 800, 3), np.uint8)
    frame[100:500, 200:600] = (250, 10, 10)
    save(tmp_path / "a" / "red.jpg", frame, Part(200, 100, 600, 500))
    with Image.open(tmp_path / "a" / "red.jpg") as picture:
        assert picture.size == (SIDE_PX, SIDE_PX)
        assert np.abs(np.asarray(picture).astype(int) - (250, 10, 10)).max() < 8
    save(tmp_path / "small.jpg", frame[:100, :60], Part(0, 0, 60, 100))
    with Image.open(tmp_path / "small.jpg") as picture:
        assert picture.size == (60, 100)


def test_a_generated_picture_says_so_and_an_original_does_not(tmp_path: Path) -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    save(tmp_path / "swap.jpg", frame, Part(0, 0, 64, 64), {"hifibench:method": "my-method"})
    save(tmp_path / "target.jpg", frame, Part(0, 0, 64, 64))
    swap, target = ((tmp_path / name).read_bytes() for name in ("swap.jpg", "target.jpg"))
    assert b"trainedAlgorithmicMedia" in swap and b"hifibench:method=my-method" in swap
    assert b"trainedAlgorithmicMedia" not in target


def test_a_mask_lies_where_the_crop_was_pasted() -> None:
    frame, matrix = np.zeros((90, 120, 3), np.uint8), np.array([[1.0, 0, -30], [0, 1, -20]])
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 16:48] = 1
    spread = paste.spread(mask, matrix, frame.shape)
    pasted = paste.paste_back(frame, np.ones((3, 64, 64), np.float32), matrix, mask)
    np.testing.assert_array_equal(spread, pasted[..., 0])
    assert spread[20 + 16, 30 + 16] == 255 and spread[20 + 15, 30 + 15] == 0


def test_a_mask_is_the_weight_of_the_paste_under_any_similarity() -> None:
    turn = np.deg2rad(17)
    matrix: align.Matrix = np.array(
        [[0.8 * np.cos(turn), -0.8 * np.sin(turn), 5.5], [0.8 * np.sin(turn), 0.8 * np.cos(turn), -9.25]]
    )
    mask = np.random.default_rng(0).random((48, 48), np.float32)
    frame = np.zeros((100, 80, 3), np.uint8)
    pasted = paste.paste_back(frame, np.ones((3, 48, 48), np.float32), matrix, mask)
    assert np.abs(paste.spread(mask, matrix, frame.shape).astype(int) - pasted[..., 0]).max() <= 1


def test_no_two_pictures_of_a_run_share_a_file() -> None:
    at = Pictures(Path("run"))
    paths = [at.source("p"), at.target("p"), at.swap("m", "p"), at.mask("m", "p"), at.swap("n", "p"), at.source("q")]
    assert len(set(paths)) == len(paths)
