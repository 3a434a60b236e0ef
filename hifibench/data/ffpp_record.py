"""What is known of the videos of a dataset's folder, kept in the cache as long as the files do not change.

Hashing and listing gigabytes takes minutes, a plan needs it at every start: so each video is looked at once, and again
only when its size or the time of its last change differs. The record lies in ``<cache>/ffpp/`` under a name made of the
folder's; it can be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hifibench.data.video import DamagedError, describe
from hifibench.errors import MissingError
from hifibench.files import atomic_write

_log = logging.getLogger("hifibench")

_VERSION = 1  # raised by whoever changes what stands in a record


@dataclass(frozen=True)
class VideoFacts:
    """One video, as it was when it was looked at.

    Attributes:
        size: bytes.
        mtime_ns: time of the file's last change.
        sha256: of the file, hexadecimal.
        frames: how many a player shows; 0 for a broken one.
        width: in pixels.
        height: in pixels.
        steady: whether its frames follow each other at one pace.
        problem: why it cannot be used, empty otherwise.
    """

    size: int
    mtime_ns: int
    sha256: str
    frames: int = 0
    width: int = 0
    height: int = 0
    steady: bool = True
    problem: str = ""


@dataclass(frozen=True)
class SourceFace:
    """The frame of a video that shows its face best for a source.

    Attributes:
        frame: its index; -1 where no frame will do.
        several: whether there are faces of about one size in it.
    """

    frame: int
    several: bool = False


class Record:
    """The videos of one folder, looked at when they are asked for first; may be shared by threads.

    Args:
        root: of the dataset, links followed.
    """

    def __init__(self, root: Path) -> None:
        from hifibench import assets

        self.root = root
        self._file = assets.cache_root() / "ffpp" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json"
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}
        self._videos, self._faces = self._stored()
        self._new_videos: set[str] = set()
        self._new_faces: set[str] = set()
        self._warned = False

    def facts(self, path: str) -> VideoFacts:
        """What is known of a video that can be used.

        Args:
            path: relative to the root.

        Raises:
            MissingError: there is no such file.
            DamagedError: it is truncated, empty, or no video.
        """
        facts = self.look(path)
        if facts.problem:
            raise DamagedError(facts.problem)
        return facts

    def look(self, path: str) -> VideoFacts:
        """As `facts`, but a broken video is told by ``problem``.

        Raises:
            MissingError: there is no such file.
            DamagedError: it cannot be opened for now, so that nothing can be kept of it.
        """
        file = self.root / path
        with self._lock:
            busy = self._busy.setdefault(path, threading.Lock())
        with busy:
            try:
                status = file.stat()
                known = self._videos.get(path)
                if known is not None and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
                    return known
                facts = _examined(file, status)
            except FileNotFoundError as error:
                raise MissingError(f"There is no video {file}.") from error
            except OSError as error:
                raise DamagedError(f"{file} cannot be read: {error.strerror or error}.") from error
            with self._lock:
                self._videos[path] = facts
                self._new_videos.add(path)
            return facts

    def face(self, content: str, rule: str) -> SourceFace | None:
        """What was found in a video of that content by that rule, if it was searched before."""
        return self._faces.get(f"{rule}:{content}")

    def keep_face(self, content: str, rule: str, face: SourceFace) -> None:
        """Keep what was found."""
        with self._lock:
            self._faces[f"{rule}:{content}"] = face
            self._new_faces.add(f"{rule}:{content}")

    def save(self) -> None:
        """Write what is new beside what other processes have written meanwhile."""
        with self._lock:
            if not self._new_videos and not self._new_faces:
                return
            videos, faces = self._stored()
            videos.update({path: self._videos[path] for path in self._new_videos})
            faces.update({key: self._faces[key] for key in self._new_faces})
            record = {
                "version": _VERSION,
                "root": str(self.root),
                "videos": {path: asdict(facts) for path, facts in videos.items()},
                "faces": {key: asdict(face) for key, face in faces.items()},
            }
            try:
                atomic_write(self._file, json.dumps(record, indent=0, sort_keys=True) + "\n")
            except MissingError as error:
                # The record saves time and nothing else.
                if not self._warned:
                    _log.warning("What is known of the videos is not kept: %s", error)
                self._warned = True
                return
            self._new_videos.clear()
            self._new_faces.clear()

    def _stored(self) -> tuple[dict[str, VideoFacts], dict[str, SourceFace]]:
        """What is in the cache; nothing where that is of another version, or damaged."""
        try:
            record: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            if record["version"] != _VERSION or record["root"] != str(self.root):
                return {}, {}
            videos = {path: VideoFacts(**facts) for path, facts in record["videos"].items()}
            return videos, {key: SourceFace(**face) for key, face in record["faces"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}, {}


def _examined(file: Path, status: os.stat_result) -> VideoFacts:
    """Read all of a video; raises ``OSError`` or `DamagedError` where it cannot be read for now."""
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    try:
        seen = describe(file)
    except DamagedError as error:
        # Too many open files, or no memory: not the video's fault, and perhaps gone the next time.
        if isinstance(error.__cause__, (OSError, MemoryError)):
            raise
        return VideoFacts(status.st_size, status.st_mtime_ns, sha256, problem=str(error))
    return VideoFacts(status.st_size, status.st_mtime_ns, sha256, *seen)
