"""What an ONNX swapper takes and gives, as typed data: the rows that come with the project, and the user's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.faces import templates
from hifibench.registry import did_you_mean
from hifibench.tables import Table, read

ROWS = Path(__file__).with_name("rows.toml")
"""The rows of published swappers, and where their files come from."""

EMBEDDED = "w600k-mbf"
"""The one recogniser that needs no file of the user's: an asset of the project."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Triple = tuple[Number, Number, Number]


class Pixels(Table):
    """How a network writes images: a value v in [0, 1] as ``(range * v - mean) / std``.

    Attributes:
        mean: of each channel, in the network's order.
        std: likewise; not 0.
        range: what white is before mean and std are applied, such as 255.
        channels: the network's order.
    """

    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    range: Annotated[Number, Field(gt=0)] = 1.0
    channels: Literal["RGB", "BGR"] = "RGB"

    @field_validator("std")
    @classmethod
    def _positive(cls, std: Triple) -> Triple:
        if min(std) <= 0:
            raise ValueError(f"given {std}, expected numbers above 0")
        return std


class View(Pixels):
    """A face as a network wants it.

    Attributes:
        template: how it is cropped (`hifibench.faces.templates`).
        size: side of the crop in pixels.
        mean, std: as `Pixels`, but never guessed: a wrong one still gives a picture.
        input: name of the swapper's input that it goes to.
    """

    template: str
    size: int = Field(gt=0)
    mean: Triple
    std: Triple
    input: str

    @field_validator("template")
    @classmethod
    def _known(cls, template: str) -> str:
        known = [name for name in templates.names() if name != "frame"]
        if template not in known:
            raise ValueError(f"no such template of crops as {template!r}.{did_you_mean(template, known)}")
        return template

    @property
    def crop(self) -> Crop:
        """Template and size."""
        return Crop(self.template, self.size)


class Source(View):
    """The face that gives the identity; where that is an embedding, the crop is the recogniser's, the input its."""

    input: str = "source"


class Target(View):
    """The face that receives the identity."""

    input: str = "target"


class Output(Pixels):
    """What the swapper gives.

    Attributes:
        image: name of the output with the swapped face; empty for the first one.
        mask: name of the output that is 1 where the swap replaces the target; empty where there is none.
    """

    image: str = ""
    mask: str = ""


class Row(Table):
    """The contract of one swapper.

    Attributes:
        file: the network.
        source: crop of the source face.
        target: crop of the target face.
        output: the swap, in the target's crop.
        identity: what goes into ``source.input``: the source's ``crop``, or its ``embedding``.
        recogniser: an ONNX network from the source's crop to an embedding, or ``w600k-mbf``.
        converter: what is done to the embedding: ``none``; ``emap``, the matrix in the swapper's own file; or the file
            of a network (`hifibench.experts.embedding_map`).
        unit: whether the swapper wants a vector of length 1.
        summary, paper, licence, limits, trained_with: for the card (`hifibench.contracts.SwapperCard`).
    """

    file: str
    source: Source
    target: Target
    output: Output = Output()
    identity: Literal["crop", "embedding"]
    recogniser: str = ""
    converter: str = "none"
    unit: bool = True
    summary: str = ""
    paper: str = ""
    licence: str = "not stated"
    limits: str = ""
    trained_with: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Row:
        if self.identity == "crop" and (self.recogniser or self.converter != "none"):
            raise ValueError("identity = 'crop' has no recogniser and no converter: those are for 'embedding'")
        if self.identity == "embedding" and not self.recogniser:
            raise ValueError(f"identity = 'embedding' needs a recogniser: an .onnx file, or {EMBEDDED!r}")
        if self.converter == "emap" and not self.unit:
            raise ValueError("converter = 'emap' gives vectors of length 1, so unit cannot be false")
        if self.source.input == self.target.input:
            raise ValueError(f"source.input and target.input are both {self.source.input!r}")
        return self


class Origin(Table):
    """Where a published file comes from.

    Attributes:
        url: of the file, or of an archive that holds it.
        licence: of the file.
    """

    url: str
    licence: str


@cache
def published() -> Mapping[str, Mapping[str, Any]]:
    """The rows that come with the project, as read: name to fields."""
    rows: Mapping[str, Mapping[str, Any]] = _read()["rows"]
    return rows


@cache
def origins() -> Mapping[str, Origin]:
    """Where published files come from, by file name."""
    return {name: read(Origin, origin, f"The file {name} in {ROWS}") for name, origin in _read()["files"].items()}


def row_of(table: Mapping[str, Any], origin: str) -> Row:
    """The row that a user's table means.

    Args:
        table: all fields of a `Row`; or the name of a published one under ``row``, and the fields that differ.
        origin: named in errors.

    Raises:
        UsageError: there is no such row, or the fields are wrong.
    """
    fields = dict(table)
    name = fields.pop("row", None)
    if name is None:
        return read(Row, fields, origin)
    if not isinstance(name, str) or name not in published():
        raise UsageError(f"{origin}: row = {name!r} is no published row.{did_you_mean(str(name), [*published()])}")
    return read(Row, _overridden(published()[name], fields), origin)


def _overridden(fields: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    """Fields with those of another table in their place, table by table."""
    deep = {
        name: _overridden(fields[name], value)
        for name, value in by.items()
        if isinstance(value, Mapping) and isinstance(fields.get(name), Mapping)
    }
    return {**fields, **by, **deep}


@cache
def _read() -> Mapping[str, Any]:
    return tomllib.loads(ROWS.read_text(encoding="utf-8"))
