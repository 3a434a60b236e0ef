"""What a gate says: in a terminal, as JUnit XML for CI systems, as Markdown for pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as XML

from hifibench.errors import MissingError
from reports.formats import markdown_escape, markdown_row
from reports.gates.records import COSTS, Gate, Line, Verdict
from reports.grids import empty
from reports.tables import MISSING, number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid

HEADINGS = ("golden", "now", "change", "limit", "")
"""Of the numbers of a line."""

_IN_TABLE = (Verdict.WORSE, Verdict.IMPROVED, Verdict.MOVED, Verdict.NO_NUMBER, Verdict.PAIRS)
"""What stands in the table of moves; what else fails comes in many numbers for one reason, and is said once."""

# What XML 1.0 cannot hold, and with it all that would steer a terminal: control characters, halves of surrogate pairs.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DIGITS = 9
"""No number has more."""
_LABEL = 28
"""Width from which on the name of a metric is broken."""


def clean(text: str) -> str:
    """Text without the characters that neither XML nor a terminal may be given."""
    return _ILLEGAL.sub("", text)


def cells(line: Line) -> tuple[str, str, str, str, str]:
    """Golden, now, change, tolerance and verdict, with as many digits as the change takes to be seen."""
    decimals, change = line.decimals, line.difference
    while change and decimals < _DIGITS and not number(change, decimals).strip("-0."):
        decimals += 1
    moved = "" if change is None else number(change, decimals)
    sign = "" if not moved or moved.startswith("-") or not moved.strip("0.") else "+"
    allowed = "" if line.tolerance is None else f"{line.tolerance:.3g}"
    return number(line.golden, decimals), number(line.now, decimals), sign + moved, allowed, line.verdict.value


def sentence(line: Line) -> str:
    """A line in words: ``92.0 %, golden 98.0 % (-6.0, limit 1.0): worse.``."""
    was, now, change, allowed, verdict = cells(line)
    if line.golden is None and line.now is None:
        said = verdict
    else:
        unit = f" {line.unit}" if line.unit else ""
        moved = f" ({change}, limit {allowed})" if change and allowed else ""
        said = f"{now}{unit}, golden {was}{unit}{moved}: {verdict}"
    return clean(" ".join(filter(None, [said + ".", line.said])))


def junit(gate: Gate) -> str:
    """JUnit XML: a test case per number; those that are not gated, or not in the golden, count as skipped."""
    cases = []
    for line in gate.lines:
        case = XML.Element("testcase", _attributes(classname=f"{gate.suite}.{line.method}", name=line.metric, time="0"))
        said = sentence(line)
        if line.verdict.fails:
            failure = XML.SubElement(case, "failure", _attributes(message=said, type=line.verdict.value))
            failure.text = clean(f"{line.method} on {line.metric}: {said}")
        elif line.verdict is not Verdict.HELD:
            XML.SubElement(case, "skipped", _attributes(message=said))
        cases.append(case)
    skipped = sum(not line.verdict.fails and line.verdict is not Verdict.HELD for line in gate.lines)
    return junit_suite(f"hifibench gate {gate.suite}", cases, len(gate.failed), skipped, "\n".join(gate.notes))


def junit_suite(name: str, cases: Iterable[XML.Element], failures: int, skipped: int, said: str) -> str:
    """A file of one suite of test cases."""
    listed = list(cases)
    counts = {"tests": str(len(listed)), "failures": str(failures), "errors": "0", "time": "0"}
    root = XML.Element("testsuites", _attributes(name=name, **counts))
    suite = XML.SubElement(root, "testsuite", _attributes(name=name, **counts, skipped=str(skipped)))
    suite.extend(listed)
    XML.SubElement(suite, "system-out").text = clean(said)
    XML.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + XML.tostring(root, encoding="unicode") + "\n"


def _attributes(**words: str) -> dict[str, str]:
    return {name: clean(word) for name, word in words.items()}


def markdown(gate: Gate) -> str:
    """GitHub-flavoured Markdown: the verdict, what moved, what to know, and all numbers folded away."""
    lines = [heading(gate.ok, f"hifibench gate, suite {gate.suite}: {gate.verdict}"), ""]
    moved = [line for line in gate.failed if line.verdict in _IN_TABLE]
    if moved:
        lines += [*_md_table(moved), ""]
    lines += [f"- {escape(said)}" for said in (*reasons(gate), *gate.notes)]
    summary = f"<details><summary>All {len(gate.lines)} numbers</summary>"
    lines += ["", summary, "", *_md_table(gate.lines), "", "</details>"]
    return "\n".join(lines) + "\n"


def heading(ok: bool, said: str) -> str:
    """The first line of a summary."""
    return f"### {'✅' if ok else '❌'} {escape(said)}"


def escape(text: str) -> str:
    """Text in one line that Markdown prints as it stands, without characters that no text file should hold."""
    return markdown_escape(clean(text))


def _md_table(lines: Iterable[Line]) -> Iterator[str]:
    yield markdown_row(["method", "metric", *HEADINGS])
    yield markdown_row([":--", ":--", *("--:" for _ in HEADINGS[:-1]), ":--"])
    for line in lines:
        *numbers, verdict = cells(line)
        # What is said of one number stands with it; what is said of many is listed below.
        said = f"{verdict}. {line.said}" if line.said and line.verdict in (*_IN_TABLE, Verdict.HELD) else verdict
        shown = f"**{escape(said)}**" if line.verdict.fails else escape(said)
        unit = f" ({line.unit})" if line.unit else ""
        yield markdown_row([escape(line.method), escape(line.metric + unit), *map(escape, numbers), shown])


def reasons(gate: Gate, besides: tuple[Verdict, ...] = ()) -> Iterator[str]:
    """What fails in many numbers for one reason, and what is not gated, once for each reason.

    Args:
        gate: what is told of.
        besides: further verdicts whose reasons are told.
    """
    told: dict[tuple[Verdict, str], list[Line]] = {}
    for line in gate.lines:
        if (line.verdict in besides and line.said) or line.verdict not in (*_IN_TABLE, Verdict.HELD):
            told.setdefault((line.verdict, line.said), []).append(line)
    for (verdict, said), lines in told.items():
        first = lines[0].metric if verdict is Verdict.CHECK else f"{lines[0].method} on {lines[0].metric}"
        others = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        yield clean(f"{verdict.value.capitalize()}: {first}{others}. {said}".strip())


def append(path: Path, text: str) -> None:
    """Append a summary to a file, as several steps of one job do.

    Raises:
        MissingError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(("\n" if file.tell() else "") + text)
    except OSError as error:
        raise MissingError(
            f"Cannot write {path}: {error.strerror or error}. Name a file that can be written."
        ) from error


