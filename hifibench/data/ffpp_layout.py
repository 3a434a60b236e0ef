"""Where FaceForensics++ keeps its videos, and what their names say.

```
original_sequences/{youtube,actors}/{raw,c23,c40}/videos/
manipulated_sequences/{Deepfakes,Face2Face,FaceSwap,FaceShifter,NeuralTextures,DeepFakeDetection}/{raw,…}/videos/
```

Of YouTube's videos, ``NNN.mp4``, the manipulated ones are called ``AAA_BBB.mp4``: AAA is the target, whose frames and
background they show, BBB gave the face. Those of DeepFakeDetection are ``<target>_<source>__<scene>__<8 characters>``,
made from the actors' ``<actor>__<scene>``. A name of another form is refused, never guessed at.

Source: A. Rössler et al., FaceForensics++: Learning to detect manipulated facial images, ICCV 2019, and the dataset's
page, github.com/ondyari/FaceForensics.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hifibench.errors import MissingError, UsageError
from hifibench.registry import did_you_mean

COMPRESSIONS = ("raw", "c23", "c40")

YOUTUBE, ACTORS, DFD = "youtube", "actors", "DeepFakeDetection"

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures")
"""Folders of what was made from YouTube's videos."""

GROUPS = (YOUTUBE, ACTORS, *METHODS, DFD)
"""All folders that hold compressions, originals first."""

GET = (
    "FaceForensics++ is given out after a form on https://github.com/ondyari/FaceForensics has been filled in "
    "(non-commercial research and education)."
)

ENVIRONMENT = "HIFIBENCH_FFPP"

_SCHEME = "video:"
_NUMBER = r"[0-9]{3}"
_SCENE = r"[a-z0-9]+(?:_[a-z0-9]+)*"
_ACTOR = r"[0-9]{2}"
_FORMS = {
    YOUTUBE: (rf"(?P<target>{_NUMBER})", "NNN.mp4"),
    ACTORS: (rf"(?P<target>{_ACTOR})__(?P<scene>{_SCENE})", "<actor>__<scene>.mp4"),
    DFD: (
        rf"(?P<target>{_ACTOR})_(?P<source>{_ACTOR})__(?P<scene>{_SCENE})__(?P<take>[A-Z0-9]{{8}})",
        "<target>_<source>__<scene>__<8 characters>.mp4",
    ),
    **{method: (rf"(?P<target>{_NUMBER})_(?P<source>{_NUMBER})", "<target>_<source>.mp4") for method in METHODS},
}


class Name(NamedTuple):
    """What the name of a video says.

    Attributes:
        target: the video, or actor, whose frames it shows; of an original, the video or actor itself.
        source: the video, or actor, that gave the face; empty for originals.
        scene: of the actors.
        take: the last eight characters of a video of DeepFakeDetection.
    """

    target: str
    source: str = ""
    scene: str = ""
    take: str = ""


class VideoPair(NamedTuple):
    """A swap of two videos: ``target`` gets the face of ``source``."""

    target: str
    source: str

    def __str__(self) -> str:
        return f"{self.target}_{self.source}"


def default_root() -> Path:
    """The folder of the dataset if nobody names one: ``HIFIBENCH_FFPP``, else where released methods look for it."""
    from hifibench import assets

    chosen = os.environ.get(ENVIRONMENT, "")
    return Path(chosen).expanduser().absolute() if chosen else assets.cache_root() / "methods" / "ffpp"


def need_root(root: Path) -> Path:
    """The folder, links followed.

    Raises:
        MissingError: there is none, or it holds no original videos; says what is expected and where to get it.
    """
    if (root / "original_sequences").is_dir():
        return root.resolve()
    wrong = "holds no folder original_sequences" if root.is_dir() else "is no folder"
    raise MissingError(
        f"FaceForensics++ is not there: {root} {wrong}. {GET} Name the folder that holds original_sequences and "
        f"manipulated_sequences (--ffpp for a run, or {ENVIRONMENT}), or put it, or a link to it, there."
    )


def folder(group: str, compression: str) -> PurePosixPath:
    """The folder of videos of one group (`GROUPS`) and compression, relative to the root."""
    above = "original_sequences" if group in (YOUTUBE, ACTORS) else "manipulated_sequences"
    return PurePosixPath(above, group, compression, "videos")


def original(video: str, compression: str) -> str:
    """Path of one of YouTube's videos, relative to the root."""
    return str(folder(YOUTUBE, compression) / f"{video}.mp4")


def manipulated(method: str, pair: VideoPair, compression: str) -> str:
    """Path of a method's swap of two of YouTube's videos, relative to the root.

    Raises:
        UsageError: the dataset has no such method, or it has no such pairs.
    """
    if method not in METHODS:
        raise UsageError(
            f"FaceForensics++ has no method {method!r} of YouTube's videos.{did_you_mean(method, list(METHODS))}"
        )
    return str(folder(method, compression) / f"{pair}.mp4")


def parse(group: str, file: str) -> Name:
    """What a file's name says.

    Args:
        group: one of `GROUPS`.
        file: name without folders, such as ``000_003.mp4``.

    Raises:
        UsageError: it has not the form of this folder's names; says which that is.
    """
    form, words = _FORMS[group]
    found = re.fullmatch(form + r"\.mp4", file)
    if found is None:
        raise UsageError(f"{file!r} is no name of a video of {group}; expected {words}.")
    return Name(**found.groupdict())


def build(group: str, name: Name) -> str:
    """The file's name: the inverse of `parse`."""
    people = f"{name.target}_{name.source}" if name.source else name.target
    return "__".join(part for part in (people, name.scene, name.take) if part) + ".mp4"


def files(root: Path, group: str, compression: str) -> list[str]:
    """All files of a folder of videos, sorted; hidden ones are passed over. Nothing where the folder is missing."""
    try:
        with os.scandir(root / folder(group, compression)) as entries:
            return sorted(entry.name for entry in entries if entry.name[0] != "." and not entry.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"The folder {error.filename} cannot be read: {error.strerror or error}.") from error


def uri(path: str) -> str:
    """The URI of a manifest's video, from its path relative to the root."""
    return _SCHEME + path


def path_of(uri: str) -> str:
    """The inverse of `uri`.

    Raises:
        UsageError: it is none, or leads out of the dataset.
    """
    path = uri.removeprefix(_SCHEME)
    if not uri.startswith(_SCHEME) or PurePosixPath(path).parts[:1] != ("original_sequences",) or ".." in path:
        raise UsageError(f"{uri!r} names no video of FaceForensics++; expected video:original_sequences/….")
    return path
