"""Which data set a folder holds: by what lies there, or as the user says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from hifibench.data import dfdc
from hifibench.data.deeperforensics import MANIPULATED, SOURCES, DeeperForensicsSource
from hifibench.data.dfdc import DfdcSource
from hifibench.data.originals import SUFFIXES, FolderSource, Source
from hifibench.data.record_source import RecordSource
from hifibench.data.video_source import FRAMES, REAL
from hifibench.errors import UsageError
from hifibench.registry import did_you_mean

AUTO = "auto"
_TRAIN, _TEST = ("train", "vggface2_train/train"), ("test", "vggface2_test/test")
"""Where the splits of VGGFace2 lie in its folder, or in that of its archives unpacked side by side."""


class Layout(NamedTuple):
    """How a data set is known and read.

    Attributes:
        found: whether a folder looks like one.
        source: the originals; takes the folder, the frames of each video and the labels of videos.
        videos: whether it holds videos.
    """

    found: Callable[[Path], bool]
    source: Callable[[Path, int, str], Source]
    videos: bool = False


def choose(folder: Path, layout: str, frames: int | None, labels: str | None) -> tuple[str, Source]:
    """The originals in a folder.

    Args:
        folder: of the data set, or the ``.rec`` file.
        layout: one of `LAYOUTS`, or `AUTO`.
        frames: of each video; ``None`` for the default, and where the layout holds none.
        labels: which videos; likewise.

    Returns:
        The name of the layout, and the originals.

    Raises:
        UsageError: there is no such layout, several are possible, or frames or labels are given for images.
    """
    if layout not in (AUTO, *LAYOUTS):
        known = [AUTO, *LAYOUTS]
        raise UsageError(f"There is no layout {layout!r}; expected {', '.join(known)}.{did_you_mean(layout, known)}")
    name = _recognised(folder) if layout == AUTO else layout
    if not LAYOUTS[name].videos and (frames, labels) != (None, None):
        raise UsageError(
            f"{folder} is read as {name}, which holds images; --frames and --labels are for videos: leave them out, or "
            "name the layout (--layout)."
        )
    return name, LAYOUTS[name].source(folder, FRAMES if frames is None else frames, labels or REAL)


def _recognised(folder: Path) -> str:
    """The one layout that fits; identity folders where none does, whose source has words for what is wrong."""
    if not folder.exists():
        raise UsageError(f"There is no folder {folder}; give one that holds a folder of images for each person.")
    fitting = [name for name, layout in LAYOUTS.items() if layout.found(folder)]
    if len(fitting) > 1:
        raise UsageError(
            f"{folder} may be read as {' or '.join(fitting)}; say by --layout which of them is meant, or name the "
            "folder that holds one of them alone."
        )
    return fitting[0] if fitting else "folders"


def _is_folders(folder: Path) -> bool:
    """Whether it holds identity folders with images, beside those that are splits of VGGFace2."""
    if not folder.is_dir():
        return False
    names = [entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != "."]
    splits = _splits(folder)
    return any(_has_image(folder / name) for name in names if name not in splits)


def _is_vggface2(folder: Path) -> bool:
    return any(_has_image(folder / name) for name in _splits(folder))


def _splits(folder: Path) -> set[str]:
    """The folders that hold identities rather than the images of one."""
    places = {Path(place).parts[0]: folder / place for place in (*_TRAIN, *_TEST)}
    return {name for name, place in places.items() if place.is_dir() and _holds_folders(place)}


def _holds_folders(folder: Path) -> bool:
    entries = list(os.scandir(folder))
    loose = any(entry.is_file() and _is_image(entry.name) for entry in entries)
    return not loose and any(entry.is_dir() and entry.name[0] != "." for entry in entries)


def _has_image(folder: Path) -> bool:
    return any(_is_image(name) for _, _, files in os.walk(folder) for name in files)


def _is_image(name: str) -> bool:
    return name[0] != "." and name.lower().endswith(SUFFIXES)


def _vggface2(folder: Path) -> FolderSource:
    """One split, or the training split of a folder that holds it."""
    train = [folder / place for place in _TRAIN if (folder / place).is_dir() and _holds_folders(folder / place)]
    if not train and _splits(folder):
        raise UsageError(
            f"{folder} holds VGGFace2's test split and not the other; expected {folder / 'train'}. To prepare the test "
            "faces, name their folder itself."
        )
    return FolderSource(train[0] if train else folder)


def _records(folder: Path) -> RecordSource:
    if folder.is_file():
        return RecordSource(folder)
    files = sorted(folder.glob("*.rec"))
    first = [file for file in files if file.name == "train.rec"] or files
    if len(first) != 1:
        raise UsageError(
            f"{folder} holds {len(files)} record files{': ' if files else ''}{', '.join(file.name for file in files)}; "
            "expected train.rec, or one alone. Name the .rec file itself."
        )
    return RecordSource(first[0])


def _is_records(folder: Path) -> bool:
    return folder.is_file() or any(folder.glob("*.rec"))


def _is_deeperforensics(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in (SOURCES, MANIPULATED))


LAYOUTS: Mapping[str, Layout] = {
    "folders": Layout(_is_folders, lambda folder, frames, labels: FolderSource(folder)),
    "vggface2": Layout(_is_vggface2, lambda folder, frames, labels: _vggface2(folder)),
    "recordio": Layout(_is_records, lambda folder, frames, labels: _records(folder)),
    "dfdc": Layout(lambda folder: bool(dfdc.metadata_files(folder)), DfdcSource, videos=True),
    "deeperforensics": Layout(_is_deeperforensics, DeeperForensicsSource, videos=True),
}
"""Name -> layout."""