def show(gate: Gate, console: Console) -> None:
    """Print what moved, why, and what to know; of a gate that holds its one line, and what is not gated."""
    moved = [line for line in gate.failed if line.verdict in _IN_TABLE]
    costs = [line for line in moved if line.metric in COSTS]
    numbers = [line for line in moved if line.metric not in COSTS]
    for listed, title in ((numbers, "what moved beyond its tolerance"), (costs, "what the methods cost, exactly")):
        if listed:
            console.print(_grid(listed, f"Suite {clean(gate.suite)}: {title}", HEADINGS))
            console.print()
    for said in reasons(gate, _IN_TABLE):
        _say(said, console)
    if not gate.ok or not gate.same_pairs:
        for note in gate.notes:
            _say(note, console, "dim")
    if gate.ok:
        _say(gate.verdict, console)


def show_changes(lines: Iterable[Line], console: Console) -> None:
    """Print what an update writes otherwise."""
    console.print(_grid(lines, "What changes in the golden file", ("old", "new", *HEADINGS[2:])))
    console.print()


def _say(said: str, console: Console, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(clean(said), style=style))


_STYLES: Mapping[Verdict, str] = {Verdict.WORSE: "bold red", Verdict.IMPROVED: "bold green", Verdict.NEW: "green"}


def _grid(lines: Iterable[Line], title: str, headings: tuple[str, ...]) -> Grid:
    """Methods as headings of their metrics, so that a row fits into 80 columns."""
    from rich.text import Text

    grid = empty(title)
    grid.add_column(overflow="fold", ratio=1)
    for name in headings[:-1]:
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column(headings[-1], no_wrap=True)
    for method, of in groupby(lines, key=lambda line: line.method):
        grid.add_row(Text(clean(method), style="bold"))
        for line in of:
            *numbers, verdict = (MISSING if cell == "" else cell for cell in cells(line))
            grid.add_row(Text(_label(line)), *numbers, Text(verdict, style=_STYLES.get(line.verdict, "bold yellow")))
    return grid


def _label(line: Line) -> str:
    """Name and unit; a long name is broken before its protocol, so that the numbers have room."""
    name, unit = clean(line.metric), f" ({clean(line.unit)})" if line.unit else ""
    base, bracket, protocol = name.partition("[")
    broken = bracket and len(name + unit) > _LABEL
    return f"  {base}{unit}\n    [{protocol}" if broken else f"  {name}{unit}"
