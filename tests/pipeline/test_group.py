"""Processes that a launcher started: what each is told, what each does, and what stays as it is without one."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hifibench.data.images import save_png
from hifibench.errors import MissingError, UsageError
from hifibench.pipeline import plan
from hifibench.pipeline.group import ALONE, Group, joined
from hifibench.pipeline.run import run
from hifibench.pipeline.store import Shard
from hifibench.suite import FileData, Suite, load

LAUNCHED = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def test_without_a_launcher_there_is_a_group_of_one_and_nothing_of_torch_is_imported() -> None:
    text = (
        "import sys\nfrom hifibench.pipeline.group import ALONE, joined\n"
        "with joined() as group:\n    group.barrier('x')\n    assert group is ALONE and group.leads\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", text], timeout=60, check=False).returncode == 0


def test_one_process_of_a_launcher_needs_no_meeting_point(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (LAUNCHED | {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}).items():
        monkeypatch.setenv(name, value)
    with joined() as group:
        assert group == ALONE


@pytest.mark.parametrize(("name", "value"), [("RANK", None), ("RANK", "first"), ("MASTER_PORT", None)])
def test_half_a_launchers_variables_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    for key, given in LAUNCHED.items():
        monkeypatch.setenv(key, given)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"(?s)WORLD_SIZE=2.*{value or name}.*unset WORLD_SIZE"), joined():
        pass


def test_a_group_cuts_the_work_itself() -> None:
    assert [Group(rank, 3, rank, 3).shard(Shard()) for rank in range(3)] == [Shard(i, 3) for i in (1, 2, 3)]
    assert ALONE.shard(Shard(2, 5)) == Shard(2, 5)
    with pytest.raises(UsageError, match=r"--shard 2/5 among 3 processes.*Leave --shard out"):
        Group(0, 3, 0, 3).shard(Shard(2, 5))


def test_processors_are_shared_out_unless_the_user_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hifibench.device.cores", lambda: 16)
    assert Group(0, 8, 0, 4).workers(None) == 4
    assert Group(0, 64, 0, 64).workers(None) == 1
    assert Group(0, 8, 0, 4).workers(3) == 3
    assert ALONE.workers(None) is None


def test_each_process_has_a_gpu_of_its_own_while_there_are_enough(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    current: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    pair = [Group(rank, 2, rank, 2) for rank in range(2)]
    assert [group.device(asked) for asked in ("auto", "cuda") for group in pair] == ["cuda:0", "cuda:1"] * 2
    assert current == [0, 1] * 2 and not caplog.records
    with caplog.at_level(logging.WARNING):
        assert [Group(5 + i, 8, i, 3).device("auto") for i in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert caplog.messages == ["the 3 processes of this machine share its 2 GPUs in turn"]
    assert pair[1].device("cuda:0") == "cuda:0", "who names one gets it"
    assert pair[1].device("cpu") == "cpu" and ALONE.device("auto") == "cuda"
    with pytest.raises(MissingError, match="2 usable CUDA devices"):
        pair[0].device("cuda:7")


def test_a_group_without_a_gpu_works_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert Group(1, 2, 1, 2).device("auto") == "cpu"
    with pytest.raises(MissingError, match="0 usable CUDA devices"):
        Group(1, 2, 1, 2).device("cuda")


@pytest.fixture
def photographs(tmp_path: Path) -> Suite:
    """A suite of two pictures, of which none is ever looked at."""
    for name in "ab":
        save_png(tmp_path / f"{name}.png", np.full((64, 64, 3), 100 + ord(name), np.uint8))
    (tmp_path / "pairs.csv").write_text("source,target\na.png,b.png\nb.png,a.png\n")
    source = FileData(kind="files", pairs_csv=tmp_path / "pairs.csv")
    return Suite(name="two", title="Two", data=source, methods=("target-copy",), metrics=("background[l1]",))


def test_who_does_not_lead_reads_the_plan_and_makes_none(
    photographs: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan.open_run(photographs, 0, None, tmp_path / "run")
    made: list[int] = []
    real = plan.data.plan
    monkeypatch.setattr(plan.data, "plan", lambda *words: made.append(1) or real(*words))
    folder, manifest = plan.join_run(photographs, 0, None, tmp_path / "run")
    assert (folder.root, manifest) == (tmp_path / "run", planned[1]) and not made
    with pytest.raises(UsageError, match=r"seed 0, this one has 1"):
        plan.join_run(photographs, 1, None, tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    for damage in (lambda: path.write_text(path.read_text().replace("a.png", "b.png")), path.unlink):
        damage()
        assert plan.join_run(photographs, 0, None, tmp_path / "run")[1] == planned[1]
    assert made == [1, 1], "a manifest that is not the run's is not believed"


@pytest.mark.slow
def test_torchrun_ends_as_one_process(
    portrait: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (1, 2):
        for index in range(3):
            save_png(tmp_path / f"{seed}-{index}.png", portrait(seed)[::2, ::2] // (1 + index))
    names = [f"{seed}-{index}.png" for seed in (1, 2) for index in range(3)]
    rows = ["source,target", *(f"{a},{b}" for a in names for b in names if a[0] != b[0])]
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "tiny.yaml").write_text(
        "name: tiny\ntitle: Tiny\ndata: {kind: files, pairs_csv: pairs.csv}\n"
        "methods: [target-copy, source-paste]\nmetrics: ['background[l1]']\ndraws: 100\n"
    )
    words = ["-m", "hifibench", "run", "tiny.yaml", "--out"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    done = subprocess.run([*launcher, "many"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.count("Page: ") == 1, "the first process alone shows the table"
    assert "observe source-paste: 16 in" in done.stderr and "observe source-paste: 2 in" not in done.stderr
    monkeypatch.chdir(tmp_path)
    run(load("tiny.yaml"), tmp_path / "one")
    for name in ("results.json", "scores.parquet"):
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
