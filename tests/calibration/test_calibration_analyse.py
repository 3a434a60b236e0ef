from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from baselines import doses
from hifibench.calibration import analyse, series
from hifibench.calibration.records import Entry
from hifibench.calibration.series import SERIES
from hifibench.errors import UsageError
from hifibench.records import ImageRef, Manifest, Pair

Make = Callable[..., Path]
METRICS = ("pose[mediapipe]", "pose[mediapipe,yaw]", "shape[3ddfa]", "id_cosine[edgeface]", "forgery_eer[spectrum]")
REACH = {f"p{i}": 1.0 + i for i in range(8)}
"""How far apart source and target of each pair are in shape, in mm."""


class FakeHeads:
    VERSION = 7

    def parse(self, uri: str) -> Any:
        return type("Scene", (), {"person": 1, "shot": 1})()

    def swapped(self, source: str, target: str) -> str:
        return target

    def changed(self, uri: str, what: str, amount: float, other: int = 0) -> str:
        return f"{uri}|{what}:{amount}"

    def facts(self, uri: str) -> dict[str, np.ndarray]:
        target, *changes = uri.split("|")
        moved = dict(change.split(":") for change in changes)
        at = float(moved.get("shape", 0)) * REACH[target]
        zeros = np.zeros(3, np.float32)
        ones = np.ones(27, np.float32)
        return {
            "shape": np.float32([at, 0, 0] * 5),
            "expression": zeros,
            "light": ones,
            "skin_rgb": zeros,
            "pose_deg": zeros,
            "gaze_deg": zeros,
        }


def value(metric: str, method: str, pair: str) -> float:
    """What a good estimator would say; the pair's own bias included."""
    _, _, rest = method.partition("dose-")
    name, _, dose = rest.partition("-")
    bias = 0.1 * int(pair[1:])
    if metric.startswith("pose"):
        moved = name == "yaw" or (name in ("pitch", "roll") and "yaw" not in metric)
        return 2.0 + bias + (float(dose) if moved else 0.0) + 20 * (method == "source-copy")
    if metric.startswith("shape"):
        return bias + 3 * (float(dose) * REACH[pair] if name == "shape" else 0.0) + 30 * (method == "target-copy")
    if metric.startswith("forgery"):
        return bias + (0.1 * float(dose) if name == "seam" else 0.0)
    return 0.5 + bias - (0.4 * float(dose) if name == "identity" else 0.0) - 0.45 * (method == "target-copy")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    fake = FakeHeads()
    monkeypatch.setattr(doses, "_heads", lambda: fake)

    def run(pairs: int = 8, videos: int | None = None, methods: tuple[str, ...] = ()) -> Path:
        metrics = METRICS
        methods = methods or (*doses.NAMES, "truth", "target-copy", "source-paste")
        images = [ImageRef(f"s{i}", f"p{i}", f"s{i}", f"s{i}") for i in range(pairs)]
        images += [ImageRef(f"t{i}", f"p{i}", f"t{i}", f"v{i % (videos or pairs)}") for i in range(pairs)]
        listed = tuple(Pair(f"p{i}", f"s{i}", f"t{i}") for i in range(pairs))
        manifest = Manifest(tuple(images), listed, {}, "fake")
        (tmp_path / "manifest.json").write_text(manifest.to_json())
        rows = [(m, p.pair, n, value(n, m, p.pair)) for n in metrics for m in methods for p in listed]
        frame = pd.DataFrame(rows, columns=["method", "pair", "metric", "value"])
        # Rows in another order than the manifest's must not matter.
        frame.sample(frac=1, random_state=0).to_parquet(tmp_path / "scores.parquet", index=False)
        means = frame.groupby(["method", "metric"])["value"].mean()
        results = {
            "methods": [{"name": method} for method in methods],
            "metrics": [{"name": name} for name in metrics],
            "experts": [{"name": n, "card": f"card of {n}"} for n in ("mediapipe", "3ddfa", "edgeface", "spectrum")],
            "scores": [{"method": m, "metric": n, "value": 30.0 if "eer" in n else v} for (m, n), v in means.items()],
        }
        (tmp_path / "results.json").write_text(json.dumps(results))
        return tmp_path

    return run


def entries(folder: Path) -> dict[str, Entry]:
    return {entry.name: entry for entry in analyse.analyse(folder, 0, draws=50).metrics}


