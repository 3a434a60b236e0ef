from __future__ import annotations

import pytest

from hifibench import registry
from hifibench.calibration import suite
from hifibench.errors import UsageError
from metrics.calibration import calibrated_by


def test_the_suite_has_all_doses_and_metrics_that_they_move() -> None:
    built = suite.build()
    assert {"truth", "again", "re-encode-truth", "source-copy", "target-copy", "source-paste", "dose-yaw-20"} <= set(
        built.methods
    )
    assert all(calibrated_by(registry.metric(name).name) for name in built.metrics)
    bases = {name.partition("[")[0] for name in built.metrics}
    assert {"pose", "shape", "expression", "id_cosine"} <= bases


def test_metrics_can_be_chosen_commas_in_brackets_and_all() -> None:
    assert suite.build("pose[mediapipe,yaw], shape[3ddfa]").metrics == ("pose[mediapipe,yaw]", "shape[3ddfa]")


def test_no_metric_is_refused() -> None:
    with pytest.raises(UsageError, match="--metrics is empty"):
        suite.build(" , ")


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'pose'"):
        suite.build("posse[mediapipe]")


def test_a_metric_that_no_dose_moves_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "calibrated_by", lambda name: ())
    with pytest.raises(UsageError, match=r"pose\[mediapipe\] cannot be calibrated: .* yaw, pitch"):
        suite.build("pose[mediapipe]")
