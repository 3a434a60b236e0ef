"""What is wrong with a file, where: problems with their JSON pointer, and values in words that a terminal can print."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

_LONGEST = 60
"""Characters of a value or a name that a message shows."""


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        where: JSON pointer (RFC 6901) into ``results.json``, empty for the whole of it, or the name of another file.
        found: what stands there, in words.
        expected: what should.
    """

    where: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where or 'the whole file'}: found {self.found}, expected {self.expected}"


def pointer(*steps: str | int) -> str:
    """The JSON pointer of a place.

    Example:
        >>> pointer("scores", 3, "a/b")
        '/scores/3/a~1b'
    """
    return "".join("/" + printable(str(step).replace("~", "~0").replace("/", "~1")) for step in steps)


def printable(text: str) -> str:
    """``text`` with an escape for all that would steer a terminal or cannot be written as UTF-8."""
    return "".join(char if char.isprintable() or char == "\u00a0" else f"\\u{ord(char):04x}" for char in text)


def said(value: Any) -> str:
    """A parsed value in words, short enough for a message.

    Example:
        >>> said([1, 2]), said("x"), said(None), said(float("nan"))
        ('an array of 2', '"x"', 'null', 'NaN')
    """
    match value:
        case dict():
            return "an object"
        case list():
            return f"an array of {len(value)}"
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "a number beyond all floating point"
        case str():
            # Cut first: a value may be megabytes long.
            return printable(_cut(json.dumps(value[: 2 * _LONGEST], ensure_ascii=False)))
        case _:
            return _cut(json.dumps(value))


def unwritable(value: Any, *steps: str | int) -> Iterator[Problem]:
    """All places where there is what JSON has no word for: NaN, infinity, half a character."""
    match value:
        case dict():
            for key, inner in value.items():
                if not _whole(key):
                    yield Problem(pointer(*steps, key), "a key with half a character (a lone surrogate)", "text")
                yield from unwritable(inner, *steps, key)
        case list():
            for index, inner in enumerate(value):
                yield from unwritable(inner, *steps, index)
        case str() if not _whole(value):
            yield Problem(pointer(*steps), f"half a character (a lone surrogate) in {said(value)}", "text")
        case float() if not math.isfinite(value):
            yield Problem(pointer(*steps), said(value), "a finite number, or null where there is none")


def _whole(text: str) -> bool:
    # Nearly all texts are ASCII, and there are hundreds of thousands of them in a large manifest.
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
