"""A ``throughput.json`` with made-up numbers."""

from __future__ import annotations

from collections.abc import Sequence

from hifibench.throughput.records import (
    SCHEMA,
    Ceiling,
    Format,
    Machine,
    Method,
    Offline,
    Point,
    Scope,
    SingleStream,
    Throughput,
)

CARD = "c0ffee00" * 8
"""Of the made-up runs' methods."""


def timed(
    name: str, card: str = CARD, p50: float = 20.0, scopes: Sequence[str] = ("generator", "+extractors")
) -> Method:
    """Numbers that tell their scope: the second takes twice the time of the first, and so on."""
    return Method(
        name,
        card,
        networks=True,
        format=Format("auto", "bf16", "torch eager", channels_last=True),
        params_trainable=4_855_256,
        params_frozen=6_660_030,
        source_ms=7.25,
        pairs=8,
        scopes=tuple(scope(one, p50 * (index + 1)) for index, one in enumerate(scopes)),
    )


def scope(name: str, p50: float) -> Scope:
    rate = 2000.0 / p50
    single = SingleStream(200, 0.2 * p50, p50, 1.5 * p50, 2 * p50, 0.9 * p50, 1.1 * p50, 30, True)
    points = (Point(1, rate / 2, 200, 1.0, True), Point(2, rate, 200, 1.0, True))
    many = Offline(400, 400 / rate, 2, rate, 0.95 * rate, 1.05 * rate, 12, 9, True, points)
    return Scope(name, single, many, 10**9, 2e9 * rate, 0.25, 3 * 2**20)


def measurement(*methods: Method) -> Throughput:
    machine = Machine("Some Processor", 4, 2, 2, 15.5, 2600.0, "performance", 0.25, {}, {"torch": "2.14.1"}, "Linux")
    limit = Ceiling("bf16", 1024, 1.5, 1.25, 1.75, 5, {512: 1.25, 1024: 1.5})
    return Throughput(
        SCHEMA, "1.0", "2026-01-01T00:00:00+00:00", "cpu", "auto", 10.0, 200, (1, 2), "8 pairs of portraits", machine,
        (limit,), methods,
    )  # fmt: skip
