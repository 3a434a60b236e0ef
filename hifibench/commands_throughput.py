"""What ``hifibench throughput`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from hifibench import __version__, registry
from hifibench.commands_train import trainable
from hifibench.contracts import SwapperPlugin
from hifibench.device import choose, cores
from hifibench.errors import HifibenchError, InterruptedRunError, MissingError, UsageError
from hifibench.records import Precision
from hifibench.throughput.records import FILE, SCHEMA, SCOPES, Method, Throughput

BATCHES, ON_CPU = (1, 2, 4, 8, 16, 32, 64), 8
"""Of the sweep, where the user names none; on a processor up to the latter, or to one a core if these are more."""

FOLDER = Path("runs") / "throughput"
"""Where the files go by default."""


def throughput(
    methods: Sequence[str],
    scopes: str,
    batches: str | None,
    precision: Precision,
    device: str,
    seconds: float,
    out: Path | None,
    run: Path | None,
    quiet: bool,
) -> None:
    """Time methods, write ``throughput.json`` and ``throughput.md``, and show a table.

    Args:
        methods: names; none: those of the run, or the trainable ones that come with weights and ``faceswap``.
        scopes: of `SCOPES`, separated by commas.
        batches: of the offline scenario's sweep, separated by commas; ``None``: those of the device.
        precision: number format of methods that show their networks.
        device: as `hifibench.device.choose` takes it.
        seconds: that one measurement may take.
        out: folder for the files; ``None``: `FOLDER`.
        run: folder of a run whose reports are to show the numbers: the files go there.
        quiet: no progress, only the table.

    Raises:
        UsageError: a method, a scope, a batch or a folder is wrong.
        MissingError: the device is not there, a network is absent, or not one of the methods can be used.
        InterruptedRunError: the user stopped it; nothing is written.
    """
    if out is not None and run is not None:
        raise UsageError(f"--out {out} and --run {run}: with --run the files go into the run; leave out --out.")
    chosen_scopes, device = _scopes(scopes), choose(device)
    sweep = _batches(batches, device)
    if not seconds > 0:
        raise UsageError(f"--seconds {seconds:g}: expected a time above 0.")
    of_run = [] if run is None else _names(run)  # read in any case: a folder that is no run is no place for the files
    wanted = [_plugin(name) for name in methods or defaults()] if methods or run is None else _of_run(of_run)
    folder = run or out or FOLDER
    try:
        measured = _measured(wanted, chosen_scopes, sweep, precision, device, seconds, quiet)
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(f"Stopped. Nothing is written to {folder}; the same command begins anew.") from stop
    from hifibench.files import atomic_write
    from hifibench.throughput import records, show
    from hifibench.throughput.method import RELEASED

    console = Console()
    show.show(measured, console)  # first, so that a full disk takes no numbers away
    records.write(folder / FILE, measured)
    atomic_write(folder / "throughput.md", show.markdown(measured))
    console.print(f"Written: {folder / FILE}", highlight=False, soft_wrap=True, markup=False)
    if run is not None and (run / "results.json").is_file():
        console.print(
            f"'hifibench report {run}' puts it into the run's tables.", highlight=False, soft_wrap=True, markup=False
        )
    if all(one.reason for one in measured.methods) and any(one.reason != RELEASED for one in measured.methods):
        raise MissingError(
            "No method could be timed: " + " ".join(f"{one.name}: {one.reason}" for one in measured.methods)
        )


def defaults() -> list[str]:
    """The methods that are timed where none is named: the trainable ones that come with weights, and ``faceswap``."""
    return [*(name for name in trainable() if registry.swappers.get(name).card.weights), "faceswap"]


def _measured(
    wanted: Sequence[SwapperPlugin | Method],
    scopes: tuple[str, ...],
    batches: tuple[int, ...],
    precision: Precision,
    device: str,
    seconds: float,
    quiet: bool,
) -> Throughput:
    from hifibench import assets
    from hifibench.data import portraits
    from hifibench.faces.detect import Detector
    from hifibench.pipeline.progress import Reporter
    from hifibench.throughput import method
    from hifibench.throughput.clock import Clock
    from hifibench.throughput.inputs import portrait_jobs
    from hifibench.throughput.machine import machine
    from hifibench.throughput.measure import Limits

    assets.ensure((*Detector.card.assets, *portraits.ASSETS), quiet=quiet)
    detector, clock, limits = Detector(), Clock(device), Limits(seconds)
    jobs, inputs = portrait_jobs(detector)
    before, ceilings = machine(device), method.Ceilings(device, clock)
    plan = method.Plan(scopes, batches, precision, device, limits)
    rows: list[Method] = []
    reporter = Reporter(quiet)
    with TemporaryDirectory(prefix="hifibench-") as logs:
        for number, one in enumerate(wanted, start=1):
            if isinstance(one, Method):
                rows.append(one)
                continue
            # A line, and no bar: a bar draws itself ten times a second, in a thread beside what is timed.
            reporter.say(f"throughput: {one.card.name} ({number} of {len(wanted)})")
            rows.append(method.measured(one, plan, jobs, detector, clock, ceilings, Path(logs) / one.card.name))
    return Throughput(
        schema=SCHEMA,
        hifibench=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=device,
        precision=precision,
        seconds=float(seconds),
        images=limits.images,
        batches=batches,
        inputs=inputs,
        machine=replace(before, gpu=machine(device).gpu),  # clocks and temperature while the device is still warm
        ceilings=ceilings.all,
        methods=tuple(rows),
    )


def _plugin(name: str) -> SwapperPlugin:
    return registry.swappers.get(name)


def _of_run(names: Sequence[str]) -> list[SwapperPlugin | Method]:
    """The methods of a run; those that this process does not know, such as weights of the user's own, as a row."""
    found: list[SwapperPlugin | Method] = []
    for name in names:
        try:
            found.append(_plugin(name))
        except HifibenchError as error:
            found.append(Method(name, reason=str(error)))
    return found


def _names(run: Path) -> list[str]:
    from hifibench.pipeline.store import read_json

    raw: Any = read_json(run / "run.json")
    try:
        return [str(name) for name in raw["suite"]["methods"]]
    except (TypeError, KeyError) as error:
        raise UsageError(
            f"--run {run}: expected the folder of a run, as 'hifibench run --out' made it; its run.json is missing or "
            "names no methods. Name methods, or another folder."
        ) from error


def _scopes(words: str) -> tuple[str, ...]:
    names = [word.strip() for word in words.split(",") if word.strip()]
    if not names:
        raise UsageError(f"--scope is empty; name one or more of {', '.join(SCOPES)}, separated by commas.")
    for name in names:
        if name not in SCOPES:
            raise UsageError(f"--scope {name!r} is unknown.{registry.did_you_mean(name, list(SCOPES))}")
    return tuple(scope for scope in SCOPES if scope in names)


def _batches(words: str | None, device: str) -> tuple[int, ...]:
    if words is None:
        return tuple(one for one in BATCHES if device.startswith("cuda") or one <= max(ON_CPU, cores()))
    found = [word.strip() for word in words.split(",") if word.strip()]
    if not found or not all(word.isdecimal() and int(word) > 0 for word in found):
        raise UsageError(f"--batch {words!r}: expected numbers of at least 1, separated by commas, such as 1,2,4.")
    return tuple(sorted({int(word) for word in found}))
