"""``hifibench analyse``: the studies of the paper's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Look into a trained HifiFace, or at the single samples of a run: the paper's figures, with their data.",
    no_args_is_help=True,
)

_Method = Annotated[str | None, typer.Option(help="A HifiFace among the methods; default hififace.")]
_Weights = Annotated[Path | None, typer.Option(help="Weights of a training of your own, instead of --method.")]
_Pairs = Annotated[int, typer.Option(min=1, help="How many pairs to show: the first ones.")]
_PairsCsv = Annotated[
    Path | None,
    typer.Option(help="CSV of your own photographs: source,target[,source_id,target_id]; default generated portraits."),
]
_Split = Annotated[str, typer.Option(help="Generated portraits of train, validation or test.")]
_Seed = Annotated[int, typer.Option(min=0, help="Chooses people and partners, as in a run.")]
_Parser = Annotated[
    Path | None, typer.Option(help="Face-parsing network (ONNX, TorchScript) for the masks instead of the embedded.")
]
_Out = Annotated[Path | None, typer.Option(help="Folder for data and figure; default runs/analysis-METHOD.")]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors and results only.")]


@app.command()
def interpolation(
    method: _Method = None,
    weights: _Weights = None,
    pairs: _Pairs = 4,
    pairs_csv: _PairsCsv = None,
    split: _Split = "test",
    seed: _Seed = 0,
    out: _Out = None,
    device: _Device = "auto",
    quiet: _Quiet = False,
) -> None:
    """Move the 3D identity, then the identity vector, from target to source (Fig. 11)."""
    from hifibench.commands_analyse import Request, interpolation

    interpolation(Request(method, weights, pairs, pairs_csv, split, seed, None, out, device, quiet))


@app.command()
def fusion(
    method: _Method = None,
    weights: _Weights = None,
    pairs: _Pairs = 4,
    pairs_csv: _PairsCsv = None,
    split: _Split = "test",
    seed: _Seed = 0,
    parser: _Parser = None,
    out: _Out = None,
    device: _Device = "auto",
    quiet: _Quiet = False,
) -> None:
    """Show where the source changes the feature maps of SFF-0 to SFF-3 (Fig. 10)."""
    from hifibench.commands_analyse import Request, fusion

    fusion(Request(method, weights, pairs, pairs_csv, split, seed, parser, out, device, quiet))


@app.command()
def masks(
    method: _Method = None,
    weights: _Weights = None,
    pairs: _Pairs = 4,
    pairs_csv: _PairsCsv = None,
    split: _Split = "test",
    seed: _Seed = 0,
    parser: _Parser = None,
    out: _Out = None,
    device: _Device = "auto",
    quiet: _Quiet = False,
) -> None:
    """Show M_low and M_r beside what they blend."""
    from hifibench.commands_analyse import Request, masks

    masks(Request(method, weights, pairs, pairs_csv, split, seed, parser, out, device, quiet))


@app.command()
def blending(
    method: _Method = None,
    weights: _Weights = None,
    pairs: _Pairs = 4,
    pairs_csv: _PairsCsv = None,
    split: _Split = "test",
    seed: _Seed = 0,
    parser: _Parser = None,
    out: _Out = None,
    device: _Device = "auto",
    quiet: _Quiet = False,
) -> None:
    """Blend the same I_out by the target's mask, dilated or not, by the result's, and by M_r (Fig. 9)."""
    from hifibench.commands_analyse import Request, blending

    blending(Request(method, weights, pairs, pairs_csv, split, seed, parser, out, device, quiet))


@app.command()
def shape(
    folder: Annotated[Path, typer.Argument(help="A finished run folder.")],
    methods: Annotated[str, typer.Option(help="Two methods of the run, A,B: on how many samples is A lower?")],
    metric: Annotated[str, typer.Option(help="Shape metric of the run.")] = "shape[3ddfa]",
    out: Annotated[Path | None, typer.Option(help="Folder for data and figure; default RUN/analysis.")] = None,
) -> None:
    """Compare the shape error of two methods sample by sample (Fig. 6)."""
    from hifibench.commands_analyse import shape

    shape(folder, methods, metric, out)
