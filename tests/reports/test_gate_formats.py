"""A gate in a terminal, as JUnit XML and as Markdown; names from anywhere do no harm."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as XML

import gate_runs
import pytest
from gate_runs import POSE, RETRIEVAL
from rich.console import Console

from hifibench.errors import MissingError
from reports.gates import formats as gate_formats
from reports.gates import golden
from reports.gates import update as golden_update
from reports.gates.gate import gate
from reports.gates.records import Gate, Line, Verdict
from reports.records import Result, Run

HOSTILE = '<script>alert("x")</script> | `ä` & \\ $x$ @all [b]&lt;[/b] \x1b[31m\x00\ud800\uffff'
SAFE = '<script>alert("x")</script> | `ä` & \\ $x$ @all [b]&lt;[/b] [31m'


def renamed(made: Run) -> Run:
    """A run whose method has a hostile name."""
    results = made.results
    methods = tuple(replace(one, name=HOSTILE) if one.name == "hififace" else one for one in results.methods)
    scores = tuple(replace(one, method=HOSTILE) if one.method == "hififace" else one for one in results.scores)
    return replace(made, results=replace(results, methods=methods, scores=scores, suite=HOSTILE))


@pytest.fixture
def moved() -> Gate:
    """One number moved, one vanished, one is new."""
    base = gate_runs.run()
    made = gate_runs.moved(base, "hififace", POSE, 0.2)
    scores = [one for one in made.results.scores if (one.method, one.metric) != ("faceswap", RETRIEVAL)]
    metrics = (*made.results.metrics, replace(made.results.metrics[0], name="id_retrieval[new]"))
    scores.append(Result("faceswap", "id_retrieval[new]", 1.0, 0.5, 1.5, 100, 0))
    return gate(replace(made, results=replace(made.results, scores=tuple(scores), metrics=metrics)), golden.of(base))


@pytest.fixture
def hostile() -> Gate:
    base = renamed(gate_runs.run())
    return gate(gate_runs.moved(base, HOSTILE, POSE, 0.2), golden.of(base))


def shown(made: Gate, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    gate_formats.show(made, console)
    return console.export_text()


def test_junit_has_a_case_per_number(moved: Gate) -> None:
    root = XML.fromstring(gate_formats.junit(moved))
    assert root.tag == "testsuites"
    (suite,) = root
    assert suite.tag == "testsuite"
    cases = suite.findall("testcase")
    assert len(cases) == len(moved.lines) == 18
    for one in (root, suite):
        assert (one.get("tests"), one.get("failures"), one.get("errors")) == ("18", "2", "0")
    assert suite.get("skipped") == "1"
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == 18
    failed = {(case.get("classname"), case.get("name")): case.find("failure") for case in cases}
    failure = failed["ci.hififace", POSE]
    assert failure is not None and failure.get("type") == "worse"
    assert failure.get("message") == "5.20 deg, golden 5.00 deg (+0.20, limit 0.1): worse."
    gone = failed["ci.faceswap", RETRIEVAL]
    assert gone is not None and "The run lacks the metric" in str(gone.get("message"))
    assert failed["ci.target-copy", POSE] is None
    skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
    assert skipped == ["id_retrieval[new]"]


def test_junit_of_names_from_anywhere(hostile: Gate) -> None:
    text = gate_formats.junit(hostile)
    text.encode()
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    cases = XML.fromstring(text).findall("testsuite/testcase")
    (failed,) = (case for case in cases if case.find("failure") is not None)
    assert failed.get("classname") == f"{SAFE}.{SAFE}"


def test_markdown(moved: Gate) -> None:
    text = gate_formats.markdown(moved)
    head, details = text.split("<details>")
    assert head.startswith("### ❌ hifibench gate, suite ci: 2 of 17 numbers are not as the golden has them")
    rows = [line for line in head.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert rows[2] == r"| hififace | pose\[mediapipe\] (deg) | 5.00 | 5.20 | +0.20 | 0.1 | **worse** |"
    assert r"- Missing: faceswap on id\_retrieval\[edgeface\]." in head
    assert r"- New: faceswap on id\_retrieval\[new\]." in head
    assert details.count("\n| ") == 2 + len(moved.lines)
    assert details.endswith("</details>\n") and "</summary>\n\n|" in details


def test_markdown_of_what_holds() -> None:
    base = gate_runs.run()
    text = gate_formats.markdown(gate(base, golden.of(base)))
    assert text.startswith("### ✅ hifibench gate, suite ci: 17 numbers within tolerance\n")
    assert "| method" not in text.split("<details>")[0]


def test_markdown_of_names_from_anywhere(hostile: Gate) -> None:
    text = gate_formats.markdown(hostile)
    text.encode()
    assert "\x1b" not in text and "\x00" not in text
    unescaped = re.sub(r"\\.", "", text).replace("<details><summary>", "").replace("</summary>", "")
    assert not re.search(r"<(?!/details>)|[`$&]", unescaped)
    # Every row keeps its seven cells: no name opens another.
    rows = [re.sub(r"\\.", "", line) for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {8}


def test_terminal_at_80_columns(moved: Gate) -> None:
    text = shown(moved)
    assert max(map(len, text.splitlines())) <= 80
    row = next(line for line in text.splitlines() if "pose[mediapipe]" in line)
    assert row.split() == ["pose[mediapipe]", "(deg)", "5.00", "5.20", "+0.20", "0.1", "worse"]
    assert "hififace" in text and "faceswap on id_retrieval[edgeface]" in text.replace("\n", " ")
    assert "within tolerance" not in text


def test_terminal_of_a_long_name_and_of_costs_at_80_columns() -> None:
    name = "id_retrieval[edgeface,sources,top1]"
    lines = (
        Line("hififace", name, Verdict.WORSE, 98.0, 92.0, 1.0, 1, "%"),
        Line("hififace", "macs", Verdict.WORSE, 1_793_139_900, 1_793_139_901, 0.0, said="Compared exactly."),
    )
    text = shown(Gate("ci", True, lines))
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"id_retrieval \(%\) +98\.0 +92\.0 +-6\.0 +1 +worse *\n +\[edgeface,sources,top1\]", text)
    assert re.search(r"macs +1793139900 +1793139901 +\+1 +0 +worse", text)


def test_terminal_of_what_holds_is_one_line() -> None:
    base = gate_runs.run()
    assert shown(gate(base, golden.of(base))).strip() == "17 numbers within tolerance"
    other = shown(gate(gate_runs.other(base), golden.of(base)))
    assert "Other pairs than the golden's (seed 0, now 1)" in other.replace("\n", " ")


def test_terminal_of_names_from_anywhere(hostile: Gate) -> None:
    text = shown(hostile, 200)
    assert SAFE in text and "\x1b" not in text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Line("m", "x", Verdict.WORSE, 5.0, 5.2, 0.1, 2), ("5.00", "5.20", "+0.20", "0.1", "worse")),
        (Line("m", "x", Verdict.IMPROVED, 5.2, 5.0, 0.1, 2), ("5.20", "5.00", "-0.20", "0.1", "improved")),
        (Line("m", "x", Verdict.WORSE, 5.0, 5.0004, 1e-4, 2), ("5.0000", "5.0004", "+0.0004", "0.0001", "worse")),
        (Line("m", "x", Verdict.HELD, 5.0, 5.0, 0.1, 2), ("5.00", "5.00", "0.00", "0.1", "within tolerance")),
        (Line("m", "x", Verdict.NO_NUMBER, 5.0, None, None, 2), ("5.00", "—", "", "", "no number")),
        (Line("m", "x", Verdict.WORSE, 1e-12, 2e-12, 0.0, 8), ("0.000000000",) * 3 + ("0", "worse")),
    ],
    ids=["worse", "improved", "small", "held", "none", "tiny"],
)  # fmt: skip
def test_cells(line: Line, expected: tuple[str, ...]) -> None:
    assert gate_formats.cells(line) == expected


def test_a_summary_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "summary.md"
    gate_formats.append(path, "one\n")
    gate_formats.append(path, "two\n")
    assert path.read_text() == "one\n\ntwo\n"
    with pytest.raises(MissingError, match="Cannot write"):
        gate_formats.append(tmp_path, "three\n")


def test_what_an_update_changes_in_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "golden.json"
    golden.write(golden.of(renamed(gate_runs.run())), path)
    made = golden_update.prepare(gate_runs.moved(renamed(gate_runs.run()), HOSTILE, POSE, 0.2), path)
    console = Console(width=120, record=True, file=io.StringIO())
    gate_formats.show_changes(made.changed, console)
    text = console.export_text()
    assert SAFE in text and re.search(r"pose\[mediapipe\] \(deg\) +5\.00 +5\.20 +\+0\.20 +0\.1 +worse", text)
