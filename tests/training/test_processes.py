from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import launched_training
import pytest
import tiny_training
import torch
from tiny_training import PLAN, Tiny, assert_same, make_loop, weights

from hifibench.training import checkpoints

QUIET = replace(PLAN, method={"noise": 0.0})  # a process draws noise of its own


def launch(script: str, words: list[str], processes: int = 2) -> None:
    """As a user would start several processes on one machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run([*launcher, script, *words], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_two_processes_agree_with_one_on_the_same_global_batch(faces: Path, tmp_path: Path) -> None:
    launch(tiny_training.__file__, [str(faces), str(tmp_path / "two"), str(PLAN.steps), "0", "plain"])
    each = [torch.load(tmp_path / "two" / f"weights-{rank}.pt") for rank in range(2)]
    assert_same(*each)
    loop = make_loop(faces, tmp_path / "one", QUIET, method=Tiny(QUIET, norm=False))
    begun = weights(loop)
    loop.run()
    whole = weights(loop)
    assert whole.keys() == each[0].keys()
    for key, value in whole.items():
        torch.testing.assert_close(each[0][key], value, rtol=0, atol=2e-5, msg=lambda text, key=key: f"{key}: {text}")
    # What is agreed on is far from where it began.
    assert float((whole["generator.first.weight"] - begun["generator.first.weight"]).abs().max()) > 0.01
    assert checkpoints.steps(tmp_path / "two") == checkpoints.steps(tmp_path / "one")
    # One process goes on with what two began.
    longer = replace(QUIET, steps=PLAN.steps + 2)
    assert make_loop(faces, tmp_path / "two", longer, method=Tiny(longer, norm=False)).step == PLAN.steps


@pytest.mark.slow
def test_the_first_process_makes_the_images_and_the_others_wait_for_them(tmp_path: Path) -> None:
    launch(launched_training.__file__, [str(tmp_path)])
    ends = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2)]
    assert [end["made"] for end in ends] == [["made"], []]
    assert all(end["there"] for end in ends), "nobody ends before the weights are written"
    card = json.loads((tmp_path / "run" / "tiny.safetensors").read_text())["card"]
    assert card["steps"] == PLAN.steps and card["images_seen"] == PLAN.steps * PLAN.batch
    assert checkpoints.steps(tmp_path / "run")[-1] == PLAN.steps
