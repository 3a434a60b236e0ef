from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hifibench.contracts import Crop
from hifibench.data import style_space, views
from hifibench.data.views import Acceptance
from hifibench.records import Floats, Frame

REACH = np.array([views.SPREAD[name] for name in style_space.ATTRIBUTES])
UNMOVED = np.zeros((8, 8, 3), np.uint8)


class TestFingerprint:
    def test_words_for_the_reader_change_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = views.fingerprint()
        reworded = {"summary": "other words", "limits": "other words", "licence": "other words"}
        monkeypatch.setattr(views, "W600K", replace(views.W600K, **reworded))
        monkeypatch.setattr(views.Detector, "card", replace(views.Detector.card, **reworded))
        assert views.fingerprint() == before

    @pytest.mark.parametrize("change", [{"version": 99}, {"crop": Crop("box", 96)}, {"assets": ("edgeface-s",)}])
    def test_what_decides_pixels_changes_it(self, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
        before = views.fingerprint()
        monkeypatch.setattr(views, "W600K", replace(views.W600K, **change))
        after_recogniser = views.fingerprint()
        monkeypatch.setattr(views.Detector, "card", replace(views.Detector.card, **change))
        assert before != after_recogniser != views.fingerprint()


class TestSteps:
    def test_they_fill_the_spread_and_stay_within_it(self) -> None:
        drawn = np.stack([views.steps(seed, 1, 1) for seed in range(500)]) / REACH
        assert np.abs(drawn).max() <= 1 + 1e-6
        assert drawn.min() < -0.98
        assert drawn.max() > 0.98
        assert np.abs(drawn.mean(0)).max() < 0.1

    def test_seed_view_and_attempt_each_change_them(self) -> None:
        drawn = [views.steps(*which) for which in ((5, 1, 1), (6, 1, 1), (5, 2, 1), (5, 1, 2))]
        for a, b in itertools.combinations(drawn, 2):
            assert not np.allclose(a, b)
        np.testing.assert_array_equal(drawn[0], views.steps(5, 1, 1))


class TestMake:
    """With a recogniser that answers from a list: cosines of the moved faces to the unmoved one."""

    @pytest.fixture
    def recogniser(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        def install(*cosines: float | None, unmoved: bool = True) -> None:
            answers = [
                None if cosine is None else np.array([cosine, math.sqrt(1 - cosine**2)], np.float32)
                for cosine in (1.0 if unmoved else None, *cosines)
            ]
            monkeypatch.setattr(views, "embedding", lambda frame: answers.pop(0))

        return install

    @staticmethod
    def make(rendered: list[Floats]) -> views.View:
        def render(style: Floats) -> Frame:
            rendered.append(style)
            return np.full((8, 8, 3), len(rendered), np.uint8)

        return views.make(4, 2, np.ones(512, np.float32), UNMOVED, render)

    def test_the_first_face_that_is_alike_enough_is_kept(self, recogniser: Callable[..., None]) -> None:
        recogniser(views.THRESHOLD - 0.01, None, views.THRESHOLD + 0.01)
        rendered: list[Floats] = []
        view = self.make(rendered)
        assert view.acceptance == Acceptance(1, 3)
        assert (view.frame == 3).all()
        for attempt, style in enumerate(rendered, 1):
            move = views.steps(4, 2, attempt) @ style_space.shipped().directions
            np.testing.assert_allclose(style, 1 + move, rtol=1e-5)

    def test_if_none_is_the_unmoved_face_stands_in(self, recogniser: Callable[..., None]) -> None:
        recogniser(*[views.THRESHOLD - 0.01] * views.ATTEMPTS)
        view = self.make([])
        assert view.acceptance == Acceptance(0, views.ATTEMPTS)
        np.testing.assert_array_equal(view.frame, UNMOVED)

    def test_without_a_face_to_compare_with_nothing_is_tried(self, recogniser: Callable[..., None]) -> None:
        recogniser(unmoved=False)
        rendered: list[Floats] = []
        view = self.make(rendered)
        assert view.acceptance == Acceptance(0, 0)
        assert rendered == []
        np.testing.assert_array_equal(view.frame, UNMOVED)


class TestAcceptance:
    def test_it_adds_up(self) -> None:
        total = Acceptance(1, 2) + Acceptance(0, 10) + Acceptance(1, 1)
        assert total == Acceptance(2, 13)
        assert total.rate == pytest.approx(2 / 13)
        assert math.isnan(Acceptance().rate)

    def test_it_survives_the_way_through_a_file(self) -> None:
        assert Acceptance.from_provenance(Acceptance(1, 7).to_provenance()) == Acceptance(1, 7)
        assert Acceptance.from_provenance({"seed": "3"}) == Acceptance()


def test_views_of_a_person_look_alike_and_those_of_others_do_not(portrait: Callable[..., Frame]) -> None:
    people = [[portrait(seed, view) for view in range(3)] for seed in (1, 2)]
    seen = []
    for frames in people:
        assert np.abs(frames[0].astype(int) - frames[1]).mean() > 3, "the view is no copy"
        embeddings = [views.embedding(frame) for frame in frames]
        seen.append([embedding for embedding in embeddings if embedding is not None])
        assert [seen[-1][0] @ moved >= views.THRESHOLD for moved in seen[-1][1:]] == [True, True]
    assert max(a @ b for a in seen[0] for b in seen[1]) < views.THRESHOLD


def test_an_image_without_a_face_has_no_embedding() -> None:
    assert views.embedding(np.full((512, 512, 3), 128, np.uint8)) is None
