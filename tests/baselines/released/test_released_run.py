"""A whole run whose methods come from elsewhere: each loses what it loses, and the others are none the worse for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mini_release import mini_ffpp

from hifibench.records import Frame

pytestmark = pytest.mark.slow

HOSTILE = """
import json, os, shutil, sys
print("loading weights...")
print(json.dumps({"protocol": 1, "ready": True, "name": "hostile", "versions": {}}), flush=True)
for count, line in enumerate(sys.stdin):
    request = json.loads(line)
    print("garbage, not JSON")
    if count == 2 and not os.path.exists(sys.argv[1]):
        open(sys.argv[1], "w").close()
        os.abort()
    shutil.copyfile(request["target"], request["out"])
    print(json.dumps({"id": request["id"], "ok": True}), flush=True)
"""

METHODS = """
[hostile]
kind = "external"
command = ["{python}", "hostile.py", "died"]
source = {{ template = "arcface", size = 112 }}
target = {{ template = "ffhq", size = 128 }}

[elsewhere]
kind = "external"
command = ["no-such-interpreter", "hostile.py"]
source = {{ template = "arcface", size = 112 }}
target = {{ template = "ffhq", size = 128 }}

[absent]
kind = "onnx"
row = "inswapper_128"
file = "absent.onnx"

[shifter]
kind = "released"
rule = "ffpp-faceshifter"
root = "release/ffpp"

[short]
kind = "released"
rule = "ffpp-faceshifter"
root = "release/ffpp"
frames = 99
"""


@pytest.fixture
def methods(tmp_path: Path, portrait: Callable[..., Frame]) -> Path:
    """Six pairs of two videos, one of the six released frames missing, and five methods from elsewhere."""
    made = mini_ffpp(tmp_path / "release", faces={"000": portrait(0)[::2, ::2], "003": portrait(1)[::2, ::2]})
    next(tmp_path.rglob("FaceShifter/c23/videos/003_000.mp4")).unlink()
    (tmp_path / "hostile.py").write_text(HOSTILE)
    file = tmp_path / "methods.toml"
    file.write_text(METHODS.format(python=sys.executable))
    return made.pairs_csv


def test_five_methods_from_elsewhere_in_one_run(methods: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    done = cli("run", "demo", "--pairs", methods, "--add", "methods.toml", "--out", "run", "--quiet",
               "--methods", "target-copy,hostile,elsewhere,absent,shifter,short")  # fmt: skip
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    status = {one["name"]: one["status"] for one in found["methods"]}
    assert status == {
        "target-copy": {"ok": 6},
        "hostile": {"ok": 5, "failed": 1},
        "elsewhere": {"not available": 6},
        "absent": {"not available": 6},
        "shifter": {"ok": 3, "file missing": 3},
        "short": {"failed": 3, "file missing": 3},
    }
    said = {one["name"]: " ".join(one["messages"]) for one in found["methods"]}
    assert "no-such-interpreter" in said["elsewhere"]
    assert all(word in said["absent"] for word in ("absent.onnx", "w600k_r50.onnx", "non-commercial"))
    assert "003_000.mp4" in said["shifter"]
    assert "99" in said["short"] and "24" in said["short"]
    for method in ("hostile", "elsewhere", "absent", "shifter", "short"):
        assert any(method in line for line in done.stderr.splitlines()), "nothing in the log"
        assert method in done.stdout, "no row in the table"
    assert "garbage" in "".join(file.read_text() for file in (tmp_path / "run" / "logs" / "hostile").iterdir())
    timed = json.loads((tmp_path / "run" / "timing.json").read_text())["methods"]
    assert "hostile" in timed and not {"shifter", "short", "absent"} & set(timed)
    pose = {
        one["method"]: (one["n_failed"], one["value"]) for one in found["scores"] if one["metric"] == "pose[mediapipe]"
    }
    assert pose["target-copy"] == (0, 0) and pose["absent"] == (6, None) and pose["hostile"][0] == 1
