from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import explored_run
import numpy as np
import pandas as pd
import pytest
from explored_run import FAILED, LEVELS, NOTHING, PAIRS
from PIL import Image

from hifibench.errors import UsageError
from reports import read, tables
from reports.page import assets as page_assets
from reports.page import data as page_data
from reports.page import pairs as page_pairs
from reports.page import pictures
from reports.page.pairs import Explored
from reports.page.pictures import Look, Tile

MakeRun = Callable[..., Path]
POSE = "pose[3ddfa]"


def explore(folder: Path) -> Explored:
    run = read.run(folder)
    return page_pairs.within(run, tables.build(run))


def test_every_score_comes_back_as_it_was(make_run: MakeRun) -> None:
    explored = explore(explored_run.write(make_run))
    content: dict[str, Any] = json.loads(page_assets.data(explored.json))
    assert len(content["pairs"]) == PAIRS
    names = [method["name"] for method in content["methods"]]
    assert names == ["target-copy", "re-encode", "source-paste", "faceswap", "hififace"]
    for column, metric in enumerate(content["metrics"]):
        for row, method in enumerate(names):
            values = np.frombuffer(base64.b64decode(metric["values"][row]), "<f4")
            for pair, name in enumerate(content["pairs"]):
                if method == "faceswap" and name in FAILED:
                    assert np.isnan(values[pair])
                elif metric["name"] == POSE and name == NOTHING:
                    assert np.isposinf(values[pair])
                else:
                    assert values[pair] == np.float32(explored_run.value(row, column, pair))


def test_statuses_messages_and_parts_of_each_pair(make_run: MakeRun) -> None:
    explored = explore(explored_run.write(make_run))
    data = explored.data
    ended = {name: data.statuses[code - 1] for name, code in zip(data.pairs, data.ended["faceswap"], strict=True)}
    assert {name for name, status in ended.items() if status != "ok"} == {*FAILED}
    assert data.messages == {("faceswap", name): explored_run.EVIL for name in FAILED}
    (split,) = data.divisions
    assert (split.title, split.levels) == ("Yaw <i>, mediapipe", LEVELS)
    assert split.of.tolist() == [1, 2] * (PAIRS // 2)


def test_json_ends_no_element_and_holds_no_nan() -> None:
    text = str(page_assets.data({"a": "</script><!--&\u2028"}))
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == {"a": "</script><!--&\u2028"}
    with pytest.raises(ValueError, match="Out of range"):
        page_assets.data([float("nan")])


def test_a_sheet_holds_each_picture_in_its_place_and_says_that_it_is_generated(make_run: MakeRun) -> None:
    folder = explored_run.write(make_run)
    explored = explore(folder)
    assert explored.sheets is not None
    kept, side = explored.sheets.kept, explored.sheets.look.side_px
    sheet = Image.open(io.BytesIO(explored.sheets.images[4]))
    assert "trainedAlgorithmicMedia" in sheet.info["comment"].decode()
    assert sheet.size == (kept.columns * side, kept.rows * side)
    assert len(kept.tiles) == 2 + 5 + 2
    for tile in range(len(kept.tiles)):
        left, top = side * (tile % kept.columns), side * (tile // kept.columns)
        shown = np.asarray(sheet.crop((left, top, left + side, top + side)).convert("RGB"), np.float64)
        original = Image.open(kept.path(4, tile)).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        assert np.abs(shown - np.asarray(original, np.float64)).mean() < 6


def test_a_picture_that_is_no_square_stands_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "targets" / "a.jpg"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (256, 128), (255, 255, 255)).save(path, quality=95)
    kept = pictures.find(tmp_path, ["a", "b"], [])
    assert (kept.tiles, kept.there.tolist()) == ((Tile("targets"),), [[True], [False]])
    for side in (192, 112):
        data, _ = pictures.sheet(kept, 0, Look(side, 90))
        shown = np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.float64)
        quarter = side // 4
        assert shown.shape == (side, side)
        assert shown[quarter + 8 : -quarter - 8].min() > 240
        assert shown[: quarter - 8].max() < 15
        assert shown[-quarter + 8 :].max() < 15


