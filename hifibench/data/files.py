"""Photographs of the user's own: a CSV of pairs becomes a manifest.

The file has the columns ``source,target`` and may have ``source_id`` and ``target_id``; paths are relative to its
folder. Without ids every picture is taken for a person of its own, by its content: two copies of one file are one
person. A byte order mark, Windows line ends, and semicolons or tabs instead of commas are understood.

Pictures that are frames of videos say so in ``source_video,source_frame,target_video,target_frame``: the name of the
video, as ``000``, and the frame's index in it, counted from zero. Released methods are found by them
(`baselines.released`), and intervals are clustered by them. A picture without a video leaves both cells empty, or the
columns are not there. Without an id, a picture of a video shows the person whom the ids of other pictures of that video
name, and if there is none, or more than one, a person called as the video is.

Columns ``label:<name>`` say more of the target, as ``label:occluder``; the split ``label[<name>]`` reads them. An empty
cell is not known.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hifibench.data import images
from hifibench.errors import ImageError, UsageError
from hifibench.records import Frame, ImageRef, Manifest, Pair
from hifibench.registry import did_you_mean

_REQUIRED = ("source", "target")
_OPTIONAL = ("source_id", "target_id")
_OF_VIDEOS = ("source_video", "source_frame", "target_video", "target_frame")
_COLUMNS = _REQUIRED + _OPTIONAL + _OF_VIDEOS
_LABEL = "label:"
_PREFIX = "file:"
_MOST_PROBLEMS = 20


def plan(pairs_csv: Path, limit: int | None) -> Manifest:
    """Read the pairs and look at every image's header.

    Args:
        pairs_csv: the file of pairs.
        limit: how many pairs to keep, the first ones; ``None`` for all. Images of other pairs are not looked at.

    Returns:
        The manifest. Images are named by their path, pairs by their number; gallery ``frames`` holds all target
        images, ``sources`` all source images.

    Raises:
        UsageError: the file cannot be used; the message lists what is wrong, line by line.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"A run needs at least one pair; given a limit of {limit}.")
    text = _text(pairs_csv)
    rows = list(_rows(pairs_csv, text))
    if not rows:
        raise UsageError(f"{pairs_csv} holds no pairs, only a header; expected one line for each swap.")
    plan = _Plan(pairs_csv.resolve().parent)
    for row in rows[:limit]:
        plan.add(row)
    if plan.problems:
        raise UsageError(_listed(pairs_csv, plan.problems))
    return plan.manifest()


def load(ref: ImageRef, root: Path) -> Frame:
    """The pixels of a planned image, ``(H, W, 3)`` uint8 RGB.

    Args:
        ref: an image of a manifest made by `plan`.
        root: the folder of the file of pairs.

    Raises:
        UsageError: the image is none of these, or is not the file any more that it was when the run was planned.
        ImageError: the file is missing or broken.
    """
    if not ref.uri.startswith(_PREFIX):
        raise UsageError(f"The image {ref.image} ({ref.uri}) is no file.")
    path = root / ref.uri.removeprefix(_PREFIX)
    images.check(path)
    if _digest(path) != ref.content:
        raise UsageError(
            f"{path} has changed since this run was planned. Put the old file back, or plan a new run in another "
            "folder (--out)."
        )
    return images.load(path)


class _Row(NamedTuple):
    """One line of the file; a cell is empty where there is no such column."""

    labels: dict[str, str]
    line: int
    source: str
    target: str
    source_id: str
    target_id: str
    source_video: str
    source_frame: str
    target_video: str
    target_frame: str


class _Place(NamedTuple):
    """Where in a video an image stands, and the line that says so."""

    video: str
    frame: int
    line: int


