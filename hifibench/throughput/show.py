"""The measurement for the eye: a table that fits 80 columns, and the same with all that is to be known as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hifibench.throughput.records import Machine, Method, Scope, Throughput

MISSING = "—"
"""Stands for what was not measured or is not known."""

HEADS = ("p50", "p90", "p99", "images/s", "batch", "ceiling")
"""Of the table in a terminal; times are in milliseconds."""

FULL = ("p50 ms", "interval", "p90 ms", "p99 ms", "n", "images/s", "interval", "batch", "n", "MACs", "FLOP/s",
        "of the ceiling", "peak memory")  # fmt: skip
"""Of the Markdown table."""


def show(measured: Throughput, console: Console) -> None:
    """Print a row for each method and scope, and the notes."""
    table = Table(box=None, pad_edge=False, title=f"Throughput on {where(measured)}", title_justify="left")
    table.add_column("method", max_width=18, overflow="fold")
    table.add_column("scope", no_wrap=True)
    for head in HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    for method in measured.methods:
        for index, scope in enumerate(one for one in method.scopes if not one.reason):
            table.add_row(Text(method.name if index == 0 else ""), Text(scope.scope), *map(Text, short(scope)))
    if table.row_count:
        console.print(table)
    for note in notes(measured):
        console.print(Text(note, style="dim"))


def markdown(measured: Throughput) -> str:
    """The file ``throughput.md``."""
    lines = [f"# Throughput on {_escape(where(measured))}", ""]
    lines.append("| method | scope | " + " | ".join(FULL) + " |")
    lines.append("| :-- | :-- |" + " --: |" * len(FULL))
    lines += [
        "| " + " | ".join(map(_escape, (method.name, scope.scope, *full(scope)))) + " |"
        for method in measured.methods
        for scope in method.scopes
        if not scope.reason
    ]
    lines += ["", *(f"- {_escape(note)}" for note in notes(measured))]
    return "\n".join(lines) + "\n"


def where(measured: Throughput) -> str:
    """The device in words."""
    machine = measured.machine
    if machine.gpu:
        return machine.gpu.get("name", measured.device)
    return f"{machine.cpu}, {_plural(machine.torch_threads, 'thread')}"


def short(scope: Scope) -> tuple[str, ...]:
    """The cells of `HEADS`."""
    one, many = scope.single_stream, scope.offline
    times = [MISSING] * 3 if one is None else [number(value) for value in (one.ms_p50, one.ms_p90, one.ms_p99)]
    rates = [MISSING] * 2 if many is None else [number(many.images_per_s), str(many.batch)]
    return (*times, *rates, percent(scope.ceiling_share))


def full(scope: Scope) -> tuple[str, ...]:
    """The cells of `FULL`."""
    one, many = scope.single_stream, scope.offline
    cells = [MISSING] * 5
    if one is not None:
        ends = _ends(one.ms_p50_low, one.ms_p50_high)
        cells = [number(one.ms_p50), ends, number(one.ms_p90), number(one.ms_p99), str(one.n)]
    rates = [MISSING] * 4
    if many is not None:
        rates = [number(many.images_per_s), _ends(many.low, many.high), str(many.batch), str(many.n)]
    return (
        *cells, *rates, _amount(scope.macs, 1e9, "G"), _amount(scope.flops_per_s, 1e12, "T"),
        percent(scope.ceiling_share), _amount(scope.peak_bytes, 2**20, "MiB"),
    )  # fmt: skip


def notes(measured: Throughput) -> Iterator[str]:
    """What the numbers rest on, what is missing and why."""
    for method in measured.methods:
        if method.reason:
            yield f"{method.name}: not measured: {method.reason}"
        for reason, scopes in _reasons(method).items():
            yield f"{method.name}, {', '.join(scopes)}: not measured: {reason}"
    yield (
        "single-stream: ms of one pair, the next begins when it is done; offline: images/s, batches of the size that "
        "was best in a sweep. generator: its features given; +extractors: from crops to a crop, a new source each "
        "time (of methods that show no networks their own swap); +detect+paste: from frames in memory to a frame."
    )
    for method in measured.methods:
        form = method.format
        if form is not None:
            parts = [form.used, form.engine, "compiled" if form.compiled else "", form.said]
            parts.append("channels last" if form.channels_last else "")
            if method.source_ms is not None:
                parts.append(f"of +extractors the source takes {number(method.source_ms)} ms")
            yield f"{method.name}: {'; '.join(filter(None, parts))}."
        if unsteady := [scope.scope for scope in method.scopes if not steady(scope)]:
            yield f"{method.name}, {', '.join(unsteady)}: the time had not settled when warming up ended."
        for scope in method.scopes:
            if scope.offline is not None and scope.offline.ended:
                yield f"{method.name}, {scope.scope}: the sweep ended early: {scope.offline.ended}."
    for limit in measured.ceilings:
        yield (
            f"Ceiling in {limit.precision}: {limit.tflops:.3g} TFLOP/s ({limit.low:.3g} to {limit.high:.3g}), square "
            f"matrix products of {limit.size}, in this run."
        )
    yield f"{measured.inputs}; up to {measured.seconds:g} s or {measured.images} images a measurement."
    yield f"Measured on: {', '.join(f'{key} {value}' for key, value in facts(measured.machine).items())}."


def facts(machine: Machine) -> dict[str, str]:
    """The machine in words, without what could not be read."""
    found = {
        "cpu": machine.cpu,
        "cores": f"{machine.usable_cores} of {machine.cores}",
        "torch threads": str(machine.torch_threads),
        "clock": "" if machine.clock_mhz is None else f"{machine.clock_mhz:.0f} MHz",
        "governor": machine.governor,
        "load before": "" if machine.load_1m is None else f"{machine.load_1m:g}",
        **{f"gpu {key}": value for key, value in machine.gpu.items()},
        **machine.versions,
    }
    return {key: value for key, value in found.items() if value}


def steady(scope: Scope) -> bool:
    """Whether the times of both scenarios had settled before they counted."""
    return all(one is None or one.steady for one in (scope.single_stream, scope.offline))


def number(value: float) -> str:
    """Three significant digits at the least, without an exponent.

    Example:
        >>> number(1234.5), number(12.345), number(0.01234)
        ('1234', '12.3', '0.0123')
    """
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def percent(share: float | None) -> str:
    """A part of a whole."""
    return MISSING if share is None else f"{100 * share:.1f} %"


def _reasons(method: Method) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for scope in method.scopes:
        if scope.reason:
            found.setdefault(scope.reason, []).append(scope.scope)
    return found


def _ends(low: float | None, high: float | None) -> str:
    return MISSING if low is None or high is None else f"[{number(low)}, {number(high)}]"


def _amount(value: float | None, unit: float, prefix: str) -> str:
    return MISSING if value is None else f"{number(value / unit)} {prefix}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~])", r"\\\1", " ".join(text.split()))
