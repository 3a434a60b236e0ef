"""Commands on finished runs: tables over several, comparison, gates, validation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_Junit = Annotated[Path | None, typer.Option(help="File for a JUnit XML report, as CI systems read it.")]
_Summary = Annotated[Path | None, typer.Option(help="File for a Markdown summary, as pull requests show it; appended.")]
_Run = Annotated[Path, typer.Argument(help="A finished run folder.")]


def compare(
    run_a: Annotated[Path, typer.Argument(help="A finished run folder: the one to start from.")],
    run_b: Annotated[Path, typer.Argument(help="Another one: is it better or worse?")],
    methods: Annotated[
        str | None, typer.Option(help="Methods, comma-separated; A=B compares A of the first with B of the second run.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the comparison; default RUN_B/compare.")] = None,
    other_manifest: Annotated[
        bool, typer.Option("--other-manifest", help="Allow runs of different images and pairs.")
    ] = False,
) -> None:
    """Compare two runs metric by metric: paired difference, interval, verdict, and the pairs that moved most."""
    from hifibench.commands_compare import compare

    compare(run_a, run_b, methods, out, other_manifest)


def leaderboard(
    runs: Annotated[list[Path], typer.Argument(help="Finished run folders.")],
    out: Annotated[Path, typer.Option(help="Folder for the tables.")] = Path("runs/leaderboard"),
) -> None:
    """One table over several runs: which method is best where, and which numbers may stand beside each other."""
    from hifibench.commands_leaderboard import leaderboard

    leaderboard(tuple(runs), out)


def gate(
    run: _Run,
    golden: Annotated[Path, typer.Option(help="File of golden numbers with their tolerances (JSON).")],
    update: Annotated[bool, typer.Option("--update", help="Write the file from this run in place of gating.")] = False,
    junit: _Junit = None,
    summary: _Summary = None,
) -> None:
    """Fail (exit 1) where a metric of a run has moved from its golden number by more than its tolerance."""
    from hifibench.commands_gate import gate

    gate(run, golden, update, junit, summary)


def gate_speed(
    base: Annotated[str, typer.Option(help="Command line of the old state.")],
    head: Annotated[str, typer.Option(help="Command line of the new state.")],
    rounds: Annotated[int, typer.Option(min=6, help="How often each is run, in turns.")] = 7,
    slower: Annotated[float, typer.Option(min=0.0, help="How much slower in processor time it may be, %.")] = 10.0,
    junit: _Junit = None,
    summary: _Summary = None,
) -> None:
    """Run two commands in turns and fail (exit 1) where the new one takes more processor time."""
    from hifibench.commands_gate_speed import gate_speed

    gate_speed(base, head, rounds, slower, junit, summary)


def validate(
    results: Annotated[Path, typer.Argument(help="A results.json, or the run folder that holds one.")],
) -> None:
    """Check a results.json against the schema of its version, and say what is wrong and where."""
    from hifibench.commands_validate import validate

    validate(results)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (compare, leaderboard, gate, validate):
        app.command()(command)
    app.command(name="gate-speed")(gate_speed)
