"""What travels to the experts and back: an image with what it is held against, and what was seen in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from hifibench.records import Face, Floats, Frame

Seen = dict[str, dict[str, Floats]]
"""Expert -> output -> array of one image; an expert that saw no face is absent."""

DETECTOR = "detector"
"""Under this name stands the face itself, whichever network finds it: a metric need not know."""

COMPARING = ("comparison", "truth")
"""Roles of experts that look at a swapped frame beside another one."""


@dataclass(frozen=True)
class Beside:
    """A frame that a swap is compared with.

    Attributes:
        frame: the target or the true swap.
        seen: what the experts saw in it.
        facts: gives what is known of it by its making, maps included, handed on beside ``seen``; ``None`` where nothing
            is. Asked for only where the comparison is not in the cache.
        made: how it was made, which decides on the facts: its name, and by which generator.
        content: its `hifibench.data.images.content_hash` where that is known.
    """

    frame: Frame
    seen: Mapping[str, Mapping[str, Floats]]
    facts: Callable[[], Mapping[str, Floats]] | None = None
    made: str = ""
    content: str = ""


@dataclass(frozen=True)
class Look:
    """One image to look at.

    Attributes:
        frame: the image.
        like: on swapped frames, the target's face: the detected face that overlaps it most is the one observed.
            ``None`` on original images: the largest, most central face is observed.
        beside: role of a comparing expert -> what it holds the swapped frame against: under ``comparison`` the target,
            under ``truth`` the true swap.
        facts: what is known of an original image by its making.
        name: of an original image, for `hifibench.pipeline.observe.Observer.crowded`; of any image, for messages.
        content: its `hifibench.data.images.content_hash` where that is known.
        experts: who is to look, beside the detector; ``None``: all.
    """

    frame: Frame
    like: Face | None = None
    beside: Mapping[str, Beside] = field(default_factory=dict)
    facts: Mapping[str, Floats] | None = None
    name: str = ""
    content: str = ""
    experts: Collection[str] | None = None


def face_of(seen: Mapping[str, Mapping[str, Floats]]) -> Face | None:
    """The face that the detector found, from its stored observation."""
    found = seen.get(DETECTOR)
    if found is None or not np.isfinite(found["score"]).all():
        return None
    return Face(found["box"], found["landmarks"], float(found["score"][0]))


def face_outputs(face: Face | None) -> dict[str, Floats]:
    """A face as the detector's stored observation; NaN where there is none."""
    if face is None:
        return {
            "box": np.full(4, np.nan, np.float32),
            "landmarks": np.full((5, 2), np.nan, np.float32),
            "score": np.full(1, np.nan, np.float32),
        }
    return {
        "box": np.asarray(face.box, np.float32),
        "landmarks": np.asarray(face.landmarks, np.float32),
        "score": np.asarray([face.score], np.float32),
    }
