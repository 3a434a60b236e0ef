"""What a benchmark run is: typed, read from YAML, an unknown key is an error that names the nearest one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, model_validator

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


class FfppData(Table):
    """Frames of FaceForensics++, in a folder that the user has (`hifibench.data.faceforensics`).

    Attributes:
        compression: which videos: nearly lossless, light, strong.
        split: of the dataset's split files; ``all`` takes every pair of videos.
        frames: sampled of each target video, evenly spaced.
        source_rule: which frame gives the face: the first with a confident face; the one that `release_config` names;
            the one with the target's index.
        release_config: for the rule ``release``, a CSV or JSON file that maps ``<target>_<source>`` to a frame.
        identities: a CSV or JSON file that maps videos to people; without one, every video shows a person of its own.
        counterparts: released methods whose videos bound the index of the frames, since they may be shorter.
        root: the folder; ``None``: that of the environment variable ``HIFIBENCH_FFPP``, else ``<cache>/methods/ffpp``.
        manifest: take this manifest, made before, in place of planning.
        keep_frames: keep decoded frames in the cache, as PNG.
    """

    kind: Literal["ffpp"]
    compression: Literal["raw", "c23", "c40"] = "c23"
    split: Literal["all", "train", "val", "test"] = "all"
    frames: int = Field(default=10, ge=1, description="sampled frames of each target video")
    source_rule: Literal["first-face", "release", "same-frame"] = "first-face"
    release_config: Path | None = None
    identities: Path | None = None
    counterparts: tuple[str, ...] = ("FaceSwap", "FaceShifter")
    root: Path | None = None
    manifest: Path | None = None
    keep_frames: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> FfppData:
        if self.manifest is None and (self.source_rule == "release") != (self.release_config is not None):
            raise ValueError("source_rule: release and release_config: FILE go together")
        return self


Data = PortraitData | FileData | FfppData
"""What a suite may run on."""


class Others(Table):
    """What a suite runs in place of its own where another choice of estimators is asked for."""

    methods: tuple[str, ...] | None = None
    metrics: tuple[str, ...] = Field(min_length=1)


class Suite(Table):
    """A benchmark: which images, which methods, which metrics."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    data: Annotated[Data, Field(discriminator="kind")]
    methods: tuple[str, ...] = Field(min_length=1)
    metrics: tuple[str, ...] = Field(min_length=1)
    draws: int = Field(default=1000, ge=100, description="draws of the cluster bootstrap")
    embedded: Others | None = Field(
        default=None, description="what judges in place of networks that only the user can bring"
    )

    def by(self, estimators: Literal["paper", "embedded"]) -> Suite:
        """The suite with the estimators of the paper, or with those that every machine can have.

        A suite that has no choice is the same with either. Metrics are named by their estimators, so that the numbers
        of the two never meet in one column.
        """
        if estimators == "paper" or self.embedded is None:
            return self
        methods = self.methods if self.embedded.methods is None else self.embedded.methods
        changes = {"methods": methods, "metrics": self.embedded.metrics, "embedded": None}
        named = {"name": f"{self.name}-embedded", "title": f"{self.title}, embedded estimators"}
        return self.model_copy(update={**changes, **named})

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
