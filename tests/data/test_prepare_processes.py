"""Real networks, real processes, and what happens when they are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from hifibench.contracts import Crop
from hifibench.data import images
from hifibench.data.face_crops import Cropping
from hifibench.data.originals import FolderSource
from hifibench.data.prepare import prepare
from hifibench.data.prepared import PreparedFaces
from hifibench.errors import MissingError
from hifibench.records import Frame

pytestmark = pytest.mark.slow

CROPPING = Cropping(Crop("ffhq", 64), 64)
PROGRAM = """
import sys
from pathlib import Path
from hifibench.contracts import Crop
from hifibench.data.face_crops import Cropping
from hifibench.data.originals import FolderSource
from hifibench.data.prepare import prepare
if __name__ == "__main__":
    prepare(FolderSource(Path(sys.argv[1])), Cropping(Crop("ffhq", 64), 64), Path(sys.argv[2]), workers=2)
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, portrait: Callable[..., Frame]) -> Path:
    """Eight people with two photographs each, one of them with a picture of nothing besides."""
    root = tmp_path_factory.mktemp("work") / "photos"
    for seed in range(8):
        for view in range(2):
            path = root / f"n{seed}" / f"{view}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            # Different files of the same few faces: it is the number of people that counts here.
            Image.fromarray(portrait((3, 17)[seed % 2])).save(path, quality=80 + seed + view)
    images.save_png(root / "n0" / "sky.png", np.full((64, 64, 3), 200, np.uint8))
    return root


@pytest.fixture(scope="module")
def straight(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("straight") / "out"
    report = prepare(FolderSource(photos), CROPPING, out)
    assert (report.kept, report.dropped["no face"]) == (16, 1)
    return content(out)


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def begin(photos: Path, out: Path) -> subprocess.Popen[str]:
    """Start two processes and wait until one of them has finished somebody."""
    script = out.parent / "program.py"
    script.write_text(PROGRAM)
    running = subprocess.Popen([sys.executable, script, photos, out], stderr=subprocess.PIPE, text=True)
    until(lambda: any((out / "parts").glob("n*.json")))
    return running


def until(happened: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_two_processes_give_the_bytes_of_one(photos: Path, straight: dict[str, bytes], tmp_path: Path) -> None:
    prepare(FolderSource(photos), CROPPING, tmp_path / "out", workers=2)
    assert content(tmp_path / "out") == straight


def test_a_killed_run_leaves_no_process_and_goes_on(photos: Path, straight: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = begin(photos, out)
    workers = psutil.Process(running.pid).children(recursive=True)
    assert len(workers) >= 2
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not psutil.wait_procs(workers, timeout=20)[1]
    assert not (out / "index.parquet").exists()
    assert prepare(FolderSource(photos), CROPPING, out).prepared < 17
    assert content(out) == straight


def test_a_killed_worker_is_a_clear_error(photos: Path, tmp_path: Path) -> None:
    running = begin(photos, tmp_path / "out")
    for worker in psutil.Process(running.pid).children(recursive=True):
        if any("spawn_main" in word for word in worker.cmdline()):
            os.kill(worker.pid, signal.SIGKILL)
    _, error = running.communicate(timeout=60)
    assert running.returncode == 1
    assert MissingError.__name__ in error.splitlines()[-1]
    assert "run the same command with fewer --workers" in error.splitlines()[-1]


def test_crops_of_photographs_of_portraits_are_those_of_the_portraits(
    straight: dict[str, bytes], photos: Path, tmp_path: Path, portrait: Callable[..., Frame]
) -> None:
    out = tmp_path / "out"
    prepare(FolderSource(photos), CROPPING, out)
    faces = PreparedFaces(out)
    assert faces.identities == tuple(f"n{seed}" for seed in range(8))
    good, worse = (faces.load(row) for row in (faces.rows[6][1], faces.rows[0][0]))
    assert np.abs(good.frame.astype(int) - worse.frame).mean() < 4  # one face, two qualities of JPEG
    assert (good.mask != worse.mask).mean() < 0.01
