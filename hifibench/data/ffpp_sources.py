"""Which frame of a video gives the face.

The rule ``first-face``: going forward from the first frame, the first one in which the neutral detector is confident of
the face that is largest and most central, and in which no second face is about as large
(`hifibench.data.face_crops.the_face`). Where every confident frame shows several such faces, the first of them is
taken, and told. Only the first `FRAMES` frames are looked at: a video that shows nobody for ten seconds is not waited
for.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hifibench.data.face_crops import CONFIDENT, DropError, the_face
from hifibench.data.ffpp_record import Record, SourceFace
from hifibench.data.video import Video

if TYPE_CHECKING:
    from hifibench.faces.detect import Detector
    from hifibench.records import Frame

FRAMES = 300
"""Frames that are looked at, from the first."""

NOTHING = SourceFace(-1)

_VERSION = 1  # raised by whoever changes the rule


class FirstFace:
    """Searches videos for their first confident face, each content once; may be shared by threads.

    Args:
        record: of the dataset's folder; keeps what is found.
    """

    def __init__(self, record: Record) -> None:
        from hifibench.faces.detect import Detector

        self._record = record
        self._rule = f"first-face-{_VERSION}-{Detector.card.hash[:12]}"
        self._lock = threading.Lock()
        self._detector: Detector | None = None

    def find(self, path: str) -> SourceFace:
        """The frame, or `NOTHING`.

        Args:
            path: of the video, relative to the root.

        Raises:
            MissingError: there is no such video, or the detector's network cannot be had.
            DamagedError: it cannot be decoded.
        """
        facts = self._record.facts(path)
        known = self._record.face(facts.sha256, self._rule)
        if known is not None:
            return known
        video = Video(self._record.root / path)
        try:
            found = self._search(video, min(facts.frames, FRAMES))
        finally:
            video.close()
        self._record.keep_face(facts.sha256, self._rule, found)
        return found

    def _search(self, video: Video, frames: int) -> SourceFace:
        several = NOTHING
        for index in range(frames):
            kind = self._kind(video.frame(index))
            if kind == "one":
                return SourceFace(index)
            if kind == "several" and several is NOTHING:
                several = SourceFace(index, several=True)
        return several

    def _kind(self, frame: Frame) -> str:
        """``one`` confident face, ``several`` of about one size, or ``none``."""
        with self._lock:
            if self._detector is None:
                from hifibench.faces.detect import Detector

                self._detector = Detector()
        faces = self._detector.detect(frame)
        if not faces or faces[0].score < CONFIDENT:
            return "none"
        try:
            the_face(faces)
        except DropError:
            return "several"
        return "one"