def test_a_damaged_picture_counts_as_missing_and_is_said_to_be_so(make_run: MakeRun) -> None:
    folder = explored_run.write(make_run)
    (folder / "pictures" / "sources" / "p000.jpg").write_bytes(b"no picture")
    (folder / "pictures" / "targets" / "p000.jpg").write_bytes(b"")
    explored = explore(folder)
    assert "2 pictures could not be read." in explored.lost
    assert f"Source pictures of 1 of {PAIRS} pairs are missing." in explored.lost


def test_what_was_deleted_is_named(make_run: MakeRun) -> None:
    folder = explored_run.write(make_run)
    assert explore(folder).lost == ()
    for index in range(12):
        (folder / "pictures" / "sources" / f"p{index:03d}.jpg").unlink()
    shutil.rmtree(folder / "pictures" / "swaps" / "hififace")
    (folder / "pictures" / "swaps" / "faceswap" / "p001.jpg").unlink()
    (folder / "scores.parquet").unlink()
    (folder / "splits.parquet").unlink()
    explored = explore(folder)
    assert explored.lost == (
        "There are no numbers of single pairs: scores.parquet is gone.",
        "Pairs cannot be chosen by part: splits.parquet is gone.",
        f"Source pictures of 12 of {PAIRS} pairs are missing.",
        # The two that failed never had any.
        f"Method faceswap: pictures of 1 of {PAIRS - len(FAILED)} swaps are missing.",
        "Method hififace: no picture of any swap is there.",
    )
    assert explored.json["metrics"] == explored.json["splits"] == []
    assert len(explored.json["pairs"]) == PAIRS


def test_without_pictures_manifest_and_marks_the_scores_name_the_pairs(make_run: MakeRun) -> None:
    folder = explored_run.write(make_run)
    for name in ("pictures", "swaps"):
        shutil.rmtree(folder / name)
    (folder / "manifest.json").unlink()
    explored = explore(folder)
    assert sorted(explored.data.pairs) == sorted(f"p{index:03d}" for index in range(PAIRS))
    assert "There are no pictures: the run's folder holds none in pictures/." in explored.lost
    assert explored.json["tiles"] is None
    assert all(method["ended"] is None for method in explored.json["methods"])


def test_a_damaged_table_is_refused(make_run: MakeRun) -> None:
    folder = explored_run.write(make_run)
    (folder / "scores.parquet").write_text("no table")
    with pytest.raises(UsageError, match=r"scores\.parquet is damaged"):
        explore(folder)


def test_a_method_whose_name_leads_elsewhere_has_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "swaps").mkdir(parents=True)
    (tmp_path / "a.jpg").write_bytes(b"")
    assert pictures.find(tmp_path, ["a"], ["../..", "..", ""]).tiles == ()


def test_of_a_sets_number_no_pair_is_good_or_bad(make_run: MakeRun) -> None:
    content = explored_run.finished_run.results()
    content["metrics"][0]["whole"] = True
    explored = explore(explored_run.write(make_run, content=content))
    whole, other = explored.json["metrics"][:2]
    assert (whole["direction"], whole["unit"]) == (None, "")
    assert (other["direction"], other["unit"]) == ("up", "%")


