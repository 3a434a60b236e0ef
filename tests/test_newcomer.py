"""A newcomer follows the documents to the letter: the files they show, the commands they show, in a fresh folder."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_commands import ROOT, blocks, files
from doc_scenario import SEEDS
from PIL import Image

from hifibench.data import portraits
from hifibench.selftest.checks import CHECKS

pytestmark = pytest.mark.slow

METHOD, METRIC, DATASET = (ROOT / f"docs/add_{name}.md" for name in ("method", "metric", "dataset"))


class Newcomer:
    """Somebody with a folder, a document, and hifibench installed.

    Args:
        folder: where commands are typed.
        document: what is followed; the files that it shows are written first.
    """

    def __init__(self, folder: Path, document: Path) -> None:
        self.folder = folder
        self.commands = list(blocks(document.read_text(encoding="utf-8")))
        for name, text in files(document).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    def types(self, start: str, expect: int = 0, more: str = "") -> str:
        """Type the one command of the document that begins so; what it says."""
        (command,) = (one for one in self.commands if one.startswith(start))
        return self.shell(f"{command} {more}", expect)

    def shell(self, command: str, expect: int = 0) -> str:
        python = shlex.quote(sys.executable)
        # The package goes into a folder of its own: the environment of the tests stays as it is.
        install = f"{python} -m pip install --quiet --no-deps --no-build-isolation --no-index --target site"
        command = command.replace("python -m pip install -e", install).replace("$(python ", f"$({python} ")
        for name, run in (("hifibench ", f"{python} -m hifibench "), ("python ", f"{python} ")):
            if command.startswith(name):
                command = run + command.removeprefix(name)
        done = subprocess.run(
            ["bash", "-c", command],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=600,
            env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(self.folder / "site")},
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def row(self, run: str, method: str, ok: int) -> dict[str, float]:
        """Metric -> value of a method that stands in every table of a run with so many pairs that ended well."""
        results = json.loads((self.folder / run / "results.json").read_text(encoding="utf-8"))
        (status,) = (one["status"] for one in results["methods"] if one["name"] == method)
        assert status["ok"] == ok, status
        for table in ("table.md", "table.csv"):
            assert method in (self.folder / run / "report" / table).read_text(encoding="utf-8")
        assert (self.folder / run / "report/index.html").is_file()
        return {score["metric"]: score["value"] for score in results["scores"] if score["method"] == method}


def test_a_method_as_a_package(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path, METHOD)
    newcomer.types("python -m pip install -e ./my-swapper")
    assert "my-swapper" in newcomer.types("hifibench list methods")
    told = newcomer.types("hifibench selftest my-swapper")
    for check in CHECKS:
        assert check.name in told and f"\n{check.name} " in METHOD.read_text(encoding="utf-8")
    assert "my-swapper" in newcomer.types("hifibench run demo --methods target-copy,source-paste,my-swapper")
    mine, copy = (newcomer.row("runs/mine", method, ok=2) for method in ("my-swapper", "target-copy"))
    assert mine["id_cosine[edgeface]"] > copy["id_cosine[edgeface]"] + 0.2
    assert mine["pose[mediapipe]"] > copy["pose[mediapipe]"] == 0


def test_methods_of_a_file(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path, METHOD)
    newcomer.types("python export.py")
    newcomer.types('cp "$(python')
    for method, run in (("my-onnx", "runs/onnx"), ("my-program", "runs/program")):
        assert "failed" not in newcomer.types(f"hifibench selftest {method}")
        (command,) = (one for one in newcomer.commands if one.endswith(run))
        newcomer.shell(command)
        assert newcomer.row(run, method, ok=2)["id_cosine[edgeface]"] > 0.3
    assert list((tmp_path / "runs/program/logs/my-program").iterdir())


def test_a_method_by_its_pictures(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path, METHOD)
    (tmp_path / "pairs.csv").write_text(files(DATASET)["pairs.csv"], encoding="utf-8")
    faces = {name: portraits.load(portraits.uri(seed, 0)) for name, seed in SEEDS.items()}
    for name, face in faces.items():
        Image.fromarray(face).save(tmp_path / f"{name}.jpg", quality=95)
    (tmp_path / "swapped").mkdir()
    for source, target in (("ann", "bob"), ("bob", "eve")):
        Image.fromarray(faces[source]).save(tmp_path / f"swapped/{target}_{source}.png")
    told = newcomer.types("hifibench run demo --pairs pairs.csv")
    assert "ann_eve.png" in told, "the picture that is not there is named"
    assert newcomer.row("runs/pictures", "my-pictures", ok=2)["id_cosine[edgeface]"] > 0.9


def test_weights_of_a_training(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path, METHOD)
    trained = tmp_path / "runs/train-hififace-lite/hififace.safetensors"
    trained.parent.mkdir(parents=True)
    shutil.copy(ROOT / "hifibench/hififace/trained/hififace.safetensors", trained)
    assert "failed" not in newcomer.types("hifibench selftest mine")
    newcomer.types("hifibench run demo --weights", more="--limit 2")
    mine, shipped = (newcomer.row("runs/demo", method, ok=2) for method in ("mine", "hififace"))
    assert mine["pose[mediapipe]"] == shipped["pose[mediapipe]"]
    assert mine["pose[3ddfa]"] is None, "what taught it does not judge it"


def test_a_metric(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path, METRIC)
    newcomer.types("python -m pip install -e ./my-metric")
    assert "2 passed" in newcomer.types("python -m pytest my-metric", more="-p no:cacheprovider")
    assert "Mouth error" in newcomer.types("hifibench list metrics")
    name = "mouth_open[mediapipe]"
    assert "Mouth error" in newcomer.types("hifibench run ./mouth.yaml")
    still, coded, pasted = (
        newcomer.row("runs/mouth", method, ok=4)[name] for method in ("target-copy", "re-encode", "source-paste")
    )
    assert still == 0 < coded < pasted
    newcomer.types("hifibench run ./mouth-heads.yaml")
    assert newcomer.row("runs/mouth-heads", "truth", ok=4)[name] is not None
    told = newcomer.types("hifibench calibrate --metrics", expect=2)
    (shown,) = (line for line in METRIC.read_text(encoding="utf-8").splitlines() if line.startswith("hifibench: "))
    assert shown.removesuffix("…") in told
