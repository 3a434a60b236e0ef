"""The page of each metric: its headings, the names it gives, and the figures of the calibration that it quotes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hifibench import registry
from hifibench.calibration import store
from hifibench.calibration.records import Calibration, Entry
from hifibench.errors import UsageError
from metrics.inputs import base

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "metrics"
HEADINGS = ["Definition", "Protocol", "Estimator", "Floor", "Known failures", "Citation"]
OURS = [name for name in registry.metrics.names() if (PAGES / f"{name}.md").is_file()]
_STAND_INS = ("e", "r")
"""Words that stand for any estimator or recogniser."""


@pytest.fixture(scope="module")
def shipped() -> Calibration:
    return store.read(ROOT / "hifibench/calibration/shipped.json")


def text(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def part(name: str, heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text(name), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].strip()


def row(entry: Entry) -> str:
    """The row of a page that quotes a calibration, to the digits of tables."""
    digits, weakest = entry.decimals, entry.weakest
    assert weakest is not None
    resolves = weakest.resolves(100)
    cells = (
        f"`{entry.name}`",
        *("—" if value is None else f"{value:.{digits}f}" for value in (entry.floor.again, entry.floor.re_encode)),
        f"{'—' if entry.ceiling is None else f'{entry.ceiling:.{digits}f}'} (`{entry.ceiling_of}`)",
        f"{'—' if weakest.rho is None else f'{weakest.rho:.2f}'} ({weakest.name})",
        "—" if resolves is None else f"{resolves:.2g}",
    )
    return "| " + " | ".join(cells) + (" | poor |" if entry.poor else " | |")


def test_every_metric_of_the_project_has_a_page_and_no_page_is_of_none() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (listed,) = re.findall(r'entry-points\."hifibench\.metrics"\]\n(.*?)\n\n', project, re.DOTALL)
    registered = {line.partition(" ")[0] for line in listed.splitlines()}
    assert registered == {path.stem for path in PAGES.glob("*.md")} - {"README"}
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert registered == set(re.findall(r"\]\((\w+)\.md\)", index.partition("| metric |")[2]))


@pytest.mark.parametrize("name", OURS)
def test_a_page_has_all_parts_in_order_and_none_is_empty(name: str) -> None:
    assert re.findall(r"^## (.*)$", text(name), re.MULTILINE) == HEADINGS
    assert text(name).startswith(f"# `{name}`: ")
    assert all(part(name, heading) for heading in HEADINGS)


@pytest.mark.parametrize("name", OURS)
def test_the_names_of_metrics_are_real(name: str) -> None:
    names = re.findall(r"`(\w+)(\[[^`]*\])`", text(name))
    real = []
    for metric, words in names:
        assert metric in registry.metrics.names(), metric
        if re.fullmatch(r"\[[a-z0-9_-]+(,[a-z0-9_-]+)*\]", words) and not {*words[1:-1].split(",")} & {*_STAND_INS}:
            try:
                real.append(registry.metric(metric + words).name)
            except UsageError:
                # The pattern of the names, as `pose[estimator]`: its words are described, not given.
                assert words[1:-1].split(",")[-1] in _patterns(name), metric + words
    assert any(base(one) == name for one in real), f"{name}.md names no metric that can be measured"


def _patterns(name: str) -> set[str]:
    """The last words of the patterns with which the part on the protocol begins."""
    first = part(name, "Protocol").partition("\n\n")[0]
    return {words.split(",")[-1] for words in re.findall(rf"`{name}\[([^`]*)\]`", first)}


@pytest.mark.parametrize("name", OURS)
def test_the_unit_and_the_direction_are_those_of_the_metric(name: str) -> None:
    first = next(word for word in re.findall(rf"`({name}\[[^`]*\])`", text(name)) if _is_real(word))
    metric = registry.metric(first)
    said = part(name, "Definition")
    assert {"up": "igher", "down": "ower"}[metric.direction] in said
    if metric.unit:
        words = {"%": "%", "deg": "degrees", "mm": "mm", "sd": "standard deviations", "dB": "dB"}
        assert words[metric.unit] in said or f"| {metric.unit} |" in said


def _is_real(name: str) -> bool:
    try:
        return bool(registry.metric(name))
    except UsageError:
        return False


@pytest.mark.parametrize("name", OURS)
def test_floors_are_those_of_the_calibration_that_comes_with_the_package(name: str, shipped: Calibration) -> None:
    entries = [entry for entry in shipped.metrics if base(entry.name) == name]
    said = part(name, "Floor")
    expected = [row(entry) for entry in entries]
    quoted = [line for line in said.splitlines() if line.startswith("| `")]
    assert quoted == expected, f"write into docs/metrics/{name}.md:\n" + "\n".join(expected)
    if entries:
        assert f"{shipped.pairs} rendered pairs" in said
    else:
        assert "ot calibrated" in said


@pytest.mark.parametrize("path", [*sorted(PAGES.glob("*.md"))], ids=lambda path: path.stem)
def test_links_lead_to_files(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).is_file(), link
