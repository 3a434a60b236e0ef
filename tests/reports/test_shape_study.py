from __future__ import annotations

import finished_run
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hifibench.errors import MissingError, UsageError
from hifibench.hififace.analysis.study import Study, load, save
from metrics.statistics import cluster_bootstrap, wilson
from reports.figures import shape_study

# Source and target are 1 to 8 apart; hififace is nearer than faceswap from 5 on, and once below.
APART = np.arange(1.0, 9.0)
FACESWAP = np.full(8, 2.0)
HIFIFACE = np.array([2.5, 3.0, 1.5, 2.0, 1.0, 1.25, 0.5, 1.75])


def write_scores(run, **changes) -> None:
    values = {"target-copy": APART, "faceswap": FACESWAP, "hififace": HIFIFACE} | changes
    names = [f"p{k:03d}" for k in range(8)]
    parts = [
        pd.DataFrame({"method": method, "pair": names, "metric": metric, "value": row})
        for method, row in values.items()
        for metric in ("shape[3ddfa]", "pose[3ddfa]")
    ]
    pd.concat(parts).to_parquet(run / "scores.parquet", index=False)


@pytest.fixture
def run(make_run):
    folder = make_run(examples=0)
    write_scores(folder)
    return folder


def test_differences_are_sorted_and_belong_to_their_pairs(run) -> None:
    table = shape_study.compare(run, "hififace", "faceswap").table
    assert list(table["difference"]) == sorted(HIFIFACE - FACESWAP)
    by_pair = table.set_index("pair").sort_index()
    np.testing.assert_array_equal(by_pair["source_target"], APART)
    np.testing.assert_array_equal(by_pair["difference"], HIFIFACE - FACESWAP)


def test_shares_count_strictly_lower_samples(run) -> None:
    everyone, half, quarter = shape_study.shares(shape_study.compare(run, "hififace", "faceswap"))
    assert everyone == ("all", 1.0, 8, 5, 5 / 8, *wilson(5, 8))
    assert half == ("top half", 4.5, 4, 4, 1.0, *wilson(4, 4))
    assert quarter == ("top quarter", 6.25, 2, 2, 1.0, *wilson(2, 2))


def test_swapped_methods_give_the_mirror_image(run) -> None:
    there, back = (shape_study.compare(run, *names) for names in (("hififace", "faceswap"), ("faceswap", "hififace")))
    np.testing.assert_array_equal(there.table["difference"], -back.table["difference"][::-1])
    # One sample is alike and counts for neither.
    assert shape_study.shares(there)[0].lower + shape_study.shares(back)[0].lower == 7


def test_pairs_that_one_method_failed_on_are_left_out_and_named(run) -> None:
    write_scores(run, hififace=np.where(np.arange(8) == 2, np.nan, HIFIFACE))
    made = shape_study.compare(run, "hififace", "faceswap")
    assert len(made.table) == 7 and "p002" not in set(made.table["pair"])
    assert shape_study.sentences(made)[-1] == "Left out: 1 of 8 pairs; hififace failed on 1, faceswap on 0."
    assert "on 4 of 7 samples, 57 %" in shape_study.sentences(made)[0]


def test_files_hold_what_was_found(run, tmp_path) -> None:
    made = shape_study.compare(run, "hififace", "faceswap")
    out = tmp_path / "out"
    written = shape_study.write(made, out)
    assert {path.name for path in written} == {
        *("shape.csv", "shape.json", "shape_shares.csv", "shape_shares.json", "shape.png", "shape.pdf", "shape.svg")
    }
    pd.testing.assert_frame_equal(pd.read_csv(out / "shape.csv", engine="python"), made.table)
    found = pd.read_csv(out / "shape_shares.csv", engine="python")
    assert [shape_study.Share(*row) for row in found.itertuples(index=False, name=None)] == shape_study.shares(made)
    with Image.open(out / "shape.png") as image:
        assert image.info["hifibench:run"] == finished_run.RUN["run_id"]
        assert "XML:com.adobe.xmp" not in image.info  # no generated face is seen in it
        assert round(image.info["dpi"][0]) == 200


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("hififace", "faceswop"), "no method 'faceswop'. Did you mean 'faceswap'"),
        (("hififace", "hififace"), "name two different methods"),
        (("hififace", "faceswap", "shape[ringnet]"), r"no shape metric 'shape\[ringnet\]'; it has shape\[3ddfa\]"),
        (("hififace", "faceswap", "pose[3ddfa]"), "no shape metric"),
    ],
)
def test_what_the_run_lacks_is_told(run, words, message) -> None:
    with pytest.raises(UsageError, match=message):
        shape_study.compare(run, *words)


