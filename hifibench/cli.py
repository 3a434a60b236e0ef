"""The command line: thin. Every command parses its words, calls the library and prints what came back."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hifibench import __version__
from hifibench.cli_analyse import app as analyse_app
from hifibench.cli_assets import app as assets_app
from hifibench.cli_data import app as data_app
from hifibench.cli_options import (
    Add,
    Device,
    Estimators,
    Listing,
    PrecisionOption,
    PrecisionWord,
    Quiet,
    TrainedWith,
    Weights,
)
from hifibench.cli_reports import add_to
from hifibench.errors import HifibenchError, StalledError, disk_full

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A benchmark and evaluation harness for face swapping.",
)
app.add_typer(analyse_app, name="analyse")
app.add_typer(assets_app, name="assets")
app.add_typer(data_app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hifibench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    suite: Annotated[str, typer.Argument(help="Name of a suite (see 'hifibench list suites') or a YAML file.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/SUITE.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="CSV of your own photographs: source,target[,source_id,target_id].")
    ] = None,
    ffpp: Annotated[Path | None, typer.Option(help="Your folder of FaceForensics++, for suites that read it.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest made by 'hifibench data manifest', in place of planning.")
    ] = None,
    estimators: Annotated[
        Estimators, typer.Option(help="The paper's networks, which you bring, or those that come with the harness.")
    ] = Estimators.paper,
    methods: Annotated[str | None, typer.Option(help="Methods, comma-separated, instead of the suite's.")] = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(help="A forgery detector to score with besides, or trained-on-others; repeatable."),
    ] = None,
    trained_with: Annotated[
        TrainedWith | None,
        typer.Option(help="Scores by a network that took part in the method's training; default the suite's way."),
    ] = None,
    weights: Weights = None,
    add: Add = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N pairs.")] = None,
    shard: Annotated[
        str, typer.Option(help="This process's share of the work, i/n; the others use the same --out and options.")
    ] = "1/1",
    seed: Annotated[int, typer.Option(min=0, help="Chooses people, partners and bootstrap draws.")] = 0,
    device: Device = "auto",
    precision: PrecisionOption = PrecisionWord.fp32,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Images looked at side by side; default the processors.")
    ] = None,
    memory: Annotated[int, typer.Option(min=1, metavar="MIB", help="What a search in a gallery may take.")] = 512,
    profile: Annotated[
        bool, typer.Option("--profile", help="Tell where the time went: a table, and a trace for Chrome or Perfetto.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Run a suite: plan, swap, observe, score, report. Begun runs are finished, not begun anew."""
    from hifibench.commands import Changes, Way, run_suite

    changes = Changes(
        pairs,
        ffpp,
        manifest,
        estimators.value,
        methods,
        tuple(detector or ()),
        None if trained_with is None else trained_with.value,
    )
    way = Way(limit, seed, shard, device, precision.value, workers, memory, profile, quiet)
    run_suite(suite, out, changes, tuple(weights or ()), tuple(add or ()), way)


@app.command()
def swap(
    source: Annotated[Path, typer.Argument(help="Photograph or video that gives the face.")],
    target: Annotated[Path, typer.Argument(help="Photograph or video that receives it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: PNG; of a video MP4, MKV or MOV.")],
    method: Annotated[str, typer.Option(help="See 'hifibench list methods'.")] = "faceswap",
    weights: Weights = None,
    add: Add = None,
    device: Device = "auto",
    precision: PrecisionOption = PrecisionWord.fp32,
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality of the video, 0 is lossless.")] = 18,
    quiet: Quiet = False,
) -> None:
    """Swap the face of one photograph onto another, or onto one person throughout a video."""
    from hifibench.commands import add_methods, add_weights, swap_photographs
    from hifibench.commands_swap import swap_video
    from hifibench.video.source import is_video

    add_methods(tuple(add or ()))
    for words in weights or ():
        add_weights(words)
    if is_video(target):
        swap_video(source, target, out, method, device, quiet, crf=crf, precision=precision.value)
    else:
        swap_photographs(source, target, out, method, device, precision.value)


@app.command()
def throughput(
    methods: Annotated[
        list[str] | None, typer.Argument(metavar="[METHOD]...", help="See 'hifibench list methods'.")
    ] = None,
    scope: Annotated[
        str, typer.Option(help="What is timed, comma-separated: generator, +extractors, +detect+paste.")
    ] = "generator,+extractors,+detect+paste",
    batch: Annotated[
        str | None, typer.Option(metavar="N,N,…", help="Batches of the offline scenario; default by device.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Most seconds that one measurement takes.")] = 10.0,
    out: Annotated[Path | None, typer.Option(help="Folder for the record; default runs/throughput.")] = None,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="A finished run, whose tables are to show the figures.")
    ] = None,
    weights: Weights = None,
    add: Add = None,
    device: Device = "auto",
    precision: PrecisionOption = PrecisionWord.auto,
    quiet: Quiet = False,
) -> None:
    """Time methods honestly: latency one by one, throughput in batches, cost, and the share of what the machine can."""
    from hifibench.commands import add_methods, add_weights
    from hifibench.commands_throughput import throughput

    add_methods(tuple(add or ()))
    for words in weights or ():
        add_weights(words)
    throughput(tuple(methods or ()), scope, batch, precision.value, device, seconds, out, run, quiet)


