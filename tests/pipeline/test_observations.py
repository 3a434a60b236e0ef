"""Observations read some pairs and one output at a time: the same numbers as all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import large_observations
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench import registry
from hifibench.arrays import DiskArray, read_arrays
from hifibench.contracts import Metric
from hifibench.errors import MissingError, UsageError
from hifibench.pipeline import blocks, observations, scores_file
from hifibench.pipeline.observations import Chunks, Joined, Observations, View
from hifibench.pipeline.plan import pairs_table
from hifibench.pipeline.score import score
from hifibench.pipeline.store import CHUNK, RunFolder
from hifibench.pipeline.values import Values, measure
from hifibench.records import ImageRef, Manifest, Observed, Pair
from hifibench.suite import load

PAIRS = 140
METHODS = ("faceswap", "simswap")
Written = tuple[RunFolder, Any, Manifest]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return large_observations.write(tmp_path_factory.mktemp("large") / "run", PAIRS, METHODS)


def clips(frames: Sequence[int], interleaved: bool = False) -> Manifest:
    """Clips of so many frames, one person each, all with the first person's face."""
    images, pairs = [ImageRef("s", "portrait:seed=0;view=0", "s", "s")], []
    for clip, count in enumerate(frames):
        for frame in range(count):
            images.append(ImageRef(f"t{clip}_{frame}", "portrait:seed=0;view=1", f"t{clip}", f"t{clip}", frame))
            pairs.append((frame if interleaved else 0, Pair(f"p{clip}_{frame}", "s", f"t{clip}_{frame}")))
    pairs.sort(key=lambda one: one[0])
    everybody = tuple(ref.image for ref in images)
    made = tuple(pair for _, pair in pairs)
    return Manifest(tuple(images), made, {"frames": everybody, "sources": everybody}, "made up")


