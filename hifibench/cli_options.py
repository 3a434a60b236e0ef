"""Options and choices that commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Listing(StrEnum):
    """What `hifibench list` can list."""

    suites = "suites"
    methods = "methods"
    presets = "presets"
    metrics = "metrics"
    experts = "experts"
    splits = "splits"
    kinds = "kinds"


class Estimators(StrEnum):
    """Whose networks judge in a suite that leaves the choice."""

    paper = "paper"
    embedded = "embedded"


class TrainedWith(StrEnum):
    """What is done with scores by a network that took part in the method's training."""

    refuse = "refuse"
    mark = "mark"


class PrecisionWord(StrEnum):
    """`hifibench.records.Precision` as a choice of the command line."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
PrecisionOption = Annotated[
    PrecisionWord,
    typer.Option("--precision", help="Number format of swappers; auto: what is quickest and agrees with fp32."),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=FILE", help="Weights of your own training, as a method of that name; repeatable."),
]
Add = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="TOML file of methods from elsewhere; repeatable."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; errors and results only.")]
