"""Changes, their intervals and rankings, by hand-made scores."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from hifibench.compression import Compression
from hifibench.errors import UsageError
from metrics.statistics import paired_difference
from reports.records import Method, Metric, Result, Results, Run, Timing
from reports.robustness import Robustness, Shift, build
from reports.robustness_formats import as_json, markdown, show

POSE = Metric("pose[mediapipe]", "Pose error", "deg", "down", 2, "attributes")
SET = Metric("kid[inception]", "KID", "", "down", 3, "realism", whole=True)
JPEG, C40 = Compression.parse("jpeg:75"), Compression.parse("c40")
VIDEOS = {f"p{k}": f"v{k // 2}" for k in range(6)}
Table = Mapping[str, Sequence[float]]

BEFORE = {"copy": [0, 0, 0, 0, 0, 0], "a": [1, 2, 3, 4, 5, 6], "b": [2, 3, 4, 5, 6, 7], "c": [9, 9, 9, 9, 9, 9]}
AFTER = {"copy": [1, 1, 1, 1, 1, 1], "a": [8, 8, 8, 9, 8, math.nan], "b": [3, 4, 5, 6, 6, 8], "c": [9, 9, 9, 9, 9, 9]}


def run(folder: Path, values: Table, sets: Mapping[str, float | None], manifest: str = "m") -> Run:
    folder.mkdir()
    rows = [
        {"method": method, "pair": pair, "metric": metric.name, "value": value}
        for method, row in values.items()
        for metric in (POSE, SET)
        for pair, value in zip(VIDEOS, row, strict=True)
    ]
    pd.DataFrame(rows).sample(frac=1, random_state=0).to_parquet(folder / "scores.parquet")
    scores = []
    for method, row in values.items():
        known = [one for one in row if math.isfinite(one)]
        mean = sum(known) / len(known) if known else None
        scores.append(Result(method, POSE.name, mean, 0.0, 9.0, 6, sum(map(math.isnan, row))))
        scores.append(Result(method, SET.name, sets[method], None, None, 6, 0))
    methods = tuple(Method(name, "reference" if name == "copy" else "method") for name in values)
    results = Results("tiny", "Tiny", manifest, 0, 6, methods, (POSE, SET), tuple(scores))
    return Run(folder, results, Timing(), {}, (), VIDEOS)


@pytest.fixture
def made(tmp_path: Path) -> Robustness:
    before = run(tmp_path / "before", BEFORE, {"copy": 0.1, "a": 0.5, "b": 0.25, "c": None})
    jpeg = run(tmp_path / "jpeg", BEFORE, {"copy": 0.1, "a": 0.5, "b": 0.25, "c": None})
    after = run(tmp_path / "after", AFTER, {"copy": 0.2, "a": 0.25, "b": 0.5, "c": 1.0})
    return build(before, {JPEG: jpeg, C40: after}, {SET.name}, draws=500)


def of(made: Robustness, metric: int, method: str, how: str = "c40") -> Shift:
    return made.metrics[metric].of(method, how)


def test_a_change_is_the_paired_difference_of_the_pairs_scored_both_times(made: Robustness) -> None:
    clusters = list(VIDEOS.values())
    for method in BEFORE:
        wanted = paired_difference(
            np.array(AFTER[method]), np.array(BEFORE[method], float), clusters, seed=0, draws=500
        )
        assert of(made, 0, method).change == pytest.approx(tuple(wanted))
    assert of(made, 0, "a").change.value == pytest.approx(26 / 5) and of(made, 0, "a").n_failed == 1
    assert of(made, 0, "a", "jpeg:75").change == (0, 0, 0)
    assert of(made, 0, "a", "").change == (None, None, None)


def test_numbers_of_a_set_change_by_their_difference_and_have_no_interval(made: Robustness) -> None:
    assert of(made, 1, "a").change == (-0.25, None, None)
    assert of(made, 1, "c").change == (None, None, None) and of(made, 1, "c").value == 1.0


def test_pairs_in_which_there_is_nothing_to_score_do_not_change(tmp_path: Path) -> None:
    nothing = [math.inf, 1.0, 2.0, 3.0, 4.0, math.inf]
    before, after = (run(tmp_path / f"run{k}", {"a": [one + k for one in nothing]}, {"a": None}) for k in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = build(before, {C40: after}, {SET.name}, draws=100)
    assert of(made, 0, "a").change == (1, 1, 1)


def test_rankings_are_those_of_the_competing_methods_alone(made: Robustness) -> None:
    pose, kid = (metric.rankings for metric in made.metrics)
    assert [(one.through, one.tau, one.n_methods) for one in pose] == [
        ("jpeg:75", pytest.approx(1), 3),
        ("c40", pytest.approx(1 / 3), 3),  # a and b change places; the reference row does not count
    ]
    assert [(one.tau, one.n_methods) for one in kid] == [(pytest.approx(1), 2), (pytest.approx(-1), 2)]


def test_one_method_has_no_ranking_and_equal_ones_neither(tmp_path: Path) -> None:
    for name, table in (("one", {"a": [1.0] * 6}), ("same", {"a": [1.0] * 6, "b": [1.0] * 6})):
        runs = [run(tmp_path / f"{name}{k}", table, dict.fromkeys(table, 0.0)) for k in range(2)]
        made = build(runs[0], {C40: runs[1]}, {SET.name}, draws=10)
        assert made.metrics[0].rankings[0].tau is None
        assert made.metrics[0].rankings[0].n_methods == len(table)


@pytest.mark.parametrize("change", [{"manifest": "other"}, {"metrics": (SET, POSE)}, {"methods": ()}])
def test_another_run_is_refused(tmp_path: Path, change: dict) -> None:
    one = run(tmp_path / "one", BEFORE, dict.fromkeys(BEFORE, 0.0))
    other = replace(one, results=replace(one.results, **change))
    with pytest.raises(UsageError, match=r"other images, methods or metrics.*remove it.*c40"):
        build(one, {C40: other})


def test_scores_that_are_gone_are_said(tmp_path: Path) -> None:
    one = run(tmp_path / "one", BEFORE, dict.fromkeys(BEFORE, 0.0))
    (one.folder / "scores.parquet").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"scores\.parquet is damaged"):
        build(one, {C40: one})


def test_the_json_holds_all_digits(made: Robustness) -> None:
    raw = json.loads(as_json(made))
    assert (
        raw["schema"] == 1 and list(raw["through"]) == ["jpeg:75", "c40"] and {"av", "pillow"} == set(raw["encoders"])
    )
    pose, kid = raw["metrics"]
    (a,) = [row for row in pose["scores"] if (row["method"], row["through"]) == ("a", "c40")]
    assert a["change"]["value"] == pytest.approx(5.2) and a["n_failed"] == 1 and a["value"] == pytest.approx(8.2)
    assert kid["rankings"][1] == {"through": "c40", "tau": pytest.approx(-1), "n_methods": 2}


def test_the_markdown_holds_every_number_with_its_change(made: Robustness) -> None:
    text = markdown(made)
    assert "| Pose error (deg) ↓ mediapipe | 1.00 | 0.33 |" in text
    assert "| a | 3.50 | 3.50<br>+0.00 [0.00, 0.00] | 8.20 (1/6 not scored)<br>+5.20 [" in text
    assert "| *copy* | 0.00 | 0.00<br>" in text
    assert "| b | 0.250 | 0.250<br>+0.000 | 0.500<br>+0.250 |" in text
    assert "| c | — | — | 1.000 |" in text


@pytest.mark.parametrize("width", [50, 80, 200])
def test_the_terminal_shows_all_whatever_its_width(made: Robustness, width: int) -> None:
    out = io.StringIO()
    show(made, Console(file=out, width=width))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    for words in ("8.20 (1/6 not scored)", "+5.20", "-0.250", "as it is", "c40", "0.33"):
        assert words in text