def joined(folder: RunFolder, of: str, expert: str, name: str, count: int) -> np.ndarray:
    """All rows of an output, as a script would read them."""
    parts = [read_arrays(folder.observations(of, expert, chunk)) or {} for chunk in range(-(-count // CHUNK))]
    shape = next(part[name].shape[1:] for part in parts if name in part)
    return np.concatenate([part.get(name, np.full((int(part["rows"]), *shape), np.nan, np.float32)) for part in parts])


@pytest.mark.parametrize("of", ["images", "faceswap"])
def test_any_rows_are_those_of_the_files(written: Written, of: str, tmp_path: Path) -> None:
    folder, _, plan = written
    count = len(plan.images) if of == "images" else PAIRS
    chunks = Chunks(folder, of, count)
    for rows in (np.arange(count), np.array([5, 3, 3, count - 1, 50, 49]), np.arange(0)):
        for stored in (chunks, Joined(chunks, tmp_path)):
            for expert, name in (("edgeface", "embedding"), ("mediapipe", "pose_deg"), ("detector", "score")):
                expected = joined(folder, of, expert, name, count)[rows]
                np.testing.assert_array_equal(View(stored, [expert], rows)[expert][name], expected)
    assert np.isnan(joined(folder, "faceswap", "edgeface", "embedding", PAIRS)[3 * CHUNK : 4 * CHUNK]).all()


def test_a_view_names_what_there_is_and_reads_only_what_is_asked_for(written: Written) -> None:
    folder, _, _ = written
    view = View(Chunks(folder, "faceswap", PAIRS), ["3ddfa"], np.arange(4))
    assert set(view) == {"3ddfa"}
    assert "gaze" not in view["3ddfa"]
    assert set(view["3ddfa"]) == {"identity", "expression", "pose_deg", "landmarks", "matrix"}
    with pytest.raises(KeyError, match="gaze"):
        view["3ddfa"]["gaze"]
    assert view["3ddfa"]["identity"] is view["3ddfa"]["identity"]


def test_a_part_that_is_gone_or_damaged_is_named(tmp_path: Path) -> None:
    folder, _, _ = large_observations.write(tmp_path / "run", 40, ("faceswap",))
    path = folder.observations("faceswap", "edgeface", 2)
    path.unlink()
    view = View(Chunks(folder, "faceswap", 40), ["edgeface"], np.arange(40))
    with pytest.raises(MissingError, match=r"chunk-00002.npz is missing or damaged: run the same command again"):
        view["edgeface"]["embedding"]
    with pytest.raises(MissingError, match="missing or damaged"):
        Observations(folder, large_observations.manifest(60), ()).swaps("faceswap", np.arange(60))["detector"]["box"]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.booleans(), st.integers(1, 12))
def test_blocks_hold_every_pair_once_and_clips_whole(frames: list[int], interleaved: bool, size: int) -> None:
    plan = clips(frames, interleaved)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", size)
        plain, whole = list(blocks.cut(plan, False)), list(blocks.cut(plan, True))
    for parts in (plain, whole):
        assert sorted(np.concatenate(parts)) == list(range(len(plan.pairs)))
        assert all((np.diff(part) > 0).all() for part in parts)
    assert max(map(len, plain)) <= size
    videos = [[plan.image(plan.pairs[row].target).video for row in part] for part in whole]
    assert all(len(part) <= size or len(set(part)) == 1 for part in videos)
    assert sum(len(set(part)) for part in videos) == len(frames)


def test_the_pairs_of_a_block_have_the_columns_of_all(written: Written) -> None:
    folder, _, plan = written
    first = plan.pairs[3].target
    labelled = tuple(replace(ref, labels={"hat": "yes"}) if ref.image == first else ref for ref in plan.images)
    plan = replace(plan, images=labelled)
    table = pairs_table(plan)
    seen = Observations(folder, plan, ())
    for rows in (np.array([0, 3, 7]), np.array([100, 101])):
        expected = table.iloc[rows].reset_index(drop=True)
        pd.testing.assert_frame_equal(seen.of({}, rows).pairs, expected)


def scored(folder: RunFolder, suite: Any, plan: Manifest) -> tuple[str, pd.DataFrame]:
    score(folder, suite, plan, seed=0)
    return folder["results.json"].read_text(), pd.read_parquet(folder["scores.parquet"])


def test_scores_do_not_depend_on_how_many_pairs_are_looked_at_together(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, suite, plan = written
    whole, values = scored(folder, suite, plan)
    monkeypatch.setattr(blocks, "BLOCK", 24)
    monkeypatch.setattr(observations, "KEPT_BYTES", 100)
    monkeypatch.setattr(scores_file, "GROUP", 100)
    monkeypatch.setattr("hifibench.pipeline.score.TABLE", 2 * PAIRS)
    monkeypatch.setattr("metrics.resampling.SUMMED", PAIRS)
    cut, cut_values = scored(folder, suite, plan)
    assert cut == whole
    pd.testing.assert_frame_equal(cut_values, values, check_exact=True)
    assert pq.read_metadata(folder["scores.parquet"]).num_row_groups > 1
    assert not [path for path in folder.root.iterdir() if path.name.startswith(".")]


def test_metrics_of_clips_do_not_depend_on_it_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = clips([4, 1, 6, 2, 3, 8, 1, 5] * 5, interleaved=True)
    monkeypatch.setattr(large_observations, "manifest", lambda pairs: plan)
    folder, suite, _ = large_observations.write(tmp_path / "run", len(plan.pairs), ("faceswap",))
    names = ("jitter[mediapipe]", "flicker[mediapipe]", "id_variance[edgeface]", "forgery_auc[spectrum,video]")
    suite = suite.model_copy(update={"metrics": (*names, "lighting[mediapipe]", "skin_tone[mediapipe,source]")})
    whole, values = scored(folder, suite, plan)
    assert {"jitter[mediapipe]"} < set(values.metric[np.isfinite(values.value)])
    monkeypatch.setattr(blocks, "BLOCK", 7)
    cut, cut_values = scored(folder, suite, plan)
    assert cut == whole
    pd.testing.assert_frame_equal(cut_values, values, check_exact=True)


@pytest.mark.parametrize(
    ("says", "sizes"),
    [({"scope": "set"}, [PAIRS]), ({"scope": "pair"}, [64, 64, 12]), ({"scope": "pair", "others": True}, [PAIRS])],
)
def test_a_metric_gets_as_many_pairs_as_it_says(
    written: Written, tmp_path: Path, says: dict[str, Any], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def compute(observed: Observed) -> np.ndarray:
        asked.append(len(observed.pairs))
        return observed.swap["mediapipe"]["pose_deg"][:, 0].astype(np.float64)

    monkeypatch.setattr(blocks, "BLOCK", 64)
    metric = Metric("made", "Made", "", "down", ("mediapipe",), compute)
    # One that does not say anything, as those of other packages, gets all.
    assert metric.scope == "set"
    values = _measured(written, replace(metric, **says), tmp_path)
    assert asked == sizes
    np.testing.assert_array_equal(values, joined(written[0], "faceswap", "mediapipe", "pose_deg", PAIRS)[:, 0])


def test_what_a_metric_refuses_in_a_block_it_is_asked_of_all_pairs(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(observed: Observed) -> np.ndarray:
        if not (observed.pairs["pair"] == written[2].pairs[70].pair).any():
            raise UsageError("nothing long enough")
        return np.arange(float(len(observed.pairs)))

    monkeypatch.setattr(blocks, "BLOCK", 64)
    metric = Metric("made", "Made", "", "down", ("mediapipe",), compute, scope="pair")
    np.testing.assert_array_equal(_measured(written, metric, tmp_path), np.arange(PAIRS))
    wrong = replace(metric, compute=lambda observed: np.zeros(3))
    with pytest.raises(UsageError, match=r"made returned shape \(3,\), expected one value per pair"):
        _measured(written, wrong, tmp_path)


def _measured(written: Written, metric: Metric, scratch: Path) -> np.ndarray:
    folder, suite, plan = written
    values = Values(scratch, METHODS, [metric.name], PAIRS)
    measure("faceswap", [metric], Observations(folder, plan, suite.experts()), {}, values, 0, 100)
    return values["faceswap", metric.name]


def test_values_stay_unknown_until_they_are_put_and_agree_on_what_is_not_there(tmp_path: Path) -> None:
    values = Values(tmp_path, ("a", "b"), ("x", "y"), 3)
    values.put(("a", "x"), np.array([np.inf, 1.0]), np.array([0, 2]))
    values.put(("b", "y"), np.array([1.0, 2.0, -np.inf]))
    values.agree("x")
    np.testing.assert_array_equal(values["a", "x"], [np.inf, np.nan, 1])
    np.testing.assert_array_equal(values["b", "x"], [np.inf, np.nan, np.nan])
    assert (values.largest("x"), values.largest("y")) == (1.0, 2.0)
    assert np.isnan(Values(tmp_path, ("a",), ("x",), 3).largest("x"))
    ends = values.table([("b", "y"), ("a", "x")], np.array([True, False, True]))
    np.testing.assert_array_equal(ends, [[1, np.inf], [-np.inf, 1]])
    assert [(method, metric) for method, metric, _ in values.lines()] == [(m, x) for m in "ab" for x in "xy"]
    assert not list(tmp_path.iterdir())


def test_an_array_on_a_full_disk_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(MissingError, match=r"Cannot put 8 MB aside in .*: No space left on device. Free some space"):
        DiskArray(tmp_path, (1000, 1000))


def test_metrics_say_what_the_value_of_a_pair_depends_on() -> None:
    assert {registry.metric(name).scope for name in load("demo").metrics} == {"pair"}
    assert {registry.metric(name).scope for name in ("jitter[mediapipe]", "forgery_auc[spectrum,video]")} == {"clip"}
    assert registry.metric("forgery_auc[trained-on-others]").scope == "set"
