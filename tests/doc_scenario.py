"""The folder in which the commands of the documents are run: photographs, videos, finished runs, all small."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from clips import clip, face_tree
from doc_commands import ROOT, files
from mini_release import encode
from PIL import Image

from hifibench import registry
from hifibench.data import portraits

SEEDS = {"ann": 11, "bob": 12, "eve": 13}
_KEPT = ("assets", "portraits", "heads", "observations")
"""Folders of the user's cache that the scenario reads, and adds to; it has no networks of the user's own."""


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    said: str


@dataclass
class Scenario:
    """A folder, and the commands that were run in it.

    Attributes:
        folder: the working folder of every command.
        done: command -> how it ended; equal commands are run once.
    """

    folder: Path
    done: dict[tuple[str, ...], Done] = field(default_factory=dict)

    def run(self, words: Sequence[str]) -> Done:
        """Run a command: of hifibench in this process, which is quicker by a start; others in one of their own."""
        key = tuple(words)
        if key not in self.done:
            self.done[key] = self._hifibench(words[1:]) if words[0] == "hifibench" else self._child(words)
        return self.done[key]

    def _hifibench(self, words: Sequence[str]) -> Done:
        from hifibench.cli import main

        heard, code = io.StringIO(), 0
        with self._inside(), redirect_stdout(heard), redirect_stderr(heard), registry.swappers.standing_in({}):
            try:
                main(list(words))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(bool(end.code))
        return Done(code, heard.getvalue())

    def _child(self, words: Sequence[str]) -> Done:
        command = [sys.executable if word == "python" else word for word in words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)
        return Done(done.returncode, done.stdout + done.stderr)

    @contextmanager
    def _inside(self) -> Iterator[None]:
        before, here = dict(os.environ), Path.cwd()
        os.chdir(self.folder)
        try:
            yield
        finally:
            os.chdir(here)
            # A command may say to processes that it starts where FaceForensics++ lies.
            os.environ.clear()
            os.environ.update(before)


def make(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    """Write all files that the documents take for granted, and make the runs that their commands read."""
    _cache(folder / "cache", monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    faces = {name: portraits.load(portraits.uri(seed, 0)) for name, seed in SEEDS.items()}
    for name, face in faces.items():
        Image.fromarray(face).save(folder / f"{name}.jpg", quality=95)
        for view in (0, 1):
            photo = folder / f"photos/{name}/{view}.jpg"
            photo.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(portraits.load(portraits.uri(SEEDS[name], view))).save(photo, quality=95)
    for number, frame in enumerate(clip(faces["bob"], 3, 0)):
        Image.fromarray(frame).save(folder / f"bob-{number}.png")
    encode(folder / "bob.mp4", clip(faces["bob"], 6, 0))
    (folder / "VGGFace2").mkdir()
    shutil.copytree(folder / "photos", folder / "VGGFace2/train")
    _ffpp(folder)
    for name in ("weights", "runs/train-hififace-lite/hififace", "runs/train-hififace-paper-256/hififace"):
        path = folder / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "hifibench/hififace/trained/hififace.safetensors", path)
    for document in ("add_method", "add_dataset"):
        for name, text in files(ROOT / f"docs/{document}.md").items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    scenario = Scenario(folder)
    _runs(scenario)
    return scenario


def _cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hifibench import assets

    there = assets.cache_root()
    cache.mkdir()
    for name in _KEPT:
        (there / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(there / name, target_is_directory=True)
    monkeypatch.setenv("HIFIBENCH_CACHE", str(cache))


def _ffpp(folder: Path) -> None:
    videos = {f"00{number}": portraits.load(portraits.uri(11 + number, 0)) for number in range(4)}
    tree = face_tree(folder, videos, compressions=("c23",), lengths={"000": 6, "003": 6})
    (folder / "swaps").symlink_to(tree.root / "manipulated_sequences/FaceSwap/c23/videos", target_is_directory=True)


def _runs(scenario: Scenario) -> None:
    """Two finished runs, a golden file, a manifest, a prepared set."""
    methods = "target-copy,source-paste,faceswap,hififace"
    for words in (
        ("run", "demo", "--limit", "2", "--methods", methods, "--out", "runs/demo", "--quiet"),
        ("run", "demo", "--limit", "2", "--methods", methods, "--out", "runs/other", "--quiet"),
        ("data", "manifest", "ffpp", "ffpp", "--out", "manifest.json"),
        ("data", "portraits", "prepared", "--identities", "2", "--views", "2", "--quiet"),
        ("gate", "runs/demo", "--golden", "golden.json", "--update"),
    ):
        done = scenario.run(("hifibench", *words))
        assert done.code == 0, done.said
