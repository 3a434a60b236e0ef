"""How an expert gets to see a frame in these tests: as in a run, through detector and template."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from hifibench.contracts import ExpertCard
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.records import Floats, Frame

Crops = Callable[[ExpertCard, Sequence[Frame]], Floats]


@pytest.fixture(scope="session")
def crops() -> Crops:
    """``crops(card, frames)`` gives ``(B, 3, S, S)`` crops of the frames' faces as the card wants them."""
    detector = Detector()

    def cut(card: ExpertCard, frames: Sequence[Frame]) -> Floats:
        cut = []
        for frame in frames:
            face = detector.choose(frame)
            assert face is not None
            cut.append(templates.take(frame, face, card.crop)[0])
        return np.stack(cut)

    return cut
