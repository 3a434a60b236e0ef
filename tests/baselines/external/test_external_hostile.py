"""Whatever a child process does, it loses only its own pairs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from external_programs import FACE, frame, player, table

from baselines.external import external, supervisor
from baselines.external.swapper import External
from hifibench.errors import UsageError
from hifibench.pipeline.swap import Job, loaded, swap_jobs
from hifibench.records import Status, Swap, Swapped

pytestmark = pytest.mark.usefixtures("no_children")
Start = Callable[..., External]


def jobs(count: int) -> list[Job]:
    return [Job(frame(seed), FACE, frame(seed + 100), FACE) for seed in range(count)]


def copied(done: Swapped, job: Job) -> bool:
    """Whether the target came back: pasting resamples, so noise is smoothed, but only within the face."""
    if done.frame is None:
        return False
    np.testing.assert_array_equal(done.frame[:4], job.target[:4])
    return abs(float(done.frame.mean()) - float(job.target.mean())) < 2


@pytest.mark.parametrize(
    ("play", "status", "message"),
    [
        ("hang", Status.TIMED_OUT, "was lost: it took more than 1.5 s for a pair"),
        ("exit", Status.FAILED, "was lost: it ended with exit code 7"),
        ("crash", Status.FAILED, "was lost: it was ended by SIGKILL"),
        ("close", Status.FAILED, "was lost: it closed its stdout"),
        ("nursery", Status.FAILED, "was lost: it ended with exit code 3"),
        ("other id", Status.TIMED_OUT, "was lost: it took more than 1.5 s"),
        ("error", Status.FAILED, r"gave no swap: no face in 3-target\.png"),
        ("wrong size", Status.FAILED, "its image has 40x64 pixels, expected the target's 64x64"),
        ("huge", Status.FAILED, "its image has 15000x4000 pixels, expected"),
        ("missing", Status.FAILED, "it wrote no image"),
        ("truncated", Status.FAILED, "truncated or damaged"),
        ("damaged", Status.FAILED, "truncated or damaged"),
        ("text", Status.FAILED, "no PNG file"),
        ("jpeg", Status.FAILED, "no PNG file"),
        ("folder", Status.FAILED, "it wrote no image"),
        ("pipe", Status.FAILED, "it wrote no image"),
        ("bad mask", Status.FAILED, "it wrote no image|cannot be opened"),
        ("long name", Status.FAILED, "cannot be opened"),
        ("garbage", Status.OK, None),
        ("flood", Status.OK, None),
        ("stderr", Status.OK, None),
    ],
)
def test_the_third_pair_alone_is_lost(
    start: Start, tmp_path: Path, logs: Path, play: str, status: Status, message: str | None
) -> None:
    asked = jobs(5)
    swapper = start(player(tmp_path, {3: play}))
    done = swap_jobs(swapper, asked)
    assert [one.status for one in done] == [Status.OK, Status.OK, status, Status.OK, Status.OK]
    for number, (one, job) in enumerate(zip(done, asked, strict=True), start=1):
        assert copied(one, job) is (number != 3 or status is Status.OK)
    if message is None:
        assert done[2].message == ""
    else:
        with pytest.raises(AssertionError, match=message):
            raise AssertionError(done[2].message)
        assert done[2].message.startswith("The program of mine") and done[2].message.endswith("(log: logs/mine)")
    assert len(list(logs.iterdir())) == 1


def test_all_of_it_in_one_run(start: Start, tmp_path: Path) -> None:
    plays = {2: "crash", 3: "hang", 5: "garbage", 6: "wrong size", 7: "flood", 8: "exit", 9: "text"}
    done = swap_jobs(start(player(tmp_path, plays)), jobs(10))
    ok, failed, late = Status.OK, Status.FAILED, Status.TIMED_OUT
    assert [one.status for one in done] == [ok, failed, late, ok, ok, failed, ok, failed, failed, ok]


def test_what_it_says_is_in_the_log(start: Start, tmp_path: Path, logs: Path) -> None:
    swap_jobs(start(player(tmp_path, {1: "garbage", 2: "crash", 4: "flood"})), jobs(4))
    (file,) = logs.iterdir()
    assert file.name.endswith(f"-{os.getpid()}.log")
    text = file.read_text(errors="replace")
    assert text.count("[hifibench] starts: ") == 2
    assert text.count("[hifibench] ready after") == 2 and "{'player': '1'}" in text
    assert "[stdout] loading...\n" in text and "last words\n" in text
    for skipped in ('{"epoch": 1}', '{"id": "x", "ok": true}', '{"id": 77, "ok": true}', "[1, 2]", "{broken"):
        assert f"[stdout] {skipped}\n" in text
    assert text.count("x" * 4096) == 1 and len(text) < 50_000, "of a flood of 20 MB the beginning is kept"


def test_a_log_is_appended_to(start: Start, tmp_path: Path, logs: Path) -> None:
    logs.mkdir(parents=True)
    for _ in range(2):
        with loaded(external.make("mine", player(tmp_path, {}), tmp_path), "cpu", logs):
            pass
    (file,) = logs.iterdir()
    assert file.read_text().count("starts: ") == 2


def test_it_is_given_up_when_restarts_lead_nowhere(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    most = supervisor.MOST_LOSSES
    plays = {number: "exit" for number in range(2, 100)}
    swapper = start(player(tmp_path, plays))
    with caplog.at_level(logging.WARNING, "hifibench"):
        done = swap_jobs(swapper, jobs(most + 4))
    assert [one.status for one in done] == [Status.OK] + [Status.FAILED] * most + [Status.UNAVAILABLE] * 3
    assert f"given up after {most} losses in a row, the last: it ended with exit code 7" in done[-1].message
    assert len(caplog.records) == 1


def test_an_answer_between_crashes_starts_the_count_anew(start: Start, tmp_path: Path) -> None:
    most = supervisor.MOST_LOSSES
    plays = {number: "exit" for number in range(1, 2 * most) if number != most}
    done = swap_jobs(start(player(tmp_path, plays | {most: "error"})), jobs(2 * most))
    assert [one.status for one in done] == [Status.FAILED] * (2 * most - 1) + [Status.OK]


def test_a_program_that_does_not_come_up_again_is_given_up(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "once.py"
    script.write_text(
        "import sys, pathlib\n"
        "mark = pathlib.Path('mark')\n"
        "sys.exit(4) if mark.exists() else mark.touch()\n"
        'print(\'{"protocol": 1, "ready": true}\', flush=True)\n'
        "sys.stdin.readline(); sys.exit(5)\n"
    )
    done = swap_jobs(start(table(script)), jobs(3))
    assert [one.status for one in done] == [Status.FAILED, Status.UNAVAILABLE, Status.UNAVAILABLE]
    assert "exit code 5" in done[0].message and "exit code 4" in done[1].message


def test_a_hung_child_and_its_own_children_are_gone(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "family.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(61)']\n"
        "subprocess.Popen(sleep); subprocess.Popen(sleep, start_new_session=True)\n"
        'print(\'{"protocol": 1, "ready": true}\', flush=True)\n'
        "time.sleep(60)\n"
    )
    swapper = start(table(script, pair_timeout_s=0.3))
    family = psutil.Process().children(recursive=True)
    assert len(family) == 3
    (done,) = swap_jobs(swapper, jobs(1))
    assert done.status is Status.TIMED_OUT
    # On a busy machine a killed process may take a moment to go.
    psutil.wait_procs(family, timeout=10)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family)


def test_a_flood_of_messages_does_not_outlast_the_limit(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "chatter.py"
    script.write_text(
        "import os\n"
        'os.write(1, b\'{"protocol": 1, "ready": true}\\n\')\n'
        'while True: os.write(1, b\'{"id": 99, "ok": true}\\n\' * 100)\n'
    )
    swapper = start(table(script, pair_timeout_s=0.5))
    begin = time.monotonic()
    (done,) = swap_jobs(swapper, jobs(1))
    assert done.status is Status.TIMED_OUT and time.monotonic() - begin < 5


def test_a_child_that_fills_the_disk_is_stopped(
    start: Start, tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baselines.external.log.FLOOD_BYTES", 1 << 20)
    script = tmp_path / "endless.py"
    script.write_text(
        "import os\n"
        'os.write(1, b\'{"protocol": 1, "ready": true}\\n\')\n'
        "import sys; sys.stdin.readline()\n"
        "while True: os.write(2, b'z' * 100000)\n"
    )
    (done,) = swap_jobs(start(table(script, pair_timeout_s=30)), jobs(1))
    assert done.status is Status.FAILED and "MiB to its log" in done.message


def test_a_mask_is_used_and_rows_without_one_have_the_harness_own(start: Start, tmp_path: Path) -> None:
    swapper = start(player(tmp_path, {1: "mask", 3: "missing", 4: "relative mask"}))
    pixels = torch.rand(4, 3, 64, 64)
    swap = swapper.swap(pixels, pixels)
    assert swap.mask is not None and swap.mask.shape == (4, 1, 64, 64)
    assert torch.all(swap.mask[0] == torch.tensor(51 / 255)), "grey 51 of 255"
    assert swap.mask[1].min() == 0 and swap.mask[1].max() == 1
    assert torch.all(swap.mask[3] == torch.tensor(102 / 255)), "in the program's own folder"
    assert swap.status == (Status.OK, Status.OK, Status.FAILED, Status.OK)
    assert not swap.image[2].any()
    assert float((swap.image[:2] - pixels[:2]).abs().max()) <= 0.5 / 255 + 1e-6, "8 bits there and back"
    assert swapper.swap(pixels[:1], pixels[:1]).mask is None


def test_whole_frames_of_any_size(start: Start, tmp_path: Path) -> None:
    whole = {"template": "frame"}
    swapper = start(player(tmp_path, {}, source=whole, target=whole))
    asked = [Job(frame(1, 90, 70), FACE, frame(2, 131, 257), FACE), Job(frame(3), FACE, frame(4, 64, 33), FACE)]
    for done, job in zip(swap_jobs(swapper, asked), asked, strict=True):
        assert done.frame is not None
        np.testing.assert_array_equal(done.frame, job.target)


def test_nothing_is_left_in_the_scratch_folder(start: Start, tmp_path: Path) -> None:
    swapper = start(player(tmp_path, {1: "mask", 2: "crash", 3: "folder", 4: "text"}))
    assert swapper._scratch is not None
    scratch = Path(swapper._scratch.name)
    swap_jobs(swapper, jobs(5))
    assert [path.name for path in scratch.iterdir()] == ["3-out.png"], "a folder in its place goes with the scratch"
    swapper.stop()
    swapper.stop()
    assert not scratch.exists()


def test_without_a_start_nothing_is_swapped(tmp_path: Path) -> None:
    swapper = external.make("mine", player(tmp_path, {}), tmp_path).load("cpu")
    pixels = torch.rand(1, 3, 64, 64)
    with pytest.raises(UsageError, match="start\\(logs\\) comes before swap"):
        swapper.swap(pixels, pixels)  # type: ignore[union-attr]


def test_a_stuck_child_does_not_hold_up_the_end(tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE_S", 0.3)
    script = tmp_path / "deaf.py"
    script.write_text('import time\nprint(\'{"protocol": 1, "ready": true}\', flush=True)\ntime.sleep(60)\n')
    with loaded(external.make("mine", table(script), tmp_path), "cpu", logs):
        begin = time.monotonic()
    assert time.monotonic() - begin < 5


def test_the_swap_is_the_programs(start: Start, tmp_path: Path) -> None:
    """Source and target are not exchanged, colours keep their order, rows do not mix."""
    script = tmp_path / "mix.py"
    script.write_text(
        "import json, sys\n"
        "from PIL import Image\n"
        'print(\'{"protocol": 1, "ready": true}\', flush=True)\n'
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    source, target = (Image.open(asked[name]).split() for name in ('source', 'target'))\n"
        "    Image.merge('RGB', (source[0], target[1], target[2])).save(asked['out'])\n"
        "    print(json.dumps({'id': asked['id'], 'ok': True}), flush=True)\n"
    )
    source, target = torch.rand(2, 2, 3, 64, 64)
    swap: Swap = start(table(script)).swap(source, target)
    expected = torch.cat([source[:, :1], target[:, 1:]], dim=1)
    assert float((swap.image - expected).abs().max()) <= 0.5 / 255 + 1e-6