def test_a_run_without_the_reference_says_how_to_add_it(make_run) -> None:
    folder = make_run(finished_run.results(("faceswap", "hififace")), examples=0)
    write_scores(folder)
    table = pd.read_parquet(folder / "scores.parquet")
    table[table["method"] != "target-copy"].to_parquet(folder / "scores.parquet", index=False)
    with pytest.raises(UsageError, match="--methods hififace,faceswap,target-copy"):
        shape_study.compare(folder, "hififace", "faceswap")


def test_missing_and_damaged_scores_are_told(run) -> None:
    path = run / "scores.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UsageError, match="is damaged"):
        shape_study.compare(run, "hififace", "faceswap")
    path.unlink()
    with pytest.raises(MissingError, match=r"scores.parquet is missing"):
        shape_study.compare(run, "hififace", "faceswap")


def test_nothing_scored_is_told(run) -> None:
    write_scores(run, hififace=np.full(8, np.nan))
    with pytest.raises(UsageError, match="no pair was scored"):
        shape_study.compare(run, "hififace", "faceswap")


def clustered(difference, videos) -> Study:
    table = pd.DataFrame(
        {"pair": [f"p{k}" for k in range(len(difference))], "video": videos, "source_target": 1.0}
    ).assign(error_a=difference, error_b=0.0, difference=difference)
    return Study("shape", table, {}, {})


def test_frames_of_one_video_do_not_narrow_the_interval(tmp_path) -> None:
    # In each video the samples fall alike, so that 40 samples tell no more than 8 videos do.
    by_video = np.where(np.arange(8) % 4 == 0, 1.0, -1.0)
    difference, videos = np.repeat(by_video, 5), np.repeat([f"{k:03d}" for k in range(8)], 5)
    one = shape_study.shares(clustered(difference, videos))[0]
    low, high = cluster_bootstrap(by_video < 0, np.arange(8), seed=shape_study.SEED)
    assert (one.share, one.low, one.high) == (0.75, low, high)
    alone = shape_study.shares(clustered(difference, np.arange(40)))[0]
    assert one.low < alone.low and alone[5:] == wilson(30, 40)


def test_where_all_samples_fall_alike_videos_are_the_trials() -> None:
    videos = np.repeat(["000", "001", "002"], 4)
    for sign, lower in ((-1.0, 3), (1.0, 0)):
        assert shape_study.shares(clustered(np.full(12, sign), videos))[0][5:] == wilson(lower, 3)


def test_intervals_read_back_from_the_file_are_the_same(tmp_path) -> None:
    rng = np.random.default_rng(3)
    # Names that read back as numbers, whose order as text is another.
    made = clustered(rng.normal(size=60), np.repeat([str(k) for k in range(12)], 5))
    save(made, tmp_path)
    assert shape_study.shares(load(tmp_path, "shape")) == shape_study.shares(made)


def test_the_video_of_a_pair_is_that_of_its_target(run) -> None:
    table = shape_study.compare(run, "hififace", "faceswap").table.set_index("pair")
    manifest = finished_run.manifest()
    assert {pair.pair: manifest.image(pair.target).video for pair in manifest.pairs} == dict(table["video"])


def test_without_a_manifest_every_pair_is_a_video_of_its_own(run) -> None:
    (run / "manifest.json").unlink()
    table = shape_study.compare(run, "hififace", "faceswap").table
    assert list(table["video"]) == list(table["pair"])