def test_sheets_shrink_until_they_fit(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = explored_run.write(make_run)
    monkeypatch.setattr(pictures, "INLINE_BYTES", 700_000)
    explored = explore(folder)
    assert explored.sheets is not None
    assert 128 <= explored.sheets.look.side_px < 256
    assert sum(map(len, explored.sheets.images)) * 4 / 3 <= 700_000
    monkeypatch.setattr(pictures, "INLINE_BYTES", 100_000)
    explored = explore(folder)
    assert explored.sheets is None
    assert explored.lost == ("The pictures are too many to stand inside of the page.",)


def test_pictures_of_a_large_run_lie_beside_its_page(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = explored_run.write(make_run)
    report = folder / "report"
    (report / "pictures").mkdir(parents=True)
    (report / "pictures" / "of_an_older_report.jpg").write_bytes(b"")
    monkeypatch.setattr(pictures, "INLINE_BYTES", 100_000)
    monkeypatch.setattr(pictures, "BESIDE_BYTES", 300_000)
    written = explored_run.write_page(folder)
    assert written[-2:] == [report / "pairs.js", report / "index.html"]
    assert {path.name for path in report.iterdir()} == {"index.html", "pairs.js", "pictures"}
    assert [path.name for path in written[:-2]] == [f"{index:05d}.jpg" for index in range(PAIRS)]
    assert sorted((report / "pictures").iterdir()) == written[:-2]
    assert sum(path.stat().st_size for path in written[:-2]) <= 300_000
    assert 'id="pair-sheets"' not in (report / "index.html").read_text()
    key = re.search(r'data-key="(\w+)"', (report / "index.html").read_text())
    assert key is not None
    assert f'"key":"{key[1]}"' in (report / "pairs.js").read_text()


def test_a_small_report_removes_what_a_large_one_left(make_run: MakeRun) -> None:
    folder = explored_run.write(make_run)
    (folder / "report" / "pictures").mkdir(parents=True)
    (folder / "report" / "pictures" / "00000.jpg").write_bytes(b"")
    (folder / "report" / "pairs.js").write_text("")
    (folder / "report" / "table.md").write_text("")
    assert explored_run.write_page(folder) == [folder / "report" / "index.html"]
    assert {path.name for path in (folder / "report").iterdir()} == {"index.html", "table.md"}


def test_scores_of_many_pairs_lie_beside_the_page_also_without_pictures(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = explored_run.write(make_run)
    shutil.rmtree(folder / "pictures")
    monkeypatch.setattr(page_data, "INLINE_SCORES", 100)
    assert [path.name for path in explored_run.write_page(folder)] == ["pairs.js", "index.html"]


def test_a_page_that_cannot_be_made_leaves_the_old_one(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = explored_run.write(make_run)
    monkeypatch.setattr(pictures, "INLINE_BYTES", 100_000)
    explored_run.write_page(folder)
    before = {path: path.read_bytes() for path in (folder / "report").rglob("*") if path.is_file()}

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures, "_save", broken)
    with pytest.raises(explored_run.read.MissingError, match="No space left on device"):
        explored_run.write_page(folder)
    assert {path: path.read_bytes() for path in (folder / "report").rglob("*") if path.is_file()} == before
    assert len(list((folder / "report").iterdir())) == 3


def test_there_may_be_more_parts_than_a_byte_counts(make_run: MakeRun) -> None:
    folder = explored_run.write(make_run)
    named = [f"p{index:03d}" for index in range(PAIRS)]
    levels = pd.DataFrame({"pair": named, "split": explored_run.SPLIT, "level": [f"of {name}" for name in named]})
    strangers = pd.DataFrame({"pair": "nobody", "split": explored_run.SPLIT, "level": [f"l{k}" for k in range(300)]})
    pd.concat([strangers, levels]).to_parquet(folder / "splits.parquet", index=False)
    explored = explore(folder)
    (split,) = explored.data.divisions
    assert [split.levels[code - 1] for code in split.of] == [f"of {name}" for name in explored.data.pairs]
    assert np.frombuffer(base64.b64decode(explored.json["splits"][0]["of"]), "<u2").tolist() == split.of.tolist()


@pytest.mark.filterwarnings("error")
def test_a_number_beyond_single_precision_is_not_taken_for_nothing_to_score(make_run: MakeRun) -> None:
    folder = explored_run.write(make_run)
    rows = pd.read_parquet(folder / "scores.parquet")
    for row, number in enumerate((1e300, -1e300, np.inf)):
        rows.loc[row, "value"] = number
    rows.to_parquet(folder / "scores.parquet", index=False)
    values = explore(folder).data.values[rows["method"][0], rows["metric"][0]][:3]
    assert values.tolist() == [page_data.LARGEST, -page_data.LARGEST, np.inf]


def test_of_a_method_without_any_swap_no_picture_is_missed(make_run: MakeRun) -> None:
    content = explored_run.finished_run.results()
    content["methods"][4]["status"] = {"no face in source": 100}
    folder = explored_run.write(make_run, content=content)
    for name in ("swaps", "pictures/swaps", "pictures/masks"):
        shutil.rmtree(folder / name / "hififace")
    assert explore(folder).lost == ()
