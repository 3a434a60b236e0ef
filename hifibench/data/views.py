"""Several views of one generated person: small random moves in style space, checked by a recogniser.

A move is a random step along each of the directions of `hifibench.data.directions`, in units that are observed
(degrees, scores). Large moves change the person too, so a moved face is kept only if a recogniser agrees that it is
still the same one. The recogniser is ``w600k``, which takes part in training and not in scoring: the identity metrics
then say nothing that was selected for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from hifibench import assets
from hifibench.contracts import Expert, ExpertCard
from hifibench.data import style_space
from hifibench.experts.pool import Pool
from hifibench.experts.recognition import W600K, w600k
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.records import Floats, Frame

VERSION = 1
"""Raised by whoever changes what the code below computes."""

SPREAD: Mapping[str, float] = MappingProxyType(
    {"yaw": 12.0, "pitch": 8.0, "smile": 0.25, "mouth_open": 0.08, "light_side": 0.1, "brightness": 0.06}
)
"""Attribute -> the largest step, in the attribute's unit; steps are uniform between plus and minus that."""

THRESHOLD = 0.6
"""Cosine of w600k embeddings from which two portraits count as one person.

Between the 79,800 pairs of 400 different seeds the cosine is 0.13 in the mean, below 0.58 for all but one pair in ten
thousand, and 0.67 at most.
"""

ATTEMPTS = 10
"""Moves tried for a view before the unmoved face is taken in its place."""

ASSETS = (*Detector.card.assets, *W600K.assets)

_STREAM = 0x76696577
_REACH = np.array([SPREAD[name] for name in style_space.ATTRIBUTES])


@dataclass(frozen=True)
class Acceptance:
    """How many moved faces were kept.

    Attributes:
        kept: moved faces that the recogniser took for the same person.
        tried: moved faces that were made.
    """

    kept: int = 0
    tried: int = 0

    @property
    def rate(self) -> float:
        """``kept / tried`` in [0, 1]; NaN if none was tried."""
        return self.kept / self.tried if self.tried else float("nan")

    def __add__(self, other: Acceptance) -> Acceptance:
        return Acceptance(self.kept + other.kept, self.tried + other.tried)

    def to_provenance(self) -> dict[str, str]:
        """Words for a PNG file, read back by `from_provenance`."""
        return {"kept": str(self.kept), "tried": str(self.tried)}

    @classmethod
    def from_provenance(cls, words: Mapping[str, str]) -> Acceptance:
        """The inverse of `to_provenance`; nothing kept and nothing tried where the words are missing."""
        return cls(int(words.get("kept", 0)), int(words.get("tried", 0)))


@dataclass(frozen=True)
class View:
    """A portrait and how it was come by.

    Attributes:
        frame: ``(H, W, 3)`` uint8 RGB.
        acceptance: of the moves tried for it.
    """

    frame: Frame
    acceptance: Acceptance


def steps(seed: int, view: int, attempt: int) -> Floats:
    """The random step of an attempt, ``(A,)`` float32 in the order of `hifibench.data.style_space.ATTRIBUTES`."""
    rng = np.random.default_rng([_STREAM, seed, view, attempt])
    return rng.uniform(-_REACH, _REACH).astype(np.float32)


def make(seed: int, view: int, style: Floats, unmoved: Frame, render: Callable[[Floats], Frame]) -> View:
    """Move a face until the recogniser takes the result for the same person.

    Args:
        seed: of the person.
        view: 1 or above; with the seed it decides the moves.
        style: ``(512,)`` of the unmoved face.
        unmoved: ``(H, W, 3)`` uint8 RGB, the person's view 0.
        render: style ``(512,)`` to frame.

    Returns:
        The first of at most `ATTEMPTS` moved faces that is alike enough; the unmoved face, with nothing kept, if none
        is or if no face is found in the unmoved portrait.

    Raises:
        MissingError: the recogniser or the detector is absent.
    """
    known = embedding(unmoved)
    if known is None:
        return View(unmoved, Acceptance())
    directions = style_space.shipped().directions
    for attempt in range(1, ATTEMPTS + 1):
        frame = render(style + steps(seed, view, attempt) @ directions)
        seen = embedding(frame)
        if seen is not None and float(known @ seen) >= THRESHOLD:
            return View(frame, Acceptance(1, attempt))
    return View(unmoved, Acceptance(0, ATTEMPTS))


def embedding(frame: Frame) -> Floats | None:
    """What the selecting recogniser says of the face in a frame: ``(512,)`` unit vector, ``None`` without a face.

    Raises:
        MissingError: the recogniser or the detector is absent.
    """
    with _detectors.borrow() as detector:
        face = detector.choose(frame)
    if face is None:
        return None
    crop, _ = templates.take(frame, face, W600K.crop)
    seen: Floats = _recogniser().observe(crop[None])["embedding"][0]
    return seen


def fingerprint() -> dict[str, object]:
    """All that decides the pixels of a moved face beside the generator's own, for the keys of caches."""
    return {
        "version": VERSION,
        "style_space": style_space.fingerprint(),
        "spread": dict(SPREAD),
        "threshold": THRESHOLD,
        "attempts": ATTEMPTS,
        "recogniser": _decisive(W600K),
        "detector": _decisive(Detector.card),
    }


def _decisive(card: ExpertCard) -> dict[str, object]:
    """What of a card decides numbers: a portrait is not made anew because somebody worded a limit better."""
    return {
        "assets": [assets.catalogue()[name].sha256 for name in card.assets],
        "crop": [card.crop.template, card.crop.size],
        "version": card.version,
    }


_detectors: Pool[Detector] = Pool(Detector)


@cache
def _recogniser() -> Expert:
    return w600k.load("cpu")  # type: ignore[return-value]  # what observes one face is an Expert, not a PairExpert