@dataclass
class _Plan:
    """What has been read so far."""

    root: Path
    problems: list[str] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    identities: dict[str, tuple[str, int]] = field(default_factory=dict)
    places: dict[str, _Place] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    pairs: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, row: _Row) -> None:
        """Take in one line, or note what is wrong with it."""
        before = len(self.problems)
        source = self._image(row.line, "source", row.source, row.source_id)
        target = self._image(row.line, "target", row.target, row.target_id)
        self._place(row.line, "source", source, row.source_video, row.source_frame)
        self._place(row.line, "target", target, row.target_video, row.target_frame)
        if target is not None:
            self._label(row.line, target, row.labels)
        if source is None or target is None or len(self.problems) > before:
            return
        first = self.pairs.setdefault((source, target), row.line)
        if first != row.line:
            self._problem(row.line, f"the pair {source}, {target} stands in line {first} already; remove one.")

    def manifest(self) -> Manifest:
        """All of it as a manifest."""
        person: dict[str, str] = {}
        for image, content in self.contents.items():
            person.setdefault(content, image)
        named = self._people_of_videos()
        # A copy that is not said to be of a video is what its twin is.
        twins: dict[str, _Place] = {}
        for image, place in self.places.items():
            twins.setdefault(self.contents[image], place)
        refs = []
        for image, content in self.contents.items():
            still = twins.get(content, _Place(person[content], 0, 0))
            video, frame, _ = self.places.get(image, still)
            known = self.identities.get(content)
            refs.append(
                ImageRef(
                    image=image,
                    uri=_PREFIX + image,
                    identity=known[0] if known else named.get(video, video),
                    video=video,
                    frame=frame,
                    content=content,
                    labels=self.labels.get(image, {}),
                )
            )
        pairs = tuple(Pair(f"{number:05d}", *names) for number, names in enumerate(self.pairs))
        galleries = {
            "frames": tuple(dict.fromkeys(pair.target for pair in pairs)),
            "sources": tuple(dict.fromkeys(pair.source for pair in pairs)),
        }
        return Manifest(images=tuple(refs), pairs=pairs, galleries=galleries, origin="files of the user's own")

    def _image(self, line: int, column: str, cell: str, identity: str) -> str | None:
        """The name of one cell's image, checked and hashed when it is met for the first time."""
        # A file made on Windows separates folders by backslashes.
        path = (self.root / cell.replace("\\", "/")).resolve()
        if not path.is_relative_to(self.root):
            self._problem(line, f"{column} {cell!r} lies outside the file's folder; copy the image into {self.root}.")
            return None
        image = path.relative_to(self.root).as_posix()
        if image in self.broken:
            return None
        if image not in self.contents:
            try:
                images.check(path)
                self.contents[image] = _digest(path)
            except ImageError as error:
                self.broken.add(image)
                self._problem(line, f"{column}: {error}")
                return None
        if identity:
            known, first = self.identities.setdefault(self.contents[image], (identity, line))
            if known != identity:
                self._problem(
                    line,
                    f"the picture {image} is given the id {identity!r}, but {known!r} in line {first}; choose one.",
                )
        return image

    def _place(self, line: int, side: str, image: str | None, video: str, frame: str) -> None:
        """Take in which frame of which video an image is."""
        if not video and not frame:
            return
        if not video or not frame:
            given, missing = (f"{side}_video", f"{side}_frame") if video else (f"{side}_frame", f"{side}_video")
            self._problem(line, f"{given} {video or frame!r} without {missing}; fill in both or neither.")
            return
        if not re.fullmatch(r"[0-9]{1,9}", frame):
            self._problem(line, f"{side}_frame {frame!r} is no index of a frame; expected 0, 1, 2 and so on.")
            return
        if image is None:
            return
        known = self.places.setdefault(image, _Place(video, int(frame), line))
        if known[:2] != (video, int(frame)):
            self._problem(
                line,
                f"the picture {image} is said to be frame {int(frame)} of video {video!r}, but frame {known.frame} of "
                f"video {known.video!r} in line {known.line}; choose one.",
            )

    def _label(self, line: int, image: str, labels: dict[str, str]) -> None:
        """Take in what is said of a target."""
        known = self.labels.setdefault(image, {})
        for name, word in labels.items():
            if known.setdefault(name, word) != word:
                self._problem(
                    line, f"the picture {image} is labelled {name}: {word!r}, but {known[name]!r} before; choose one."
                )

    def _people_of_videos(self) -> dict[str, str]:
        """Video -> the one id that its pictures are given; videos with several people, or none, are not there."""
        people: dict[str, set[str]] = {}
        for image, place in self.places.items():
            if (known := self.identities.get(self.contents[image])) is not None:
                people.setdefault(place.video, set()).add(known[0])
        return {video: next(iter(ids)) for video, ids in people.items() if len(ids) == 1}

    def _problem(self, line: int, what: str) -> None:
        self.problems.append(f"line {line}: {what}")


def _text(path: Path) -> str:
    """The file's text; a byte order mark is dropped."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name the CSV file of pairs.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"There is no file of pairs {path}; expected a CSV with columns source,target.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text; save it as CSV in UTF-8 (in Excel: 'CSV UTF-8').") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not text.strip():
        raise UsageError(f"{path} is empty; expected a header line source,target and one line for each swap.")
    return text


def _rows(path: Path, text: str) -> Iterator[_Row]:
    """The lines below the header; empty ones are passed over.

    Raises:
        UsageError: the header or the form of a line is wrong.
    """
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=max(",;\t", key=lines[0].count), strict=True)
    problems: list[str] = []
    try:
        header = _header(path, next(reader))
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if len(cells) != len(header):
                problems.append(f"line {reader.line_num}: {len(cells)} cells, expected {len(header)} as in the header.")
                continue
            row = dict(zip(header, cells, strict=True))
            free = (*_OF_VIDEOS, *(column for column in header if column.startswith(_LABEL)))
            empty = [column for column in header if not row[column] and column not in free]
            if empty:
                problems.append(f"line {reader.line_num}: nothing under {', '.join(empty)}; fill it in.")
                continue
            labels = {name.removeprefix(_LABEL): word for name, word in row.items() if name.startswith(_LABEL) and word}
            yield _Row(labels, reader.line_num, *(row.get(column, "") for column in _COLUMNS))
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: no valid CSV ({error}).")
    if problems:
        raise UsageError(_listed(path, problems))


def _header(path: Path, cells: list[str]) -> list[str]:
    """The columns, in the file's order."""
    columns = [cell.strip().lower() for cell in cells]
    for column in columns:
        if column not in _COLUMNS and not (column.startswith(_LABEL) and column != _LABEL):
            raise UsageError(
                f"{path}, line 1: unknown column {column!r}.{did_you_mean(column, list(_COLUMNS))} "
                f"Expected source,target and perhaps {','.join(_OPTIONAL + _OF_VIDEOS)},{_LABEL}<name>."
            )
        if columns.count(column) > 1:
            raise UsageError(f"{path}, line 1: the column {column!r} stands there twice; remove one.")
    for column in _REQUIRED:
        if column not in columns:
            raise UsageError(f"{path}, line 1: the column {column!r} is missing; given {','.join(columns)}.")
    return columns


def _listed(path: Path, problems: list[str]) -> str:
    """Up to a screenful of problems."""
    more = len(problems) - _MOST_PROBLEMS
    tail = [f"… and {more} more"] if more > 0 else []
    return "\n  ".join([f"{path} cannot be used:", *problems[:_MOST_PROBLEMS], *tail])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
