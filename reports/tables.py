"""The table of a run: what stands in which cell, before it becomes terminal text, Markdown, LaTeX or HTML.

Two views of the same numbers. `Table.leads` is what a reader sees first, laid out like a paper's tables: a row per
method, a column for each of the few metrics of HifiFace's Table 1, and those of its Table 2 where forgery detectors
judged. `Table.sections` holds every metric, by group; it is printed with a row per metric, because long protocol names
read well at the left of a row, not above a column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from reports import notes, speeds
from reports.glossary import DETECTION, KEY_METRICS, base, words
from reports.records import Method, Metric, Result, Run

MISSING = "—"
"""Stands for a number that was not measured."""

PARTIAL = "†"
"""Marks a number by an expert that took part in the method's training."""

REFUSED = "refused"
"""Stands for a number by an expert that took part in the method's training."""

POOR = "§"
"""Marks a metric that does not follow what it is to measure where the truth is known."""

TABLE_2 = "Forgery detectors, as in Table 2 of HifiFace"
"""Title of the second table."""

KEY_COUNT = 4
"""How many metrics the key table takes from a run that has none of `KEY_METRICS`."""


@dataclass(frozen=True)
class Cell:
    """One number as printed.

    Attributes:
        text: the number, or `MISSING`.
        interval: ``[low, high]``, empty where none can be given.
        leader: whether it beats every other method; printed bold.
        value: the number itself; ``None`` where missing.
        low: lower end of the 95 % interval.
        high: upper end of it.
        n: pairs that it is of, those that were not scored included; ``None`` where that is not a question.
        n_failed: how many of them were not scored.
    """

    text: str = MISSING
    interval: str = ""
    leader: bool = False
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    n_failed: int | None = None

    @property
    def counts(self) -> str:
        """``n 100``, or ``n 100, 2 failed``; empty where there is no number, or none that is of pairs."""
        return counts(self.n, self.n_failed) if self.value is not None else ""


@dataclass(frozen=True)
class Column:
    """What one number per method means.

    Attributes:
        name: unique; the metric's printed name, or ``failed``, ``latency``, ``params``, ``macs``, or that of a
            `reports.speeds.Measure`.
        title: what it is called.
        unit: of its numbers, may be empty.
        words: the protocol: estimator, gallery, what is timed.
        direction: which way is better; ``None`` where that is not a question.
        worst_of: for a worst-case column the metric it belongs to.
        group: the section it stands in.
        poor: the metric does not follow what it is to measure.
        calibration: what is known of it where the truth is known: floor, correlation, resolution.
    """

    name: str
    title: str
    unit: str = ""
    words: tuple[str, ...] = ()
    direction: Literal["up", "down"] | None = None
    worst_of: str | None = None
    group: str = ""
    poor: bool = False
    calibration: str = ""

    @property
    def measure(self) -> str:
        """Unit and arrow: ``(deg) ↓``."""
        arrow = {"up": "↑", "down": "↓", None: ""}[self.direction]
        return f"({self.unit}) {arrow}".strip() if self.unit else arrow

    @property
    def heading(self) -> str:
        """Title, mark, unit and arrow: ``Pose error (deg) ↓``."""
        return f"{self.title}{' ' + POOR if self.poor else ''} {self.measure}".strip()


@dataclass(frozen=True)
class Row:
    """One method: its name and whether it is a reference row."""

    name: str
    reference: bool


@dataclass(frozen=True)
class Section:
    """Columns that stand together under a title."""

    title: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Lead:
    """Columns that a reader sees first, with a row per method under a title."""

    title: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Table:
    """All numbers of a run, formatted.

    Attributes:
        caption: what was run.
        rows: reference rows first, then methods, each in the run's order.
        leads: what a reader sees first: the metrics of Table 1 under the caption, then those of Table 2.
        sections: all metrics by group, then the cost.
        cells: (method, column name) -> cell.
        notes: alarms first.
    """

    caption: str
    rows: tuple[Row, ...]
    leads: tuple[Lead, ...]
    sections: tuple[Section, ...]
    cells: Mapping[tuple[str, str], Cell]
    notes: tuple[notes.Note, ...]

    def cell(self, row: Row, column: Column) -> Cell:
        """The cell of a method in a column; an empty one where nothing was measured."""
        return self.cells.get((row.name, column.name), Cell())


