"""What a benchmark run is: typed, read from YAML, an unknown key is an error that names the nearest one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, model_validator

from hifibench import registry
from hifibench.errors import UsageError
from hifibench.records import EXACT
from hifibench.tables import Table, read


class PortraitData(Table):
    """Generated portraits of people who do not exist (`hifibench.data.portraits`)."""

    kind: Literal["portraits"]
    split: Literal["train", "validation", "test"] = "test"
    identities: int = Field(ge=2, description="people")
    views: int = Field(ge=1, description="sampled frames of each person, beside the photograph that gives the face")
    pairs: int = Field(ge=1, description="swaps to make")


class HeadData(Table):
    """Rendered heads, of which all is known, the true swap included (`hifibench.data.heads`).

    Attributes:
        split: whose people and shots.
        identities: people.
        shots: sampled pictures of each person, beside the one that gives the face; with ``frames``, clips.
        pairs: swaps to make; with ``frames``, clips to swap.
        frames: of a clip; 1 for stills.
    """

    kind: Literal["heads"]
    split: Literal["train", "validation", "test"] = "test"
    identities: int = Field(ge=2, description="people")
    shots: int = Field(
        default=1, ge=1, description="pictures or clips of each person, beside the one that gives the face"
    )
    pairs: int = Field(ge=1, description="swaps to make; clips where there are several frames")
    frames: int = Field(default=1, ge=1, description="frames of each clip")


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


Data = PortraitData | HeadData | FileData | FfppData
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
    splits: tuple[str, ...] = Field(
        default=(), description="parts of the pairs, hard and easy ones, to score apart too"
    )
    draws: int = Field(default=1000, ge=100, description="draws of the cluster bootstrap")
    trained_with: Literal["refuse", "mark"] = Field(
        default="refuse", description="what is done with a score by an expert that took part in the method's training"
    )
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
        """All experts that metrics and splits read, those that a comparison needs included, in a fixed order."""
        needs = [registry.metric(name).needs for name in self.metrics]
        needs += [registry.split(name).needs for name in self.splits]
        return registry.seen_through(expert for experts in needs for expert in experts)

    def check(self) -> None:
        """Raise `UsageError` where a method, metric or expert is unknown or named twice; loads no network."""
        # As the metrics print their names: 'pose[mediapipe]' and 'pose[ mediapipe ]' are one.
        printed = tuple(registry.metric(name).name for name in self.metrics)
        parts = tuple(registry.split(name).name for name in self.splits)
        for noun, names in (("method", self.methods), ("metric", printed), ("split", parts)):
            doubles = sorted({name for name in names if names.count(name) > 1})
            if doubles:
                raise UsageError(f"The {noun} {doubles[0]!r} is named twice; name it once.")
        for method in self.methods:
            registry.swappers.get(method)
        self.experts()
        made = [(name, registry.metric(name).truth, registry.metric(name).needs) for name in printed]
        made += [(name, False, registry.split(name).needs) for name in parts]
        blind = [name for name, truth, needs in made if truth or EXACT in registry.seen_through(needs)]
        if blind and not isinstance(self.data, HeadData):
            raise UsageError(
                f"{blind[0]} takes what is known of rendered heads alone; the images are of the kind "
                f"{self.data.kind!r}. Leave it out, or run it on heads, as the suite 'truth' does."
            )
        # Photographs may be frames of a film; whether they are, the metric will see.
        film = self.data.frames if isinstance(self.data, HeadData) else None if isinstance(self.data, FileData) else 1
        for name in printed:
            if film is not None and registry.metric(name).frames > film:
                raise UsageError(
                    f"{name} takes clips of {registry.metric(name).frames} consecutive frames, and the images of this "
                    "suite are none. Leave it out, or run a suite of clips, as 'truth-video' is."
                )


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
