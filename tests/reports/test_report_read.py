from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import finished_run
import numpy as np
import pandas as pd
import pytest

from hifibench.errors import MissingError, UsageError
from reports import read

MakeRun = Callable[..., Path]


def rewrite(folder: Path, **changes: Any) -> Path:
    """Change ``results.json`` as it stands, without what `finished_run` would mend."""
    path = folder / "results.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def test_reads_what_the_pipeline_wrote(make_run: MakeRun) -> None:
    run = read.run(make_run())
    assert [method.name for method in run.results.methods] == list(finished_run.METHODS)
    assert run.results.methods[4].cost is not None
    assert run.results.methods[4].cost.macs == 102_400_000_000
    assert run.results.galleries["frames"].images == 200
    assert run.timing.methods["faceswap"].ms_p90 == 80.5
    assert run.provenance["commit"] == "0123abcd"
    assert run.schema == 3


def test_metrics_say_what_kind_of_number_they_are(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["metrics"][-1]["whole"] = True
    metrics = read.run(make_run(content)).results.metrics
    assert [(one.rate, one.whole) for one in metrics] == [(True, False)] * 4 + [(False, False)] * 8 + [(False, True)]


def test_a_number_that_could_not_be_computed_is_none_and_not_zero(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["scores"][0] |= {"value": None, "low": None, "high": None, "worst_case": None}
    score = read.run(make_run(content)).results.scores[0]
    assert (score.value, score.low, score.worst_case) == (None, None, None)


def test_a_method_without_any_success_reads(make_run: MakeRun) -> None:
    content = finished_run.results()
    for score in content["scores"]:
        if score["method"] == "hififace":
            score |= {"value": None, "low": None, "high": None, "n_failed": 100, "worst_case": None}
    content["methods"][4] |= {
        "status": {"failed": 100},
        "messages": ["<script>alert(1)</script> (100 x)"],
        "cost": None,
    }
    folder = make_run(content)
    shutil.rmtree(folder / "swaps" / "hififace")
    run = read.run(folder)
    assert {score.value for score in run.results.scores if score.method == "hififace"} == {None}
    assert not [phrase for phrase in run.missing if "hififace" in phrase]
    assert all("hififace" not in example.swaps for example in run.examples)


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
    assert "manifest.json: the images and pairs" in run.missing


def whole_run(make_run: MakeRun) -> Path:
    """A run of which nothing is gone, made-up as it is."""
    folder = make_run(examples=8)
    content = json.loads((folder / "results.json").read_text())
    methods = [one | {"status": {"ok": 7, "failed": 1} if one["name"] == "faceswap" else {"ok": 8}} for one in
               content["methods"]]  # fmt: skip
    pd.DataFrame(columns=["method", "pair", "metric", "value"]).to_parquet(folder / "scores.parquet")
    (folder / "pictures" / "swaps" / "faceswap").mkdir(parents=True)
    (folder / "pictures" / "swaps" / "faceswap" / "p000.jpg").touch()
    pairs = [
        {"pair": pair.pair, "status": "failed" if index == 1 else "ok"}
        for index, pair in enumerate(finished_run.manifest().pairs)
    ]
    (folder / "swaps" / "faceswap" / "chunk-00000.json").write_text(json.dumps({"card": "", "pairs": pairs}))
    return rewrite(folder, methods=methods)


def test_nothing_is_missing_of_a_whole_run(make_run: MakeRun) -> None:
    run = read.run(whole_run(make_run))
    assert run.missing == ()
    assert len(run.examples) == 8


def test_a_run_whose_images_were_deleted_reads_and_says_what_is_missing(make_run: MakeRun) -> None:
    folder = whole_run(make_run)
    for name in ("examples", "swaps", "pictures"):
        shutil.rmtree(folder / name)
    (folder / "scores.parquet").unlink()
    run = read.run(folder)
    assert run.examples == ()
    assert len(run.results.scores) == 5 * 13
    assert run.missing == (
        "scores.parquet: the scores of single pairs",
        "pictures: small pictures of the pairs",
        "examples: source or target of 8 of 8 pairs kept to look at",
    )


def test_deleted_swaps_are_missing_and_failed_ones_are_not(make_run: MakeRun) -> None:
    folder = whole_run(make_run)
    for pair in ("p000", "p003", "p006"):  # faceswap failed on p003
        (folder / "swaps" / "faceswap" / f"{pair}.png").unlink(missing_ok=True)
    assert read.run(folder).missing == ("swaps/faceswap: frames of 2 of 8 pairs kept to look at",)
    shutil.rmtree(folder / "swaps")
    assert read.run(folder).missing == ("swaps: frames of pairs kept to look at, of 4 methods",)


@pytest.mark.parametrize("damage", [b"no image", b"", "cut"])
def test_an_unreadable_picture_is_left_out_and_named(make_run: MakeRun, damage: bytes | str) -> None:
    folder = whole_run(make_run)
    for path in (folder / "examples" / "p000-target.png", folder / "swaps" / "hififace" / "p003.png"):
        path.write_bytes(path.read_bytes()[:-40] if isinstance(damage, str) else damage)
    run = read.run(folder)
    assert [example.pair for example in run.examples] == [f"p{(3 * k) % 8:03d}" for k in range(1, 8)]
    assert "hififace" not in run.examples[0].swaps
    assert run.missing == (
        "examples: source or target of 1 of 8 pairs kept to look at",
        "swaps/hififace: frames of 1 of 7 pairs kept to look at",
    )


def test_a_name_leads_to_no_picture_outside_the_run(make_run: MakeRun, tmp_path: Path) -> None:
    evil = "../../secrets"
    folder = make_run(finished_run.results(["target-copy"]))
    (tmp_path / "secrets").mkdir()
    finished_run.picture(0).save(tmp_path / "secrets" / "p000.png")
    content = json.loads((folder / "results.json").read_text().replace("target-copy", evil))
    (folder / "results.json").write_text(json.dumps(content))
    run = read.run(folder)
    assert (folder / "swaps" / evil / "p000.png").is_file()
    assert run.examples and all(not example.swaps for example in run.examples)


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


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (4, r"has schema 4, a newer version wrote it.*schemas 1 to 3\. Update hifibench"),
        (0, "has schema 0, which there never was"),
        (-1, "has schema -1, which there never was"),
        (None, "has schema null, expected a whole number"),
        ("1", 'has schema "1", expected a whole number'),
        (True, "has schema true, expected a whole number"),
        (2.5, "has schema 2.5, expected a whole number"),
    ],
)
def test_another_schema_is_refused(make_run: MakeRun, schema: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read.run(rewrite(make_run(), schema=schema))


@pytest.mark.parametrize("name", ["results.json", "run.json", "timing.json", "manifest.json"])
@pytest.mark.parametrize("text", ["{", "[]", "\udce9", '{"a": 1, "a": 2}', '{"a": 1' + "0" * 5000 + "}", "[" * 100_000])
def test_a_damaged_file_is_named(make_run: MakeRun, name: str, text: str) -> None:
    folder = make_run()
    (folder / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=f"{name} (is damaged|holds a list)"):
        read.run(folder)


@pytest.mark.parametrize("text", ['{"cpu": NaN}', '{"cpu": 1e999}', '{"cpu": "\\ud800"}'])
@pytest.mark.parametrize("name", ["run.json", "timing.json"])
def test_what_is_no_json_is_refused_beside_the_results_too(make_run: MakeRun, name: str, text: str) -> None:
    folder = make_run()
    (folder / name).write_text(text)
    with pytest.raises(UsageError, match=f"{name} is damaged at /cpu: found"):
        read.run(folder)


def test_a_truncated_file_is_refused(make_run: MakeRun) -> None:
    folder = make_run()
    path = folder / "results.json"
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    with pytest.raises(UsageError, match=r"results.json is damaged: .*line 1 column"):
        read.run(folder)


def test_a_field_of_the_wrong_kind_is_named(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["methods"][2]["kind"] = "winner"
    with pytest.raises(UsageError, match=r'schema 3: 1 problem\.\n  /methods/2/kind: found "winner", expected one of'):
        read.run(make_run(content))
    folder = make_run(name="other")
    (folder / "timing.json").write_text(json.dumps({"methods": {"faceswap": {"n": 1}}}))
    with pytest.raises(UsageError, match=r"timing.json does not read at /methods/faceswap/ms_p50"):
        read.run(folder)


def test_a_score_of_an_unlisted_method_is_refused(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["scores"][0]["method"] = "ghost"
    with pytest.raises(UsageError, match=r'/scores/0/method: found "ghost", expected a method of this run'):
        read.run(make_run(content))


def test_files_of_two_runs_in_one_folder_are_refused(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "manifest.json").write_text(finished_run.manifest(pairs=7).to_json())
    with pytest.raises(UsageError, match="mixes two runs"):
        read.run(folder)


@pytest.mark.parametrize("raw", [{"images": []}, {"images": [], "pairs": [], "galleries": [], "origin": ""},
                                 {"images": [], "pairs": [{"pair": "p", "source": "a", "target": "b"}],
                                  "galleries": {}, "origin": ""}])  # fmt: skip
def test_a_manifest_that_is_none_is_refused(make_run: MakeRun, raw: object) -> None:
    folder = make_run()
    (folder / "manifest.json").write_text(json.dumps(raw))
    with pytest.raises(UsageError, match=r"manifest.json is no manifest"):
        read.run(folder)


def scores(folder: Path, **columns: Any) -> Path:
    folder.mkdir(exist_ok=True)
    pd.DataFrame({"method": ["a", "a"], "pair": ["p", "q"], "metric": ["m", "m"], **columns}).to_parquet(
        folder / "scores.parquet"
    )
    return folder


def test_scores_that_are_null_nan_infinite_or_whole_are_numbers(tmp_path: Path) -> None:
    assert read.scores(scores(tmp_path, value=[np.nan, np.inf]))["value"].tolist()[1] == np.inf
    assert np.isnan(read.scores(scores(tmp_path, value=[None, 0.5]))["value"].tolist()[0])
    table = read.scores(scores(tmp_path, value=[1, 2]))
    assert table["value"].dtype == np.float64
    assert table["value"].tolist() == [1.0, 2.0]


def test_a_damaged_table_of_scores_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"scores.parquet is missing"):
        read.scores(tmp_path)
    with pytest.raises(UsageError, match=r"scores.parquet is damaged .*no column value"):
        read.scores(scores(tmp_path))
    with pytest.raises(UsageError, match=r"scores.parquet is damaged"):
        read.scores(scores(tmp_path, value=["much", "little"]))
    with pytest.raises(UsageError, match=r"scores.parquet is damaged .*null in method"):
        read.scores(scores(tmp_path, value=[1.0, 2.0], pair=["p", None]))
    (tmp_path / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"scores.parquet is damaged"):
        read.scores(tmp_path)


def test_parts_of_splits_are_read(tmp_path: Path) -> None:
    table = pd.DataFrame({"pair": ["p"], "split": ["yaw[mediapipe]"], "level": ["hard"]})
    table.to_parquet(tmp_path / "splits.parquet")
    pd.testing.assert_frame_equal(read.levels(tmp_path), table)
    with pytest.raises(MissingError, match=r"splits.parquet is missing"):
        read.levels(tmp_path / "absent")


def test_reporting_needs_no_torch() -> None:
    code = "import sys, reports.write, reports.terminal; sys.exit('torch' in sys.modules or 'jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
