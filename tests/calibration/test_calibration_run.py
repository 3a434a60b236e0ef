"""A whole calibration, from rendered heads to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from hifibench.calibration import store
from hifibench.commands_calibrate import run_calibration

pytestmark = pytest.mark.slow


def test_a_recogniser_follows_identity_and_ignores_a_shift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_calibration(tmp_path / "out", 3, 0, "id_cosine[edgeface], truth[l1]", "1/1", "cpu", True)
    found = store.read(tmp_path / "out" / "calibration.json")
    likeness, pixels = found.metrics
    [identity] = likeness.judged
    assert found.pairs == 3 and identity.rho is not None and identity.rho < -0.8 and not likeness.poor
    effects = {curve.name: curve.effect or 0.0 for curve in likeness.series}
    assert effects["shift"] < 0.1 < effects["identity"]
    assert pixels.floor.again is not None and pixels.floor.again < 0.02 and not pixels.poor
    page = (tmp_path / "out" / "calibration.html").read_text()
    assert page.count("<img") == sum(1 + len(curve.doses) for curve in likeness.series)
    assert "id_cosine[edgeface]" in capsys.readouterr().out
