"""``hifibench data`` through a child process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mini_release import encode
from PIL import Image
from record_files import insightface, jpeg

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


def test_records_are_prepared_and_a_bad_one_is_named(tmp_path: Path, cli: Cli, portrait: Callable[..., Frame]) -> None:
    file = insightface([[jpeg(portrait(17))], [jpeg(portrait(3))]])
    file.spoil(2, 0, b"\0\0\0\0")
    file.write(tmp_path / "asian/train.rec")
    done = cli("data", "prepare", "asian", "out", "--size", "64", "--workers", "1")
    assert "asian is read as recordio; --layout names another." in done.stdout
    faces = PreparedFaces(tmp_path / "out")
    assert (faces.identities, faces.labels) == (("00000000",), None)
    [dropped] = pd.read_parquet(tmp_path / "out/dropped.parquet").to_dict("records")
    assert (dropped["identity"], dropped["reason"]) == ("unknown", "unreadable")
    assert dropped["source"] == f"train.rec@{file.offsets[2]}"
    assert "has no magic number" in dropped["detail"]


def test_labelled_videos_are_prepared_with_their_labels(
    tmp_path: Path, cli: Cli, portrait: Callable[..., Frame]
) -> None:
    # Noise parts the frames, which would be dropped as repeated otherwise.
    still, noise = portrait(17), np.random.default_rng(0)
    shown = [np.clip(still.astype(int) + noise.integers(-9, 10, still.shape), 0, 255).astype(np.uint8) for _ in "1234"]
    for name in ("aa", "bb"):
        encode(tmp_path / f"dfdc/dfdc_train_part_0/{name}.mp4", shown)
    labels = {
        "aa.mp4": {"label": "REAL"},
        "bb.mp4": {"label": "FAKE", "original": "aa.mp4"},
        "cc.mp4": {"label": "REAL"},
    }
    (tmp_path / "dfdc/dfdc_train_part_0/metadata.json").write_text(json.dumps(labels))
    words = ("data", "prepare", "dfdc", "out", "--size", "64", "--frames", "2", "--workers", "1")
    done = cli(*words, "--labels", "all")
    assert "dfdc is read as dfdc" in done.stdout
    assert "1 videos are named and not there" in done.stderr
    index = pd.read_parquet(tmp_path / "out/index.parquet")
    assert list(index["identity"]) == ["aa", "aa", "bb", "bb"]
    assert list(index["label"]) == ["real", "real", "fake", "fake"]
    assert list(index["source"][:2]) == [f"dfdc_train_part_0/aa.mp4#{i}/2" for i in range(2)]
    assert PreparedFaces(tmp_path / "out").labels == ("real", "real", "fake", "fake")
    [dropped] = pd.read_parquet(tmp_path / "out/dropped.parquet").to_dict("records")
    assert (dropped["identity"], dropped["reason"]) == ("cc", "unreadable")
    again = cli(*words, "--labels", "all", "--quiet")
    assert "0 images prepared now" in again.stdout
    assert "source.labels all there, real here" in cli(*words, expect=2).stderr


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
        (("prepare", ".", "../out", "--layout", "vgface2"), "Did you mean 'vggface2'"),
        (("prepare", ".", "../out", "--layout", "dfdc"), "holds no metadata.json with labels"),
        (("prepare", ".", "../out", "--frames", "3"), "--frames and --labels are for videos"),
        (("prepare", ".", "../out", "--enhance", "none.onnx"), "holds no images"),
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
