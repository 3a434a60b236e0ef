"""How far numbers may move, in closed form and by simulation."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from reports.gates import tolerances
from reports.gates.golden import GoldenMetric, Number
from reports.gates.tolerances import Chance, rounded_up

DEGREES = GoldenMetric(unit="deg", direction="down", decimals=2)
RATE = GoldenMetric(unit="%", direction="up", decimals=1, rate=True)


def number(
    value: float, low: float | None = None, high: float | None = None, n: int = 100, n_failed: int = 0
) -> Number:
    return Number(method="m", metric="x", value=value, low=low, high=high, n=n, n_failed=n_failed)


@pytest.mark.parametrize(
    ("made", "metric", "expected"),
    [
        (number(5.0, 4.0, 6.0), DEGREES, 0.25),
        (number(5.0), DEGREES, 0.005),
        (number(50.0), DEGREES, 0.05),
        (number(-50.0), DEGREES, 0.05),
        (number(90.0, 89.0, 91.0), RATE, 1.0),
        (number(90.0, 89.0, 91.0, n=100, n_failed=50), RATE, 2.0),
        (number(0.0, 0.0, 0.0, n=10, n_failed=10), RATE, 100.0),
    ],
    ids=["interval", "digit", "relative", "negative", "one pair", "one of the scored pairs", "none scored"],
)
def test_over_the_same_pairs(made: Number, metric: GoldenMetric, expected: float) -> None:
    assert tolerances.same(made, metric) == pytest.approx(expected)


def test_over_other_pairs_symmetric_intervals_add_as_squares() -> None:
    chance = Chance(40, (100, 100))
    golden, run = number(5.0, 4.0, 6.0), number(7.0, 5.0, 9.0)
    wider = stats.t.ppf(1 - 0.05 / 80, 198) / stats.norm.ppf(0.975)
    assert tolerances.other(golden, run, DEGREES, chance) == pytest.approx(wider * math.hypot(1, 2))


def test_over_other_pairs_the_ends_that_face_each_other_count() -> None:
    chance = Chance(1, (10_000, 10_000))
    none, few = number(0.0, 0.0, 3.0), number(6.0, 4.0, 12.0)
    up = tolerances.other(none, few, RATE, chance)
    down = tolerances.other(few, none, RATE, chance)
    assert up is not None and up == pytest.approx(math.hypot(3.0, 2.0), rel=0.01)
    assert down == pytest.approx(up)


def test_over_other_pairs_one_comparison_of_many_pairs_is_the_interval_itself() -> None:
    # Newcombe's interval of a difference of shares (method 10), made by another library.
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

    (a, n), (b, m) = (30, 4000), (90, 5000)
    golden, run = (
        number(100 * k / size, *(100 * end for end in proportion_confint(k, size, method="wilson")), n=size)
        for k, size in ((a, n), (b, m))
    )
    low, _ = confint_proportions_2indep(b, m, a, n, method="newcomb", compare="diff")
    reach = tolerances.other(golden, run, RATE, Chance(1, (0, 0)))
    assert reach == pytest.approx(100 * (b / m - a / n - low), rel=1e-3)


def test_over_other_pairs_it_takes_all_intervals() -> None:
    chance = Chance(1, (100, 100))
    assert tolerances.other(number(1.0), number(1.0, 0.5, 1.5), DEGREES, chance) is None
    assert tolerances.other(number(1.0, 0.5, 1.5), number(1.0, 0.5), DEGREES, chance) is None


def test_over_other_pairs_no_less_than_over_the_same() -> None:
    certain = number(1.0, 1.0, 1.0)
    assert tolerances.other(certain, certain, DEGREES, Chance(1, (100, 100))) == tolerances.same(certain, DEGREES)


def test_few_videos_and_many_comparisons_widen() -> None:
    one = number(5.0, 4.0, 6.0)

    def at(family: int, videos: int) -> float:
        reach = tolerances.other(one, one, DEGREES, Chance(family, (videos, videos)))
        assert reach is not None
        return reach

    assert at(1, 100) < at(100, 100) < at(100, 8)
    # Where nobody knows the videos, pairs count as drawn.
    assert at(100, 0) == at(100, 100)


def test_failed_pairs() -> None:
    assert tolerances.failures(number(1.0, n=10), number(1.0, n=10), None) == 1.0
    assert tolerances.failures(number(1.0, n=1000), number(1.0, n=1000), None) == 20.0
    chance = Chance(1, (0, 0))
    allowed = tolerances.failures(number(1.0, n=400, n_failed=40), number(1.0, n=400, n_failed=40), chance)
    assert allowed == pytest.approx(400 * math.sqrt(0.1 * 0.9 * 2 / 400) * 1.96, rel=0.01)
    assert tolerances.failures(number(1.0, n=0), number(1.0, n=0), chance) == 1.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [(100 / 24, 4.17), (0.05, 0.05), (1234.5, 1240.0), (9.991, 10.0), (0.0, 0.0), (2.5e-7, 2.5e-7)],
)
def test_rounded_up(value: float, expected: float) -> None:
    assert rounded_up(value) == expected
    assert rounded_up(value) >= value
