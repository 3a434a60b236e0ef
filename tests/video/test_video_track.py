"""Which face is followed, told by boxes alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hifibench.records import Face, Frame
from hifibench.video.track import CUT, PATIENCE_S, Tracker

SHAPE = (120, 320, 3)


def face(left: float, side: float = 60, top: float = 20) -> Face:
    box = np.array([left, top, left + side, top + side], np.float32)
    return Face(box, np.tile(box[:2] + side / 2, (5, 1)), 0.9)


class Scripted:
    """Gives the faces that the test wrote for each whole frame, and others for parts of frames."""

    def __init__(self, faces: Sequence[list[Face]], near: list[Face] | None = None) -> None:
        self._faces, self._near = iter(faces), near or []
        self.parts: list[tuple[int, ...]] = []

    def detect(self, frame: Frame) -> list[Face]:
        if frame.shape == SHAPE:
            return next(self._faces)
        self.parts.append(frame.shape)
        return self._near


def follow(
    faces: Sequence[list[Face]],
    values: Sequence[int] | None = None,
    step_s: float = 0.04,
    near: list[Face] | None = None,
) -> tuple[list[float | None], Tracker, Scripted]:
    """Left edges of the face followed; frames are of one grey value each."""
    finder = Scripted(faces, near)
    tracker = Tracker(finder)
    found = [
        tracker.follow(np.full(SHAPE, value, np.uint8), number * step_s)
        for number, value in enumerate(values or [100] * len(faces))
    ]
    return [None if one is None else float(one.box[0]) for one in found], tracker, finder


def test_the_first_is_the_detectors_best_and_is_followed_when_it_is_no_longer_the_best() -> None:
    lefts, tracker, _ = follow([[], [face(10), face(200)], [face(205), face(14)], [face(210), face(20)]])
    assert lefts == [None, 10, 14, 20]
    assert (tracker.rivals, tracker.anew) == (1, 0)


def test_a_fast_face_is_followed_from_where_it_was_last() -> None:
    lefts, *_ = follow([[face(10 + 20 * number), face(250)] for number in range(10)])
    assert lefts == [10 + 20 * number for number in range(10)]


def test_someone_else_is_not_taken_for_a_face_that_is_hidden_for_a_moment() -> None:
    lefts, tracker, _ = follow([[face(10), face(200)], [face(200)], [], [face(200)], [face(200), face(16)]])
    assert lefts == [10, None, None, None, 16]
    assert tracker.anew == 0


def test_after_a_long_absence_the_best_is_taken() -> None:
    frames = [[face(10)]] + [[face(200)]] * 20
    lefts, tracker, _ = follow(frames)
    away = [number for number, left in enumerate(lefts) if left is None]
    assert away == list(range(1, int(PATIENCE_S / 0.04) + 1))
    assert lefts[-1] == 200 and tracker.anew == 1


def test_patience_is_a_time_not_a_number_of_frames() -> None:
    lefts, *_ = follow([[face(10)]] + [[face(200)]] * 3, step_s=PATIENCE_S * 0.9)
    assert lefts == [10, None, 200, 200]


def test_after_a_cut_the_best_is_taken_at_once_but_only_where_nothing_overlaps() -> None:
    dark, light = 100, 100 + round(255 * (CUT + 0.02))
    lefts, tracker, _ = follow([[face(10)], [face(200), face(120)]], [dark, light])
    assert lefts == [10, 200] and tracker.anew == 1
    lefts, tracker, _ = follow([[face(10)], [face(200), face(12)]], [dark, light])
    assert lefts == [10, 12] and tracker.anew == 0
    lefts, *_ = follow([[face(10)], [face(200)]], [dark, light - round(255 * 0.04)])
    assert lefts == [10, None]


def test_a_cut_to_an_empty_frame_is_remembered() -> None:
    lefts, *_ = follow([[face(10)], [], [face(200)]], [0, 255, 255])
    assert lefts == [10, None, 200]


def test_a_small_face_that_the_search_left_out_is_looked_for_in_its_place() -> None:
    small = face(250, 20, 50)
    # The closer look reaches one and a half sides around the middle (260, 60): it begins at (230, 30).
    near = [face(22, 20, 21), face(0, 10, 0)]
    lefts, _, finder = follow([[small], [face(10)]], near=near)
    assert lefts == [250, 252]
    assert finder.parts == [(60, 60, 3)]


@pytest.mark.parametrize("gone", [face(400), face(-90), face(10, 60, 500)])
def test_a_face_that_left_the_frame_is_no_error(gone: Face) -> None:
    lefts, *_ = follow([[gone], [face(100)]])
    assert lefts[1] is None
