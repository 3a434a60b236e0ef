"""The face that is given: from a photograph, or from the first frame of a video that shows one clearly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hifibench.data.face_crops import CONFIDENT
from hifibench.errors import UsageError
from hifibench.records import Face, Frame
from hifibench.video.picture import Shown
from hifibench.video.reader import Reader
from hifibench.video.track import Finder

SUFFIXES = frozenset(
    (".mp4", ".mkv", ".mov", ".m4v", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp")
)
"""Of files that are taken for videos; all others are photographs."""


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its name."""
    return path.suffix.lower() in SUFFIXES


def load_source(path: Path, finder: Finder, say: Callable[[str], None]) -> tuple[Frame, Face]:
    """Frame and face of a source.

    Args:
        path: of a photograph or video.
        finder: finds the faces.
        say: where to tell which of several faces is used.

    Raises:
        UsageError: it cannot be read, or shows no face.
    """
    if is_video(path):
        frame, faces, where = _from_video(path, finder)
    else:
        from hifibench.data.images import load

        frame, where = load(path), f"{path}"
        faces = finder.detect(frame)
        if not faces:
            raise UsageError(f"No face was found in {path}. Give a photograph in which a face is seen from the front.")
    if len(faces) > 1:
        say(f"{where}: {len(faces)} faces; the largest, most central one is used.")
    return frame, faces[0]


def _from_video(path: Path, finder: Finder) -> tuple[Frame, list[Face], str]:
    reader = Reader(path)
    try:
        number = 0
        for one in reader.shown():
            if not isinstance(one, Shown):
                continue
            faces = finder.detect(one.frame)
            if faces and faces[0].score >= CONFIDENT:
                return one.frame, faces, f"{path}, frame {number}"
            number += 1
    finally:
        reader.close()
    raise UsageError(f"No face is seen clearly in the {number} frames of {path}. Give another source.")
