"""What a calibration holds: frozen records, the same in a file and on a page. A number that cannot be given is None."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SCHEMA = 1
"""Version of ``calibration.json``."""


@dataclass(frozen=True)
class Floor:
    """What a metric says of a perfect swap: its value where nothing is wrong.

    Attributes:
        again: of the true swap rendered again with other sensor noise.
        re_encode: of the true swap through JPEG 90.
    """

    again: float | None
    re_encode: float | None


@dataclass(frozen=True)
class Resolution:
    """The smallest change that a number of pairs tells from none; see `metrics.dose_response.smallest`."""

    metric: float | None
    dose: float | None


@dataclass(frozen=True)
class Curve:
    """How one metric answers to one series of doses.

    Attributes:
        name: of the series.
        title: of the series.
        unit: of the amounts.
        doses: as the methods are named.
        amounts: mean amount of each dose, in ``unit``.
        means: mean change from the undamaged swap.
        low: lower ends of the means' 95 % intervals (bootstrap, clustered by the target's video).
        high: upper ends.
        n: pairs scored at each dose.
        rho: Spearman's correlation of amount and value within a pair, averaged; `metrics.dose_response.respond`.
        rho_low: lower end of its interval; none where the metric is not judged by the series.
        rho_high: upper end.
        slope: mean change per unit at the smallest dose.
        resolution: number of pairs -> what they resolve.
        responds: the metric is judged by this series.
        expected: the metric rightly moves with this series; where neither, it should not.
        effect: largest mean change, as a share of the way from floor to ceiling.
    """

    name: str
    title: str
    unit: str
    doses: tuple[float, ...]
    amounts: tuple[float | None, ...]
    means: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    n: tuple[int, ...]
    rho: float | None
    rho_low: float | None
    rho_high: float | None
    slope: float | None
    resolution: Mapping[int, Resolution]
    responds: bool
    expected: bool
    effect: float | None

    def resolves(self, pairs: int) -> float | None:
        """The smallest change in the metric's unit that any number of pairs tells from none: it falls with the root."""
        known, found = next(iter(self.resolution.items()), (0, None))
        return None if found is None or found.metric is None else found.metric * math.sqrt(known / pairs)


@dataclass(frozen=True)
class Entry:
    """The calibration of one metric.

    Attributes:
        name: printed name of the metric.
        title: of the metric.
        unit: of the metric.
        direction: which way is better.
        decimals: digits after the point in tables.
        group: of the metric.
        pairs: how many pairs it was calibrated on.
        floor: its value for a perfect swap.
        ceiling: its value for a swap without any of the property.
        ceiling_of: the row that gave the ceiling.
        series: its answers, in the order of `hifibench.calibration.series.SERIES`.
        poor: it does not follow what it is made to measure.
        reason: why it is poor.
        experts: expert that it reads -> hash of the card it was calibrated under.
    """

    name: str
    title: str
    unit: str
    direction: Literal["up", "down"]
    decimals: int
    group: str
    pairs: int
    floor: Floor
    ceiling: float | None
    ceiling_of: str
    series: tuple[Curve, ...]
    poor: bool
    reason: str
    experts: Mapping[str, str]

    @property
    def judged(self) -> tuple[Curve, ...]:
        """The series that it is judged by; none: it is not calibrated."""
        return tuple(curve for curve in self.series if curve.responds)

    @property
    def weakest(self) -> Curve | None:
        """The series that it is judged by and follows least."""
        return min(self.judged, key=lambda curve: abs(curve.rho or 0.0), default=None)


@dataclass(frozen=True)
class Calibration:
    """All that one call of ``hifibench calibrate`` found.

    Attributes:
        schema: version of this layout.
        heads: version of the rendered heads.
        hifibench: version of the harness.
        pairs: how many.
        seed: of the pairs and the intervals.
        manifest: hash of the images and pairs.
        metrics: one entry for each.
    """

    schema: int
    heads: int
    hifibench: str
    pairs: int
    seed: int
    manifest: str
    metrics: tuple[Entry, ...]


def number(value: float | None) -> float | None:
    """Nine significant digits, as in ``results.json``; ``None`` for what is no number."""
    return float(f"{value:.9g}") if value is not None and math.isfinite(value) else None
