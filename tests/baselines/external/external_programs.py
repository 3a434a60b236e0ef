"""Programs that speak the protocol, well or badly, for the tests of the external transport."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from baselines.external import child
from hifibench.records import Face, Frame

FACE = Face(
    np.array([60, 50, 140, 160], np.float32),
    np.array([[80, 90], [120, 90], [100, 112], [84, 132], [116, 132]], np.float32),
    0.9,
)
CROP = {"template": "ffhq", "size": 64}

# Written against the protocol, not with child.py: what is wrong with it must be visible on the wire.
_PLAYER = """
import json, os, shutil, signal, subprocess, sys, time
from PIL import Image
plays = json.loads(sys.argv[1])

def say(message):
    os.write(1, (json.dumps(message) + "\\n").encode())

say({"protocol": 1, "ready": True, "name": "player", "versions": {"player": "1"}})
for line in iter(sys.stdin.readline, ""):
    asked = json.loads(line)
    number, out = asked["id"], asked["out"]
    play = plays.get(str(number), "copy")
    answer = {"id": number, "ok": True}
    if play == "hang":
        time.sleep(60)
    elif play == "exit":
        sys.exit(7)
    elif play == "crash":
        os.write(2, b"last words\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    elif play == "close":
        os.close(1)
        time.sleep(60)
    elif play == "nursery":  # a child of its own outlives it, holding the pipes
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        os._exit(3)
    elif play == "error":
        answer = {"id": number, "ok": False, "error": "no face in " + asked["target"]}
    elif play == "other id":
        answer = {"id": number + 1, "ok": True}
    elif play == "wrong size":
        Image.new("RGB", (40, 64)).save(out)
    elif play == "huge":
        Image.new("L", (15000, 4000)).save(out)
    elif play == "truncated":
        data = open(asked["target"], "rb").read()
        open(out, "wb").write(data[: len(data) // 2])
    elif play == "damaged":
        data = bytearray(open(asked["target"], "rb").read())
        data[len(data) // 2] ^= 255
        open(out, "wb").write(data)
    elif play == "text":
        open(out, "w").write("an image")
    elif play == "jpeg":
        Image.open(asked["target"]).save(out, format="JPEG")
    elif play == "folder":
        os.mkdir(out)
    elif play == "pipe":
        os.mkfifo(out)
    elif play != "missing":
        shutil.copyfile(asked["target"], out)
    if play == "garbage":
        os.write(1, b'loading...\\n{"epoch": 1}\\n{"id": "x", "ok": true}\\n{"id": 77, "ok": true}\\n')
        os.write(1, b"[1, 2]\\n{broken\\n\\xff\\xfe\\n" + b"[" * 9999)
        os.write(1, b"\\n" + b'{"a":' * 9999 + b"\\n 50%|#####     |\\r")
    elif play == "flood":
        for _ in range(200):
            os.write(1, b"x" * 100000)
        os.write(1, b"\\n")
    elif play == "stderr":
        for _ in range(50):
            os.write(2, b"y" * 100000 + b"\\n")
    elif play == "mask":
        answer["mask"] = out[:-len("out.png")] + "mask.png"
        Image.new("L", (64, 64), 51).save(answer["mask"])
    elif play == "relative mask":
        answer["mask"] = "mask.png"
        Image.new("L", (64, 64), 102).save("mask.png")
    elif play == "bad mask":
        answer["mask"] = "/nowhere/\\0/mask.png"
    elif play == "long name":
        answer["mask"] = "m" * 5000
    say(answer)
"""


def frame(seed: int, height: int = 200, width: int = 210) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def player(folder: Path, plays: dict[int, str], **changes: Any) -> dict[str, Any]:
    """The table of a method that plays something for some of its pairs, numbered from 1, and else copies the target."""
    script = folder / "player.py"
    script.write_text(_PLAYER)
    return table(script, json.dumps(plays), pair_timeout_s=1.5) | changes


def table(script: Path, *words: str, **changes: Any) -> dict[str, Any]:
    return {"command": [sys.executable, str(script), *words], "source": CROP, "target": CROP} | changes


def wrapper(folder: Path, body: str) -> Path:
    """A program made with child.py, as a user writes one."""
    assert child.__file__ is not None
    script = folder / "wrapper.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(Path(child.__file__).parent)!r})\n{body}")
    return script
