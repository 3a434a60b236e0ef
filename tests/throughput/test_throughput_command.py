"""The command's function: what it writes and shows, which methods it takes, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from timed_networks import Plain, jobs, plugin

from hifibench import commands_throughput, registry
from hifibench.commands_throughput import defaults, throughput
from hifibench.errors import InterruptedRunError, MissingError, UsageError
from hifibench.throughput import inputs, measure, method, records
from hifibench.throughput.records import FILE, Ceiling

ALL = "generator,+extractors,+detect+paste"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small methods and frames without a network's weights."""
    monkeypatch.setattr(measure, "WINDOW_S", 0.002)
    monkeypatch.setattr(inputs, "portrait_jobs", lambda detector: (jobs(), "3 pairs of noise"))
    monkeypatch.setattr(method, "ceiling", lambda *words: Ceiling("fp32", 64, 1.0, 0.9, 1.1, 5))
    with registry.swappers.standing_in({
        "tiny-networks": plugin(), "plain": plugin(Plain, "plain"), "lost": plugin(lost, "lost"),
    }):  # fmt: skip
        yield


def lost(card: object) -> Any:
    raise MissingError("lost.pth is missing.")


def call(out: Path | None = None, *methods: str, **words: Any) -> None:
    given = {"scopes": "generator,+extractors", "batches": "1", "precision": "fp32", "device": "cpu", "seconds": 0.02}
    given |= {"out": out, "run": None, "quiet": True} | words
    throughput(methods, **given)  # type: ignore[arg-type]


def test_files_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(tmp_path, "tiny-networks", "plain", "lost", batches="2, 1")
    got = records.read(tmp_path / FILE)
    assert [one.name for one in got.methods] == ["tiny-networks", "plain", "lost"]
    assert (got.device, got.precision, got.batches, got.inputs) == ("cpu", "fp32", (1, 2), "3 pairs of noise")
    assert [one.precision for one in got.ceilings] == ["fp32"]
    assert got.methods[2].reason == "lost.pth is missing."
    assert (tmp_path / "throughput.md").read_text().startswith("# Throughput on ")
    shown = capsys.readouterr().out
    assert (
        "tiny-networks" in shown and "lost.pth is missing." in shown and str(tmp_path / FILE) in shown.replace("\n", "")
    )


def test_a_run_gets_the_file_and_gives_the_methods(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"suite": {"methods": ["plain", "mine"]}}))
    (tmp_path / "results.json").write_text("{}")
    call(run=tmp_path, scopes="+extractors")
    plain, mine = records.read(tmp_path / FILE).methods
    assert plain.scopes and not plain.reason
    assert "Unknown method 'mine'" in mine.reason
    assert "hifibench report" in capsys.readouterr().out


def test_where_no_method_can_be_timed_the_file_says_so_and_the_exit_code_is_that_of_what_is_missing(
    tmp_path: Path,
) -> None:
    with pytest.raises(MissingError, match=r"No method could be timed: lost: lost.pth is missing."):
        call(tmp_path, "lost")
    assert records.read(tmp_path / FILE).methods[0].reason


def test_default_methods_come_with_weights() -> None:
    assert "faceswap" in defaults()
    assert {"hififace", "simswap", "faceshifter"} <= set(defaults())
    assert "simswap-224" not in defaults()


@pytest.mark.parametrize(
    ("methods", "words", "said"),
    [
        (("hififase",), {}, "Unknown method 'hififase'. Did you mean 'hififace'"),
        ((), {"scopes": "generatr"}, r"--scope 'generatr' is unknown. Did you mean 'generator'"),
        ((), {"scopes": " , "}, "--scope is empty"),
        ((), {"batches": "0"}, r"--batch '0': expected numbers of at least 1"),
        ((), {"batches": "2,-4"}, "--batch '2,-4'"),
        ((), {"batches": ""}, "--batch ''"),
        ((), {"seconds": 0.0}, "--seconds 0: expected a time above 0"),
        ((), {"seconds": float("nan")}, "--seconds nan"),
        ((), {"device": "gpu"}, "--device 'gpu' is no device"),
    ],
)
def test_wrong_use(tmp_path: Path, methods: tuple[str, ...], words: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call(tmp_path / "out", *methods, **words)
    assert not (tmp_path / "out").exists()


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="--device cuda:99"):
        call(tmp_path, "plain", device="cuda:99")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--run .*: expected the folder of a run"):
        call(run=tmp_path)
    with pytest.raises(UsageError, match=r"--run .*: expected the folder of a run"):
        call(None, "plain", run=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(UsageError, match="leave out --out"):
        call(tmp_path, run=tmp_path)


def test_stopped_by_the_user_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(method, "measured", stop)
    with pytest.raises(InterruptedRunError, match="Nothing is written"):
        call(tmp_path, "plain")
    assert not list(tmp_path.iterdir())


def test_batches_of_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_throughput, "cores", lambda: 2)
    assert commands_throughput._batches(None, "cpu") == (1, 2, 4, 8)
    monkeypatch.setattr(commands_throughput, "cores", lambda: 48)
    assert commands_throughput._batches(None, "cpu") == (1, 2, 4, 8, 16, 32)
    assert commands_throughput._batches(None, "cuda:1")[-1] == 64
    assert commands_throughput._batches("4,1,4", "cpu") == (1, 4)


def test_auto_falls_back_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hifibench.inference import quick

    monkeypatch.setattr(quick, "without_bf16", lambda device: "an old machine")
    call(tmp_path, "tiny-networks", precision="auto")
    form = records.read(tmp_path / FILE).methods[0].format
    assert form is not None
    assert (form.asked, form.used, form.said) == ("auto", "fp32", "an old machine")


def test_bf16_is_openvino_or_autocast_on_a_processor(tmp_path: Path) -> None:
    call(tmp_path, "tiny-networks", precision="bf16")
    got = records.read(tmp_path / FILE)
    form = got.methods[0].format
    assert form is not None
    assert form.used == "bf16"
    assert form.engine.startswith(("openvino", "torch eager, autocast"))
    assert not got.methods[0].reason and not [one.reason for one in got.methods[0].scopes if one.reason]
