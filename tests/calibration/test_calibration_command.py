from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from calibrations import calibration, entry

from hifibench import assets
from hifibench.calibration import analyse, store
from hifibench.commands_calibrate import KEPT_FROM, run_calibration
from hifibench.errors import InterruptedRunError, UsageError
from hifibench.pipeline import run as pipeline
from hifibench.records import Manifest


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the pipeline is called with; it runs nothing."""
    words: dict[str, Any] = {"results": {}}
    (tmp_path / "out").mkdir()
    manifest = Manifest((), (), {}, "fake").to_json().replace('"pairs": []', '"pairs": [{"pair": "p"}]')
    (tmp_path / "out" / "manifest.json").write_text(manifest)

    def run(suite: Any, out: Path, **kept: Any) -> Any:
        words.update(kept, suite=suite, out=out)
        if "stop" in words:
            raise KeyboardInterrupt
        return SimpleNamespace(folder=out, results=words["results"])

    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pipeline, "run", run)
    monkeypatch.setattr(assets, "ensure", lambda names, quiet: None)
    monkeypatch.setattr(analyse, "analyse", lambda folder, seed, draws: words.get("found", calibration()))
    return words


def call(out: Path, limit: int | None = None, metrics: str | None = None) -> None:
    run_calibration(out, limit, 4, metrics, "1/1", "cpu", True)


def test_it_writes_page_and_numbers_and_keeps_them(
    called: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(tmp_path / "out", metrics="pose[mediapipe]")
    assert called["seed"] == 4 and called["suite"].metrics == ("pose[mediapipe]",)
    assert store.read(tmp_path / "out" / "calibration.json") == calibration()
    assert "Calibration of the metrics" in (tmp_path / "out" / "calibration.html").read_text()
    [kept] = store.folder().iterdir()
    said = capsys.readouterr().out
    assert str(kept) in said and "pose[mediapipe]" in said


def test_a_small_one_is_not_kept(called: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import dataclasses

    called["found"] = dataclasses.replace(calibration(entry()), pairs=KEPT_FROM - 1)
    call(tmp_path / "out", limit=KEPT_FROM - 1)
    assert not store.folder().exists() and f"from {KEPT_FROM} on" in capsys.readouterr().out


def test_a_share_alone_says_nothing(called: dict[str, Any], tmp_path: Path) -> None:
    called["results"] = None
    call(tmp_path / "out")
    assert not (tmp_path / "out" / "calibration.json").exists()


def test_too_small_a_limit_is_refused_before_anything_is_done(called: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--limit 2: a calibration takes at least 3 pairs"):
        call(tmp_path / "out", limit=2)
    assert "suite" not in called


def test_it_can_be_stopped(called: dict[str, Any], tmp_path: Path) -> None:
    called["stop"] = True
    with pytest.raises(InterruptedRunError, match="goes on from here"):
        call(tmp_path / "out")