@app.command()
def selftest(
    method: Annotated[str, typer.Argument(help="See 'hifibench list methods'.")],
    weights: Weights = None,
    add: Add = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Check that a method keeps to its contract: shape, range, channels, determinism, batches, sides, place."""
    from hifibench.commands import add_methods, add_weights
    from hifibench.commands_selftest import selftest

    add_methods(tuple(add or ()))
    for words in weights or ():
        add_weights(words)
    selftest(method, device, quiet)


@app.command()
def train(
    method: Annotated[str, typer.Argument(help="See 'hifibench list methods'.")],
    preset: Annotated[str, typer.Option(help="Settings to train with, such as lite, paper-256, paper-512.")] = "lite",
    data: Annotated[
        Path | None, typer.Option(help="Prepared set (see 'hifibench data'); default generated portraits.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Training folder; default runs/train-METHOD-PRESET.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps instead of the preset's.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pairs in a step, over all processes.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate of all networks.")] = None,
    precision: Annotated[str | None, typer.Option(help="bf16 or fp32.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method's own, as width=0.5; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights, order and randomness.")] = 0,
    device: Device = "auto",
    workers: Annotated[
        str,
        typer.Option(help="Processes that read images; 0: this one; auto: so on a processor, up to 8 by a GPU."),
    ] = "auto",
    save_every: Annotated[int, typer.Option(min=1, help="Steps from one checkpoint and grid to the next.")] = 500,
    log_every: Annotated[int, typer.Option(min=1, help="Steps from one row of losses to the next.")] = 50,
    keep: Annotated[int, typer.Option(min=1, help="Newest checkpoints that are kept.")] = 3,
    compile_: Annotated[bool, typer.Option("--compile/--no-compile", help="Compile what gains from it.")] = True,
    quiet: Quiet = False,
) -> None:
    """Train a method. A begun training is gone on with, exactly; 'torchrun' or 'accelerate launch' use several GPUs."""
    from hifibench.commands_train import train_method
    from hifibench.training.run import Changes
    from hifibench.training.settings import Settings, parse_workers

    train_method(
        method,
        preset,
        data,
        out,
        Changes(steps, batch, lr, precision, tuple(set_ or ())),
        Settings(parse_workers(workers), save_every, log_every, keep, compile_),
        seed,
        device,
        quiet,
    )


@app.command(name="list")
def list_(what: Annotated[Listing, typer.Argument(help="What to list.")], add: Add = None) -> None:
    """List what is installed, plugins included: suites, methods, their kinds, presets, metrics, splits or experts."""
    from hifibench.commands import add_methods, show_list

    add_methods(tuple(add or ()))
    show_list(what.value)


@app.command()
def doctor() -> None:
    """Say what is installed, which device is used, which assets are there, and what each suite would still need."""
    from hifibench.doctor import examine

    examine()


@app.command()
def calibrate(
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/calibrate.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N pairs.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Chooses people, partners and bootstrap draws.")] = 0,
    metrics: Annotated[str | None, typer.Option(help="Metrics, comma-separated, instead of the suite's.")] = None,
    shard: Annotated[str, typer.Option(help="This process's share of the work, i/n.")] = "1/1",
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Tell of every metric what it says where the truth is known: floor, ceiling, dose-response, resolution."""
    from hifibench.commands_calibrate import run_calibration

    run_calibration(out, limit, seed, metrics, shard, device, quiet)


@app.command()
def robustness(
    folder: Annotated[Path, typer.Argument(help="A finished run folder.")],
    through: Annotated[
        str, typer.Option(help="jpeg:QUALITY, h264:CRF, c23, c40; comma-separated.")
    ] = "jpeg:75,c23,c40",
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Score the swaps of a finished run again after compression: which scores and rankings last."""
    from hifibench.commands_robustness import robustness

    robustness(folder, through, device, quiet)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="A finished run folder.")]) -> None:
    """Make the tables and the page of a finished run again, and show the table."""
    from hifibench.commands import show_report

    show_report(folder)


add_to(app)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs a command and turns errors into one clear message and an exit code."""
    import logging

    logging.basicConfig(format="hifibench: %(message)s", level=logging.WARNING)
    try:
        app(arguments)
    except HifibenchError as error:
        typer.echo(f"hifibench: {error}", err=True)
        if isinstance(error, StalledError):  # a thread that hangs would keep the program from ending
            sys.stdout.flush()
            os._exit(error.exit_code)
        sys.exit(error.exit_code)
    except OSError as error:
        if not disk_full(error):
            raise
        typer.echo(f"hifibench: {error}. Free some space; the same command goes on from here.", err=True)
        sys.exit(3)
