"""How fast the methods of a run are, where ``hifibench throughput --run`` measured it, and what the numbers mean.

Where it did, its numbers stand in place of the times that the run took of itself (``timing.json``), since two kinds of
time in one column would be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from hifibench.throughput.records import SCOPES, Method, Scope
from hifibench.throughput.show import facts, number
from reports.records import Run

SINGLE, OFFLINE = "single-stream", "offline"

FIRST = ("+extractors", "+detect+paste", "generator")
"""The scope that stands in the key table, in Table 1 and in the figure: the first of these that was measured."""


class Speed(NamedTuple):
    """One number of a method.

    Attributes:
        value: in the measure's unit.
        low: lower end of its 95 % interval; ``None`` where it has none.
        high: upper end of it.
        n: pairs or images that it is of; ``None`` where that is not a question.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def text(self) -> str:
        """As printed."""
        return number(self.value)

    @property
    def interval(self) -> str:
        """``[low, high]``, empty where there is none."""
        return "" if self.low is None or self.high is None else f"[{number(self.low)}, {number(self.high)}]"


class Measure(NamedTuple):
    """What is measured in one scope.

    Attributes:
        name: unique, with scope and scenario.
        title: what a table calls it.
        unit: of its numbers.
        words: scenario and scope.
        direction: which way is better.
        values: method -> its number.
    """

    name: str
    title: str
    unit: str
    words: tuple[str, ...]
    direction: Literal["up", "down"]
    values: Mapping[str, Speed]


def timed(run: Run) -> dict[str, Method]:
    """Methods of the run that were timed under the card that they ran under."""
    if run.throughput is None:
        return {}
    found = {method.name: run.throughput.method(method.name, method.card) for method in run.results.methods}
    return {name: one for name, one in found.items() if one is not None and not one.reason}


def scope(run: Run) -> str:
    """The scope that stands first; empty where none was measured."""
    methods = timed(run).values()
    return next((name for name in FIRST if any(one.scope(name) for one in methods)), "")


def first(run: Run) -> tuple[Measure, ...]:
    """Latency and throughput in the scope that stands first; none where nothing was measured."""
    return tuple(one for one in _of_scope(run, scope(run)) if one.name.startswith(("latency_p50[", "images_per_s[")))


def measures(run: Run) -> tuple[Measure, ...]:
    """All that was measured, scope by scope."""
    return tuple(one for name in SCOPES for one in _of_scope(run, name))


def known(run: Run) -> bool:
    """Whether these numbers stand in place of the run's own times: not where not one method was measured."""
    return bool(first(run))


def hardware(run: Run) -> Mapping[str, Any]:
    """What the run's times were taken on, whichever are shown."""
    measured = run.throughput
    return facts(measured.machine) if measured is not None and known(run) else run.timing.hardware


def notes(run: Run) -> Iterator[str]:
    """What the speeds mean, how the networks ran, what could not be timed; nothing where nothing was measured."""
    if run.throughput is None:
        return
    if known(run):
        yield from _meaning(run)
    methods, told = timed(run), {one.name for one in run.throughput.methods}
    if other := [one.name for one in run.results.methods if one.name in told - methods.keys()]:
        yield f"No speed: {', '.join(other)} ({'; '.join(dict.fromkeys(_why(run, name) for name in other))})."


def _meaning(run: Run) -> Iterator[str]:
    """Scenarios, scopes, number formats, batches."""
    assert run.throughput is not None
    methods = timed(run)
    yield (
        "Speed, by hifibench throughput: single-stream, ms of one pair at batch 1, the next begins when it is done; "
        "offline, images/s at the best batch of a sweep. +extractors: from crops to a crop, a new source each time "
        "(of methods that show no networks, their own swap); generator: its features given; +detect+paste: from frames "
        "in memory to a frame."
    )
    formats = [
        f"{name} {one.format.used} ({one.format.engine}{', compiled' if one.format.compiled else ''})"
        for name, one in methods.items()
        if one.format is not None
    ]
    as_they_are = [name for name, one in methods.items() if one.format is None]
    told = [*formats, *([f"as they are: {', '.join(as_they_are)}"] if as_they_are else [])]
    if told:
        yield f"Number format of the speeds, on {run.throughput.device}: {'; '.join(told)}."
    batches = [
        f"{name} {found.offline.batch}"
        for name, one in methods.items()
        if (found := one.scope(scope(run))) is not None and found.offline is not None
    ]
    if batches:
        yield f"Batch of the offline speeds ({scope(run)}): {', '.join(batches)}."
    if any(one.name.startswith("peak_memory[") for one in measures(run)):
        where = "what torch had allocated on the GPU" if run.throughput.machine.gpu else "by how much the process grew"
        yield f"Peak memory: {where} at the most, in both scenarios."
    if unsteady := [name for name, one in methods.items() if not _steady(one)]:
        yield f"Not settled when timing began: {', '.join(unsteady)}."


def _why(run: Run, name: str) -> str:
    assert run.throughput is not None
    one = run.throughput.method(name)
    return " ".join(one.reason.split()) if one is not None and one.reason else "timed under another card than the run's"


def _steady(method: Method) -> bool:
    return all(part is None or part.steady for one in method.scopes for part in (one.single_stream, one.offline))


def _of_scope(run: Run, name: str) -> Iterator[Measure]:
    found = {method: seen for method, one in timed(run).items() if (seen := one.scope(name)) is not None}
    for measure in (
        Measure(f"latency_p50[{name},{SINGLE}]", "Latency, median", "ms", (SINGLE, name), "down", _p50(found)),
        *(
            Measure(
                f"latency_p{percent}[{name},{SINGLE}]", f"Latency, p{percent}", "ms", (SINGLE, name), "down",
                {
                    method: Speed(getattr(one.single_stream, f"ms_p{percent}"), n=one.single_stream.n)
                    for method, one in found.items()
                    if one.single_stream is not None
                },
            )
            for percent in (90, 99)
        ),
        Measure(f"images_per_s[{name},{OFFLINE}]", "Throughput", "images/s", (OFFLINE, name), "up", _rates(found)),
        Measure(
            f"ceiling_share[{name},{OFFLINE}]", "Share of the matrix-product ceiling", "%", (OFFLINE, name), "up",
            {method: Speed(100 * one.ceiling_share) for method, one in found.items() if one.ceiling_share is not None},
        ),
        Measure(
            f"peak_memory[{name}]", "Peak memory", "MiB", (name,), "down",
            {method: Speed(one.peak_bytes / 2**20) for method, one in found.items() if one.peak_bytes is not None},
        ),
    ):  # fmt: skip
        if measure.values:
            yield measure


def _p50(found: Mapping[str, Scope]) -> dict[str, Speed]:
    return {
        method: Speed(one.ms_p50, one.ms_p50_low, one.ms_p50_high, one.n)
        for method, seen in found.items()
        if (one := seen.single_stream) is not None
    }


def _rates(found: Mapping[str, Scope]) -> dict[str, Speed]:
    return {
        method: Speed(one.images_per_s, one.low, one.high, one.n)
        for method, seen in found.items()
        if (one := seen.offline) is not None
    }
