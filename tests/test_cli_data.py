"""``hifibench data`` through a child process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from hifibench.data.prepared import PreparedFaces
from hifibench.records import Frame

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def photos(tmp_path: Path, portrait: Callable[..., Frame]) -> Path:
    """One person with a good photograph, a small one and a broken one; and a folder of nobody."""
    folder = tmp_path / "photos" / "ann"
    folder.mkdir(parents=True)
    whole = Image.fromarray(portrait(17))
    whole.save(folder / "whole.jpg", quality=95)
    whole.resize((160, 160)).save(folder / "small.jpg", quality=95)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder.parent / "nobody").mkdir()
    return folder.parent


def test_folders_are_prepared_and_the_report_says_what_was_dropped(tmp_path: Path, cli: Cli, photos: Path) -> None:
    done = cli("data", "prepare", photos, "out", "--workers", "1")
    for words in ("kept", "dropped: too small", "dropped: unreadable", "with a single image", "nobody"):
        assert words in done.stdout
    assert "prepare faces: 3" in done.stderr
    faces = PreparedFaces(tmp_path / "out")
    assert (faces.identities, faces.crop.size, len(faces)) == (("ann",), 256, 1)
    dropped = pd.read_parquet(tmp_path / "out/dropped.parquet")
    assert dict(zip(dropped["source"], dropped["reason"], strict=True)) == {
        "ann/broken.jpg": "unreadable",
        "ann/small.jpg": "too small",
    }
    again = cli("data", "prepare", photos, "out", "--workers", "1", "--quiet")
    assert again.stderr == ""
    assert "0 images prepared now" in again.stdout
    other = cli("data", "prepare", photos, "out", "--size", "128", expect=2)
    assert "crop.size 256 there, 128 here" in other.stderr


def test_small_faces_are_kept_where_that_is_asked_for(tmp_path: Path, cli: Cli, photos: Path) -> None:
    cli("data", "prepare", photos, "out", "--min-side", "0", "--size", "64", "--workers", "1")
    assert len(PreparedFaces(tmp_path / "out")) == 2


@pytest.mark.slow
def test_portraits_are_prepared_and_extended(tmp_path: Path, cli: Cli) -> None:
    words = ("data", "portraits", "out", "--views", "1", "--first-seed", "17", "--size", "64")
    cli(*words, "--identities", "1")
    done = cli(*words, "--views", "2", "--identities", "1")
    assert "2 images prepared now" in done.stdout
    faces = PreparedFaces(tmp_path / "out")
    assert faces.identities == ("0000000017",)
    assert len(faces) == 2
    licence = json.loads((tmp_path / "out/prepared.json").read_text())["licence"]
    assert "research only" in licence


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("prepare", "nowhere", "out"), "There is no folder nowhere"),
        (("prepare", ".", "out"), "lies in ."),
        (("prepare", ".", "../out"), "holds no images in 0 folders"),
        (("portraits", "out", "--first-seed", "2000000000"), "would reach into another split"),
        (("portraits", "out", "--split", "tset"), "expected train, validation, test"),
        (("portraits", "out", "--template", "fhq"), "Did you mean 'ffhq'"),
        (("portraits", "out", "--parser", "none.onnx"), "no face-parsing network none.onnx"),
    ],
)
def test_wrong_use_exits_2_and_leaves_nothing(tmp_path: Path, cli: Cli, words: tuple[str, ...], message: str) -> None:
    done = cli("data", *words, expect=2)
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_cache_without_assets_and_no_way_to_them_exits_3(tmp_path: Path, cli: Cli, photos: Path) -> None:
    unreachable: Mapping[str, str] = {
        "HIFIBENCH_CACHE": str(tmp_path / "cache"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    done = cli("data", "prepare", photos, "out", expect=3, env=unreachable)
    assert "scrfd-500m" in done.stderr
    assert not (tmp_path / "out").exists()
