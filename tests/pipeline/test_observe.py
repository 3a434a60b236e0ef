"""What a comparison is kept under: two pictures, and what else it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hifibench import registry
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.exact import exact
from hifibench.pipeline.observe import DETECTOR, Beside, Look, Observer, face_outputs
from hifibench.records import EXACT, Face

FRAME = np.zeros((8, 8, 3), np.uint8)
FACE = Face(np.float32([0, 0, 7, 7]), np.zeros((5, 2), np.float32), 1.0)


class Telling:
    """A comparing expert that says what it was told of the true swap."""

    card = ExpertCard(
        "telling",
        "says the yaw that it is told",
        role="truth",
        crop=Crop("frame"),
        outputs={"yaw": "()"},
        needs=(EXACT,),
    )

    def compare(self, swap: Any, target: Any, seen: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {"yaw": seen[EXACT]["pose_deg"][0]}


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ExpertPlugin]:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    there = {"telling": ExpertPlugin(Telling.card, lambda device: Telling()), EXACT: exact}
    get = type(registry.experts).get
    monkeypatch.setattr(type(registry.experts), "get", lambda self, name: there.get(name) or get(self, name))
    return there


def told(yaw: float, made: str) -> float:
    """What the expert says of one and the same pair of pictures, by a new observer."""
    observer = Observer(("telling", EXACT), workers=1)
    observer.find = lambda *_: FACE  # type: ignore[method-assign]
    asked = {"pose_deg": np.float32([yaw, 0, 0])}
    beside = Beside(FRAME, {DETECTOR: face_outputs(FACE)}, lambda: asked, made)
    return float(observer.look(Look(FRAME, FACE, {"truth": beside}))["telling"]["yaw"])


def test_facts_are_asked_for_once(offered: dict[str, ExpertPlugin]) -> None:
    assert told(5, "head by generator 1") == 5
    assert told(9, "head by generator 1") == 5


def test_the_same_pictures_with_facts_by_another_generator_are_compared_anew(
    offered: dict[str, ExpertPlugin],
) -> None:
    assert told(5, "head by generator 1") == 5
    assert told(9, "head by generator 2") == 9


def test_another_card_of_the_facts_is_another_comparison(offered: dict[str, ExpertPlugin]) -> None:
    assert told(5, "head") == 5
    offered[EXACT] = replace(exact, card=replace(exact.card, version=exact.card.version + 1))
    assert told(9, "head") == 9