def build(run: Run) -> Table:
    """The table of a run."""
    results = run.results
    methods = sorted(results.methods, key=lambda method: method.kind != "reference")
    by_metric: dict[str, dict[str, Result]] = {metric.name: {} for metric in results.metrics}
    for score in results.scores:
        by_metric[score.metric][score.method] = score

    caption = f"{results.title} ({results.n_pairs} {'pair' if results.n_pairs == 1 else 'pairs'})"
    cells: dict[tuple[str, str], Cell] = {}
    columns: dict[str, list[Column]] = {}
    unmeasured = notes.unmeasured(run)
    partial, refused = notes.partial(run), notes.refused(run)
    for metric in results.metrics:
        columns[metric.name] = _metric_columns(metric, by_metric[metric.name], cells, metric.name not in unmeasured)
        for name in partial:
            cell = cells.get((name, metric.name))
            if cell is not None and partial[name] & {*metric.needs}:
                text = marked(cell.text, cell.value, (name, metric.name) in refused)
                cells[name, metric.name] = replace(cell, text=text)
    counted = (score for score in results.scores if score.metric not in unmeasured)
    failed = _failed(methods, counted, results.n_pairs, cells)
    cost = _cost(methods, run, cells)
    shown = {"latency", *(one.name for one in speeds.first(run))}
    latency = [column for column in cost if column.name in shown]
    key = [column for metric in _key(results.metrics) for column in columns[metric.name]]
    leads = [Lead(caption, (*key, failed, *latency))]
    if detected := [column for metric in _detectors(results.metrics) for column in columns[metric.name]]:
        leads.append(Lead(TABLE_2, tuple(detected)))

    groups: dict[str, list[Column]] = {}
    for metric in results.metrics:
        groups.setdefault(metric.group or "other", []).extend(columns[metric.name])
    groups["cost"] = cost
    return Table(
        caption=caption,
        rows=tuple(Row(method.name, method.kind == "reference") for method in methods),
        leads=tuple(leads),
        sections=tuple(Section(title, tuple(listed)) for title, listed in groups.items() if listed),
        cells=cells,
        notes=tuple(notes.of(run)),
    )


def counts(n: int | None, n_failed: int | None) -> str:
    """How many pairs a number is of, and how many of them were not scored: ``n 100, 2 failed``."""
    if n is None:
        return ""
    return f"n {n}, {n_failed} failed" if n_failed else f"n {n}"


def finite(value: float | None) -> float | None:
    """The number; ``None`` for what is none (NaN, infinite)."""
    return value if value is not None and math.isfinite(value) else None


def number(value: float | None, decimals: int) -> str:
    """Fixed decimals without a negative zero; `MISSING` for what is no number."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def marked(text: str, value: float | None, refused: bool) -> str:
    """What is printed of a number by an expert that took part in the method's training."""
    if value is None:
        return f"{REFUSED} {PARTIAL}" if refused else text
    return f"{text} {PARTIAL}"


def quantity(value: float | None) -> str:
    """Three significant digits with an SI prefix: ``12.3 M``; `MISSING` for what is no number."""
    if value is None or not math.isfinite(value):
        return MISSING
    for factor, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        # Half a unit in the third digit below the factor already rounds up to it.
        if abs(value) >= factor * 0.9995:
            scaled = value / factor
            return f"{scaled:.{2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0}f}{prefix}"
    return f"{value:.0f}"


def calibrated(metric: Metric) -> str:
    """What is known of a metric where the truth is known, in a few words; empty where nothing is.

    Example:
        >>> from reports.records import Calibration
        >>> known = Calibration(floor=0.5, series="yaw", rho=0.97, resolution=0.11, pairs=100)
        >>> calibrated(Metric("pose[mediapipe]", "Pose error", "deg", "down", calibration=known))
        'floor 0.50, ρ 0.97 (yaw), resolves 0.11 at 100 pairs'
    """
    known = metric.calibration
    if known is None:
        return ""
    said = [] if known.floor is None else [f"floor {number(known.floor, metric.decimals)}"]
    if known.rho is not None:
        said.append(f"ρ {known.rho:.2f} ({known.series})")
    if known.resolution is not None:
        said.append(f"resolves {known.resolution:.2g} at {known.pairs} pairs")
    return ", ".join(said)


def _detectors(metrics: Iterable[Metric]) -> list[Metric]:
    """The metrics of Table 2, those of one detector side by side."""
    listed = [metric for metric in metrics if base(metric.name) in DETECTION]
    detectors = list(dict.fromkeys(words(metric.name) for metric in listed))
    return sorted(listed, key=lambda metric: (detectors.index(words(metric.name)), DETECTION.index(base(metric.name))))


