"""Open videos, a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hifibench.data.video import Video

MOST = 4
"""Open at once beside those in use: pairs come in the order of the target's videos, so few are ever wanted again."""


class Videos:
    """Videos by their path; several threads that want one file share its decoder."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Path, Video] = {}
        self._users: dict[Path, int] = {}

    @contextmanager
    def opened(self, path: Path) -> Iterator[Video]:
        """The video of that path, which stays open for a while afterwards."""
        with self._lock:
            # Put at the end: the first is the one that was not asked for longest.
            video = self._open[path] = self._open.pop(path) if path in self._open else Video(path)
            self._users[path] = self._users.get(path, 0) + 1
        try:
            yield video
        finally:
            with self._lock:
                self._users[path] -= 1
                if not self._users[path]:
                    del self._users[path]
                idle = [one for one in self._open if one not in self._users]
                spare = [self._open.pop(one) for one in idle[: max(0, len(idle) - MOST)]]
            for one in spare:
                one.close()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            videos = list(self._open.values())
            self._open.clear()
        for video in videos:
            video.close()
