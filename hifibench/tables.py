"""Reading the user's tables (YAML, TOML) into typed data: an unknown key is an error that names the nearest one."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hifibench.errors import UsageError
from hifibench.registry import did_you_mean


class Table(BaseModel):
    """Base of everything read from a user's file: frozen, and with no keys but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T", bound=Table)


def read(model: type[T], table: Mapping[str, Any], origin: str) -> T:
    """A table as typed data.

    Args:
        model: what it should be.
        table: what was read.
        origin: named in errors, such as ``The suite demo.yaml``.

    Raises:
        UsageError: a key is unknown or missing, or a value is out of its range; one line a problem.
    """
    try:
        return model.model_validate(table)
    except ValidationError as error:
        lines = [_line(model, detail) for detail in error.errors()]
        raise UsageError(f"{origin} cannot be used:\n  " + "\n  ".join(lines)) from error


def _line(model: type[BaseModel], detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"]) or "the table"
    if detail["type"] != "extra_forbidden":
        return f"{where}: {detail['msg']}"
    known = sorted({field for one in _at(model, detail["loc"][:-1]) for field in one.model_fields})
    return f"{where}: no such key.{did_you_mean(str(detail['loc'][-1]), known)}"


def _at(model: type[BaseModel], path: tuple[Any, ...]) -> list[type[BaseModel]]:
    """The models that may stand at a place of the table."""
    found: list[type[BaseModel]] = [model]
    for part in path:
        fields = [one.model_fields[part] for one in found if part in one.model_fields]
        # Parts that are no field are the tags of unions and the places in lists: they stay at the same models.
        found = [inner for field in fields for inner in _models(field.annotation)] or found
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for part in typing.get_args(annotation):
            yield from _models(part)
