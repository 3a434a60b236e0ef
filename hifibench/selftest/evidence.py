"""What a self-test looks at: known pairs, what a method makes of them, and what experts see in that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench import registry
from hifibench.contracts import Expert, Swapper, SwapperCard
from hifibench.data import portraits
from hifibench.data.seeds import SPLITS
from hifibench.experts.landmarker import CARD as MEDIAPIPE
from hifibench.experts.landmarker import N_LANDMARKS
from hifibench.experts.recognition import EDGEFACE
from hifibench.faces import align, paste, templates
from hifibench.faces.detect import Detector, match
from hifibench.faces.masks import face_mask
from hifibench.pipeline.swap import Job
from hifibench.records import Face, Floats, Frame
from hifibench.selftest.passes import Pass, gets_frames, join, swap_pass

_FIRST = SPLITS["test"].start
KNOWN = tuple((_FIRST + source, _FIRST + target) for source, target in ((12, 37), (1, 27), (7, 5), (2, 13)))
"""Seeds of source and target: dark skin onto fair and fair onto dark.

The sources look into the camera (yaw within 4 degrees), the targets to either side (-15, -17, 18 and 12 degrees);
EdgeFace's cosines between the two are 0.09 to 0.31.
"""

ASSETS = (*portraits.ASSETS, *Detector.card.assets, *MEDIAPIPE.assets, *EDGEFACE.assets)
"""Files that the known pairs and the experts need."""


def known_jobs() -> list[Job]:
    """The known pairs; their portraits are made when first asked for and kept in the cache.

    Raises:
        MissingError: a network is absent, or the cache cannot be written to.
    """
    detector = Detector()

    def get(seed: int) -> tuple[Frame, Face | None]:
        frame = portraits.load(portraits.uri(seed))
        return frame, detector.choose(frame)

    return [Job(*get(source), *get(target)) for source, target in KNOWN]


@dataclass(frozen=True)
class Seen:
    """What detector and experts see of the face in a frame.

    Attributes:
        face: ``None`` where there is none.
        embedding: ``(512,)`` of EdgeFace; NaN without a face.
        pose_deg: ``(3,)`` of MediaPipe; NaN without a face, or where it sees none.
        landmarks: ``(478, 2)`` of MediaPipe in pixels of the frame, NaN likewise.
    """

    face: Face | None
    embedding: Floats
    pose_deg: Floats
    landmarks: NDArray[np.float64]

    @property
    def clear(self) -> bool:
        """Whether everybody saw a face."""
        return self.face is not None and bool(np.isfinite(self.pose_deg).all())


class Evidence:
    """One method on known pairs; everything is made when it is first asked for.

    Args:
        swapper: the method, loaded and started.
        jobs: the pairs; there is a face in every frame.
        device: where the experts run.
    """

    def __init__(self, swapper: Swapper, jobs: Sequence[Job], device: str = "cpu") -> None:
        self.swapper = swapper
        self.jobs = list(jobs)
        self._device = device

    @property
    def card(self) -> SwapperCard:
        """The method's card."""
        return self.swapper.card

    @property
    def gets_frames(self) -> bool:
        """Whether it gets one pair a call."""
        return gets_frames(self.card)

    @cached_property
    def base(self) -> Pass:
        """All pairs, in one batch."""
        return swap_pass(self.swapper, self.jobs)

    @cached_property
    def again(self) -> Pass:
        """The same once more."""
        return swap_pass(self.swapper, self.jobs)

    @cached_property
    def turned(self) -> Pass:
        """The batch in the opposite order, its rows put back into this one."""
        return swap_pass(self.swapper, self.jobs[::-1]).turned()

    @cached_property
    def alone(self) -> Pass:
        """Every pair in a call of its own."""
        return join([swap_pass(self.swapper, [job]) for job in self.jobs])

    @cached_property
    def sources(self) -> list[Seen]:
        """What is seen in the sources."""
        return [self._look(job.source, job.source_face) for job in self.jobs]

    @cached_property
    def targets(self) -> list[Seen]:
        """What is seen in the targets."""
        return [self._look(job.target, job.target_face) for job in self.jobs]

    @cached_property
    def swaps(self) -> list[Seen]:
        """What is seen in the swapped frames, where the target's face is."""
        found = [
            match(self._detector.detect(frame), _face(target))
            for frame, target in zip(self.base.frames, self.targets, strict=True)
        ]
        return [self._look(*one) for one in zip(self.base.frames, found, strict=True)]

    def target_crop(self, row: int) -> Floats:
        """The crop of the target that the method got, ``(3, H, W)`` in [0, 1]."""
        return templates.take(self.jobs[row].target, _face(self.targets[row]), self.card.target)[0]

    def outline(self, row: int, dilate: float = 0.0) -> NDArray[np.bool_]:
        """The target's face in that crop, ``(H, W)``, widened as `hifibench.faces.masks.face_mask` does."""
        seen = self.targets[row]
        to_crop = templates.matrix(_face(seen), self.card.target, self.jobs[row].target.shape)
        height, width = self.base.images[row].shape[1:]
        return face_mask(align.apply(to_crop, seen.landmarks), (height, width), dilate)

    def weight(self, row: int) -> Floats:
        """How much of the swap is seen in that crop, ``(H, W)`` in [0, 1]: the method's mask or the harness's."""
        mask = self.base.masks[row]
        if mask is not None:
            return mask
        if self.card.target.template == "frame":
            return np.ones(self.base.images[row].shape[1:], np.float32)
        return paste.soft_mask(self.card.target)

    def redness(self) -> tuple[float, float, float]:
        """Mean R - B on the faces of sources, targets and swaps, the swaps as the method returned them."""
        rows = range(len(self.jobs))
        sources = [_redness_of_face(job.source, seen) for job, seen in zip(self.jobs, self.sources, strict=True)]
        targets = [_redness_of_face(job.target, seen) for job, seen in zip(self.jobs, self.targets, strict=True)]
        swaps = [red_over_blue(self.base.images[row], self.weight(row) * self.outline(row)) for row in rows]
        return float(np.mean(sources)), float(np.mean(targets)), float(np.mean(swaps))

    def _look(self, frame: Frame, face: Face | None) -> Seen:
        if face is None:
            nothing = np.full(512, np.nan, np.float32)
            return Seen(None, nothing, nothing[:3], np.full((N_LANDMARKS, 2), np.nan))
        recogniser, landmarker = self._experts
        crop, _ = templates.take(frame, face, EDGEFACE.crop)
        embedding = recogniser.observe(crop[None])["embedding"][0]
        crop, matrix = templates.take(frame, face, MEDIAPIPE.crop)
        seen = landmarker.observe(crop[None])
        landmarks = align.apply(align.invert(matrix), seen["landmarks"][0, :, :2])
        return Seen(face, embedding, seen["pose_deg"][0], landmarks)

    @cached_property
    def _experts(self) -> tuple[Expert, Expert]:
        recogniser, landmarker = (registry.experts.get(card.name).load(self._device) for card in (EDGEFACE, MEDIAPIPE))
        assert isinstance(recogniser, Expert) and isinstance(landmarker, Expert)
        return recogniser, landmarker

    @cached_property
    def _detector(self) -> Detector:
        return Detector()


def red_over_blue(image: Floats, weight: NDArray[Any]) -> float:
    """By how much an image is redder than blue: the weighted mean of R - B.

    Args:
        image: ``(3, H, W)`` in [0, 1].
        weight: ``(H, W)``, not all 0.
    """
    return float(np.average(image[0].astype(np.float64) - image[2], weights=weight))


def _redness_of_face(frame: Frame, seen: Seen) -> float:
    height, width = frame.shape[:2]
    return red_over_blue(align.chw(frame), face_mask(seen.landmarks, (height, width), 0.0))


def _face(seen: Seen) -> Face:
    assert seen.face is not None
    return seen.face
