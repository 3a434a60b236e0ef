"""``hifibench data``: faces for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Faces for training: aligned crops with masks, from folders or generated.", no_args_is_help=True)

_Out = Annotated[Path, typer.Argument(help="Folder of the prepared set; the same command goes on with a begun one.")]
_Template = Annotated[str, typer.Option(help="Crop template.")]
_Parser = Annotated[
    Path | None, typer.Option(help="Face-parsing network (ONNX, TorchScript) for the masks instead of the embedded.")
]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors and results only.")]


@app.command()
def prepare(
    folder: Annotated[Path, typer.Argument(help="Holds a folder of images for each person, as VGGFace2 does.")],
    out: _Out,
    size: Annotated[int, typer.Option(min=32, help="Side of the crops in pixels.")] = 256,
    template: _Template = "ffhq",
    min_side: Annotated[
        float | None,
        typer.Option(
            min=0, help="Drop faces whose crop has a smaller side in the original, in pixels; default --size."
        ),
    ] = None,
    parser: _Parser = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default one a core.")] = None,
    quiet: _Quiet = False,
) -> None:
    """Prepare identity folders: detect, align, mask; drop small, unclear and repeated faces and say why."""
    from hifibench.commands_data import prepare_folders

    prepare_folders(folder, out, size, template, min_side, parser, workers, quiet)


@app.command()
def portraits(
    out: _Out,
    identities: Annotated[int, typer.Option(min=1, help="People; a larger number extends a set.")] = 4000,
    views: Annotated[int, typer.Option(min=1, help="Images of each.")] = 2,
    first_seed: Annotated[int, typer.Option(min=0, help="The first person, counted within the split.")] = 0,
    split: Annotated[str, typer.Option(help="train, validation or test; never train on test faces.")] = "train",
    size: Annotated[int, typer.Option(min=32, help="Side of the crops in pixels.")] = 128,
    template: _Template = "ffhq",
    parser: _Parser = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    device: Annotated[
        str,
        typer.Option(help="cpu, or cuda, cuda:N, auto: render in batches; pixels differ by rounding."),
    ] = "cpu",
    quiet: _Quiet = False,
) -> None:
    """Prepare generated portraits of people who do not exist; portraits not in the cache are made."""
    from hifibench.commands_data import prepare_portraits
    from hifibench.device import choose

    where = choose(device)
    prepare_portraits(out, identities, views, first_seed, split, size, template, parser, workers, where, quiet)
