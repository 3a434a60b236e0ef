"""Where a released method's file of a pair is, and which of its frames: the rule says it, nothing is guessed.

Pairing files by their sorted order, or by the digits in their names, has gone wrong too often; a file that the rule
does not name is a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Literal

from pydantic import Field, field_validator, model_validator

from hifibench.errors import UsageError
from hifibench.records import ImageRef, Pair
from hifibench.registry import did_you_mean
from hifibench.tables import Table

PLACEHOLDERS = {
    "pair": "the pair's name in the manifest",
    "source": "the source image's name, its folder and suffix included",
    "target": "the target image's name",
    "source_stem": "the source image's file name without folder and suffix",
    "target_stem": "the target image's file name without folder and suffix",
    "source_id": "the person who gives the face",
    "target_id": "the person who receives it",
    "source_video": "the video of the source image",
    "target_video": "the video of the target image",
    "source_frame": "the source's frame in its video, from 0; `{source_frame:04d}` has four digits",
    "target_frame": "the target's frame in its video, from 0",
    "compression": "the table's own `compression`",
}
"""What may stand in braces in a template, and what it becomes."""

_FRAMES = ("source_frame", "target_frame")
_VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm")
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


class Rule(Table):
    """How a release is laid out.

    Attributes:
        path: template of a pair's file, relative to the root, as ``{target_video}_{source_video}.mp4``
            (`PLACEHOLDERS`).
        frame: which frame of the file it is: ``target``, the one with the target's index; ``image``, the file is an
            image; ``table``, the one that `table` names.
        table: a file that maps what `table_key` becomes to the frame's index (`hifibench.data.frame_tables`).
        table_key: template.
        source_frames: a file that maps what `source_frames_key` becomes to the frame of the source's video that the
            authors took the face from: pairs with another one are refused. ``false``: it is known not to matter.
        source_frames_key: template.
        frames: how many frames every video has; one with another number is refused. ``None``: any number.
        compression: for ``{compression}``, such as ``c23``.
    """

    path: str
    frame: Literal["target", "image", "table"]
    table: str = ""
    table_key: str = "{pair}"
    source_frames: str | Literal[False] = ""
    source_frames_key: str = "{target_video}_{source_video}"
    frames: int | None = Field(default=None, gt=0)
    compression: str = Field(default="", pattern=r"^[\w.-]*$")

    @field_validator("path", "table_key", "source_frames_key")
    @classmethod
    def _known(cls, template: str) -> str:
        for name, spec, conversion in _parts(template):
            if name not in PLACEHOLDERS:
                raise ValueError(f"no such placeholder as {{{name}}}.{did_you_mean(name, [*PLACEHOLDERS])}")
            if conversion or (spec and not (name in _FRAMES and re.fullmatch(r"0[1-9]d", spec))):
                raise ValueError(
                    f"{{{name}:{spec}}} is no placeholder; only frames have a width, as {{target_frame:04d}}"
                )
        return template

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if _leaves(path):
            raise ValueError(f"{path!r} leads out of the root; expected a path below it")
        return path

    @model_validator(mode="after")
    def _consistent(self) -> Rule:
        if "compression" in names(self.path) and not self.compression:
            raise ValueError("path has {compression}, and there is no compression; give one, such as 'c23'")
        if self.compression and "compression" not in names(self.path):
            raise ValueError(f"compression = {self.compression!r} is given, but path has no {{compression}}")
        if (self.frame == "table") != bool(self.table):
            raise ValueError("frame = 'table' and table = 'FILE' go together")
        if self.frame == "image" and self.frames:
            raise ValueError("frame = 'image' means images, so there is no number of frames")
        suffix = PurePosixPath(self.path).suffix.lower()
        wrong, right = (_VIDEO_SUFFIXES, "target") if self.frame == "image" else (_IMAGE_SUFFIXES, "image")
        if suffix in wrong:
            raise ValueError(f"frame = {self.frame!r} does not fit files called {suffix}; expected {right!r}")
        return self

    @property
    def folder(self) -> PurePosixPath:
        """The part of the path that is the same for all pairs: a folder below the root."""
        fixed: list[str] = []
        for part in PurePosixPath(self.path.replace("{compression}", self.compression)).parts[:-1]:
            if "{" in part:
                break
            fixed.append(part)
        return PurePosixPath(*fixed)

    @property
    def videos(self) -> frozenset[str]:
        """The sides, ``source`` and ``target``, that must be frames of videos for the rule to say anything."""
        used = names(self.path) | (names(self.table_key) if self.table else set())
        used |= names(self.source_frames_key) | {"source_frame"} if self.source_frames else set()
        used |= {"target_frame"} if self.frame == "target" else set()
        return frozenset(side for side in ("source", "target") if {f"{side}_video", f"{side}_frame"} & used)

    def values(self, pair: Pair, source: ImageRef, target: ImageRef) -> Mapping[str, str | int]:
        """What each placeholder becomes for a pair."""
        return {
            "pair": pair.pair,
            "source": source.image,
            "target": target.image,
            "source_stem": PurePosixPath(source.image).stem,
            "target_stem": PurePosixPath(target.image).stem,
            "source_id": source.identity,
            "target_id": target.identity,
            "source_video": source.video,
            "target_video": target.video,
            "source_frame": source.frame,
            "target_frame": target.frame,
            "compression": self.compression,
        }

    def file(self, root: Path, values: Mapping[str, str | int]) -> Path:
        """A pair's file.

        Raises:
            UsageError: a value leads out of the root.
        """
        path = self.path.format_map(values)
        if _leaves(path):
            raise UsageError(f"The rule gives {path!r}, which leads out of {root}.")
        return root / path


def names(template: str) -> set[str]:
    """The placeholders of a template."""
    return {name for name, _, _ in _parts(template)}


def is_still(image: ImageRef) -> bool:
    """Whether an image of the user's own is not said to be of a video: its clip is then called as an image is."""
    return image.uri.startswith("file:") and (
        image.video == image.image or PurePosixPath(image.video).suffix.lower() in _IMAGE_SUFFIXES
    )


def _parts(template: str) -> Iterator[tuple[str, str, str]]:
    """Name, format and conversion of each placeholder; ``ValueError`` where braces do not match."""
    for _, name, spec, conversion in Formatter().parse(template):
        if name is not None:
            yield name, spec or "", conversion or ""


def _leaves(path: str) -> bool:
    return not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts
