"""What a finished run is: the records that the reports are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hifibench.records import Cost
from hifibench.throughput.records import Throughput


@dataclass(frozen=True)
class Method:
    """One row of the tables.

    Attributes:
        name: the row's name.
        kind: ``reference`` rows bound the scale, ``method`` rows compete.
        summary: one line.
        paper: citation, empty for controls.
        licence: of code and weights.
        limits: what it cannot do.
        trained_with: experts that took part in its training, and so cannot judge it.
        card: SHA-256 of the card it ran under.
        cost: parameters and multiply-accumulates of one swap, where counted.
        status: how many pairs ended how (`hifibench.records.Status` values).
        messages: what failed pairs said, each once.
    """

    name: str
    kind: Literal["reference", "method"]
    summary: str = ""
    paper: str = ""
    licence: str = ""
    limits: str = ""
    trained_with: tuple[str, ...] = ()
    card: str = ""
    cost: Cost | None = None
    status: Mapping[str, int] = field(default_factory=dict)
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expert:
    """A frozen network that took part: name, one line, citation, licence of its weights, known errors, card hash."""

    name: str
    summary: str = ""
    paper: str = ""
    licence: str = ""
    limits: str = ""
    card: str = ""


@dataclass(frozen=True)
class Calibration:
    """What is known of a metric from images whose truth is known (`hifibench calibrate`).

    Attributes:
        floor: its value on the truth itself, rendered once more: what an estimator says where nothing is wrong.
        ceiling: its value where all is wrong.
        series: what was changed by known amounts.
        rho: Spearman's correlation of those amounts with the metric's answer, between -1 and 1.
        resolution: smallest difference, in the metric's unit, that it can tell at ``pairs`` pairs.
        pairs: the number of pairs of the run.
        poor: it does not follow what it is to measure.
        reason: why it is poor, or why little is known.
        made_on: pairs that it was calibrated on; 0 where that is not told.
        manifest: hash of the images and pairs that it was calibrated on.
    """

    floor: float | None = None
    ceiling: float | None = None
    series: str = ""
    rho: float | None = None
    resolution: float | None = None
    pairs: int = 0
    poor: bool = False
    reason: str = ""
    made_on: int = 0
    manifest: str = ""


@dataclass(frozen=True)
class Metric:
    """What was measured.

    Attributes:
        name: printed name with its protocol, such as ``pose[mediapipe]``.
        title: what a table's header says.
        unit: ``%``, ``deg``, empty for pure numbers.
        direction: whether a higher or a lower value is better.
        decimals: digits after the point.
        group: metrics of one group stand together.
        needs: experts whose observations it read.
        leader: the method whose paired interval against every other method excludes 0, else ``None``.
        calibration: ``None`` where the metric was never calibrated under these cards.
        rate: a share of the pairs: each pair's value is 0 or 100.
        whole: the number belongs to the set of swaps and is no mean over pairs, as an area under a curve.
    """

    name: str
    title: str
    unit: str
    direction: Literal["up", "down"]
    decimals: int = 2
    group: str = ""
    needs: tuple[str, ...] = ()
    leader: str | None = None
    calibration: Calibration | None = None
    rate: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Result:
    """One metric of one method: a `hifibench.records.Score` with ``None`` for what could not be computed."""

    method: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    n_failed: int
    worst_case: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Part:
    """The scores of one part of a split.

    Attributes:
        split: printed name with its protocol, such as ``yaw[mediapipe]``.
        title: what a table calls it.
        unit: of the quantity that divides.
        level: the part, such as ``hard``.
        n: its pairs.
        scores: of all methods and metrics over them.
    """

    split: str
    title: str
    unit: str
    level: str
    n: int
    scores: tuple[Result, ...]


@dataclass(frozen=True)
class Check:
    """Whether one expectation about the reference rows holds; ``skipped`` where the run lacks rows that it takes."""

    name: str
    ok: bool
    detail: str = ""
    skipped: bool = False


@dataclass(frozen=True)
class GallerySize:
    """How many images of how many people identity retrieval searched."""

    images: int
    identities: int


@dataclass(frozen=True)
class Latency:
    """Milliseconds per swap: median and 90th percentile of ``n``; ``scope`` says what was timed."""

    n: int
    ms_p50: float
    ms_p90: float
    scope: str


@dataclass(frozen=True)
class Results:
    """``results.json``: the same for the same suite, seed and machine."""

    suite: str
    title: str
    manifest: str
    seed: int
    n_pairs: int
    methods: tuple[Method, ...]
    metrics: tuple[Metric, ...]
    scores: tuple[Result, ...]
    origin: str = ""
    galleries: Mapping[str, GallerySize] = field(default_factory=dict)
    protocol: Mapping[str, str] = field(default_factory=dict)
    experts: tuple[Expert, ...] = ()
    checks: tuple[Check, ...] = ()
    splits: tuple[Part, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """``timing.json``: latencies and the hardware they were measured on."""

    hardware: Mapping[str, Any] = field(default_factory=dict)
    methods: Mapping[str, Latency] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """One pair to look at: PNG files of full frames; ``swaps`` lacks the methods that made no image."""

    pair: str
    source: Path
    target: Path
    swaps: Mapping[str, Path]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where it lies.
        results: aggregates.
        timing: latencies; empty where none were measured.
        provenance: ``run.json`` as it stands: versions, commit, command, licences and more.
        examples: the pairs kept to look at, in the manifest's order.
        videos: pair -> video of its target; empty where the manifest is gone.
        schema: version of its ``results.json``; `reports.results.migrate` put older ones into the words of the newest.
        throughput: what ``hifibench throughput --run`` measured; ``None`` where it never did.
        missing: what of the run is gone or cannot be read, such as deleted images: one phrase each, for a reader of the
            report; empty where all is there.
    """

    folder: Path
    results: Results
    timing: Timing
    provenance: Mapping[str, Any]
    examples: tuple[Example, ...]
    videos: Mapping[str, str] = field(default_factory=dict)
    schema: int = 3
    missing: tuple[str, ...] = ()
    throughput: Throughput | None = None
