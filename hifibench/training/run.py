"""A training as the command line asks for it: the plan, the data, the loop, the exported weights."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.errors import UsageError
from hifibench.files import held
from hifibench.training.contract import Plan, TrainerPlugin

if TYPE_CHECKING:
    import torch

    from hifibench.pipeline.progress import Reporter
    from hifibench.training.loop import Loop
    from hifibench.training.settings import Settings


@dataclass(frozen=True)
class Changes:
    """What the user changes of a preset; ``None`` leaves it."""

    steps: int | None = None
    batch: int | None = None
    lr: float | None = None
    precision: str | None = None
    method: tuple[str, ...] = ()


def changed(plan: Plan, changes: Changes) -> Plan:
    """The plan with the user's changes.

    Raises:
        UsageError: a change is out of its range.
    """
    for name, value in (("--steps", changes.steps), ("--batch", changes.batch), ("--lr", changes.lr)):
        if value is not None and not value > 0:
            raise UsageError(f"{name} {value}: give a number above 0.")
    if changes.precision not in (None, "bf16", "fp32"):
        raise UsageError(f"--precision {changes.precision!r}: expected bf16 or fp32.")
    own = dict(plan.method)
    for words in changes.method:
        _set(own, words)
    optimisers = plan.optimisers
    if changes.lr is not None:
        optimisers = {turn: replace(one, lr=changes.lr) for turn, one in optimisers.items()}
    return replace(
        plan,
        steps=changes.steps or plan.steps,
        batch=changes.batch or plan.batch,
        precision=changes.precision or plan.precision,
        optimisers=optimisers,
        method=own,
    )


def _set(method: dict[str, Any], words: str) -> None:
    """``name=value`` into a method's settings; the value as JSON, or else as text."""
    name, equals, text = words.partition("=")
    *path, last = name.split(".")
    inner = method
    for part in path:
        inner[part] = inner = dict(inner[part]) if isinstance(inner.get(part), Mapping) else {}
    if not equals or last not in inner:
        known = ", ".join(
            f"{key}.{sub}" if sub else key
            for key, value in method.items()
            for sub in (value if isinstance(value, Mapping) else [""])
        )
        raise UsageError(f"--set {words}: expected NAME=VALUE with a name among {known}.")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    # Any text but the empty one would count as true.
    if isinstance(inner[last], bool) and not isinstance(value, bool):
        raise UsageError(f"--set {words}: expected true or false.")
    inner[last] = value


def train(
    name: str,
    plugin: TrainerPlugin,
    plan: Plan,
    data: Callable[[], Path],
    out: Path,
    *,
    seed: int,
    device: str,
    settings: Settings,
    reporter: Reporter,
) -> Path:
    """Train, or go on with what is begun in ``out``; writes the weights at the end.

    Args:
        name: of the method.
        plugin: how it is trained.
        plan: the preset, with the user's changes.
        data: gives a prepared set, made here if need be, once networks are there; the first process of each machine is
            asked before the others.
        out: folder for checkpoints, logs, grids and weights.
        seed: of weights, order and randomness.
        device: ``cpu`` or ``cuda``.
        settings: what does not decide the result.
        reporter: where to say how far it is.

    Returns:
        The file of weights, ``out/<method>.safetensors``.

    Raises:
        UsageError, MissingError: something does not fit; said before the first step.
        TrainingError: training went wrong and was stopped.
    """
    import torch

    from hifibench.data.prepared import PreparedFaces
    from hifibench.device import cores, here
    from hifibench.training import memory
    from hifibench.training.log import Log, WaitWatch
    from hifibench.training.loop import Loop, accelerator
    from hifibench.training.settings import readers
    from hifibench.training.show import Recorder, shown
    from hifibench.version import commit

    code, machine = commit(), accelerator(plan, device)
    with machine.local_main_process_first():
        faces = PreparedFaces(data())
    torch.manual_seed(seed)
    own = _name(machine.device)
    method = plugin.make(plan, own)
    # The loop makes the averaged weights and reads a checkpoint's moments, which are part of the need.
    free = memory.free_bytes(own)
    loop = Loop(method, plan, faces, out, seed, machine, settings)
    memory.check(method, plan, own, machine.num_processes, free)
    main = machine.is_main_process
    if loop.step and main:
        reporter.say(f"Going on after step {loop.step:,} of {plan.steps:,}.")
    weights = out / f"{name}.safetensors"
    busy = f"Another process trains in {out}; wait for it, or give another --out."
    with held(out / ".lock", busy) if main else nullcontext():
        log = Log(out, loop.step) if main else None
        with shown(reporter, loop.step, plan, main) as show:
            try:
                note = {"hifibench:method": name, "hifibench:run": str(out.name)}
                watch = WaitWatch(readers(settings.workers, machine.device.type), cores(), here())
                loop.run(Recorder(log, show, note, reporter.say if main else lambda words: None, watch))
            finally:
                if log is not None:
                    log.close()
        if main:
            said = card(name, plan, loop, faces.description, machine.num_processes, code)
            plugin.export(loop.exported, said, weights)
    machine.wait_for_everyone()
    return weights


def card(
    name: str, plan: Plan, loop: Loop, data: Mapping[str, Any], processes: int, code: str | None
) -> dict[str, Any]:
    """What is said of trained weights: enough to train them again."""
    import torch

    from hifibench import __version__

    # Weights are given away, where the user's files lie is not.
    source = {name: value for name, value in data["settings"]["source"].items() if name != "folder"}
    return {
        "method": name,
        "preset": plan.name,
        "steps": loop.step,
        "batch": plan.batch,
        "images_seen": loop.step * plan.batch,
        "seed": loop.seed,
        "precision": plan.precision,
        "data": {"source": source, "counts": data["counts"], "licence": data["licence"]},
        "teachers": dict(loop.method.settings.get("teachers", {})),
        "data_fingerprint": loop.data_fingerprint,
        "hardware": _hardware(_name(loop.accelerator.device), processes),
        "hours": round(loop.seconds / 3600, 2),
        "losses": {key: float(f"{value:.4g}") for key, value in loop.last_row.items()},
        "version": __version__,
        "commit": code,
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "licence": "research only: its teachers and its training images are",
    }


def _name(device: torch.device) -> str:
    """As the harness names devices: of several processes on a processor PyTorch numbers each one's (``cpu:0``)."""
    return "cpu" if device.type == "cpu" else str(device)


def _hardware(device: str, processes: int) -> str:
    import os
    import platform

    import torch

    if device.startswith("cuda"):
        return f"{processes} x {torch.cuda.get_device_name()}"
    return f"{processes} x {os.cpu_count()} processor cores ({platform.machine()})"
