"""Who is shown in which video: the user's file, since one person stands behind several numbers of FaceForensics++.

JSON: one object, ``{"043": "343"}``. CSV: a header of two columns, ``video,person``, and one line for each video. A
video that the file does not name shows a person called as the video is, so ``043,343`` is enough to make one person of
043 and 343.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from hifibench.errors import MissingError, UsageError

_HEADER = ["video", "person"]
_MOST_PROBLEMS = 20


class Identities(NamedTuple):
    """Who is shown.

    Attributes:
        people: video to person, for the videos that the file names.
        origin: which map it is, for the manifest.
    """

    people: Mapping[str, str]
    origin: str

    def of(self, video: str) -> str:
        """The person in a video."""
        return self.people.get(video, video)


NOBODY_TWICE = Identities({}, "one person a video")
"""Without a file."""


def read(file: Path | None) -> Identities:
    """Read a map of people; without a file, `NOBODY_TWICE`.

    Raises:
        MissingError: there is no such file.
        UsageError: it has another form, or names a video twice; says where.
    """
    if file is None:
        return NOBODY_TWICE
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise MissingError(f"There is no file of people {file}; put it there, or name another.") from error
    except OSError as error:
        raise UsageError(f"The file of people {file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The file of people {file} is no UTF-8 text.") from error
    people: dict[str, str] = {}
    problems: list[str] = []
    for where, video, person in _json(file, text) if file.suffix.lower() == ".json" else _csv(file, text):
        if not (isinstance(person, str) and person.strip() and video.strip()):
            problems.append(f'{where}: {video!r} is {person!r}; expected two names, as "043" and "343".')
        elif video in people:
            problems.append(f"{where}: {video!r} stands there already; remove one.")
        else:
            people[video] = person.strip()
    if problems or not people:
        more = [f"… and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
        lines = [*problems[:_MOST_PROBLEMS], *more] or ["it names nobody"]
        raise UsageError("\n  ".join([f"The file of people {file} cannot be used:", *lines]))
    # By what it says and not by its bytes: CSV and JSON of one content are one map.
    canonical = json.dumps(sorted(people.items()))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    return Identities(people, f"{len(people)} videos named, map {digest}, others one person a video")


def _json(file: Path, text: str) -> Iterable[tuple[str, str, object]]:
    try:
        # As pairs, since a dict would keep the last of two equal keys in silence.
        found = json.loads(text, object_pairs_hook=tuple)
    except json.JSONDecodeError as error:
        raise UsageError(f"The file of people {file} is no JSON: {error}.") from error
    if not isinstance(found, tuple):
        raise UsageError(f'The file of people {file} holds no object; expected {{"043": "343", …}}.')
    return [(f"entry {video!r}", video, person) for video, person in found]


def _csv(file: Path, text: str) -> Iterable[tuple[str, str, object]]:
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=max(",;\t", key=lines[0].count) if lines else ",", strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if header != _HEADER:
            raise UsageError(f"The file of people {file} begins with {','.join(header)!r}; expected 'video,person'.")
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise UsageError(f"The file of people {file}, line {reader.line_num}: no valid CSV ({error}).") from error
    for number, cells in rows:
        if any(cells):
            yield f"line {number}", cells[0], cells[1] if len(cells) == 2 else cells[1:]