def _key(metrics: Iterable[Metric]) -> list[Metric]:
    listed = list(metrics)
    first = {base(metric.name): metric for metric in reversed(listed)}
    return [first[name] for name in KEY_METRICS if name in first] or listed[:KEY_COUNT]


def _metric_columns(
    metric: Metric, scores: Mapping[str, Result], cells: dict[tuple[str, str], Cell], measured: bool
) -> list[Column]:
    column = Column(
        metric.name,
        metric.title,
        metric.unit,
        words(metric.name),
        metric.direction,
        group=metric.group,
        poor=metric.calibration is not None and metric.calibration.poor,
        calibration=calibrated(metric),
    )
    for method, score in scores.items():
        bounds = [number(bound, metric.decimals) for bound in (score.low, score.high)]
        cells[method, metric.name] = Cell(
            text=number(score.value, metric.decimals),
            interval="" if MISSING in bounds else f"[{bounds[0]}, {bounds[1]}]",
            leader=method == metric.leader and finite(score.value) is not None,
            value=finite(score.value),
            low=finite(score.low),
            high=finite(score.high),
            n=score.n,
            n_failed=score.n_failed,
        )
    if not measured or not any(score.n_failed for score in scores.values()):
        return [column]
    # Methods are not to gain by failing on hard pairs, so a mean over what was left never stands alone.
    worst = Column(
        f"{metric.name} worst case",
        "worst case",
        metric.unit,
        direction=metric.direction,
        worst_of=metric.name,
        group=metric.group,
    )
    for method, score in scores.items():
        text = number(score.worst_case, metric.decimals)
        cells[method, worst.name] = Cell(text, value=finite(score.worst_case))
    return [column, worst]


def _failed(
    methods: Iterable[Method], scores: Iterable[Result], pairs: int, cells: dict[tuple[str, str], Cell]
) -> Column:
    """The pairs that one metric could not score, at the most, per method, of all pairs of the run."""
    most: dict[str, int] = {}
    for score in scores:
        most[score.method] = max(most.get(score.method, 0), score.n_failed)
    for method in methods:
        if method.name in most:
            # Of all pairs, also where the metric that missed most has something to score in a few only.
            cells[method.name, "failed"] = Cell(f"{most[method.name]}/{pairs}", value=float(most[method.name]))
    return Column("failed", "Not scored", "pairs", direction="down", group="failures")


def _cost(methods: Iterable[Method], run: Run, cells: dict[tuple[str, str], Cell]) -> list[Column]:
    columns = [
        *(_speeds(run, cells) if speeds.known(run) else _latency(methods, run, cells)),
        Column("params_trainable", "Trainable parameters", group="cost"),
        Column("params_frozen", "Frozen parameters", group="cost"),
        Column("macs", "Multiply-accumulates", direction="down", group="cost"),
    ]
    for method in methods:
        if method.cost is not None:
            for name in ("params_trainable", "params_frozen", "macs"):
                count = getattr(method.cost, name)
                cells[method.name, name] = Cell(quantity(count), value=count)
    # Of a cost that nobody has counted only the latency is worth a row of dashes: that one can always be measured.
    known = {name for (_, name), cell in cells.items() if cell.value is not None}
    return [column for column in columns if column.name in known or column.name == "latency"]


def _latency(methods: Iterable[Method], run: Run, cells: dict[tuple[str, str], Cell]) -> list[Column]:
    """The times that the run took of itself."""
    scopes = tuple(dict.fromkeys(latency.scope for latency in run.timing.methods.values()))
    for method in methods:
        timed = run.timing.methods.get(method.name)
        if timed is not None:
            for name, value in (("latency", timed.ms_p50), ("latency_p90", timed.ms_p90)):
                text = number(value, 0 if value >= 100 else 1)
                cells[method.name, name] = Cell(text, value=finite(value), n=timed.n)
    return [
        Column("latency", "Latency, median", "ms", scopes, "down", group="cost"),
        Column("latency_p90", "Latency, p90", "ms", scopes, "down", group="cost"),
    ]


def _speeds(run: Run, cells: dict[tuple[str, str], Cell]) -> list[Column]:
    """What ``hifibench throughput`` measured."""
    columns = []
    for measure in speeds.measures(run):
        columns.append(Column(measure.name, *measure[1:5], group="cost"))
        for method, one in measure.values.items():
            # Without n: it counts what went round, not pairs of the run.
            cells[method, measure.name] = Cell(one.text, one.interval, value=one.value, low=one.low, high=one.high)
    return columns
