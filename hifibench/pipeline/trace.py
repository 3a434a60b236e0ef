"""Spans as a Chrome trace, which Perfetto and ``chrome://tracing`` draw.

Source: "Trace Event Format", Google (2016): the object form, complete events (``ph: "X"``) and metadata (``ph: "M"``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

from hifibench.profiling import Span

_MICROSECONDS = 1_000_000


def trace(spans: Sequence[Span], pid: int, name: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """The whole file as an object for JSON.

    Times are whole microseconds, rounded down on both ends, so that what lies within another span still does.

    Args:
        spans: in any order.
        pid: of the process.
        name: of the process, as viewers show it.
        about: what else the file says of itself, under ``otherData``.
    """
    rows = lanes(spans)
    names = [_meta("process_name", pid, 0, {"name": name})]
    for lane, (thread, _) in enumerate(rows, start=1):
        names.append(_meta("thread_name", pid, lane, {"name": thread}))
        names.append(_meta("thread_sort_index", pid, lane, {"sort_index": lane}))
    events = [_event(span, pid, lane) for lane, (_, row) in enumerate(rows, start=1) for span in row]
    events.sort(key=lambda event: (event["ts"], -event["dur"]))
    return {"traceEvents": names + events, "displayTimeUnit": "ms", "otherData": dict(about)}


def lanes(spans: Iterable[Span]) -> list[tuple[str, list[Span]]]:
    """Spans by the line on which they are drawn, with its name, each line in order of begins.

    The format asks that spans on one line lie within one another or apart. A thread's own do; one that was timed
    elsewhere and does not fit gets a line beside. Threads that ended before another one began lend it their line: a
    run starts hundreds of them, one after the other.
    """
    threads: dict[str, list[Span]] = {}
    for span in spans:
        threads.setdefault(span.thread, []).append(span)
    rows: list[tuple[str, list[Span]]] = []
    free: list[float] = []
    layers = [
        (layer[0].begin, -max(span.end for span in layer), name, layer)
        for name, own in threads.items()
        for layer in _nested(own)
    ]
    for begin, end, name, layer in sorted(layers, key=itemgetter(0, 1)):
        line = next((line for line, until in enumerate(free) if until <= begin), None)
        if line is None:
            rows.append((name, layer))
            free.append(-end)
        else:
            rows[line][1].extend(layer)
            free[line] = -end
    return rows


def _nested(spans: list[Span]) -> list[list[Span]]:
    """Spans of one name cut into layers, within each of which they nest."""
    layers: list[list[Span]] = []
    left = sorted(sorted(spans, key=attrgetter("end"), reverse=True), key=attrgetter("begin"))
    while left:
        layer: list[Span] = []
        around: list[Span] = []
        beside = []
        for span in left:
            while around and around[-1].end <= span.begin:
                around.pop()
            if around and span.end > around[-1].end:
                beside.append(span)
            else:
                layer.append(span)
                around.append(span)
        layers.append(layer)
        left = beside
    return layers


def _event(span: Span, pid: int, lane: int) -> dict[str, Any]:
    begin, end = (math.floor(seconds * _MICROSECONDS) for seconds in (span.begin, span.end))
    about: dict[str, Any] = {"items": span.items} if span.part else {}
    if span.method:
        about["method"] = span.method
    name = span.part or f"{span.stage} {span.method}".strip()
    return {
        "name": name,
        "cat": span.stage,
        "ph": "X",
        "ts": begin,
        "dur": end - begin,
        "pid": pid,
        "tid": lane,
        "args": about,
    }


def _meta(name: str, pid: int, lane: int, about: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ph": "M", "ts": 0, "pid": pid, "tid": lane, "args": about}
