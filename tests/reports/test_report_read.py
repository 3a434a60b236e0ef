from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import finished_run
import pytest

from hifibench.errors import MissingError, UsageError
from reports import read

MakeRun = Callable[..., Path]


def test_reads_what_the_pipeline_wrote(make_run: MakeRun) -> None:
    run = read.run(make_run())
    assert [method.name for method in run.results.methods] == list(finished_run.METHODS)
    assert run.results.methods[4].cost is not None
    assert run.results.methods[4].cost.macs == 102_400_000_000
    assert run.results.galleries["frames"].images == 200
    assert run.timing.methods["faceswap"].ms_p90 == 80.5
    assert run.provenance["commit"] == "0123abcd"


def test_a_number_that_could_not_be_computed_is_none_and_not_zero(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["scores"][0] |= {"value": None, "low": None, "high": None, "worst_case": None}
    score = read.run(make_run(content)).results.scores[0]
    assert (score.value, score.low, score.worst_case) == (None, None, None)


def test_examples_follow_the_manifest_and_lack_failed_swaps(make_run: MakeRun) -> None:
    run = read.run(make_run(examples=4))
    assert [example.pair for example in run.examples] == ["p000", "p003", "p006", "p001"]
    assert "faceswap" in run.examples[0].swaps
    assert "faceswap" not in run.examples[1].swaps


def test_a_run_without_examples_timing_and_provenance_still_reads(make_run: MakeRun) -> None:
    folder = make_run()
    for name in ("run.json", "timing.json", "manifest.json"):
        (folder / name).unlink()
    shutil.rmtree(folder / "examples")
    run = read.run(folder)
    assert run.examples == ()
    assert run.timing.methods == {}
    assert run.provenance == {}


def test_an_unfinished_run_says_how_to_finish_it(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "results.json").unlink()
    with pytest.raises(MissingError, match=r"not finished.*same command again"):
        read.run(folder)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        read.run(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        read.run(tmp_path / "absent")


@pytest.mark.parametrize("schema", [0, 3, None, "1"])
def test_another_schema_is_refused(make_run: MakeRun, schema: object) -> None:
    with pytest.raises(UsageError, match=r"has schema .*, expected 1"):
        read.run(make_run({**finished_run.results(), "schema": schema}))


@pytest.mark.parametrize("name", ["results.json", "run.json", "timing.json", "manifest.json"])
@pytest.mark.parametrize("text", ["{", "[]", "\udce9"])
def test_a_damaged_file_is_named(make_run: MakeRun, name: str, text: str) -> None:
    folder = make_run()
    (folder / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=f"{name} (is damaged|holds a list)"):
        read.run(folder)


def test_a_field_of_the_wrong_kind_is_named(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["methods"][2]["kind"] = "winner"
    with pytest.raises(UsageError, match=r"results.json does not read at 'methods\.2\.kind'"):
        read.run(make_run(content))
    folder = make_run(name="other")
    (folder / "timing.json").write_text(json.dumps({"methods": {"faceswap": {"n": 1}}}))
    with pytest.raises(UsageError, match=r"timing.json does not read at 'methods\.faceswap\.ms_p50'"):
        read.run(folder)


def test_a_score_of_an_unlisted_method_is_refused(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["scores"][0]["method"] = "ghost"
    with pytest.raises(UsageError, match=r"scores 'ghost' on .* does not list both"):
        read.run(make_run(content))


def test_files_of_two_runs_in_one_folder_are_refused(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "manifest.json").write_text(finished_run.manifest(pairs=7).to_json())
    with pytest.raises(UsageError, match="mixes two runs"):
        read.run(folder)


def test_a_manifest_that_is_none_is_refused(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "manifest.json").write_text('{"images": []}')
    with pytest.raises(UsageError, match=r"manifest.json is no manifest"):
        read.run(folder)


def test_reporting_needs_no_torch() -> None:
    code = "import sys, reports.write, reports.terminal; sys.exit('torch' in sys.modules or 'jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