def test_floor_ceiling_and_cards(make: Make) -> None:
    found = analyse.analyse(make(), 0, draws=50)
    assert (found.heads, found.pairs, len(found.metrics)) == (7, 8, 5)
    pose = found.metrics[0]
    assert pose.floor.again == pytest.approx(2.35) and pose.ceiling == pytest.approx(22.35)
    assert pose.ceiling_of == "source-copy" and pose.experts == {"mediapipe": "card of mediapipe"}
    assert not pose.poor and [curve.name for curve in pose.judged] == ["yaw", "pitch", "roll"]


def test_curves_are_changes_in_the_unit_of_the_facts(make: Make) -> None:
    shape = {curve.name: curve for curve in entries(make())["shape[3ddfa]"].series}["shape"]
    assert shape.amounts == pytest.approx([0.25 * 4.5, 0.5 * 4.5, 0.75 * 4.5, 4.5])
    assert shape.means == pytest.approx([3 * amount for amount in shape.amounts])
    assert shape.slope == pytest.approx(3.0) and shape.rho == pytest.approx(1.0)
    assert shape.responds and shape.resolution[1000].dose < shape.resolution[100].dose < 1.0


def test_better_higher_is_judged_downwards(make: Make) -> None:
    likeness = entries(make())["id_cosine[edgeface]"]
    [identity] = likeness.judged
    assert not likeness.poor and identity.rho is not None and identity.rho < -0.9
    assert identity.effect == pytest.approx(0.4 / 0.45)


def test_cross_talk_is_told_apart(make: Make) -> None:
    pose = {curve.name: curve for curve in entries(make())["pose[mediapipe,yaw]"].series}
    assert [name for name, curve in pose.items() if curve.effect] == ["yaw"]
    assert not pose["pitch"].responds and not pose["pitch"].expected and pose["pitch"].rho == 0
    shape = {curve.name: curve for curve in entries(make())["shape[3ddfa]"].series}
    assert shape["identity"].expected and not shape["identity"].responds
    assert len(pose) == len(SERIES)


def test_a_number_of_all_pairs_is_judged_by_what_each_contributes(make: Make) -> None:
    error = entries(make())["forgery_eer[spectrum]"]
    [seam] = error.judged
    # A higher rate of errors is better, but what a pair contributes is suspicion, in a unit of its own.
    assert error.direction == "up" and seam.rho == pytest.approx(1.0) and not error.poor
    assert error.floor.again == 30.0 and seam.resolution[100].metric is None and seam.effect is None


def test_the_same_run_gives_the_same_bytes(make: Make) -> None:
    from hifibench.calibration.store import to_json

    folder = make()
    assert to_json(analyse.analyse(folder, 3, 50)) == to_json(analyse.analyse(folder, 3, 50))


def test_too_few_pairs_say_how_many_it_takes(make: Make) -> None:
    with pytest.raises(UsageError, match=r"8 pairs of 2 target videos are too few .* takes 3 videos"):
        analyse.analyse(make(videos=2), 0)


def test_another_run_is_no_calibration(make: Make) -> None:
    with pytest.raises(UsageError, match="holds no calibration: its run has no row 'again'"):
        analyse.analyse(make(methods=("truth", "target-copy")), 0)


def test_amounts_are_distances_of_facts() -> None:
    before = {"shape": np.zeros(6), "expression": np.zeros(52), "light": np.full(27, 2.0), "skin_rgb": np.zeros(3)}
    after = {
        "shape": np.array([3.0, 0, 4, 0, 0, 0]),
        "expression": np.eye(52)[0] * 0.5,
        "light": np.full(27, 3.0),
        "skin_rgb": np.full(3, 0.2),
    }
    assert series.shape_mm(before, after) == pytest.approx(np.sqrt(25 / 2))
    assert series.expression_weights(before, after) == pytest.approx(0.5)
    assert series.light_percent(before, after) == pytest.approx(50)
    assert series.skin_percent(before, after) == pytest.approx(20)


def test_amounts_are_measured_once_and_again_for_other_doses(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make()
    first = analyse.analyse(folder, 0, 50)
    measured: list[str] = []
    monkeypatch.setattr(doses, "amount", lambda series, dose, source, target: measured.append(series.name) or dose)
    assert analyse.analyse(folder, 0, 50) == first and not measured
    (folder / "amounts.json").write_text('{"manifest": "of another run"}')
    assert analyse.analyse(folder, 0, 50) != first and measured
