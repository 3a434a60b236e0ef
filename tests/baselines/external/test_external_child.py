"""child.py on the wire, and the formats of the protocol."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from external_programs import frame, wrapper
from PIL import Image

from baselines.external import child, images, protocol
from baselines.external.protocol import Reply, Request
from hifibench.errors import ImageError

ROOT = Path(__file__).parents[3] / "baselines"


def talk(script: Path, *requests: dict[str, Any]) -> tuple[list[dict[str, Any]], str, int]:
    """What a child answers, one message a line, what it says on stderr, and its exit code."""
    text = "".join(json.dumps(one) + "\n" for one in requests)
    done = subprocess.run([sys.executable, str(script)], input=text, capture_output=True, text=True, timeout=30)
    return [json.loads(line) for line in done.stdout.splitlines() if line], done.stderr, done.returncode


def request(number: int) -> dict[str, Any]:
    return {"id": number, "source": "s", "target": f"t{number}", "out": "o"}


def test_it_greets_answers_and_ends_with_its_stdin(tmp_path: Path) -> None:
    script = wrapper(tmp_path, "from child import serve\nserve(lambda s, t, o: t + o, 'Mine', torch='1.8')")
    said, _, code = talk(script, request(4), request(9))
    version = sys.version.split()[0]
    assert said == [
        {"protocol": protocol.VERSION, "ready": True, "name": "Mine", "versions": {"torch": "1.8", "python": version}},
        {"id": 4, "ok": True, "mask": "t4o"},
        {"id": 9, "ok": True, "mask": "t9o"},
    ]
    assert code == 0


def test_nothing_that_is_printed_reaches_the_channel(tmp_path: Path) -> None:
    body = """
import os, subprocess
from child import serve
def swap(source, target, out):
    print("a print")
    os.write(1, b"a library\\n")
    subprocess.run(["echo", "a program"])
    subprocess.run([sys.executable, "-c", "import sys; assert sys.stdin.read() == ''"], check=True)
    sys.stdin.close()
serve(swap)
"""
    said, stderr, code = talk(wrapper(tmp_path, body), request(1), request(2))
    assert [one.get("id") for one in said] == [None, 1, 2] and all(one.get("ok", True) for one in said)
    assert [stderr.count(text) for text in ("a print", "a library", "a program")] == [2, 2, 2]
    assert code == 0


def test_what_was_printed_before_does_not_spoil_the_greeting(tmp_path: Path) -> None:
    script = wrapper(tmp_path, "print('loading... ', end='')\nfrom child import serve\nserve(print)")
    done = subprocess.run([sys.executable, str(script)], input="", capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith('loading... \n{"protocol": 1, ')


@pytest.mark.parametrize("how", ["raise ValueError('no face')", "sys.exit('no face')", "1 / 0"])
def test_what_a_swap_raises_fails_that_pair(tmp_path: Path, how: str) -> None:
    body = f"from child import serve\ndef swap(s, t, o):\n    if t == 't1':\n        {how}\nserve(swap)"
    said, stderr, code = talk(wrapper(tmp_path, body), request(1), request(2))
    assert said[1]["ok"] is False and said[2] == {"id": 2, "ok": True} and code == 0
    assert "no face" in said[1]["error"] or said[1]["error"] == "ZeroDivisionError: division by zero"
    assert "Traceback" in stderr


def test_it_says_why_it_cannot_work(tmp_path: Path) -> None:
    said, _, code = talk(wrapper(tmp_path, "from child import fail\nfail('no GPU')"))
    assert said == [{"error": "no GPU"}] and code == 1


def test_the_device_comes_from_the_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIFIBENCH_DEVICE", raising=False)
    assert child.device() == "cpu"
    monkeypatch.setenv("HIFIBENCH_DEVICE", "cuda:2")
    assert child.device() == "cuda:2"


@pytest.mark.parametrize("name", ["external/child.py", "external/wrappers/simswap.py", "fsgan/wrapper.py"])
def test_old_interpreters_can_read_it(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(), feature_version=(3, 6))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(node.module == "__future__" for node in imported), "annotations came with 3.7"


def test_the_child_needs_the_standard_library_only() -> None:
    done = subprocess.run([sys.executable, "-S", "-I", str(ROOT / "external" / "child.py")], timeout=30)
    assert done.returncode == 0
    assert child.PROTOCOL == protocol.VERSION


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"loading",
        b"{",
        b'{"a": 1}',
        b'[{"id": 1}]',
        b'"id"',
        b"\xff{}",
        b'{"id":' * 99999,
        b'{"id": NaN',
        b"{}\r{",
    ],
)
def test_what_is_no_message(line: bytes) -> None:
    assert protocol.message(line) is None


def test_what_is_one() -> None:
    assert protocol.message(b' 50%|##  |\r{"id": 3, "ok": true}\r\n') == {"id": 3, "ok": True}
    assert protocol.message(b'{"id": 1, "pad": "' + b"x" * protocol.LONGEST_LINE + b'"}') is None


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ({"id": 7, "ok": True}, Reply()),
        ({"id": 7, "ok": True, "mask": "m.png"}, Reply(mask=Path("m.png"))),
        ({"id": 7, "ok": False, "error": "no face"}, Reply("no face")),
        ({"id": 7, "ok": False}, Reply("it gives no reason")),
        ({"id": 7, "ok": 1}, Reply("it gives no reason")),
        ({"id": 8, "ok": True}, None),
        ({"id": "7", "ok": True}, None),
        ({"id": True, "ok": True}, None),
        ({"id": 7}, None),
    ],
)
def test_replies(answer: dict[str, Any], reply: Reply | None) -> None:
    assert protocol.reply(answer, Request(7, Path("s"), Path("t"), Path("o"))) == reply


def test_requests_are_one_line_of_ascii_whatever_the_paths() -> None:
    line = Request(7, Path("/tmp/ä\n"), Path("t"), Path("o")).line()
    assert line.isascii() and line.count(b"\n") == 1
    assert json.loads(line) == {"id": 7, "source": "/tmp/ä\n", "target": "t", "out": "o"}


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (200, 64)])
def test_images_survive_the_way(tmp_path: Path, size: tuple[int, int]) -> None:
    path, image = tmp_path / "a.png", frame(1, *size)
    images.write(path, image)
    with Image.open(path) as opened:  # an independent reader
        assert opened.format == "PNG" and opened.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(opened), image)
    np.testing.assert_array_equal(images.read(path, size), image)
    with pytest.raises(ImageError, match=f"{size[1]}x{size[0]} pixels, expected the target's 31x30"):
        images.read(path, (30, 31))


def test_masks_are_grey(tmp_path: Path) -> None:
    grey = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "m.png")
    mask = images.read_mask(tmp_path / "m.png", (64, 64))
    assert mask.dtype == np.float32
    np.testing.assert_allclose(mask, grey / 255.0, atol=1e-6)
