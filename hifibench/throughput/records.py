"""What was measured, as it stands in ``throughput.json``: frozen records with units."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hifibench.errors import UsageError, first_line
from hifibench.files import atomic_write

SCHEMA = 1
"""Version of the file."""

FILE = "throughput.json"
"""Its name."""

SCOPES = ("generator", "+extractors", "+detect+paste")
"""What is timed: the generator alone, its features given; from crops to a crop, with a new source each time; from
frames in memory to a frame, with a new source each time."""


@dataclass(frozen=True)
class SingleStream:
    """One pair after the other, the next when the last is done.

    Attributes:
        n: pairs.
        seconds: that they took together.
        ms_p50: median of the milliseconds a pair.
        ms_p90: 90th percentile.
        ms_p99: 99th percentile.
        ms_p50_low: lower end of the median's 95 % interval (bootstrap of the pairs); ``None`` where there is but one.
        ms_p50_high: upper end of it.
        warmup: pairs before the first that counts.
        steady: the time had settled by then.
    """

    n: int
    seconds: float
    ms_p50: float
    ms_p90: float
    ms_p99: float
    ms_p50_low: float | None
    ms_p50_high: float | None
    warmup: int
    steady: bool


@dataclass(frozen=True)
class Point:
    """One batch of the sweep, timed shortly, to choose by."""

    batch: int
    images_per_s: float
    n: int
    seconds: float
    steady: bool


@dataclass(frozen=True)
class Offline:
    """Batches one after the other, of the size that was best in the sweep, timed anew.

    Attributes:
        n: images.
        seconds: that they took together.
        batch: images a call.
        images_per_s: n / seconds.
        low: lower end of its 95 % interval (bootstrap of the windows); ``None`` where there is but one window.
        high: upper end of it.
        windows: spans of calls between two looks at the clock.
        warmup: calls before the first that counts.
        steady: the time had settled by then.
        sweep: all batches that were tried.
        ended: why larger batches of the sweep were not tried; empty where all were.
    """

    n: int
    seconds: float
    batch: int
    images_per_s: float
    low: float | None
    high: float | None
    windows: int
    warmup: int
    steady: bool
    sweep: tuple[Point, ...]
    ended: str = ""


@dataclass(frozen=True)
class Scope:
    """One method in one scope.

    Attributes:
        scope: one of `SCOPES`.
        single_stream: latency.
        offline: throughput.
        macs: multiply-accumulates of one image in this scope; ``None``: not counted.
        flops_per_s: 2 x macs x images/s of the offline scenario.
        ceiling_share: of the matrix products' rate in the same number format, in the same run.
        peak_bytes: on CUDA the most that torch had allocated there; on a processor by how much the process grew.
        reason: why there are no numbers.
    """

    scope: str
    single_stream: SingleStream | None = None
    offline: Offline | None = None
    macs: int | None = None
    flops_per_s: float | None = None
    ceiling_share: float | None = None
    peak_bytes: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Format:
    """How the networks ran.

    Attributes:
        asked: the precision that was asked for.
        used: ``fp32`` or ``bf16``.
        engine: what ran them, such as ``torch eager``.
        compiled: they were compiled or exported beforehand.
        channels_last: weights and images lay channels last.
        said: why it is not bf16, or not what was asked for.
    """

    asked: str
    used: str
    engine: str
    compiled: bool = False
    channels_last: bool = False
    said: str = ""


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        name: as in tables.
        card: SHA-256 of the card that it ran under.
        networks: it shows its networks, so that they could be timed apart and in another number format.
        format: how these ran; ``None`` where they are not shown.
        params_trainable: parameters that training updates; ``None``: not counted.
        params_frozen: of networks that a swap needs besides.
        source_ms: median of the milliseconds that the networks take which look at the source, at batch 1.
        pairs: different pairs that went round.
        scopes: what was measured.
        reason: why nothing was.
    """

    name: str
    card: str = ""
    networks: bool = False
    format: Format | None = None
    params_trainable: int | None = None
    params_frozen: int | None = None
    source_ms: float | None = None
    pairs: int = 0
    scopes: tuple[Scope, ...] = ()
    reason: str = ""

    def scope(self, name: str) -> Scope | None:
        """What was measured in a scope; ``None`` where it was not asked for, or nothing was."""
        return next((one for one in self.scopes if one.scope == name and not one.reason), None)


@dataclass(frozen=True)
class Ceiling:
    """The rate of square matrix products in one number format: what the machine can do at the most.

    Attributes:
        precision: ``fp32`` or ``bf16``.
        size: side of the matrices at which it was highest.
        tflops: median over the windows, 10^12 floating-point operations a second, 2 a multiply-accumulate.
        low, high: slowest and quickest of the ``windows``.
        sizes: side -> median, of all that were tried.
    """

    precision: str
    size: int
    tflops: float
    low: float
    high: float
    windows: int
    sizes: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Machine:
    """Where it was measured; empty or ``None`` for what could not be read.

    Attributes:
        cpu: model.
        cores: of the machine.
        usable_cores: that this process may use.
        torch_threads: that torch computes with.
        memory_gib: of the machine.
        clock_mhz: mean of the cores, before the first measurement.
        governor: of the cores' clock.
        load_1m: mean number of busy processes in the minute before.
        gpu: name, driver; clocks, power limit and temperature after the last measurement.
        versions: of what computes; ``platform``: operating system.
    """

    cpu: str
    cores: int
    usable_cores: int
    torch_threads: int
    memory_gib: float | None = None
    clock_mhz: float | None = None
    governor: str = ""
    load_1m: float | None = None
    gpu: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""


@dataclass(frozen=True)
class Throughput:
    """All of ``throughput.json``.

    Attributes:
        schema: `SCHEMA`.
        hifibench: version.
        created: when, ISO 8601.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        precision: that was asked for.
        seconds: that one measurement may take.
        images: that are enough for one after a fifth of them.
        batches: of the sweep.
        inputs: what was swapped.
        machine: where.
        ceilings: one for each number format that a method ran in.
        methods: in the order asked for.
    """

    schema: int
    hifibench: str
    created: str
    device: str
    precision: str
    seconds: float
    images: int
    batches: tuple[int, ...]
    inputs: str
    machine: Machine
    ceilings: tuple[Ceiling, ...]
    methods: tuple[Method, ...]

    def method(self, name: str, card: str = "") -> Method | None:
        """What was measured of a method; of a card alone where that is named, since another card is another method."""
        return next((one for one in self.methods if one.name == name and card in ("", one.card)), None)


def write(path: Path, measured: Throughput) -> None:
    """Write the file, atomically."""
    atomic_write(path, json.dumps(asdict(measured), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read(path: Path) -> Throughput:
    """Read the file.

    Raises:
        UsageError: it is not there, is no such file, or of another version.
    """
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")), path)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} does not read: {first_line(error)}. Run 'hifibench throughput' again, or delete it."
        ) from error


def parse(raw: Any, path: Path) -> Throughput:
    """The records of parsed JSON; ``path`` is what messages call it.

    Raises:
        UsageError: it holds something else, or is of another version.
    """
    from pydantic import TypeAdapter, ValidationError

    schema = raw.get("schema") if isinstance(raw, dict) else None
    if schema != SCHEMA:
        raise UsageError(
            f"{path} has the schema {schema!r}; expected {SCHEMA}. Run 'hifibench throughput' again, or delete it."
        )
    try:
        return TypeAdapter(Throughput).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/" + "/".join(map(str, first["loc"]))
        raise UsageError(
            f"{path} does not read at {where}: {first['msg']}. Run 'hifibench throughput' again, or delete it."
        ) from error
