"""From stored observations to results: judges that are refused, numbers of a whole set, parts, truths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibrations import calibration, entry

from hifibench import registry
from hifibench.arrays import write_arrays
from hifibench.calibration import store as store_of_calibrations
from hifibench.contracts import Metric
from hifibench.errors import UsageError
from hifibench.inference.choice import Choice
from hifibench.pipeline import precision, results
from hifibench.pipeline.observe import DETECTOR, face_outputs
from hifibench.pipeline.score import Observations, score
from hifibench.pipeline.store import RunFolder
from hifibench.records import Face, ImageRef, Manifest, Observed, Pair
from hifibench.suite import Suite

N = 12
METRICS = ("shape[3ddfa]", "pose[mediapipe]", "forgery_auc[spectrum]", "forgery_ap[spectrum]")


def manifest(truth: bool = False) -> Manifest:
    names = [f"p{i}" for i in range(N)]
    images = [
        ImageRef(f"{name}_v{view}", f"portrait:seed={i};view={view}", name, f"{name}_{view}")
        for i, name in enumerate(names)
        for view in (0, 1)
    ]
    pairs = []
    for i, name in enumerate(names):
        source = f"{names[(i + 1) % N]}_v0"
        if truth:
            images.append(ImageRef(f"{name}_truth", "portrait:seed=0;view=0", source[:-3], f"{name}_t"))
        pairs.append(Pair(name, source, f"{name}_v1", f"{name}_truth" if truth else ""))
    frames = tuple(f"{name}_v1" for name in names)
    return Manifest(tuple(images), tuple(pairs), {"frames": frames, "sources": frames}, "made up")


def suite(methods: tuple[str, ...], **changes: Any) -> Suite:
    data = {"kind": "portraits", "identities": N, "views": 1, "pairs": N}
    return Suite(name="made-up", title="Made up", data=data, methods=methods, metrics=METRICS, **changes)


def observations(rows: int, yaw: np.ndarray, fake: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    face = face_outputs(Face(np.float32([0, 0, 9, 9]), np.zeros((5, 2), np.float32), 1.0))
    pose = np.zeros((rows, 3), np.float32)
    pose[:, 0] = yaw
    return {
        DETECTOR: {name: np.stack([value] * rows) for name, value in face.items()},
        "3ddfa": {"identity": np.zeros((rows, 40), np.float32)},
        "mediapipe": {"pose_deg": pose},
        "spectrum": {"fake": np.float32(fake).reshape(rows, 1)},
    }


def store(folder: RunFolder, of: str, seen: dict[str, dict[str, np.ndarray]]) -> None:
    for expert, outputs in seen.items():
        rows = len(next(iter(outputs.values())))
        for chunk, start in enumerate(range(0, rows, 16)):
            part = {name: value[start : start + 16] for name, value in outputs.items()}
            write_arrays(folder.observations(of, expert, chunk), {**part, "rows": np.array(min(16, rows - start))})


def run(tmp_path: Path, methods: tuple[str, ...], truth: bool = False, **changes: Any) -> dict[str, Any]:
    folder, made = RunFolder(tmp_path), manifest(truth)
    rows = len(made.images)
    # Targets are turned by 0, 3, 6 … degrees: four of twelve stay below fifteen, and so on.
    yaw = np.array([3.0 * int(ref.identity[1:]) if ref.image.endswith("_v1") else 0.0 for ref in made.images])
    store(folder, "images", observations(rows, yaw, np.linspace(0, 1, rows)))
    for index, method in enumerate(methods):
        store(
            folder,
            method,
            observations(
                N, 3.0 * np.arange(N) + index, np.random.default_rng(1).permutation(np.linspace(0, 1, N)) + 2 * index
            ),
        )
    return score(folder, suite(methods, **changes), made, seed=0)


def one(found: dict[str, Any], method: str, metric: str) -> dict[str, Any]:
    return next(row for row in found["scores"] if (row["method"], row["metric"]) == (method, metric))


METHODS = ("target-copy", "faceswap", "hififace")


def test_a_judge_that_took_part_in_the_training_is_refused_and_says_so(tmp_path: Path) -> None:
    found = run(tmp_path, METHODS)
    refused = one(found, "hififace", "shape[3ddfa]")
    assert refused["value"] is None
    assert refused["reason"] == "3ddfa took part in the training of hififace"
    assert (refused["n"], refused["n_failed"]) == (N, 0)
    # The others are judged by it, and another judge judges the method.
    assert one(found, "faceswap", "shape[3ddfa]")["value"] == 0
    assert one(found, "hififace", "pose[mediapipe]")["value"] == 2


def test_told_to_it_is_scored_by_its_teacher_and_does_not_compete(tmp_path: Path) -> None:
    found = run(tmp_path, METHODS, trained_with="mark")
    assert one(found, "hififace", "shape[3ddfa]")["value"] == 0
    assert "3ddfa" in next(m for m in found["methods"] if m["name"] == "hififace")["trained_with"]
    metric = next(m for m in found["metrics"] if m["name"] == "shape[3ddfa]")
    assert metric["leader"] is None


def test_a_number_of_the_whole_set_has_the_interval_of_its_draws(tmp_path: Path) -> None:
    found = run(tmp_path, METHODS)
    # The swaps of faceswap are all above all originals, those of target-copy among them.
    above, among = (one(found, method, "forgery_ap[spectrum]") for method in ("faceswap", "target-copy"))
    assert above["value"] == pytest.approx(100)
    assert (above["low"], above["high"]) == (pytest.approx(100), pytest.approx(100))
    assert among["low"] < among["value"] < among["high"] < 100


def test_where_there_is_nothing_to_score_nobody_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing hides the first six faces; faceswap made no swap of the fifth and the last pair.
    def compute(observed: Observed) -> np.ndarray:
        values = np.where(np.arange(N) < 6, np.inf, 0.5)
        if observed.swap["mediapipe"]["pose_deg"][0, 0] == 1:
            values[[4, N - 1]] = np.nan
        return values

    kept = Metric("kept", "Kept", "", "down", ("mediapipe",), compute, worst=1.0)
    monkeypatch.setattr(registry, "metric", lambda name: kept)
    found = run(tmp_path, METHODS)
    scores = {row["method"]: (row["n"], row["n_failed"], row["worst_case"]) for row in found["scores"]}
    assert scores["target-copy"] == (6, 0, 0.5)
    assert scores["faceswap"] == (6, 1, pytest.approx((5 * 0.5 + 1) / 6))


def test_the_calibration_of_a_comparing_expert_is_found_by_the_cards_that_it_rests_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store_of_calibrations, "SHIPPED", tmp_path / "none.json")
    cards = {name: registry.experts.get(name).card.hash for name in ("pixels", "mediapipe")}
    made = replace(entry("background[l1]"), experts=cards)
    store_of_calibrations.keep(calibration(made))
    known = results._calibration(registry.metric("background[l1]"), 25)
    assert known is not None
    assert (known["floor"], known["made_on"], known["manifest"]) == (1.5, 20, calibration().manifest)
    assert known["resolution"] == pytest.approx(0.6)
    stale = replace(made, experts={**cards, "mediapipe": "other"})
    store_of_calibrations.keep(calibration(stale))
    assert results._calibration(registry.metric("background[l1]"), 25) is None


def test_parts_hold_the_pairs_that_the_split_says_for_every_method(tmp_path: Path) -> None:
    found = run(tmp_path, METHODS, splits=("yaw[mediapipe]",))
    parts = {part["level"]: part for part in found["splits"]}
    assert {level: part["n"] for level, part in parts.items()} == {"below 15": 5, "15 to 30": 5, "30 and more": 2}
    rows = {(row["method"], row["metric"]): row["value"] for row in parts["30 and more"]["scores"]}
    assert rows["faceswap", "pose[mediapipe]"] == 1
    assert rows["hififace", "shape[3ddfa]"] is None
    refused = next(
        row for row in parts["30 and more"]["scores"] if (row["method"], row["metric"]) == ("hififace", "shape[3ddfa]")
    )
    assert (refused["n_failed"], refused["reason"]) == (0, "3ddfa took part in the training of hififace")
    # Numbers of a whole set are not those of its parts.
    assert ("faceswap", "forgery_auc[spectrum]") not in rows


def test_true_swaps_are_observed_beside_their_pairs(tmp_path: Path) -> None:
    folder, made = RunFolder(tmp_path), manifest(truth=True)
    rows = len(made.images)
    places = np.arange(rows, dtype=np.float32)
    store(folder, "images", observations(rows, places, places))
    store(folder, "target-copy", observations(N, np.zeros(N), np.zeros(N)))
    observations_of = Observations(folder, made, ("mediapipe", "spectrum"))
    rows = observations_of.all
    observed = observations_of.of(observations_of.swaps("target-copy", rows), rows)
    expected = [made.images.index(made.image(pair.truth)) for pair in made.pairs]
    np.testing.assert_array_equal(observed.truth["mediapipe"]["pose_deg"][:, 0], expected)
    video = observed.galleries["frames"].video
    assert video is not None
    assert video.tolist() == [f"p{i}_1" for i in range(N)]


def test_swaps_in_another_number_format_than_fp32_are_told_of(tmp_path: Path) -> None:
    assert "precision" not in run(tmp_path / "plain", METHODS)["protocol"]
    precision.keep(RunFolder(tmp_path), "hififace", Choice("bf16", "bf16", "openvino"))
    assert "hififace in bf16 by openvino" in run(tmp_path, METHODS)["protocol"]["precision"]


def test_a_metric_of_the_truth_is_refused_where_nobody_knows_it() -> None:
    with pytest.raises(
        UsageError, match=r"truth\[l1\] takes what is known of rendered heads alone; .* kind 'portraits'"
    ):
        suite(("target-copy",)).model_copy(update={"metrics": ("truth[l1]",)}).check()


def test_what_is_not_known_leaves_a_manifests_hash_as_it_was() -> None:
    text = manifest().to_json()
    assert "truth" not in text
    assert "labels" not in text
    assert Manifest.from_json(text) == manifest()
    known = manifest(truth=True)
    assert known.hash != manifest().hash
    assert Manifest.from_json(known.to_json()) == known


def test_clips_are_asked_for_where_stills_will_not_do() -> None:
    with pytest.raises(UsageError, match=r"jitter\[mediapipe\] takes clips of 3 consecutive frames"):
        suite(("target-copy",)).model_copy(update={"metrics": ("jitter[mediapipe]",)}).check()
