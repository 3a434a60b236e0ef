"""The comparison of two runs as JSON, as Markdown and in a terminal."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from compare_runs import AP, COSINE, POSE, RETRIEVAL, Measured, manifest, write
from rich.console import Console

from reports import read
from reports.comparison import formats as compare_formats
from reports.comparison import terminal as compare_terminal
from reports.comparison.compare import build
from reports.comparison.records import Compared

N = 40
NAMES = [f"p{k:03d}" for k in range(N)]
PLAN = manifest(NAMES)
NASTY = "<script>alert(1)</script> | `a*b` _ü_ & 50 % [x](y)"


def made(folder: Path, *, method: str = "m", metric: Measured = POSE, unpaired: bool = False, **more) -> Compared:
    """Worse in one metric, better in another, untold, unchanged, a set's number and one that is not comparable."""
    rng = np.random.default_rng(0)
    metrics = [
        metric,
        COSINE,
        RETRIEVAL,
        AP,
        Measured("shape[other]", "Shape", needs=("other",)),
        Measured("same[judge]"),
    ]
    first = {(method, one.name): rng.normal(5, 1, N) for one in metrics}
    first[method, RETRIEVAL.name] = 100.0 * (rng.random(N) < 0.7)
    second = dict(first)
    second[method, metric.name] = first[method, metric.name] + rng.normal(1, 0.2, N)
    second[method, metric.name][:2] = np.nan
    second[method, COSINE.name] = first[method, COSINE.name] + rng.normal(0.5, 0.2, N)
    second[method, RETRIEVAL.name] = first[method, RETRIEVAL.name].copy()
    second[method, RETRIEVAL.name][:2] = 0.0
    second[method, AP.name] = first[method, AP.name] + 0.1
    sets = {(method, AP.name): (70.0, 65.0, 75.0)}, {(method, AP.name): (71.0, 66.0, 76.0)}
    experts = {"scrfd": "", "judge": "", "other": ""}
    plans = PLAN, manifest(NAMES, views=1) if unpaired else PLAN
    a = write(folder / "a", first, metrics, plans[0], sets=sets[0], experts=experts)
    b = write(folder / "b", second, metrics, plans[1], sets=sets[1], experts={**experts, "other": "2"}, **more)
    return build(read.run(a), read.run(b), other_manifest=unpaired)


def shown(compared: Compared, width: int = 80) -> str:
    out = io.StringIO()
    compare_terminal.show(compared, Console(file=out, width=width, color_system=None))
    return out.getvalue()


