"""``hifibench data``: faces for training, and the datasets of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hifibench.cli_ffpp import manifest_app, verify_app

app = typer.Typer(help="Faces for training, and datasets: prepared crops, manifests, checks.", no_args_is_help=True)
app.add_typer(manifest_app, name="manifest")
app.add_typer(verify_app, name="verify")

_Out = Annotated[Path, typer.Argument(help="Folder of the prepared set; the same command goes on with a begun one.")]
_Template = Annotated[str, typer.Option(help="Crop template.")]
_Parser = Annotated[
    Path | None, typer.Option(help="Face-parsing network (ONNX, TorchScript) for the masks instead of the embedded.")
]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors and results only.")]


@app.command()
def prepare(
    folder: Annotated[Path, typer.Argument(help="The data set: a folder of images for each person, or see --layout.")],
    out: _Out,
    layout: Annotated[
        str,
        typer.Option(help="folders, vggface2, recordio, dfdc or deeperforensics; auto looks at what lies there."),
    ] = "auto",
    frames: Annotated[int | None, typer.Option(min=1, help="Of each video, evenly spaced; default 10.")] = None,
    labels: Annotated[str | None, typer.Option(help="Which videos: real, fake or all; default real.")] = None,
    size: Annotated[int, typer.Option(min=32, help="Side of the crops in pixels.")] = 256,
    template: _Template = "ffhq",
    min_side: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Drop faces whose crop has a smaller side in the original, in pixels; default --size, with --enhance "
            "at most 256.",
        ),
    ] = None,
    parser: _Parser = None,
    enhance: Annotated[
        Path | None, typer.Option(help="Portrait-enhancement network (ONNX) that all crops go through.")
    ] = None,
    enhance_range: Annotated[str, typer.Option(help="Black and white for that network: -1..1 or 0..1.")] = "-1..1",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default one a core.")] = None,
    quiet: _Quiet = False,
) -> None:
    """Prepare faces of a data set: detect, align, mask; drop small, unclear and repeated faces and say why."""
    from hifibench.commands_data import prepare_folder
    from hifibench.contracts import Crop
    from hifibench.data.enhance import least_side
    from hifibench.data.face_crops import Cropping

    if min_side is None:
        min_side = size if enhance is None else least_side(size)
    cropping = Cropping(Crop(template, size), min_side, parser, enhance, enhance_range)
    prepare_folder(folder, out, layout, frames, labels, cropping, workers, quiet)


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
