"""What each method of a run runs in: decided by whoever comes first, kept in the run folder, the same for all shares.

``swaps/<method>/precision.json`` holds a `hifibench.inference.choice.Choice`. There is none where fp32 was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from hifibench.contracts import Swapper
from hifibench.inference import precision_of, quicken
from hifibench.inference.choice import Choice
from hifibench.inference.fitting import Fitting
from hifibench.pipeline.store import RunFolder, read_json, write_once
from hifibench.pipeline.swap import Ready, swap_aligned
from hifibench.records import Precision, Swapped


def path(folder: RunFolder, method: str) -> Path:
    """Where the choice for a method is kept."""
    return folder.root / "swaps" / method / "precision.json"


def kept(folder: RunFolder, method: str) -> Choice | None:
    """What was decided; ``None`` where nothing was, or what is there is damaged."""
    return Choice.from_json(read_json(path(folder, method)))


def settled(folder: RunFolder, method: str, asked: Precision) -> Choice | None:
    """What was decided for what is asked for now; anything else that was decided is forgotten."""
    if not path(folder, method).exists():  # and nothing is removed that another process decides at this moment
        return None
    choice = kept(folder, method)
    if choice is not None and choice.asked == asked != "fp32":
        return choice
    path(folder, method).unlink(missing_ok=True)
    return None


def keep(folder: RunFolder, method: str, choice: Choice) -> Choice:
    """Keep a choice, unless another process came first: then it is that one's."""
    write_once(path(folder, method), json.dumps(choice.to_json(), indent=1, sort_keys=True) + "\n")
    return kept(folder, method) or choice


def chosen(swapper: Swapper, device: str, asked: Precision, aligned: Iterable[Sequence[Ready | Swapped]]) -> Choice:
    """What the first pairs of the plan show, whichever share asks.

    Args:
        swapper: loaded.
        device: where its networks are.
        asked: ``auto`` or ``bf16``.
        aligned: the chunks of the plan; asked for until one has a pair that can be swapped.

    Raises:
        MethodError: the method cannot be used here.
    """
    trial = quicken(swapper, device, asked)
    if trial is swapper:
        return Choice(asked, "fp32", "own", reason="it shows no networks")
    for chunk in aligned:
        if any(isinstance(one, Ready) for one in chunk):
            swap_aligned(Fitting(trial), chunk)
            break
    return precision_of(trial) or Choice(asked, "fp32", "eager", reason="no pair could be swapped")


def form(choice: Choice | None) -> str:
    """What marks of chunks call a choice: see `hifibench.inference.choice.Choice.form`; none is PyTorch's fp32."""
    return "fp32" if choice is None else choice.form


def used(folder: RunFolder, method: str) -> str:
    """What a method's swaps are in, as marks of chunks call it."""
    return form(kept(folder, method))


def protocol(folder: RunFolder, methods: Iterable[str]) -> dict[str, str]:
    """What ``results.json`` says of it: which methods are not in PyTorch's fp32, and by what; nothing where all are."""
    choices = {method: kept(folder, method) for method in methods}
    told = [f"{name} in {one.used} by {one.engine}" for name, one in choices.items() if one and one.form != "fp32"]
    return {"precision": "; ".join([*told, "all else in PyTorch's fp32"])} if told else {}
