"""Which frame of a video gives the face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from mini_release import COLOURS, encode, numbered, read

from hifibench.data import images
from hifibench.errors import UsageError
from hifibench.records import Face, Frame
from hifibench.video.source import load_source


class Scores:
    """Finds a face in each frame, or several, with the scores given in turn."""

    def __init__(self, *scores: Sequence[float]) -> None:
        self._scores = iter(scores)

    def detect(self, frame: Frame) -> list[Face]:
        return [Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), score) for score in next(self._scores)]


def film(folder: Path) -> Path:
    return encode(folder / "source.mp4", [numbered(number, COLOURS["original"]) for number in range(5)])


def test_the_first_frame_with_a_clear_face_gives_it(tmp_path: Path) -> None:
    said: list[str] = []
    frame, face = load_source(film(tmp_path), Scores([], [0.5], [0.69, 0.9], [0.7, 0.6], [0.99]), said.append)
    assert (read(frame), face.score) == (3, 0.7)
    assert len(said) == 1 and "source.mp4, frame 3: 2 faces" in said[0]


def test_a_video_without_a_clear_face_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No face is seen clearly in the 5 frames"):
        load_source(film(tmp_path), Scores(*[[0.69]] * 5), print)


def test_a_photograph_is_taken_as_it_is(tmp_path: Path) -> None:
    images.save_png(tmp_path / "a.png", numbered(9, COLOURS["original"]))
    frame, face = load_source(tmp_path / "a.png", Scores([0.5]), print)
    assert (read(frame), face.score) == (9, 0.5)
