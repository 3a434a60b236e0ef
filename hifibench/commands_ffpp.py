"""What the commands on FaceForensics++ do: ``hifibench data manifest ffpp`` and ``hifibench data verify ffpp``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Column, Table

from hifibench.errors import InterruptedRunError, MissingError, UsageError


@dataclass(frozen=True)
class Wanted:
    """What a manifest is to hold; see `hifibench.suite.FfppData`."""

    compression: Literal["raw", "c23", "c40"]
    split: Literal["all", "train", "val", "test"]
    frames: int
    source_rule: Literal["first-face", "release", "same-frame"]
    release_config: Path | None
    identities: Path | None


def write_manifest(root: Path, out: Path, wanted: Wanted, quiet: bool) -> None:
    """``hifibench data manifest ffpp``.

    Raises:
        UsageError: ``out`` holds another manifest, or options do not fit each other.
        MissingError: the folder, or a part of it, is not there.
    """
    from hifibench.data import faceforensics, ffpp_manifest
    from hifibench.files import atomic_write
    from hifibench.pipeline.progress import Reporter
    from hifibench.suite import FfppData
    from hifibench.tables import read

    if (wanted.source_rule == "release") != (wanted.release_config is not None):
        raise UsageError("--source-rule release and --release-config FILE go together; give both, or neither.")
    fields = {"kind": "ffpp", "root": root, **vars(wanted)}
    data = read(FfppData, fields, "The manifest")
    if out.is_dir():
        raise UsageError(f"{out} is a folder; --out names a file.")
    try:
        planned = faceforensics.make(data, stage=Reporter(quiet).stage)
    except KeyboardInterrupt as stop:
        raise _stopped() from stop
    text = planned.manifest.to_json()
    if out.exists() and out.read_bytes() != text.encode():
        raise UsageError(
            f"{out} holds something else, such as another manifest, which results may name: choose another --out, or "
            "remove it."
        )
    atomic_write(out, text)
    manifest = planned.manifest
    images = {name: len(members) for name, members in manifest.galleries.items()}
    _say(problem.text for problem in planned.problems)
    _say(f"{key}: {value}" for key, value in ffpp_manifest.notes(manifest).items())
    _say(
        (
            f"pairs: {len(manifest.pairs)}; images: {len(manifest.images)}, "
            + ", ".join(f"{count} in the gallery {name}" for name, count in images.items()),
            f"Manifest: {out}, hash {manifest.hash}",
        )
    )


def verify_folder(root: Path, compression: str | None, quiet: bool) -> None:
    """``hifibench data verify ffpp``.

    Raises:
        MissingError: something is missing or broken; it was printed before.
    """
    from hifibench.data import ffpp_verify
    from hifibench.pipeline.progress import Reporter

    try:
        found = ffpp_verify.verify(root, compression, Reporter(quiet).stage)
    except KeyboardInterrupt as stop:
        raise _stopped() from stop
    table = Table("folder", *(Column(words, justify="right") for words in ("videos", "whole", "frames")))
    for folder in found.folders:
        table.add_row(folder.path, *(f"{number:,}" for number in folder[1:]))
    Console().print(table)
    _say(f"Note: {note}" for note in found.notes)
    _say(problem.text for problem in found.problems)
    if found.problems:
        missing = sum(problem.missing for problem in found.problems)
        raise MissingError(
            f"{root} is not whole: {missing} missing, {len(found.problems) - missing} broken or misnamed. Get these "
            "again; a run leaves out the pairs that need them."
        )
    _say([f"{root} is whole: all videos can be read, and none is missing."])


def _stopped() -> InterruptedRunError:
    return InterruptedRunError("Stopped. What was read is kept: the same command goes on from here.")


def _say(lines: Iterable[str]) -> None:
    console = Console()
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
