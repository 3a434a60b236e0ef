"""The golden file: what is written, read, kept and refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import gate_runs
import pytest
from gate_runs import POSE, RETRIEVAL, SHAPE

from hifibench.errors import UsageError
from reports.gates import golden
from reports.gates import update as golden_update
from reports.gates.golden import Golden


def number(made: Golden, method: str, metric: str) -> golden.Number:
    return next(one for one in made.numbers if one.key == (method, metric))


def edited(path: Path, change: Any) -> Path:
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "golden.json"
    golden.write(golden.of(gate_runs.run()), path)
    return path


def test_what_is_written_is_read_again(file: Path) -> None:
    assert golden.read(file) == golden.of(gate_runs.run())


def test_the_file_has_a_line_per_number_and_is_sorted(file: Path) -> None:
    text = file.read_text()
    made = golden.read(file)
    assert [one.key for one in made.numbers] == sorted(one.key for one in made.numbers)
    lines = [line for line in text.splitlines() if line.startswith('  {"method"')]
    assert [(raw["method"], raw["metric"]) for raw in (json.loads(line.rstrip(",")) for line in lines)] == [
        one.key for one in made.numbers
    ]
    assert len(lines) == 12
    assert '"by_hand"' not in text


def test_the_order_of_a_run_does_not_matter() -> None:
    made = gate_runs.run()
    results = made.results
    turned = replace(
        results,
        methods=results.methods[::-1],
        metrics=results.metrics[::-1],
        scores=results.scores[::-1],
        experts=results.experts[::-1],
    )
    assert golden.text(golden.of(replace(made, results=turned))) == golden.text(golden.of(made))


def test_what_stands_in_it(file: Path) -> None:
    raw = json.loads(file.read_text())
    assert raw["schema"] == golden.SCHEMA
    assert (raw["suite"], raw["seed"], raw["n_pairs"], raw["n_videos"]) == ("ci", 0, 100, 100)
    assert raw["hifibench"] == "0.1.0"
    assert raw["experts"] == {"edgeface": "e" * 12, "mediapipe": "d" * 12}
    assert raw["methods"]["hififace"]["macs"] == 1_793_139_900
    assert raw["metrics"][POSE] == {
        "unit": "deg", "direction": "down", "decimals": 2, "rate": False, "experts": ["mediapipe"],
    }  # fmt: skip


def test_what_is_no_number_has_no_tolerance() -> None:
    made = golden.of(gate_runs.run())
    assert number(made, "hififace", SHAPE).value is None
    assert number(made, "hififace", SHAPE).tolerance is None


def test_what_is_not_finite_is_no_number() -> None:
    strange = gate_runs.changed(
        gate_runs.run(), "faceswap", POSE, lambda one: replace(one, value=math.inf, low=math.nan)
    )
    made = number(golden.of(strange), "faceswap", POSE)
    assert (made.value, made.low, made.high) == (None, None, 5.4)


def test_a_tolerance_set_by_hand_is_kept(file: Path) -> None:
    def by_hand(raw: dict[str, Any]) -> None:
        one = next(one for one in raw["numbers"] if one["metric"] == POSE and one["method"] == "faceswap")
        one |= {"tolerance": 0.75, "tolerance_other": None, "by_hand": True}
        other = next(one for one in raw["numbers"] if one["metric"] == POSE and one["method"] == "hififace")
        other["tolerance"] = 0.75

    edited(file, by_hand)
    made = golden_update.prepare(gate_runs.moved(gate_runs.run(), "faceswap", POSE, 1.0), file)
    golden.write(made.golden, file)
    kept = number(golden.read(file), "faceswap", POSE)
    assert (kept.value, kept.tolerance, kept.tolerance_other, kept.by_hand) == (6.0, 0.75, None, True)
    # Without the mark it is made anew.
    assert number(golden.read(file), "hififace", POSE).tolerance == pytest.approx(0.1)
    assert made.notes == ("Tolerances set by hand, kept: 1.",)


def test_an_update_tells_what_it_changes(file: Path) -> None:
    new = gate_runs.moved(gate_runs.run(), "faceswap", POSE, 1.0)
    scores = tuple(one for one in new.results.scores if (one.method, one.metric) != ("hififace", RETRIEVAL))
    made = golden_update.prepare(replace(new, results=replace(new.results, scores=scores)), file)
    assert [(line.method, line.metric, line.verdict.value, line.golden, line.now) for line in made.changed] == [
        ("faceswap", POSE, "worse", 5.0, 6.0),
        ("hififace", RETRIEVAL, "missing", 80.0, None),
    ]


def test_an_update_tells_of_a_lost_tolerance_and_other_cards(file: Path) -> None:
    edited(file, lambda raw: raw["numbers"][0].update(by_hand=True))
    made = gate_runs.run()
    first = json.loads(file.read_text())["numbers"][0]
    scores = tuple(one for one in made.results.scores if (one.method, one.metric) != (first["method"], first["metric"]))
    experts = tuple(replace(one, card="9" * 64) for one in made.results.experts)
    results = replace(made.results, scores=scores, experts=experts, manifest="cc" * 32)
    said = golden_update.prepare(replace(made, results=results), file).notes
    assert any("set by hand of faceswap" in note and "gone" in note for note in said)
    assert any("card of edgeface" in note for note in said)
    assert any("pairs are others" in note for note in said)


def test_a_run_whose_checks_failed_is_refused_unless_that_is_known(tmp_path: Path) -> None:
    made, path = gate_runs.run(), tmp_path / "golden.json"
    failing = replace(made.results.checks[0], ok=False, detail="3 deg")
    doubtful = replace(made, results=replace(made.results, checks=(failing,)))
    with pytest.raises(UsageError, match=r"target-copy keeps the pose: 3 deg[\s\S]*may_fail"):
        golden_update.prepare(doubtful, path)
    path.write_text(json.dumps({"schema": 1, "suite": "ci", "may_fail": [failing.name]}))
    made_of = golden_update.prepare(doubtful, path)
    assert made_of.golden.may_fail == (failing.name,)
    assert made_of.changed == ()


def test_an_update_leaves_the_golden_of_another_suite_alone(file: Path) -> None:
    made = gate_runs.run()
    with pytest.raises(UsageError, match="golden of the suite 'ci', the run of 'demo'"):
        golden_update.prepare(replace(made, results=replace(made.results, suite="demo")), file)


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no golden file .*--update"):
        golden.read(tmp_path / "golden.json")
    with pytest.raises(UsageError, match="cannot be read"):
        golden.read(tmp_path)


@pytest.mark.parametrize(
    "text",
    ['{"schema": 1, "suite"', "<<<<<<< HEAD\n{}", "[1, 2]", "{}", '{"schema": 1, "suite": "ci"}', "\udcff"],
    ids=["cut", "conflict", "list", "empty", "no numbers", "no text"],
)
def test_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "golden.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=r"is damaged: .*version control"):
        golden.read(path)


@pytest.mark.parametrize("version", [2, "1", None])
def test_another_schema(file: Path, version: object) -> None:
    edited(file, lambda raw: raw.update(schema=version))
    with pytest.raises(UsageError, match="expected 1"):
        golden.read(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"value": math.nan}, r"numbers\.0\.value"),
        ({"tolerance": -1.0}, r"numbers\.0\.tolerance"),
        ({"tolerance": math.inf}, r"numbers\.0\.tolerance"),
        ({"tolerance": None}, "has no tolerance"),
        ({"tolerence": 1.0}, "no such key. Did you mean"),
        ({"method": "nobody"}, "does not list both"),
        ({"metric": RETRIEVAL}, "two numbers of 'faceswap'"),
    ],
)
def test_a_number_that_is_wrong(file: Path, change: dict[str, Any], said: str) -> None:
    edited(file, lambda raw: raw["numbers"][0].update(change))
    with pytest.raises(UsageError, match=said):
        golden.read(file)


def test_names_from_anywhere_keep_to_their_line(tmp_path: Path) -> None:
    made, hostile = gate_runs.run(), '"},\n<ä\x1b\ud800'
    methods = tuple(replace(one, name=hostile) if one.name == "faceswap" else one for one in made.results.methods)
    scores = tuple(replace(one, method=hostile) if one.method == "faceswap" else one for one in made.results.scores)
    made = replace(made, results=replace(made.results, methods=methods, scores=scores))
    path = tmp_path / "golden.json"
    golden.write(golden.of(made), path)
    assert golden.read(path) == golden.of(made)
    assert sum(line.startswith('  {"method"') for line in path.read_text().splitlines()) == 12
