"""How far a number may move before a gate fails: over the same pairs, and over other pairs of the same suite.

Over the same pairs nothing is drawn anew, so that only arithmetic may differ: another processor, another version of a
library. Over other pairs both numbers have sampling errors, which their intervals tell. Why these values: docs/gate.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_CEILING, Context
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reports.gates.golden import GoldenMetric, Number

OF_INTERVAL = 0.25
"""Share of an interval's half width that another processor or library may move a number by, over the same pairs."""

RELATIVE = 1e-3
"""Share of the number itself that they may move it by: float32 sums in another order agree to about this."""

OF_PAIRS = 0.02
"""Share of the pairs that may fail more, or fewer, than before, over the same pairs."""

LEVEL = 0.95
"""How often all numbers of a run of other pairs stay within their tolerances together where nothing has changed."""


class Chance(NamedTuple):
    """What chance has to do with two runs of different pairs.

    Attributes:
        family: comparisons that are made together.
        videos: of the golden run and of the other: what was drawn, since frames of one video are not independent.
    """

    family: int
    videos: tuple[int, int]


def family(values: Iterable[float | None]) -> int:
    """How many comparisons a gate makes of these numbers: each, and how many of its pairs failed."""
    return 2 * sum(value is not None for value in values)


def same(golden: Number, metric: GoldenMetric) -> float:
    """How far arithmetic alone may move a number over the same pairs, in its unit.

    The largest of a quarter of the interval's half width, half a unit in the last printed digit, a thousandth of the
    number, and for rates one pair: a retrieval that hangs on the seventh digit falls either way.
    """
    parts = [0.5 * 10.0**-metric.decimals, RELATIVE * abs(golden.value or 0.0)]
    if golden.low is not None and golden.high is not None:
        parts.append(OF_INTERVAL * (golden.high - golden.low) / 2)
    if metric.rate:
        parts.append(100 / max(golden.n - golden.n_failed, 1))
    return max(parts)


def other(golden: Number, run: Number, metric: GoldenMetric, chance: Chance) -> float | None:
    """How far the draw of other pairs may move a number, in its unit; ``None`` where an interval is missing.

    Both numbers have sampling errors, whose 95 % intervals are known: the reach towards each other of both, squared and
    added, since they are independent, and widened from 95 % for one number to `LEVEL` for all comparisons together
    (Bonferroni; Student's t with the videos' degrees of freedom, since few videos have heavier tails). It is never less
    than arithmetic may move the number by.

    Source:
        Zou and Donner, Construction of confidence limits about effect measures: A general approach, Statistics in
        Medicine 27, 2008: an interval of a difference from those of its terms, which need not be symmetric. Where they
        are, it is the root of the sum of the squared half widths.
    """
    ends = (golden.value, golden.low, golden.high, run.value, run.low, run.high)
    known = [end for end in ends if end is not None and math.isfinite(end)]
    if len(known) < len(ends):
        return None
    value, low, high, now, now_low, now_high = known
    up, down = math.hypot(high - value, now - now_low), math.hypot(value - low, now_high - now)
    reach = up if now > value else down if now < value else max(up, down)
    drawn = (_drawn(number.n - number.n_failed, of) for number, of in zip((golden, run), chance.videos, strict=True))
    return max(same(golden, metric), reach * _wider(chance.family, sum(drawn)))


def failures(golden: Number, run: Number, chance: Chance | None) -> float:
    """How many more or fewer pairs may fail than in the golden run, over the same pairs (no ``chance``) or others."""
    return _count((golden.n_failed, golden.n), (run.n_failed, run.n), chance)


def asked(golden: Number, run: Number, n_pairs: tuple[int, int], chance: Chance | None) -> float:
    """In how many more or fewer of the runs' pairs there may be anything to score, as glasses to keep."""
    return _count((golden.n, n_pairs[0]), (run.n, n_pairs[1]), chance)


def _count(golden: tuple[int, int], run: tuple[int, int], chance: Chance | None) -> float:
    """One pair, or 2 % of all; over other pairs no less than chance moves two shares apart."""
    allowed = max(1.0, OF_PAIRS * golden[1])
    return allowed if chance is None else max(allowed, _apart(golden, run, chance))


def _apart(golden: tuple[int, int], run: tuple[int, int], chance: Chance) -> float:
    """By how much chance moves a count of pairs, given counts and pairs of both runs; in pairs of the golden run."""
    (count, n), (now_count, now_n) = golden, run
    if not n or not now_n:
        return 0.0
    share = min((count + now_count) / (n + now_n), 1.0)
    drawn = [_drawn(size, of) for size, of in zip((n, now_n), chance.videos, strict=True)]
    error = math.sqrt(share * (1 - share) * sum(1 / one for one in drawn))
    return n * error * _wider(chance.family, sum(drawn)) * _ONE


def _drawn(pairs: int, videos: int) -> int:
    """What was drawn independently: videos, where there are several pairs of each; else pairs."""
    return max(min(pairs, videos or pairs), 1)


_ONE = 1.959963984540054
"""Standard errors in half a 95 % interval."""


def _wider(family: int, drawn: int) -> float:
    """How much wider than one 95 % interval one of ``family`` simultaneous ones is, of two means over ``drawn``."""
    from scipy.stats import t

    return float(t.ppf(1 - (1 - LEVEL) / (2 * max(family, 1)), max(drawn - 2, 1))) / _ONE


def rounded_up(value: float) -> float:
    """Three significant digits, never less than the nine digits that results are written with."""
    # The ninth digit is not looked beyond, so that a sum of floats just above 0.1 stays 0.1.
    return float(Context(prec=3, rounding=ROUND_CEILING).create_decimal(f"{value:.9g}"))
