"""The JSON Schemas of ``results.json``, one for each version, and what of a file does not fit its own.

The schemas (draft 2020-12) lie in ``schema/results-<version>.json`` and say of every key what it means, its range, and
whether it may be null. What one value demands of another is checked by `reports.results.rules`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.registry import did_you_mean
from reports.results.migrate import NEWEST, OLDEST, version
from reports.results.problems import Problem, pointer, said

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

FOLDER = Path(__file__).with_name("schemas")

_TYPES = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


@cache
def load(of: int) -> dict[str, Any]:
    """The schema of a version, parsed."""
    schema: dict[str, Any] = json.loads((FOLDER / f"results-{of}.json").read_text(encoding="utf-8"))
    return schema


def check(raw: Mapping[str, Any]) -> list[Problem]:
    """All that does not fit the schema of the version that ``raw`` names.

    Raises:
        UsageError: ``raw`` names no version, or one that this package does not read.
    """
    of = version(raw)
    problems = (problem for error in _validator(of).iter_errors(raw) for problem in _problems(error, of))
    # Each of several missing keys is an error that does not say which one it means: all are told each time.
    return list(dict.fromkeys(problems))


@cache
def _validator(of: int) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load(of))


def _problems(error: ValidationError, of: int) -> Iterator[Problem]:
    steps = list(error.absolute_path)
    found, limit, schema = _parts(error)
    match error.validator:
        case "required":
            for key in (key for key in limit if key not in found):
                yield Problem(pointer(*steps, key), "nothing", _wanted(schema["properties"][key], of))
        case "additionalProperties":
            known = list(schema["properties"])
            for key in sorted(found.keys() - set(known)):
                later = _first(schema["title"], key)
                why = did_you_mean(key, known) if later is None else f" Schema {later} is the first to have it."
                yield Problem(pointer(*steps, key), "a key of that name", f"none.{why}")
        case "enum" if "propertyNames" in error.schema_path:
            yield Problem(pointer(*steps, found), "a key of that name", f"one of {_listed(limit)}")
        case rule:
            yield Problem(pointer(*steps), said(found), _demand(str(rule), limit))


def _first(title: str, key: str) -> int | None:
    """The first version in which an object has a key."""
    for of in range(OLDEST, NEWEST + 1):
        for one in (load(of), *load(of)["$defs"].values()):
            if one["title"].partition(",")[0] == title.partition(",")[0] and key in one["properties"]:
                return of
    return None


def _parts(error: ValidationError) -> tuple[Any, Any, Any]:
    """The value, what the rule that it breaks names, and the schema of the value."""
    return error.instance, error.validator_value, error.schema


def _demand(rule: str, limit: Any) -> str:
    match rule:
        case "type":
            return _type(limit)
        case "const":
            return said(limit)
        case "enum":
            return f"one of {_listed(limit)}"
        case "minimum":
            return f"at least {limit:g}"
        case "maximum":
            return f"at most {limit:.4g}"
        case "minLength":
            return "some text"
        case "pattern":
            empty = ", or nothing" if limit.endswith("?$") else ""
            return f"a SHA-256 in hexadecimal, 64 of 0-9 and a-f{empty}"
    return f"what the rule {rule!r} of its schema says"


def _wanted(entry: Mapping[str, Any], of: int) -> str:
    """What a missing key should hold."""
    if "$ref" in entry:
        entry = load(of)["$defs"][entry["$ref"].rpartition("/")[2]]
    return said(entry["const"]) if "const" in entry else _type(entry["type"])


def _type(types: str | Sequence[str]) -> str:
    return " or ".join(_TYPES[one] for one in ([types] if isinstance(types, str) else types))


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(said(value) for value in values)
