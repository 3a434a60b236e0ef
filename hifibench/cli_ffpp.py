"""``hifibench data manifest ffpp`` and ``hifibench data verify ffpp``: FaceForensics++ in the user's folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

manifest_app = typer.Typer(help="Manifests of datasets: which frames are swapped, made once.", no_args_is_help=True)
verify_app = typer.Typer(help="What of a dataset is there, missing or broken.", no_args_is_help=True)


class Compression(StrEnum):
    """Of the dataset's videos."""

    raw = "raw"
    c23 = "c23"
    c40 = "c40"


class Split(StrEnum):
    """Of the dataset."""

    all = "all"
    train = "train"
    val = "val"
    test = "test"


class SourceRule(StrEnum):
    """Which frame of the source's video gives the face."""

    first_face = "first-face"
    release = "release"
    same_frame = "same-frame"


_Root = Annotated[
    Path, typer.Argument(help="Your FaceForensics++: it holds original_sequences and manipulated_sequences.")
]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors and results only.")]


@manifest_app.callback()
@verify_app.callback()
def _group() -> None:
    pass


@manifest_app.command("ffpp")
def manifest(
    root: _Root,
    out: Annotated[Path, typer.Option(help="Where to write the manifest.")] = Path("manifest.json"),
    compression: Annotated[Compression, typer.Option(help="Which videos.")] = Compression.c23,
    split: Annotated[Split, typer.Option(help="Of the dataset's split files; all takes every pair.")] = Split.all,
    frames: Annotated[int, typer.Option(min=1, help="Sampled frames of each target video.")] = 10,
    source_rule: Annotated[
        SourceRule,
        typer.Option(help="The source's frame: the first confident face, the release's, or the target's index."),
    ] = SourceRule.first_face,
    release_config: Annotated[
        Path | None, typer.Option(help="For --source-rule release: CSV or JSON, <target>_<source> to frame.")
    ] = None,
    identities: Annotated[
        Path | None, typer.Option(help="CSV (video,person) or JSON; default one person a video.")
    ] = None,
    quiet: _Quiet = False,
) -> None:
    """Write the manifest of FaceForensics++; 'hifibench run SUITE --manifest FILE' takes it."""
    from hifibench.commands_ffpp import Wanted, write_manifest

    wanted = Wanted(compression.value, split.value, frames, source_rule.value, release_config, identities)
    write_manifest(root, out, wanted, quiet)


@verify_app.command("ffpp")
def verify(
    root: _Root,
    compression: Annotated[Compression | None, typer.Option(help="Only these videos; default all there are.")] = None,
    quiet: _Quiet = False,
) -> None:
    """Read every video of FaceForensics++ and say what is missing or broken; exit code 3 if anything is."""
    from hifibench.commands_ffpp import verify_folder

    verify_folder(root, None if compression is None else compression.value, quiet)
