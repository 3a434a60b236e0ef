"""Following one face through a video.

The face is chosen as in photographs: in the first frame that shows any, the largest and most central one. From then on
it is the one whose box overlaps most with where it was last seen. Where nothing overlaps, the face is not there: then
another is not taken for it at once, since people are hidden for a moment behind others. It is chosen anew as at first

* after a cut, where waiting would help nothing;
* after `PATIENCE_S` without it.

Whom a face belongs to is not looked at: after a cut to another person in the same place, that person is followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from hifibench.faces.detect import match
from hifibench.records import Face, Floats, Frame

PATIENCE_S = 0.5
"""How long a face may be away before another is chosen."""

CUT = 0.13
"""From which mean change on between the thumbnails of two frames, of 1, there is a cut between them.

Generated portraits change by at most 0.05 when moved by 2 % of their width, by at most 0.11 when moved by 5 % or scaled
by 10 %; from one to another it is 0.16 to 0.30.
"""

_THUMBNAIL = (32, 32)
_AROUND = 1.5
"""Half the side of the closer look, in sides of the box."""


class Finder(Protocol):
    """What finds faces, best first: `hifibench.faces.detect.Detector`."""

    def detect(self, frame: Frame) -> list[Face]:
        """The faces of a frame ``(H, W, 3)`` uint8 RGB."""
        ...


class Tracker:
    """Follows one face; frames come in the order of display.

    Args:
        finder: finds the faces of each frame.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._last: Face | None = None
        self._seen_s = 0.0
        self._thumbnail: Floats | None = None
        self._cut = False
        self.rivals = 0
        """Faces in the frame in which the face was chosen first, besides it."""
        self.anew = 0
        """How often the face was chosen anew."""

    def follow(self, frame: Frame, time_s: float) -> Face | None:
        """The face in this frame, or ``None`` where it is not seen.

        Args:
            frame: ``(H, W, 3)`` uint8 RGB.
            time_s: when it is shown.
        """
        self._cut |= self._changed(frame)
        faces = self._finder.detect(frame)
        face = self._first(faces) if self._last is None else self._again(frame, faces, self._last, time_s)
        if face is not None:
            self._last, self._seen_s, self._cut = face, time_s, False
        return face

    def _first(self, faces: Sequence[Face]) -> Face | None:
        self.rivals = max(0, len(faces) - 1)
        return faces[0] if faces else None

    def _again(self, frame: Frame, faces: Sequence[Face], last: Face, time_s: float) -> Face | None:
        if not faces:
            return None
        found = match(faces, last)
        if found is None and not self._cut:
            # The search over the frame ends where it has found large faces: a small one may still be in its place.
            found = match(self._near(frame, last), last)
        if found is None and (self._cut or time_s - self._seen_s > PATIENCE_S):
            self.anew += 1
            return faces[0]
        return found

    def _near(self, frame: Frame, last: Face) -> list[Face]:
        left, top, right, bottom = last.box.astype(np.float64)
        reach = _AROUND * max(right - left, bottom - top)
        x, y = (left + right) / 2, (top + bottom) / 2
        x0, y0 = max(0, int(x - reach)), max(0, int(y - reach))
        part = frame[y0 : max(y0 + 1, int(y + reach)), x0 : max(x0 + 1, int(x + reach))]
        if not part.size:
            return []
        move = np.array([x0, y0], np.float32)
        return [
            replace(face, box=face.box + np.tile(move, 2), landmarks=face.landmarks + move)
            for face in self._finder.detect(np.ascontiguousarray(part))
        ]

    def _changed(self, frame: Frame) -> bool:
        import cv2

        thumbnail = cv2.resize(frame, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
        before, self._thumbnail = self._thumbnail, thumbnail
        return before is not None and float(np.abs(thumbnail - before).mean()) > CUT
