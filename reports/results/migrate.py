"""Older versions of ``results.json`` in the words of the newest: one pure function per step, from dict to dict.

What an older run did not measure stays unknown: a step adds keys with what is known from the names alone, and never
guesses a number. What each version holds: docs/results.md and the schemas in `reports.results.schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hifibench.errors import UsageError
from reports.results.problems import said as told

OLDEST, NEWEST = 1, 3
"""Versions of ``results.json`` that this package reads."""

RATES = frozenset({"id_retrieval"})
"""Metrics (names without their protocol) that were shares of pairs before ``results.json`` said so."""

WHOLES = frozenset({"forgery_auc", "forgery_ap", "forgery_eer", "fid", "kid"})
"""Metrics whose number belongs to the set as a whole, before ``results.json`` said so."""

Raw = Mapping[str, Any]


def version(raw: Raw) -> int:
    """The version of a parsed ``results.json``.

    Raises:
        UsageError: it names none, or one that this package does not read.
    """
    said = raw.get("schema")
    known = f"schemas {OLDEST} to {NEWEST}"
    if isinstance(said, bool) or not isinstance(said, int):
        given = f"schema {told(said)}" if "schema" in raw else "no schema"
        raise UsageError(
            f"It has {given}, expected a whole number: this hifibench reads {known}. Is this the results.json of a run?"
        )
    if said > NEWEST:
        raise UsageError(
            f"It has schema {told(said)}, a newer version wrote it: this hifibench reads {known}. Update hifibench, "
            "or read it with the version that made the run (run.json names it)."
        )
    if said < OLDEST:
        raise UsageError(f"It has schema {told(said)}, which there never was: this hifibench reads {known}.")
    return said


def to_newest(raw: Raw) -> dict[str, Any]:
    """``results.json`` of any version that `version` knows, in the words of the newest; ``raw`` stays as it is.

    Expects what the schema of its own version allows.

    Raises:
        UsageError: as in `version`.
    """
    migrated = dict(raw)
    for step in range(version(raw), NEWEST):
        migrated = STEPS[step](migrated)
    return migrated


def from_1(raw: Raw) -> dict[str, Any]:
    """Schema 1 -> 2: parts of the pairs, reasons, calibrations, findings, and who taught a method.

    Added: ``splits`` and ``findings``, empty; ``reason`` of each score, empty; ``calibration`` of each metric,
    ``null``; ``trained_with`` of each method, empty where the file is so old that it lacks it.
    """
    return {
        **raw,
        "schema": 2,
        "methods": [{"trained_with": [], **method} for method in raw["methods"]],
        "metrics": [{"calibration": None, **metric} for metric in raw["metrics"]],
        "scores": [{"reason": "", **score} for score in raw["scores"]],
        "splits": [],
        "findings": [],
    }


def from_2(raw: Raw) -> dict[str, Any]:
    """Schema 2 -> 3: what kind of number a metric is.

    Added: ``rate`` and ``whole`` of each metric, from its name without the protocol; both are false for a metric of a
    plugin, whose name tells nothing. Early files of schema 2 lack ``reason`` in the scores of parts, and ``made_on``
    and ``manifest`` of calibrations: empty, 0 and empty.
    """
    return {
        **raw,
        "schema": 3,
        "metrics": [
            {
                **metric,
                "rate": _base(metric["name"]) in RATES,
                "whole": _base(metric["name"]) in WHOLES,
                "calibration": metric["calibration"] and {"made_on": 0, "manifest": "", **metric["calibration"]},
            }
            for metric in raw["metrics"]
        ],
        "splits": [{**part, "scores": [{"reason": "", **score} for score in part["scores"]]} for part in raw["splits"]],
    }


STEPS: Mapping[int, Callable[[Raw], dict[str, Any]]] = {1: from_1, 2: from_2}
"""Version -> the step to the next one."""


def _base(name: str) -> str:
    return name.partition("[")[0]
