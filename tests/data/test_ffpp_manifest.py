"""Manifests of FaceForensics++ as files, and the pixels of their frames."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import pytest
from mini_release import COLOURS, MiniRelease, colour, decoded, encode, mini_ffpp, numbered
from mini_release import read as number_of

from hifibench import assets, data
from hifibench.data import ffpp_layout, ffpp_manifest, images
from hifibench.data.ffpp_record import Record
from hifibench.data.video import DamagedError, Video
from hifibench.errors import MissingError, UsageError
from hifibench.records import Manifest
from hifibench.suite import FfppData
from hifibench.tables import read


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> MiniRelease:
    """Videos whose frames tell their number and, as a mark, their video; not to be written to."""
    return mini_ffpp(tmp_path_factory.mktemp("numbers"), compressions=("c23",))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"


@pytest.fixture
def copy(numbers: MiniRelease, tmp_path: Path) -> Path:
    return shutil.copytree(numbers.root, tmp_path / "copy")


@pytest.fixture
def made(numbers: MiniRelease, tmp_path: Path) -> Path:
    """A manifest in a file."""
    file = tmp_path / "manifest.json"
    file.write_text(data.plan(described(numbers.root), 0, None).to_json(), encoding="utf-8")
    return file


def described(root: Path, **fields: Any) -> FfppData:
    table = {"kind": "ffpp", "root": root, "frames": 4, "source_rule": "same-frame", **fields}
    return read(FfppData, table, "The test")


def video(root: Path, name: str = "000") -> Path:
    return root / f"original_sequences/youtube/c23/videos/{name}.mp4"


def test_a_manifest_is_used_again_on_a_copy_of_the_tree(numbers: MiniRelease, made: Path, copy: Path) -> None:
    again = data.plan(described(copy, manifest=made), 0, None)
    assert again.hash == data.plan(described(numbers.root), 0, None).hash
    # Whatever else the suite says of frames and rules, the manifest holds.
    other = described(copy, manifest=made, frames=2, source_rule="first-face", split="val")
    assert data.plan(other, 0, None) == again
    assert data.notes(other, again)["source frames"] == "those with the target's index"


def test_a_limit_keeps_the_first_pairs_of_a_manifest(made: Path, copy: Path) -> None:
    every = data.plan(described(copy, manifest=made), 0, None)
    few = data.plan(described(copy, manifest=made), 0, 3)
    assert few.pairs == every.pairs[:3] and len(few.images) == 6
    assert few == data.plan(described(copy), 0, 3)
    video(copy, "003").unlink()
    with pytest.raises(MissingError, match=r"1 of 2 differ\.(.|\n)*003\.mp4: missing"):
        data.plan(described(copy, manifest=made), 0, 3)


def test_a_manifest_of_another_tree_is_refused(made: Path, copy: Path) -> None:
    encode(video(copy), [numbered(number, COLOURS["original"], 1) for number in range(24)])
    said = r"of other videos than .*copy: 1 of 2 differ\. Make a manifest of this folder(.|\n)*000\.mp4: other content"
    with pytest.raises(UsageError, match=said):
        data.plan(described(copy, manifest=made), 0, None)
    video(copy).write_bytes(video(copy).read_bytes()[:-900])
    with pytest.raises(UsageError, match=r"000\.mp4: .*(truncated|cannot be read)"):
        data.plan(described(copy, manifest=made), 0, None)


def test_a_manifest_of_another_compression_is_refused(made: Path, copy: Path) -> None:
    with pytest.raises(UsageError, match=r"c23/videos/000\.mp4, the suite asks for compression c40: set compression"):
        data.plan(described(copy, manifest=made, compression="c40"), 0, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no manifest"),
        ("[]", "is no manifest"),
        ('{"images": [], "pairs": [], "galleries": {}, "origin": ""}', "no whole manifest"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(UsageError, match=said):
        ffpp_manifest.read_manifest(tmp_path / "m.json")
    with pytest.raises(MissingError, match=r"no manifest .*none\.json; make one: hifibench data manifest ffpp"):
        ffpp_manifest.read_manifest(tmp_path / "none.json")


def edited(made: Path, change: Callable[[Any], None]) -> Path:
    raw = json.loads(made.read_text())
    change(raw)
    made.write_text(json.dumps(raw))
    return made


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw["images"].pop(0),
        lambda raw: raw["images"][0].update(frame=-1),
        lambda raw: raw["images"][0].update(frame="1"),
        lambda raw: raw["images"][0].update(content=None),
        lambda raw: raw["galleries"]["frames"].append("999/0000"),
    ],
)
def test_an_edited_manifest_that_does_not_hold_together_is_refused(made: Path, change: Callable[[Any], None]) -> None:
    with pytest.raises(UsageError, match="no whole manifest"):
        ffpp_manifest.read_manifest(edited(made, change))


def test_a_manifest_does_not_lead_out_of_the_folder(made: Path, copy: Path) -> None:
    edited(made, lambda raw: raw["images"][0].update(uri="video:../../secret/c23/videos/000.mp4"))
    with pytest.raises(UsageError, match="names no video of FaceForensics"):
        data.plan(described(copy, manifest=made), 0, None)


def test_frames_are_those_that_the_manifest_names(numbers: MiniRelease) -> None:
    """Index, video, colours: one frame on, the other video, or blue for red, and this fails."""
    manifest = data.plan(described(numbers.root), 0, None)
    load = data.loader(described(numbers.root))
    whole = {name: decoded(video(numbers.root, name)) for name in ("000", "003")}
    for ref in manifest.images:
        frame = load(ref)
        assert (number_of(frame), number_of(frame, 1), colour(frame)) == (ref.frame, int(ref.video), "original")
        np.testing.assert_array_equal(frame, whole[ref.video][ref.frame])


def test_colours_are_red_green_blue(copy: Path) -> None:
    encode(video(copy), [np.full((96, 128, 3), (200, 40, 20), np.uint8)] * 24, crf=0)
    manifest = data.plan(described(copy), 0, None)
    frame = data.loader(described(copy))(next(ref for ref in manifest.images if ref.video == "000"))
    np.testing.assert_allclose(frame.reshape(-1, 3).mean(0), (200, 40, 20), atol=3)


def test_threads_may_ask_for_frames(numbers: MiniRelease) -> None:
    manifest, load = data.plan(described(numbers.root), 0, None), data.loader(described(numbers.root))
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(load, manifest.images))
    assert [number_of(frame) for frame in got] == [ref.frame for ref in manifest.images]


def test_a_video_that_has_changed_since_is_refused(copy: Path) -> None:
    manifest = data.plan(described(copy), 0, None)
    encode(video(copy), [numbered(number, COLOURS["original"], 1) for number in range(24)])
    with pytest.raises(UsageError, match=r"000\.mp4 has changed since this run was planned"):
        data.loader(described(copy))(manifest.images[0])
    video(copy).unlink()
    with pytest.raises(UsageError, match=r"The image 000/\d+ cannot be had: There is no video"):
        data.loader(described(copy))(manifest.images[0])


def test_frames_are_kept_by_content_where_that_is_asked_for(copy: Path, cache: Path) -> None:
    manifest = data.plan(described(copy), 0, None)
    ref = manifest.images[1]
    first = data.loader(described(copy))(ref)
    assert not (cache / "frames").exists()
    np.testing.assert_array_equal(data.loader(described(copy, keep_frames=True))(ref), first)
    (file,) = (assets.cache_root() / "frames").rglob("*.png")
    # Whoever decodes them, and wherever the folder lies: any number of processes goes on with them.
    place = Path("frames", ref.content[:2], ref.content, f"{ref.frame:06d}.png")
    assert file.relative_to(assets.cache_root()) == place
    video(copy).unlink()
    np.testing.assert_array_equal(data.loader(described(copy, keep_frames=True))(ref), first)
    with pytest.raises(UsageError, match="cannot be had"):
        data.loader(described(copy, keep_frames=True))(dataclasses.replace(ref, frame=ref.frame + 1))


def test_a_damaged_kept_frame_is_made_anew(copy: Path) -> None:
    manifest, load = data.plan(described(copy), 0, None), data.loader(described(copy, keep_frames=True))
    first = load(manifest.images[0])
    (file,) = (assets.cache_root() / "frames").rglob("*.png")
    file.write_bytes(file.read_bytes()[:-40])
    np.testing.assert_array_equal(load(manifest.images[0]), first)
    np.testing.assert_array_equal(images.load(file), first)


def test_a_video_of_the_same_size_and_time_is_taken_for_the_same(copy: Path) -> None:
    """What the record relies on, and no more: another time, and the video is read again."""
    before = data.plan(described(copy), 0, None)
    raw = bytearray(video(copy).read_bytes())
    raw[-1] ^= 1
    status = video(copy).stat()
    video(copy).write_bytes(raw)
    os.utime(video(copy), ns=(status.st_atime_ns, status.st_mtime_ns))
    assert data.plan(described(copy), 0, None).hash == before.hash
    os.utime(video(copy), ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert data.plan(described(copy), 0, None).hash != before.hash


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 1, "root": 3, "videos": {}, "faces": {}}'])
def test_a_damaged_record_is_made_anew(copy: Path, cache: Path, text: str) -> None:
    before = data.plan(described(copy), 0, None)
    (file,) = (cache / "ffpp").glob("*.json")
    whole = file.read_text()
    file.write_text(text)
    assert data.plan(described(copy), 0, None) == before
    assert json.loads(file.read_text()) == json.loads(whole)


def test_notes_of_a_manifest_that_says_nothing_are_its_origin(made: Path) -> None:
    manifest = ffpp_manifest.read_manifest(made)
    bare = Manifest(manifest.images, manifest.pairs, manifest.galleries, "made by hand")
    assert ffpp_manifest.notes(bare) == {"images": "made by hand"}


def test_a_cache_that_cannot_be_written_to_is_told_once(
    copy: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.mkdir()
    (cache / "ffpp").write_text("in the way")
    record = Record(copy)
    with caplog.at_level(logging.WARNING, "hifibench"):
        for name in ("000", "003"):
            assert record.facts(ffpp_layout.original(name, "c23")).frames
            record.save()
    assert caplog.text.count("What is known of the videos is not kept") == 1


@pytest.mark.parametrize("kind", [av.error.OSError, av.error.MemoryError])
def test_a_fault_of_the_machine_is_not_kept_as_one_of_the_video(
    copy: Path, monkeypatch: pytest.MonkeyPatch, kind: type[av.error.FFmpegError]
) -> None:
    path = ffpp_layout.original("000", "c23")

    def fails(*_: object, **__: object) -> None:
        raise kind(24, "Too many open files", "")

    with monkeypatch.context() as patch:
        patch.setattr(av, "open", fails)
        record = Record(copy)
        with pytest.raises(DamagedError, match="Too many open files"):
            record.facts(path)
        record.save()
    assert record.facts(path).frames
    assert Record(copy).facts(path).frames


def test_what_two_processes_found_is_kept(copy: Path) -> None:
    """Each writes what is new beside what the other has written meanwhile."""
    one, other = Record(copy), Record(copy)
    one.facts(ffpp_layout.original("000", "c23"))
    other.facts(ffpp_layout.original("003", "c23"))
    one.save()
    other.save()
    assert {Path(path).stem for path in Record(copy)._videos} == {"000", "003"}


def test_kept_frames_are_red_green_blue(copy: Path) -> None:
    encode(video(copy), [numbered(number, (200, 60, 30)) for number in range(8)])
    manifest, load = data.plan(described(copy), 0, None), data.loader(described(copy, keep_frames=True))
    ref = next(ref for ref in manifest.images if ref.video == "000")
    decoded_first = load(ref)
    (file,) = (assets.cache_root() / "frames").rglob("*.png")
    np.testing.assert_array_equal(images.load(file), decoded_first)
    np.testing.assert_array_equal(load(ref), decoded_first)


def test_a_frame_that_cannot_be_decoded_says_what_to_do(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = data.plan(described(copy), 0, None)
    load = data.loader(described(copy))

    def broken(self: Video, index: int) -> None:
        raise DamagedError("000.mp4 is damaged at frame 3; copy it again.")

    monkeypatch.setattr(Video, "frame", broken)
    with pytest.raises(UsageError, match=r"000/\d+ cannot be had: 000\.mp4 is damaged at frame 3.*move the video away"):
        load(manifest.images[0])
