"""``run.json`` for the eye: it is free in form, so whatever stands in it is shown, known parts in better words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Facts = tuple[tuple[str, str], ...]

_APART = ("licences", "acceptance", "command")
_IN_RESULTS = ("suite_name", "seed", "manifest")


@dataclass(frozen=True)
class Licence:
    """The licence of one asset; research-only ones are marked wherever they are shown."""

    asset: str
    licence: str
    research_only: bool


@dataclass(frozen=True)
class Provenance:
    """Where a run comes from.

    Attributes:
        facts: what is said in one line, such as versions and dates.
        details: title -> what takes more, such as the libraries and the suite.
        licences: of the assets that took part.
    """

    facts: Facts
    details: tuple[tuple[str, Facts], ...]
    licences: tuple[Licence, ...]


def describe(raw: Mapping[str, Any]) -> Provenance:
    """Sort ``run.json`` into what is shown where; only what ``results.json`` says as well is left out."""
    raw = {key: value for key, value in raw.items() if key not in _IN_RESULTS}
    facts = [(_words(key), _text(value)) for key, value in raw.items() if _is_line(key, value)]
    command, acceptance = raw.get("command"), raw.get("acceptance")
    if isinstance(command, list):
        facts.append(("command", shlex.join(map(str, command))))
    elif command is not None:
        facts.append(("command", _text(command)))
    match acceptance:
        case {"kept": int(kept), "tried": int(tried)} if tried > 0:
            share = f"{kept} of {tried} tried ({kept / tried:.0%}): the others were another person"
            facts.append(("views kept", share))
        case {"tried": 0}:
            pass
        case Mapping():
            facts += [(f"acceptance, {key}", value) for key, value in _flat(acceptance)]
    nested = [
        (_words(key), _flat(value)) for key, value in raw.items() if key not in _APART and not _is_line(key, value)
    ]
    return Provenance(tuple(facts), tuple(nested), _licences(raw.get("licences")))


def hardware(raw: Mapping[str, Any]) -> Facts:
    """``timing.json``'s hardware in words; the ending ``_gib`` of a key becomes the unit of its value."""
    facts = []
    for key, value in raw.items():
        name, _, unit = key.rpartition("_")
        measured = unit == "gib" and isinstance(value, int | float)
        facts.append((_words(name), f"{value:g} GiB") if measured else (_words(key), _text(value)))
    return tuple(facts)


def _is_line(key: str, value: object) -> bool:
    return key not in _APART and not isinstance(value, Mapping | list)


def _licences(raw: object) -> tuple[Licence, ...]:
    entries = [entry for entry in raw if isinstance(entry, Mapping)] if isinstance(raw, list) else []
    return tuple(
        Licence(str(entry.get("asset", "")), str(entry.get("licence", "")), bool(entry.get("research_only")))
        for entry in entries
    )


def _flat(value: object, prefix: str = "") -> Facts:
    """Nested mappings and lists -> lines with dotted names; a list of plain values stays one line."""
    if isinstance(value, list) and any(isinstance(entry, Mapping | list) for entry in value):
        value = {str(index + 1): entry for index, entry in enumerate(value)}
    if not isinstance(value, Mapping):
        return ((prefix, _text(value)),)
    return tuple(
        fact for key, entry in value.items() for fact in _flat(entry, f"{prefix}.{key}" if prefix else str(key))
    )


def _words(key: str) -> str:
    return key.replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "—" if value is None or value == "" else str(value)
