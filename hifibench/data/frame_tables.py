"""Files that map a pair, or a video, to the index of a frame.

JSON: one object, ``{"000_003": 57}``. CSV: a header of two columns, the second of which is ``frame``, and one line for
each entry; semicolons or tabs may stand in place of commas. Other forms are refused, not guessed at.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hifibench.errors import MissingError, UsageError

_MOST_PROBLEMS = 20


def read(file: Path) -> Mapping[str, int]:
    """Read a file of frames.

    Returns:
        Key to index, counted from zero.

    Raises:
        MissingError: there is no such file.
        UsageError: it has another form; says what is wrong, line by line.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise MissingError(f"There is no file of frames {file}; put it there, or name another in the table.") from error
    except OSError as error:
        raise UsageError(f"The file of frames {file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The file of frames {file} is no UTF-8 text.") from error
    entries = _json(file, text) if file.suffix.lower() == ".json" else _csv(file, text)
    frames: dict[str, int] = {}
    problems: list[str] = []
    for where, key, value in entries:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        if type(value) is not int or value < 0:
            problems.append(f"{where}: {value!r} is no index of a frame; expected 0, 1, 2 and so on.")
        elif key in frames:
            problems.append(f"{where}: {key!r} stands there already; remove one.")
        else:
            frames[key] = value
    if problems or not frames:
        raise UsageError(_listed(file, problems or ["it holds no frames"]))
    return frames


def _json(file: Path, text: str) -> Iterable[tuple[str, str, Any]]:
    try:
        # As pairs, since a dict would keep the last of two equal keys in silence.
        found = json.loads(text, object_pairs_hook=tuple)
    except json.JSONDecodeError as error:
        raise UsageError(f"The file of frames {file} is no JSON: {error}.") from error
    if not isinstance(found, tuple):
        raise UsageError(f'The file of frames {file} holds no object; expected {{"000_003": 57, …}}.')
    return [(f"entry {key!r}", key, value) for key, value in found]


def _csv(file: Path, text: str) -> Iterable[tuple[str, str, Any]]:
    lines = text.splitlines(keepends=True)
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    entries: list[tuple[str, str, Any]] = []
    problems: list[str] = []
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if len(header) != 2 or header[1] != "frame":
            raise UsageError(
                f"The file of frames {file} begins with {delimiter.join(header)!r}; expected a header of two columns, "
                "the second being 'frame', such as 'pair,frame'."
            )
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if len(cells) == 2 and cells[0]:
                entries.append((f"line {reader.line_num}", cells[0], cells[1]))
            elif any(cells):
                problems.append(f"line {reader.line_num}: {len(cells)} cells, expected a name and a frame.")
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: no valid CSV ({error}).")
    if problems:
        raise UsageError(_listed(file, problems))
    return entries


def _listed(file: Path, problems: list[str]) -> str:
    more = len(problems) - _MOST_PROBLEMS
    tail = [f"… and {more} more"] if more > 0 else []
    return "\n  ".join([f"The file of frames {file} cannot be used:", *problems[:_MOST_PROBLEMS], *tail])
