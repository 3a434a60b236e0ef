from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import finished_run
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reports import formats, read, tables

MakeRun = Callable[..., Path]


def cells_of(markdown: str) -> list[list[str]]:
    """Rows of all tables, as an independent Markdown parser sees them."""
    rows: list[list[str]] = []
    inside = False
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            inside = True
        elif token.type == "inline" and inside:
            rows[-1].append("".join(child.content for child in token.children or []))
            inside = False
    return rows


def renamed(old: str, new: str) -> dict[str, object]:
    content = finished_run.results()
    for entry in content["methods"]:
        entry["name"] = new if entry["name"] == old else entry["name"]
    for score in content["scores"]:
        score["method"] = new if score["method"] == old else score["method"]
    return content


def test_markdown_reads_as_tables_with_every_number(make_run: MakeRun) -> None:
    table = tables.build(read.run(make_run()))
    rows = cells_of(formats.markdown(table))
    header, *body = rows[: 1 + len(table.rows)]
    assert len(header) == 1 + len(table.leads[0].columns)
    for row, cells in zip(table.rows, body, strict=True):
        expected = [table.cell(row, column) for column in table.leads[0].columns]
        assert cells == [row.name, *(f"{cell.text} {cell.interval}".strip() for cell in expected)]
    listed = sum(len(section.columns) + 1 for section in table.sections)
    assert len(rows) == 1 + len(table.rows) + listed


def test_markdown_marks_leaders_and_alarms(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["checks"] = [{"name": "order", "ok": False, "detail": ""}]
    text = formats.markdown(tables.build(read.run(make_run(content))))
    assert "**80.0** [76.0, 84.0]" in text
    assert text.index("> **CHECK FAILED: order") < text.index("| method |")


@pytest.mark.parametrize("name", ["a|b", "<script>x</script>", "*bold*", "a_b_c", "`code", "[link](x)", "back\\slash"])
def test_markdown_shows_hostile_names_as_they_stand(make_run: MakeRun, name: str) -> None:
    content = renamed("faceswap", name)
    folder = make_run(content, examples=0)
    rows = cells_of(formats.markdown(tables.build(read.run(folder))))
    assert rows[4][0] == name
    assert len({len(row) for row in rows[:6]}) == 1


def test_latex_is_two_balanced_booktabs_tables(make_run: MakeRun) -> None:
    table = tables.build(read.run(make_run(renamed("faceswap", "50%_a&b{~}"), examples=0)))
    text = formats.latex(table)
    assert re.findall(r"\\(?:begin|end)\{([\w*]+)\}", text) == ["table*", "tabular", "tabular", "table*"] * 2
    unescaped = re.sub(r"\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    for rule in ("toprule", "bottomrule"):
        assert text.count(rf"\{rule}") == 2
    assert r"50\%\_a\&b\{\textasciitilde{}\}" in text
    bodies = re.findall(r"\\begin\{tabular\}\{(l r*|lr+)\}\n\\toprule\n(.*?)\\bottomrule", text, re.DOTALL)
    assert [len(columns) for columns, _ in bodies] == [1 + len(table.leads[0].columns), 1 + len(table.rows)]
    for columns, body in bodies:
        rows = [line for line in body.splitlines() if line and line != r"\midrule"]
        assert all(line.endswith(r" \\") for line in rows)
        assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {len(columns) - 1}


def test_latex_puts_a_rule_below_the_references_and_leaders_in_bold(make_run: MakeRun) -> None:
    text = formats.latex(tables.build(read.run(make_run())))
    assert re.search(r"\\textit\{source-paste\}[^\n]*\\\\\n\\midrule\nfaceswap", text)
    assert r"\textbf{80.0} {\scriptsize {[}76.0, 84.0{]}}" in text
    assert "↑" not in text
    assert "—" not in text


@given(st.text(alphabet=r"\&%$#_{}~^<>|[]ab"))
def test_latex_escape_leaves_no_special_character_bare(text: str) -> None:
    escaped = formats.latex_escape(text)
    known = r"\\textbackslash\{\}|\\textasciitilde\{\}|\\textasciicircum\{\}|\\textless\{\}|\\textgreater\{\}"
    rest = re.sub(rf"{known}|\\textbar\{{\}}|\\[&%$#_{{}}]|\{{\[\}}|\{{\]\}}", "", escaped)
    assert set(rest) <= set("ab")


def test_csv_keeps_every_digit(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["scores"][7] |= {"value": 1 / 3, "low": None}
    frame = pd.read_csv(io.StringIO(formats.tidy_csv(read.run(make_run(content)))))
    assert tuple(frame.columns) == formats.CSV_FIELDS
    indexed = frame.set_index(["method", "metric"])
    assert indexed.index.is_unique
    for score in content["scores"]:
        row = indexed.loc[(score["method"], score["metric"])]
        for field in ("value", "low", "high", "n", "n_failed", "worst_case"):
            assert pd.isna(row[field]) if score[field] is None else row[field] == score[field]
    assert indexed.loc[("hififace", "id_retrieval[edgeface,sources,top1]"), "leader"] == 1
    assert indexed.loc[("faceswap", "id_retrieval[edgeface,sources,top1]"), "leader"] == 0


def test_csv_holds_costs_and_latencies_in_full(make_run: MakeRun) -> None:
    frame = pd.read_csv(io.StringIO(formats.tidy_csv(read.run(make_run()))))
    values = frame.set_index(["method", "metric"])["value"]
    assert values["hififace", "macs"] == 102_400_000_000
    assert values["faceswap", "latency_p50[swap]"] == 61.234
    assert ("faceswap", "macs") not in values.index
