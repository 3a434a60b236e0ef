"""What reports show of ``throughput.json``: which numbers, under which words; and that nothing changes without it."""

from __future__ import annotations

import csv
import io
import json

import finished_run
import paper_run
import pytest
from figure_run import MakeRun
from rich.console import Console
from speed_runs import CARD, measurement, timed

from hifibench.errors import UsageError
from hifibench.throughput import records
from hifibench.throughput.records import FILE, Method
from reports import formats, notes, read, speeds, tables, terminal
from reports.figures import speed as figure_speed
from reports.page import page
from reports.paper import formats as paper_formats
from reports.paper import table_one
from reports.records import Run
from reports.tables import MISSING

ALL = records.SCOPES


def run(make_run: MakeRun, *methods: Method) -> Run:
    folder = make_run(finished_run.results())
    if methods:
        records.write(folder / FILE, measurement(*methods))
    return read.run(folder)


@pytest.fixture
def measured(make_run: MakeRun) -> Run:
    return run(make_run, timed("faceswap", scopes=ALL))


def test_the_file_is_read_with_the_run_and_refused_where_it_is_damaged(make_run: MakeRun) -> None:
    folder = make_run(finished_run.results())
    assert read.run(folder).throughput is None
    records.write(folder / FILE, measurement(timed("faceswap")))
    found = read.run(folder).throughput
    assert found == measurement(timed("faceswap"))
    (folder / FILE).write_text(json.dumps({"schema": 1, "methods": [{}]}))
    with pytest.raises(UsageError, match=r"throughput.json does not read at /.*Run 'hifibench throughput' again"):
        read.run(folder)
    (folder / FILE).write_text("{")
    with pytest.raises(UsageError, match=r"throughput\.json"):
        read.run(folder)


def test_times_of_the_run_itself_give_way(measured: Run) -> None:
    assert measured.timing.methods, "the run timed itself too"
    table = tables.build(measured)
    (cost,) = (section for section in table.sections if section.title == "cost")
    names = [column.name for column in cost.columns]
    assert names[:6] == [
        "latency_p50[generator,single-stream]", "latency_p90[generator,single-stream]",
        "latency_p99[generator,single-stream]", "images_per_s[generator,offline]", "ceiling_share[generator,offline]",
        "peak_memory[generator]",
    ]  # fmt: skip
    assert len([name for name in names if "[" in name]) == 18
    assert "latency" not in names
    (column,) = (column for column in cost.columns if column.name == "latency_p50[+extractors,single-stream]")
    assert (column.words, column.unit, column.direction) == (("single-stream", "+extractors"), "ms", "down")
    cell = table.cells["faceswap", column.name]
    assert (cell.text, cell.interval, cell.value, cell.n) == ("40.0", "[36.0, 44.0]", 40.0, None)


def test_the_key_table_leads_with_extractors(measured: Run) -> None:
    lead = tables.build(measured).leads[0]
    assert [column.name for column in lead.columns][-2:] == [
        "latency_p50[+extractors,single-stream]", "images_per_s[+extractors,offline]",
    ]  # fmt: skip
    assert [column.direction for column in lead.columns][-2:] == ["down", "up"]


@pytest.mark.parametrize(
    ("scopes", "first"),
    [(("generator",), "generator"), (("generator", "+detect+paste"), "+detect+paste"), (ALL, "+extractors"), ((), "")],
)
def test_the_scope_that_stands_first(make_run: MakeRun, scopes: tuple[str, ...], first: str) -> None:
    assert speeds.scope(run(make_run, timed("faceswap", scopes=scopes))) == first


def test_a_method_that_was_timed_under_another_card_is_not_shown(make_run: MakeRun) -> None:
    one = run(make_run, timed("faceswap", "ef" * 32))
    assert speeds.timed(one) == {}
    text = " ".join(speeds.notes(one))
    assert "No speed: faceswap (timed under another card than the run's)." in text
    assert not [name for method, name in tables.build(one).cells if "[+extractors" in name and method == "faceswap"]


def test_why_a_method_has_no_speed_is_said(make_run: MakeRun) -> None:
    one = run(make_run, Method("faceswap", CARD, reason="weights are\n missing"))
    assert "No speed: faceswap (weights are missing)." in list(speeds.notes(one))


def test_notes_say_scenario_format_device_batch_and_machine(measured: Run) -> None:
    text = "\n".join(note.text for note in notes.of(measured))
    assert "single-stream, ms of one pair at batch 1" in text
    assert "Number format of the speeds, on cpu: faceswap bf16 (torch eager)." in text
    assert "Batch of the offline speeds (+extractors): faceswap 2." in text
    assert "Peak memory: by how much the process grew" in text
    assert "Timed on: cpu Some Processor, cores 2 of 4, torch threads 2" in text
    assert "Latency: inside the method's own swap" not in text


