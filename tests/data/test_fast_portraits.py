from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest

from hifibench.data import fast_portraits, portraits, views
from hifibench.errors import UsageError
from hifibench.records import Floats, Frame


class Painter:
    """A network whose frames are digests of the styles, so that no two are alike."""

    def styles(self, seeds: Sequence[int]) -> Floats:
        return np.stack([np.random.default_rng(seed).standard_normal(512, np.float32) for seed in seeds])

    def render(self, styles: Floats) -> Frame:
        digests = [hashlib.sha512(style.tobytes()).digest()[:48] for style in styles]
        return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 4, 4, 3)


def embedding(frame: Frame) -> Floats | None:
    """No face in one of twelve frames, else a direction in the plane that the frame decides."""
    if frame[0, 0, 0] < 21:
        return None
    angle = math.pi * int(frame[0, 0, 1]) / 255
    return np.array([math.cos(angle), math.sin(angle)], np.float32)


def recognise(frames: Iterable[Frame]) -> list[Floats | None]:
    return [embedding(frame) for frame in frames]


def test_views_are_accepted_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "embedding", embedding)
    painter = Painter()
    wanted = [(seed, view) for seed in range(200) for view in (2, 0, 1)]
    expected, outcomes = [], set()
    for seed, view in wanted:
        [style] = painter.styles([seed])
        [unmoved] = painter.render(style[None])
        if view == 0:
            expected.append(unmoved)
            continue
        made = views.make(seed, view, style, unmoved, lambda moved: painter.render(moved[None])[0])
        expected.append(made.frame)
        outcomes.add((made.acceptance.kept, made.acceptance.tried))
    assert {(0, 0), (0, 10), (1, 1), (1, 5)} <= outcomes, "the trial shows too few of the possible outcomes"
    np.testing.assert_array_equal(fast_portraits.chunk(wanted, painter, recognise), expected)  # type: ignore[arg-type]


def test_a_name_asked_for_twice_is_given_twice() -> None:
    wanted = [(1, 1), (2, 0), (1, 1)]
    first, second, third = fast_portraits.chunk(wanted, Painter(), recognise)  # type: ignore[arg-type]
    np.testing.assert_array_equal(first, third)
    assert (first != second).any()


def test_portraits_are_those_of_the_evaluation_but_for_rounding(
    portrait: Callable[..., Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_portraits, "CHUNK", 2)
    wanted = [(5, 1), (3, 0), (3, 1)]
    made = list(fast_portraits.frames([portraits.uri(*one) for one in wanted], "cpu", batch=2))
    for frame, one in zip(made, wanted, strict=True):
        difference = np.abs(frame.astype(int) - portrait(*one))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3


def test_a_frame_without_a_face_has_no_embedding_and_the_others_have_theirs(portrait: Callable[..., Frame]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as threads:
        recognise = fast_portraits._recogniser("cpu", 1, threads)
        seen = recognise([portrait(3), np.full((512, 512, 3), 128, np.uint8), portrait(5)])
    assert seen[1] is None
    for found, seed in ((seen[0], 3), (seen[2], 5)):
        expected = views.embedding(portrait(seed))
        assert found is not None
        assert expected is not None
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_wrong_name_is_refused_before_anything_is_made() -> None:
    with pytest.raises(UsageError, match="names no portrait"):
        fast_portraits.frames(["portrait:seed=3;view=0", "face.png"], "cpu")
