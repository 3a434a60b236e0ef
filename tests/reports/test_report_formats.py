from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

import finished_run
import pandas as pd
import pytest
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
        said = ([cell.text, cell.interval, f"({cell.counts})" if cell.counts else ""] for cell in expected)
        assert cells == [row.name, *(" ".join(filter(None, parts)) for parts in said)]
    listed = sum(len(section.columns) + 1 for section in table.sections)
    assert len(rows) == 1 + len(table.rows) + listed


def test_markdown_marks_leaders_and_alarms(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["checks"] = [{"name": "order", "ok": False, "detail": ""}]
    text = formats.markdown(tables.build(read.run(make_run(content))))
    assert "**80.0** [76.0, 84.0] (n 100)" in text
    assert "60.0 [56.0, 64.0] (n 100, 2 failed)" in text
    assert text.index("> **CHECK FAILED: order") < text.index("| method |")


@pytest.mark.parametrize("name", ["a|b", "<script>x</script>", "*bold*", "a_b_c", "`code", "[link](x)", "back\\slash"])
def test_markdown_shows_hostile_names_as_they_stand(make_run: MakeRun, name: str) -> None:
    content = renamed("faceswap", name)
    folder = make_run(content, examples=0)
    rows = cells_of(formats.markdown(tables.build(read.run(folder))))
    assert rows[4][0] == name
    assert len({len(row) for row in rows[:6]}) == 1


def test_latex_is_balanced_booktabs_tables_that_hold_every_number(make_run: MakeRun) -> None:
    table = tables.build(read.run(make_run(renamed("faceswap", "50%_a&b{~}"), examples=0)))
    text = formats.latex(table)
    floats = re.findall(r"\\begin\{table\*\}.*?\\end\{table\*\}", text, re.DOTALL)
    assert len(floats) >= len(table.leads) + len(table.sections)
    unescaped = re.sub(r"\\\\|\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert r"50\%\_a\&b\{\textasciitilde{}\}" in text
    for one in floats:
        for rule in ("toprule", "midrule", "bottomrule"):
            assert rf"\{rule}" in one
        (columns,) = re.findall(r"\\begin\{tabular\}\{@\{\}(lr+)@\{\}\}", one)
        body = one[one.index(r"\toprule") : one.index(r"\bottomrule")].splitlines()[1:]
        rows = [line for line in body if not line.startswith((r"\midrule", r"\addlinespace"))]
        assert all(line.endswith(r" \\") for line in rows)
        assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {len(columns) - 1}
    for column in (column for section in table.sections for column in section.columns):
        for row in table.rows:
            assert formats.latex_escape(table.cell(row, column).text) in text


def test_latex_says_of_how_many_pairs_a_number_is_where_it_is_not_the_usual(make_run: MakeRun) -> None:
    text = formats.latex(tables.build(read.run(make_run())))
    assert "n: 100 pairs, all of them scored, where a cell does not say otherwise." in text
    assert r"{\scriptsize n 100, 2 failed}" in text
    assert r"{\scriptsize n 100}" not in text


def test_latex_puts_a_rule_below_the_references_and_leaders_in_bold(make_run: MakeRun) -> None:
    text = formats.latex(tables.build(read.run(make_run())))
    assert re.search(r"\\textit\{source-paste\}[^\n]*\\\\\n\\midrule\nfaceswap", text)
    assert r"\textbf{80.0}\\{\scriptsize {[}76.0, 84.0{]}}" in text
    assert "↑" not in text
    assert "—" not in text


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


def test_csv_and_json_hold_the_same_numbers(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["scores"][7] |= {"value": 1 / 3, "low": None}
    run = read.run(make_run(content))
    read_back = json.loads(formats.as_json(tables.build(run), run))
    frame = pd.read_csv(io.StringIO(formats.tidy_csv(run)), keep_default_na=False, dtype=str)
    assert len(frame) == len(read_back["cells"]) > len(content["scores"])
    for row, cell in zip(frame.to_dict("records"), read_back["cells"], strict=True):
        assert list(cell) == list(row) == list(formats.CSV_FIELDS)
        for key, said in row.items():
            value = cell[key]
            if isinstance(value, int | float):
                assert float(said) == value
            else:
                assert said == (value or "")
    assert read_back["cells"][7]["value"] == 1 / 3
    assert read_back["cells"][7]["low"] is None


def test_json_says_what_the_rows_and_columns_are(make_run: MakeRun) -> None:
    run = read.run(make_run())
    table = tables.build(run)
    made = json.loads(formats.as_json(table, run))
    assert (made["schema"], made["caption"]) == (formats.SCHEMA, table.caption)
    assert made["rows"][0] == {"method": "target-copy", "kind": "reference"}
    assert [row["method"] for row in made["rows"]] == [row.name for row in table.rows]
    pose = next(column for column in made["columns"] if column["metric"] == "pose[mediapipe]")
    assert (pose["title"], pose["unit"], pose["direction"], pose["words"]) == (
        "Pose error",
        "deg",
        "down",
        ["mediapipe"],
    )
    assert [note["text"] for note in made["notes"]] == [note.text for note in table.notes]


@pytest.mark.parametrize("leader", [None, "faceswap", "hififace"])
def test_nothing_but_the_leader_is_bold(make_run: MakeRun, leader: str | None) -> None:
    content = finished_run.results(n_failed=0)
    for metric in content["metrics"]:
        metric["leader"] = leader
    table = tables.build(read.run(make_run(content)))
    text = formats.markdown(table)
    bold = [(row[0], cell) for row in bold_cells(text) for cell in row[1]]
    shown = len(table.leads[0].columns) - 2
    assert {name for name, _ in bold if name in finished_run.METHODS} <= {leader}
    assert len(bold) == (shown + len(finished_run.METRICS) if leader else 0)
    latex = formats.latex(table)
    values = {table.cells[leader, metric["name"]].text for metric in content["metrics"]} if leader else set()
    assert set(re.findall(r"\\textbf\{([^}]*)\}", latex)) == values


def bold_cells(markdown: str) -> list[tuple[str, list[str]]]:
    """Of each row of a table its label and the cells that are in bold."""
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    return [(row[0], [cell for cell in row if cell.startswith("**")]) for row in rows]


def test_markdown_signs_at_the_start_of_a_line_stay_signs() -> None:
    for text in ("- a", "+ a", "1. a", "12) a", "=", "---", "# a", "> a", "&amp; a", "$x$"):
        rendered = MarkdownIt("commonmark").render(formats.markdown_escape(text))
        assert rendered == f"<p>{escape(text, quote=False)}</p>\n"


def test_csv_holds_costs_and_latencies_in_full(make_run: MakeRun) -> None:
    frame = pd.read_csv(io.StringIO(formats.tidy_csv(read.run(make_run()))))
    values = frame.set_index(["method", "metric"])["value"]
    assert values["hififace", "macs"] == 102_400_000_000
    assert values["faceswap", "latency_p50[swap]"] == 61.234
    assert ("faceswap", "macs") not in values.index
