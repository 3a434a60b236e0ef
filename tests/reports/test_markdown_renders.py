"""Markdown of every table, as an independent parser of GitHub's flavour reads it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import finished_run
import paper_run
import pytest
import table_runs
from hypothesis import given
from hypothesis import strategies as st
from paper_run import MakeRun
from table_runs import HOSTILE, tables_of

from reports import formats, read, tables
from reports.formats import markdown_escape
from reports.leaderboard import formats as leaderboard_formats
from reports.leaderboard import leaderboard
from reports.paper import ablation as ablation_table
from reports.paper import formats as paper_formats
from reports.paper import table_one as paper_table
from reports.paper import table_two
from reports.records import Run


def documents(run: Run) -> dict[str, str]:
    paper = paper_table.build(run)
    made = {
        "table": formats.markdown(tables.build(run)),
        "leaderboard": leaderboard_formats.markdown(leaderboard.build([run])),
        **({"table1": paper_formats.markdown(paper)} if paper is not None else {}),
    }
    for files in (table_two.files(run), ablation_table.files(run)):
        made |= {name.removesuffix(".md"): text for name, text in files.items() if name.endswith(".md")}
    return made


@pytest.fixture
def hostile(make_run: MakeRun) -> dict[str, str]:
    content = table_runs.hostile()
    return documents(read.run(table_runs.write_scores(make_run(content, examples=0), content)))


def test_every_row_has_as_many_cells_as_its_heading(hostile: dict[str, str]) -> None:
    assert set(hostile) == {"table", "leaderboard", "table2", "ablation"}
    for name, text in hostile.items():
        found = tables_of(text)
        assert found, name
        for table in found:
            assert len({len(row) for row in table}) == 1, name
        # No table row was taken for something else, and nothing else for a table row.
        assert sum(len(table) for table in found) == len(re.findall(r"^\| (?!:--)", text, re.MULTILINE)), name


def test_names_from_anywhere_stand_as_they_are(hostile: dict[str, str]) -> None:
    for document in ("table", "leaderboard", "table2"):
        labels = [row[0] for table in tables_of(hostile[document]) for row in table]
        for name in HOSTILE:
            assert " ".join(name.split()) in labels, document


def test_no_markup_comes_from_names(hostile: dict[str, str]) -> None:
    from markdown_it import MarkdownIt

    for text in hostile.values():
        html = MarkdownIt("commonmark").enable("table").render(text)
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        assert not re.search(r"<(?:a|img|code|pre|ol)\b", html)
        assert set(re.findall(r"<(\w+)", html)) <= {
            "h1", "h2", "h3", "blockquote", "p", "strong", "em", "table", "thead", "tbody", "tr", "th", "td", "ul",
            "li", "br",
        }  # fmt: skip


def test_table_one_renders_too(make_run: MakeRun) -> None:
    content = paper_run.results(methods=("target-copy", *HOSTILE, "hififace"))
    text = documents(read.run(paper_run.write(make_run, content)))["table1"]
    (table,) = tables_of(text)
    assert len({len(row) for row in table}) == 1
    assert {" ".join(name.split()) for name in HOSTILE} <= {row[0] for row in table}


def test_a_method_without_any_success_is_dashes_everywhere_and_never_nan(make_run: MakeRun) -> None:
    content = table_runs.silent(table_runs.with_forgery(finished_run.results(n_failed=0)), "faceswap")
    folder = table_runs.write_scores(make_run(content, examples=0), content)
    for name, text in documents(read.run(folder)).items():
        assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE), name
        rows = [row for table in tables_of(text) for row in table if "faceswap" in row[0]]
        assert rows, name
        for row in rows:
            # Beside the dashes stand the count of failures and the time of a swap.
            assert {re.sub(r"^(100/100|61\.2 \(n 98\))$", "—", cell) for cell in row[1:]} == {"—"}, (name, row)
        assert "No number for faceswap" in text, name


@given(st.text())
def test_what_is_escaped_is_one_cell_and_reads_as_it_stood(text: str) -> None:
    from markdown_it import MarkdownIt

    kept = re.sub(r"[\x00-\x1f\x7f-\x9f\ufeff]", "", text)
    rendered = tables_of(f"| a | b |\n| - | - |\n| x{markdown_escape(kept)}x | y |\n")
    assert rendered == [[["a", "b"], [" ".join(f"x{' '.join(kept.split())}x".split()), "y"]]]
    (inline,) = [t for t in MarkdownIt("commonmark").parse(markdown_escape(kept) or "x") if t.type == "inline"]
    assert "".join(child.content for child in inline.children or []) == (" ".join(kept.split()) or "x")


def test_what_is_no_number_is_a_dash_in_every_format(make_run: MakeRun) -> None:
    content = table_runs.with_forgery(finished_run.results(table_runs.ABLATION, n_failed=0))
    run = read.run(table_runs.write_scores(make_run(content, examples=0), content))
    broken = {"value": math.nan, "low": math.inf, "high": -math.inf, "worst_case": math.nan}
    scores = tuple(replace(one, **broken) if one.method == "hififace" else one for one in run.results.scores)
    run = replace(run, results=replace(run.results, scores=scores))
    texts = documents(run) | {
        "json": formats.as_json(tables.build(run), run),
        "csv": formats.tidy_csv(run),
        "latex": formats.latex(tables.build(run)),
        **table_two.files(run),
        **ablation_table.files(run),
        **leaderboard_formats.files(leaderboard.build([run])),
    }
    for name, text in texts.items():
        assert not re.search(r"(?<![\w-])[-+]?(nan|inf|infinity)\b", text, re.IGNORECASE), name
