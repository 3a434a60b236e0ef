"""A finished run on a few portraits, scored once more through JPEG and H.264."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hifibench import registry
from hifibench.commands_robustness import compressions, moving, robustness
from hifibench.compression import Compression, through
from hifibench.data import loader
from hifibench.data.images import load
from hifibench.errors import MissingError, UsageError
from hifibench.pipeline.run import run
from hifibench.records import Manifest
from hifibench.suite import FileData, HeadData, PortraitData, Suite

DATA = PortraitData(kind="portraits", split="test", identities=100, views=2, pairs=20)
SUITE = Suite(
    name="tiny",
    title="Tiny",
    data=DATA,
    methods=("target-copy", "re-encode", "source-paste", "faceswap"),
    metrics=("pose[3ddfa]", "background[l1]", "id_cosine[edgeface]"),
    draws=100,
)
HOWS = "jpeg:30,c40"


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_compressions_are_named_once() -> None:
    assert [how.name for how in compressions("jpeg:75, c23,h264:23,,c40")] == ["jpeg:75", "c23", "c40"]
    with pytest.raises(UsageError, match="--through is empty"):
        compressions(" , ")
    with pytest.raises(UsageError, match="there is no codec 'av1'"):
        compressions("c23,av1:30")


def test_sampled_pictures_of_one_person_are_no_film() -> None:
    heads = {"kind": "heads", "identities": 4, "pairs": 2}
    assert [moving(HeadData(**heads, frames=k)) for k in (1, 2)] == [False, True]
    assert not moving(DATA) and moving(FileData(kind="files", pairs_csv=Path("pairs.csv")))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four pairs, compressed twice."""
    out = tmp_path_factory.mktemp("robustness") / "run"
    run(SUITE, out, limit=4)
    robustness(out, HOWS, "cpu", quiet=True)
    return out


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The same run, without what was compressed."""
    return Path(shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("robustness")))


@pytest.mark.slow
def test_every_metric_of_every_method_is_compared(finished: Path) -> None:
    made = read(finished / "robustness" / "robustness.json")
    assert list(made["through"]) == ["jpeg:30", "c40"]
    assert [metric["name"] for metric in made["metrics"]] == list(SUITE.metrics)
    results = read(finished / "results.json")
    for metric in made["metrics"]:
        rows = {(row["method"], row["through"]): row for row in metric["scores"]}
        assert len(rows) == len(SUITE.methods) * 3
        for score in results["scores"]:
            if score["metric"] == metric["name"]:
                assert rows[score["method"], ""]["value"] == score["value"]
        assert all(row["n_failed"] == 0 for row in rows.values())
    pose, background, likeness = (
        {(row["method"], row["through"]): row for row in metric["scores"]} for metric in made["metrics"]
    )
    # The target went the same way as its copy; what differs from it moves, and identity fades.
    assert pose["target-copy", "c40"]["value"] == background["target-copy", "c40"]["value"] == 0
    assert background["re-encode", "c40"]["change"]["value"] > 0
    assert likeness["source-paste", "c40"]["change"]["value"] < -0.05
    assert (finished / "robustness" / "robustness.md").read_text().count("\n## ") == 4


@pytest.mark.slow
def test_swaps_and_originals_are_compressed_one_by_one_and_keep_their_rows(finished: Path) -> None:
    manifest = Manifest.from_json((finished / "manifest.json").read_text())
    how, pair = Compression.parse("c40"), manifest.pairs[1]
    out = finished / "robustness" / "c40"
    for method in SUITE.methods:
        swap = load(finished / "swaps" / method / f"{pair.pair}.png")
        done = load(out / "swaps" / method / f"{pair.pair}.png")
        np.testing.assert_array_equal(done, through([swap], how)[0])
    target = through([loader(DATA)(manifest.image(pair.target))], how)[0]
    np.testing.assert_array_equal(load(out / "examples" / f"{pair.pair}-target.png"), target)
    results = read(out / "results.json")
    assert [method["name"] for method in results["methods"]] == list(SUITE.methods)
    assert [m["kind"] for m in results["methods"]] == [m["kind"] for m in read(finished / "results.json")["methods"]]
    assert results["suite"] == "tiny-c40" and "c40" in results["title"]
    assert registry.swappers.get("faceswap").card.target.template != "frame", "the method itself came back"


@pytest.mark.slow
def test_a_second_call_makes_nothing_again_and_one_that_was_stopped_goes_on(finished: Path) -> None:
    out = finished / "robustness"
    before = (out / "robustness.json").read_bytes()
    swaps = {path: path.stat().st_mtime_ns for path in out.rglob("swaps/*/*.png")}
    assert len(swaps) == 2 * 4 * len(SUITE.methods)
    robustness(finished, HOWS, "cpu", quiet=True)
    assert {path: path.stat().st_mtime_ns for path in swaps} == swaps
    assert (out / "robustness.json").read_bytes() == before
    shutil.rmtree(out / "c40" / "observations" / "faceswap")
    for name in ("results.json", "scores.parquet"):
        (out / "c40" / name).unlink()
    robustness(finished, HOWS, "cpu", quiet=True)
    assert (out / "robustness.json").read_bytes() == before


@pytest.mark.slow
def test_a_method_that_is_not_installed_any_more_is_compared_all_the_same(copy: Path) -> None:
    for name in ("results.json", "run.json", "scores.parquet"):
        path = copy / name
        if name.endswith("json"):
            path.write_text(path.read_text().replace('"faceswap"', '"gone-by-now"'))
    import pandas as pd

    scores = pd.read_parquet(copy / "scores.parquet").replace({"method": {"faceswap": "gone-by-now"}})
    scores.to_parquet(copy / "scores.parquet")
    (copy / "swaps" / "faceswap").rename(copy / "swaps" / "gone-by-now")
    robustness(copy, "jpeg:30", "cpu", quiet=True)
    assert "gone-by-now" in read(copy / "robustness" / "robustness.json")["methods"]
    assert "gone-by-now" not in registry.swappers.names()


@pytest.mark.slow
def test_swaps_that_were_deleted_are_asked_for(copy: Path) -> None:
    for path in (copy / "swaps" / "re-encode").glob("*.png"):
        path.unlink()
    with pytest.raises(MissingError, match=r"4 of the 4 swaps of re-encode are gone.*hifibench run"):
        robustness(copy, HOWS, "cpu", quiet=True)


OLD = {"name": "edgeface", "summary": "", "paper": "", "licence": "", "limits": "", "card": "0" * 64}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("results.json", None, MissingError, "is not finished"),
        ("manifest.json", None, UsageError, "manifest.json is gone"),
        ("run.json", {"hifibench": "0.0.1"}, UsageError, "holds a run of hifibench 0.0.1"),
        ("run.json", {"seed": 5, "limit": 3}, UsageError, "images of the run .* have changed since"),
        ("run.json", {"suite": None}, UsageError, "does not say what was run"),
        ("results.json", {"experts": [OLD]}, UsageError, "edgeface has changed since"),
        ("results.json", {"methods": [], "scores": []}, UsageError, "results.json scores , run.json names target-copy"),
    ],
)
def test_a_run_that_cannot_be_compared_is_refused(
    copy: Path, name: str, change: dict[str, Any] | None, error: type[Exception], message: str
) -> None:
    if change is None:
        (copy / name).unlink()
    else:
        (copy / name).write_text(json.dumps({**read(copy / name), **change}))
    with pytest.raises(error, match=message):
        robustness(copy, HOWS, "cpu", quiet=True)
    assert not (copy / "robustness").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        robustness(tmp_path, HOWS, "cpu", quiet=True)
    with pytest.raises(UsageError, match="the quality, from 1 to 100"):
        robustness(tmp_path, "jpeg:0", "cpu", quiet=True)
