"""Reading ``results.json``: from a file of any version to the words of the newest, or all that is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from hifibench.errors import UsageError
from reports.results import migrate
from reports.results import rules as results_rules
from reports.results import schema as results_schema
from reports.results.problems import Problem, printable, unwritable

SHOWN = 20
"""Problems that a message lists; of the others it tells the number."""


class ResultsFile(NamedTuple):
    """A parsed file.

    Attributes:
        schema: version of the file.
        raw: what it holds, in the words of the newest version; empty where there are problems with its form.
        problems: all that is wrong.
    """

    schema: int
    raw: dict[str, Any]
    problems: tuple[Problem, ...]


def load(path: Path) -> ResultsFile:
    """Parse, check and migrate a ``results.json``.

    Raises:
        UsageError: the file cannot be read, is no JSON object, or its version is none that this package reads.
    """
    raw = parse(path)
    try:
        schema = migrate.version(raw)
    except UsageError as error:
        raise UsageError(f"{path} cannot be read. {error}") from error
    problems = [*unwritable(raw), *results_schema.check(raw)]
    if problems:
        return ResultsFile(schema, {}, tuple(problems))
    newest = migrate.to_newest(raw)
    return ResultsFile(schema, newest, tuple(results_rules.check(newest)))


def refusal(path: Path, file: ResultsFile, shown: int = SHOWN) -> str:
    """What to say of a file with problems: each with its place, at most ``shown`` of them."""
    count = len(file.problems)
    lines = [f"{path} is no valid results.json, schema {file.schema}: {count} problem{'s' * (count > 1)}."]
    lines += [f"  {problem}" for problem in file.problems[:shown]]
    if count > shown:
        lines.append(f"  … and {count - shown} more")
    return "\n".join(lines)


def parse(path: Path) -> dict[str, Any]:
    """The JSON object in a file; NaN and infinity, which are no JSON, stay for whoever looks at the values.

    Raises:
        UsageError: the file cannot be read, is no JSON, names a key twice, or holds something else.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_int=_integer)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except RecursionError as error:
        raise UsageError(f"{path} is damaged: it is nested too deeply. {_AGAIN}") from error
    # Errors of JSON and of UTF-8 are ValueErrors, as is what the two functions below refuse.
    except ValueError as error:
        raise UsageError(f"{path} is damaged: {printable(str(error))}. {_AGAIN}") from error
    if not isinstance(raw, dict):
        raise UsageError(f"{path} holds a {type(raw).__name__}, expected a JSON object. {_AGAIN}")
    return raw


_AGAIN = "If it is of a run, delete it and run the same command again: what is done is kept."


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"it holds a whole number of {len(text)} digits")
    return int(text)


_DIGITS = 400
"""More than any number has that floating point can hold; Python refuses thousands in words of its own."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in made if names.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return made