def test_csv_and_json_have_every_number_with_its_name(measured: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(formats.tidy_csv(measured))))
    mine = {row["metric"]: row for row in rows if row["method"] == "faceswap"}
    row = mine["images_per_s[+extractors,offline]"]
    assert (float(row["value"]), float(row["low"]), float(row["high"]), row["n"]) == (50.0, 47.5, 52.5, "400")
    assert (row["unit"], row["direction"]) == ("images/s", "up")
    assert float(mine["ceiling_share[generator,offline]"]["value"]) == 25.0
    assert float(mine["latency_p99[generator,single-stream]"]["value"]) == 40.0
    assert not [name for name in mine if name.startswith("latency_p50[swap]")]
    content = json.loads(formats.as_json(tables.build(measured), measured))
    names = {column["metric"] for column in content["columns"]}
    assert {cell["metric"] for cell in content["cells"] if "single-stream" in cell["metric"]} <= names


def test_other_formats_render(measured: Run) -> None:
    table = tables.build(measured)
    assert "Throughput" in formats.markdown(table) and "images/s" in formats.latex(table)
    assert "Some Processor" in page.render(measured, table)
    out = io.StringIO()
    terminal.show(measured, Console(file=out, width=80))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "single-stream" in out.getvalue()


def paper(make_run: MakeRun, *methods: Method) -> Run:
    folder = paper_run.write(make_run, paper_run.results())
    records.write(folder / FILE, measurement(*methods))
    return read.run(folder)


def test_table_one_has_latency_and_throughput_in_words_of_scope_and_scenario(make_run: MakeRun) -> None:
    table = table_one.build(paper(make_run, timed("hififace", p50=2.5)))
    assert table is not None
    assert table.keys[-2:] == ("latency", "images_per_s")
    assert [(column.title, column.unit, column.words) for column in table.columns[-2:]] == [
        ("Speed", "ms", ("single-stream", "+extractors")), ("Speed", "images/s", ("offline", "+extractors")),
    ]  # fmt: skip
    assert {len(line.cells) for line in table.lines} == {6}
    mine = next(line for line in table.lines if line.name == "hififace" and line.kind == "measured")
    assert [(cell.text, cell.under) for cell in mine.cells[-2:]] == [
        ("5.00", ("[4.50, 5.50]",)), ("400", ("[380, 420]",)),
    ]  # fmt: skip
    published = [cell for line in table.lines if line.kind == "published" for cell in line.cells[-2:]]
    assert {cell.text for cell in published} == {MISSING}
    text = "\n".join(note.text for note in table.notes)
    assert "Speed of the published rows: no figure could be verified" in text
    assert "on which device, at which batch and number format, over which scope" in text
    assert "Number format of the speeds, on cpu: hififace bf16" in text
    assert "Speed: median time of a swap, without" not in text


def test_table_ones_files_have_a_row_for_each_cell(make_run: MakeRun) -> None:
    table = table_one.build(paper(make_run, timed("hififace", p50=2.5)))
    assert table is not None
    files = paper_formats.files(table, "table1")
    rows = [row for row in csv.DictReader(io.StringIO(files["table1.csv"])) if row["name"] == "hififace"]
    (row,) = (row for row in rows if row["column"] == "images_per_s")
    assert (row["metric"], row["unit"], float(row["value"])) == ("images_per_s[+extractors,offline]", "images/s", 400.0)
    assert "offline" in files["table1.md"] and "offline" in files["table1.tex"]


def test_where_nothing_could_be_timed_the_runs_own_times_stay(make_run: MakeRun) -> None:
    one = paper(make_run, Method("hififace", CARD, reason="no weights"))
    table = table_one.build(one)
    assert table is not None
    assert table.keys[-1] == "latency" and table.columns[-1].words == ("swap",)
    assert {line.cells[-1].text for line in table.lines} == {MISSING, "78.5"}
    text = "\n".join(note.text for note in table.notes)
    assert "No speed: hififace (no weights)." in text and "Speed: median time of a swap, without" in text
    assert "latency_p50[swap]" in formats.tidy_csv(one)


def test_the_figure_takes_the_measured_time(measured: Run) -> None:
    (drawing,) = figure_speed.draw(measured)
    assert r"one pair after the other (single-stream, +extractors, by hifibench throughput)" in drawing.caption.replace(
        "\\", ""
    )
    assert "Some Processor" in drawing.caption
    left, right = drawing.figure.axes[0].get_xlim()
    assert (left, right) == pytest.approx((40 / 1.6, 40 * 1.6))


def test_without_the_file_no_word_of_it(make_run: MakeRun) -> None:
    plain = run(make_run)
    text = formats.markdown(tables.build(plain)) + formats.tidy_csv(plain)
    assert "single-stream" not in text and "offline" not in text
    assert "latency_p50[swap]" in text and "Latency: inside the method's own swap" in text
    assert list(speeds.notes(plain)) == [] and speeds.first(plain) == ()
