from __future__ import annotations

from dataclasses import replace

import pytest

from reports.printed import column, interval, width
from reports.records import Calibration, Metric

POSE = Metric("pose[mediapipe,yaw]", "Pose error", "deg", "down", group="attributes")


def test_a_column_says_what_a_metric_is() -> None:
    made = column(POSE)
    assert (made.name, made.heading, made.words) == (POSE.name, "Pose error (deg) ↓", ("mediapipe", "yaw"))
    assert made.group == "attributes" and not made.poor
    poor = column(replace(POSE, direction="up", calibration=Calibration(poor=True)))
    assert poor.heading == "Pose error § (deg) ↑"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(1.0, 2.345, "[1.00, 2.35]"), (-0.001, 1.0, "[0.00, 1.00]"), (None, 1.0, ""), (1.0, None, ""),
     (float("nan"), 1.0, ""), (0.0, float("inf"), "")],
)  # fmt: skip
def test_an_interval_has_both_ends_or_is_none(low: float | None, high: float | None, text: str) -> None:
    assert interval(low, high, 2) == text


def test_a_column_is_as_wide_as_its_longest_word_or_line() -> None:
    assert width(column(POSE), ["1", "12"]) == len("mediapipe")
    assert width(column(POSE), ["1\n[1.00000, 2.00000]", "12"]) == len("[1.00000, 2.00000]")
    assert width(column(POSE), []) == len("mediapipe")
