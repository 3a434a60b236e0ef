"""Originals that are frames of labelled videos, evenly spaced.

Frame i of k of a video that shows n is that with the index ``floor((2 i + 1) n / (2 k))``, counted from zero: the
middle of each of k equal parts, as for FaceForensics++. A video of fewer frames than asked for gives each of its own.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hifibench.data.originals import Original, Person, Read
from hifibench.data.video import Video, evenly
from hifibench.errors import ImageError, UsageError
from hifibench.registry import did_you_mean

_log = logging.getLogger("hifibench")

REAL, FAKE = "real", "fake"
LABELS: Mapping[str, tuple[str, ...]] = {REAL: (REAL,), FAKE: (FAKE,), "all": (REAL, FAKE)}
"""What can be asked for -> the labels that it takes."""

FRAMES = 10
_ABSENT = "absent"
_TOLD = 3


class Clip(NamedTuple):
    """One video.

    Attributes:
        identity: whom it shows.
        path: relative to the folder of the set.
        label: `REAL` or `FAKE`.
        absent: whether it is named somewhere and not there.
    """

    identity: str
    path: str
    label: str
    absent: bool = False


class _Open:
    """The video read last, which stays open: a person's frames come one after the other. Not handed to a process.

    Args:
        threads: as of `Video`.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads
        self.path: Path | None = None
        self.video: Video | None = None

    def __reduce__(self) -> tuple[type[_Open], tuple[int]]:
        return _Open, (1,)  # there is a process for each core

    def get(self, path: Path) -> Video:
        """The open video of that path."""
        if self.video is None or self.path != path:
            if self.video is not None:
                self.video.close()
            self.path, self.video = path, Video(path, self._threads)
        return self.video


@dataclass(frozen=True)
class VideoSource(ABC):
    """Frames of the videos of a set whose labels are known; a frame is called by its video and its number i.

    Attributes:
        root: the folder of the set.
        frames: how many of each video, k.
        labels: ``real``, ``fake`` or ``all``.
    """

    root: Path
    frames: int = FRAMES
    labels: str = REAL
    _open: _Open = field(default_factory=_Open, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UsageError(f"At least one frame is taken of each video; given {self.frames}.")
        if self.labels not in LABELS:
            raise UsageError(
                f"There are no videos of the label {self.labels!r}; expected {', '.join(LABELS)}."
                f"{did_you_mean(self.labels, list(LABELS))}"
            )

    @property
    @abstractmethod
    def kind(self) -> str:
        """Name of the layout."""

    @property
    @abstractmethod
    def licence(self) -> str:
        """See `Source.licence`."""

    @abstractmethod
    def clips(self) -> Iterable[Clip]:
        """All videos of the set, in any order; raises `UsageError` where the folder is no such set."""

    @property
    def settings(self) -> Mapping[str, str]:
        """See `Source.settings`."""
        return {
            "kind": self.kind,
            "folder": str(self.root.resolve()),
            "frames": str(self.frames),
            "labels": self.labels,
        }

    def people(self) -> list[Person]:
        """See `Source.people`; no video is opened. One that is not there stands for a single image without frames."""
        people: dict[str, list[Original]] = {}
        taken = absent = 0
        for clip in self.clips():
            if clip.label not in LABELS[self.labels]:
                continue
            taken, absent = taken + 1, absent + clip.absent
            people.setdefault(clip.identity, []).extend(self._originals(clip))
        if taken == absent:
            raise UsageError(
                f"{self.root} holds no video with the label {' or '.join(LABELS[self.labels])}"
                f"{f', though {absent} are named' if absent else ''}; copy the videos, or ask for others by --labels."
            )
        if absent:
            _log.warning("%d videos are named and not there; the dropped images name each.", absent)
        return [Person(identity, tuple(sorted(originals))) for identity, originals in sorted(people.items())]

    def read(self, original: Original) -> Read:
        """See `Source.read`."""
        from hifibench.data import images

        name, _, which = original.source.rpartition("#")
        path = self.root / name
        if which == _ABSENT or not path.is_file():
            raise ImageError(f"There is no video {path}, though the set names it; copy it again.")
        video = self._open.get(path)
        try:
            number, chosen = int(which.partition("/")[0]), evenly(video.length, self.frames)
            if number >= len(chosen):
                raise ImageError(f"{path} has {len(chosen)} frames, fewer than {self.frames}: each was taken once.")
            frame = video.frame(chosen[number])
        except ImageError:
            raise
        except UsageError as error:  # what a video says of itself
            raise ImageError(str(error)) from error
        return Read(frame, images.content_hash(frame))

    def provenance(self, original: Original) -> None:
        """See `Source.provenance`."""
        return

    def _originals(self, clip: Clip) -> list[Original]:
        stem = clip.path.replace("/", "-").rpartition(".")[0]
        if clip.absent:
            return [Original(f"{stem}-{_ABSENT}", f"{clip.path}#{_ABSENT}", clip.label)]
        digits = len(str(self.frames - 1))
        return [
            Original(f"{stem}-{i:0{digits}d}", f"{clip.path}#{i}/{self.frames}", clip.label) for i in range(self.frames)
        ]


def tell_some(names: list[str], what: str) -> None:
    """Log that files are passed over, naming the first."""
    if names:
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        _log.warning("%s: %s%s.", what, ", ".join(names[:_TOLD]), more)