def test_json_holds_what_is_documented(tmp_path: Path) -> None:
    compared = made(tmp_path)
    raw = json.loads(compare_formats.as_json(compared), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    documented = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z_]+)`", documented))
    assert raw["schema"] == 1
    for keys in (
        raw,
        raw["a"],
        raw["methods"][0],
        raw["metrics"][0],
        raw["comparisons"][0],
        raw["comparisons"][0]["moved"][0],
    ):
        assert set(keys) <= told
    verdicts = {one["metric"]: one["verdict"] for one in raw["comparisons"]}
    assert verdicts == {
        POSE.name: "worse",
        COSINE.name: "better",
        RETRIEVAL.name: "no difference told",
        AP.name: "no difference told",
        "shape[other]": "not comparable",
        "same[judge]": "unchanged",
    }
    first = raw["comparisons"][0]
    assert (first["newly_failed"], first["lost"], first["survives"]) == (2, ["p000", "p001"], True)
    assert first["difference"] == compared.comparisons[0].difference
    assert raw["comparisons"][2]["mcnemar"].keys() == {"b", "c", "p"}


def test_one_comparison_gives_the_same_files(tmp_path: Path) -> None:
    first, second = made(tmp_path), build(read.run(tmp_path / "a"), read.run(tmp_path / "b"))
    assert compare_formats.as_json(first) == compare_formats.as_json(second)
    assert compare_formats.markdown(first) == compare_formats.markdown(second)


def test_markdown_has_the_numbers_and_the_verdicts(tmp_path: Path) -> None:
    compared = made(tmp_path)
    text = compare_formats.markdown(compared)
    pose = compared.comparisons[0]
    row = next(line for line in text.splitlines() if line.startswith("| Pose error (deg) ↓ judge"))
    assert f"| {pose.a:.2f} | {pose.b:.2f} | +{pose.difference:.2f} | [+{pose.low:.2f}, +{pose.high:.2f}] | 38 |" in row
    assert r"| **worse \*** |" in row and "2 pairs newly failed" in row
    assert "Unchanged: same\\[judge\\]." in text
    assert "the expert other is not the same" in text
    assert "| m | 1 | 1 | 2 | 1 | 1 | same card |" in text
    assert "## Pairs that moved most" in text and "| p" in text
    assert "card of the expert other" in text
    tables = [line for line in text.splitlines() if line.startswith("| measured") or line.startswith("| Pose")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {9}


def test_mcnemar_s_counts_stand_with_their_run(tmp_path: Path) -> None:
    a, b = np.full(30, 100.0), np.full(30, 100.0)
    b[:7], a[7:9] = 0.0, 0.0
    plan = manifest([f"p{k}" for k in range(30)])
    first, second = (
        read.run(write(tmp_path / name, {("m", RETRIEVAL.name): row}, [RETRIEVAL], plan))
        for name, row in (("a", a), ("b", b))
    )
    assert "McNemar: A alone 7, B alone 2, p 0.18" in compare_formats.markdown(build(first, second))


def test_what_is_not_comparable_names_the_methods(tmp_path: Path) -> None:
    rng, plan = np.random.default_rng(0), manifest([f"p{k}" for k in range(30)])
    values = {(method, metric.name): rng.normal(5, 1, 30) for method in ("one", "two") for metric in (POSE, COSINE)}
    gone = {key: np.full(30, np.nan) if key[0] == "two" else row for key, row in values.items()}
    first, second = (
        read.run(write(tmp_path / name, of, [POSE, COSINE], plan)) for name, of in (("a", values), ("b", gone))
    )
    compared = build(first, second)
    assert "Not comparable\n  no pair was scored in B\n    two: all 2 metrics\n" in shown(compared)
    text = compare_formats.markdown(compared)
    assert "Not comparable: no pair was scored in B (all 2 metrics)." in text and "Unchanged: all 2 metrics." in text


def test_the_terminal_shows_what_moved_within_eighty_columns(tmp_path: Path) -> None:
    text = shown(made(tmp_path))
    assert max(map(len, text.splitlines())) <= 80
    assert "1 better, 1 worse, 2 no difference told, 1 unchanged, 1 not comparable" in " ".join(text.split())
    assert re.search(r"Pose error \(deg\) ↓ +\d\.\d\d +\d\.\d\d +\+\d\.\d\d +worse \*", text)
    assert "2 pairs newly failed" in text
    assert "the expert other is not the same" in text
    # What is as it was takes no line of its own.
    assert "same[judge]" not in text and "ID retrieval" not in text


@pytest.mark.parametrize("width", [60, 200])
def test_other_widths(tmp_path: Path, width: int) -> None:
    assert max(map(len, shown(made(tmp_path), width).splitlines())) <= width


def test_that_runs_are_not_paired_is_said_everywhere(tmp_path: Path) -> None:
    compared = made(tmp_path, unpaired=True)
    for text in (compare_formats.markdown(compared), " ".join(shown(compared, 200).split())):
        assert "Not paired: the runs share no pair." in text
        assert "differences of means over different images" in text
    raw = json.loads(compare_formats.as_json(compared))
    assert raw["pairing"] == "unpaired" and "share no pair" in raw["cautions"][0]


def test_names_from_anywhere_are_harmless(tmp_path: Path) -> None:
    compared = made(tmp_path, method=NASTY, metric=Measured("pose[judge,<b>|]", NASTY, unit="|<i>"))
    text = compare_formats.markdown(compared)
    assert "<script>" not in text.replace(r"\<script\>", "")
    assert not re.search(r"(?<!\\)<(script|b|i)", text)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "alert" in line]
    # The method among the verdicts, and its metric in its own table.
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in rows] == [8, 9]
    assert json.loads(compare_formats.as_json(compared))["methods"][0]["a"] == NASTY
    assert "[/red]" in shown(made(tmp_path / "two", method="[/red]"))


def test_a_name_that_would_steer_the_terminal(tmp_path: Path) -> None:
    assert "\x1b" not in shown(made(tmp_path, method="\x1b[2Jm"))


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.125, 3, "+0.125"),
        (-3.0, 1, "-3.0"),
        (0.0, 2, "0.00"),
        (-4.2e-7, 2, "-4e-07"),
        (None, 2, "—"),
        (12.0, 0, "+12"),
    ],
)
def test_differences_have_a_sign(value, decimals: int, text: str) -> None:
    assert compare_formats.signed(value, decimals) == text
