"""What a benchmark run is: typed, read from YAML, an unknown key is an error that names the nearest one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from hifibench import registry
from hifibench.errors import UsageError
from hifibench.tables import Table, read


class PortraitData(Table):
    """Generated portraits of people who do not exist (`hifibench.data.portraits`)."""

    kind: Literal["portraits"]
    split: Literal["train", "validation", "test"] = "test"
    identities: int = Field(ge=2, description="people")
    views: int = Field(ge=1, description="sampled frames of each person, beside the photograph that gives the face")
    pairs: int = Field(ge=1, description="swaps to make")


class FileData(Table):
    """Photographs of the user's own, listed in a CSV file (`hifibench.data.files`)."""

    kind: Literal["files"]
    pairs_csv: Path


class Suite(Table):
    """A benchmark: which images, which methods, which metrics."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    data: Annotated[PortraitData | FileData, Field(discriminator="kind")]
    methods: tuple[str, ...] = Field(min_length=1)
    metrics: tuple[str, ...] = Field(min_length=1)
    draws: int = Field(default=1000, ge=100, description="draws of the cluster bootstrap")

    def experts(self) -> tuple[str, ...]:
        """All experts that the metrics read, those that a comparison needs included, in a fixed order."""
        wanted: list[str] = []
        for name in self.metrics:
            for expert in registry.metric(name).needs:
                wanted.extend((*registry.experts.get(expert).card.needs, expert))
        return tuple(dict.fromkeys(wanted))

    def check(self) -> None:
        """Raise `UsageError` where a method, metric or expert is unknown or named twice; loads no network."""
        # As the metrics print their names: 'pose[mediapipe]' and 'pose[ mediapipe ]' are one.
        printed = tuple(registry.metric(name).name for name in self.metrics)
        for noun, names in (("method", self.methods), ("metric", printed)):
            doubles = sorted({name for name in names if names.count(name) > 1})
            if doubles:
                raise UsageError(f"The {noun} {doubles[0]!r} is named twice; name it once.")
        for method in self.methods:
            registry.swappers.get(method)
        self.experts()


def parse(text: str, origin: str) -> Suite:
    """A suite from YAML text; ``origin`` is named in errors.

    Raises:
        UsageError: the text is no YAML, a key is unknown or missing, or a value is out of its range.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"The suite {origin} is no YAML: {error}") from error
    return read(Suite, raw, f"The suite {origin}")


def load(name: str) -> Suite:
    """The suite of that name, or of that path where the name ends in ``.yaml``.

    Raises:
        UsageError: no such suite, or it cannot be used.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else registry.suites.get(name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot read the suite {path}: {error.strerror}. Name a suite or a YAML file.") from error
    return parse(text, str(path))
