"""DFDC and DeeperForensics in small: real videos, the releases' folders and files of labels."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mini_release import COLOURS, colour, encode, numbered, read

from hifibench.data import images
from hifibench.data.deeperforensics import DeeperForensicsSource
from hifibench.data.dfdc import DfdcSource
from hifibench.data.video import evenly
from hifibench.data.video_source import VideoSource
from hifibench.errors import ImageError, UsageError

COUNT = 23
REAL, FAKE = COLOURS["original"], COLOURS["FaceSwap"]


def clip(path: Path, count: int = COUNT, fake: bool = False) -> Path:
    return encode(path, [numbered(number, FAKE if fake else REAL) for number in range(count)])


def metadata(folder: Path, **labels: str) -> None:
    entries: dict[str, dict[str, str]] = {}
    for name, label in labels.items():
        entries[f"{name}.mp4"] = {"label": label, "split": "train"}
        if label == "FAKE":
            entries[f"{name}.mp4"]["original"] = "aa.mp4"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps(entries))


@pytest.fixture
def dfdc(tmp_path: Path) -> Path:
    root = tmp_path / "dfdc"
    metadata(root / "dfdc_train_part_0", aa="REAL", bb="FAKE", cc="REAL")
    metadata(root / "dfdc_train_part_1", dd="FAKE", ee="REAL")
    for name, fake in (("0/aa", False), ("0/bb", True), ("0/cc", False), ("1/dd", True), ("1/ee", False)):
        clip(root / f"dfdc_train_part_{name}.mp4", fake=fake)
    return root


@pytest.fixture
def deeper(tmp_path: Path) -> Path:
    root = tmp_path / "DeeperForensics-1.0"
    for name in ("M004/light_up/happy/camera_front/M004_a", "M004/BlendShape/camera_up/M004_b", "W101/x/y/z/W101_c"):
        clip(root / f"source_videos/{name}.mp4")
    for kind in ("end_to_end", "end_to_end_level_1"):
        clip(root / f"manipulated_videos/{kind}/000_M004.mp4", fake=True)
    return root


def people(source: VideoSource) -> dict[str, int]:
    return {person.identity: len(person.originals) for person in source.people()}


@given(length=st.integers(1, 400), frames=st.integers(1, 60))
def test_frames_are_the_middles_of_equal_parts(length: int, frames: int) -> None:
    indices = evenly(length, frames)
    if length < frames:
        assert indices == [*range(length)]
    else:
        assert indices == [int((number + 0.5) * length / frames + 1e-9) for number in range(frames)]
        assert len(set(indices)) == frames and indices[-1] < length


def test_real_videos_of_dfdc_are_taken_and_each_is_a_person(dfdc: Path) -> None:
    assert people(DfdcSource(dfdc)) == {"aa": 10, "cc": 10, "ee": 10}
    assert people(DfdcSource(dfdc, 3, "fake")) == {"bb": 3, "dd": 3}
    assert set(people(DfdcSource(dfdc, 3, "all"))) == {"aa", "bb", "cc", "dd", "ee"}
    assert people(DfdcSource(dfdc / "dfdc_train_part_1", 2)) == {"ee": 2}
    assert people(DfdcSource(dfdc.parent, 2)) == {"aa": 2, "cc": 2, "ee": 2}


def test_labels_and_frames_are_those_of_the_video(dfdc: Path) -> None:
    source = DfdcSource(dfdc, 4, "all")
    seen: dict[tuple[str, str], list[int]] = {}
    for person in source.people():
        for original in person.originals:
            frame = source.read(original).frame
            seen.setdefault((person.identity, original.label), []).append(read(frame))
            assert colour(frame) == {"fake": "FaceSwap", "real": "original"}[original.label]
    indices = [2, 8, 14, 20]  # floor((2 i + 1) 23 / 8)
    assert seen == {
        ("aa", "real"): indices,
        ("bb", "fake"): indices,
        ("cc", "real"): indices,
        ("dd", "fake"): indices,
        ("ee", "real"): indices,
    }


def test_the_content_is_that_of_the_frame(dfdc: Path) -> None:
    source = DfdcSource(dfdc, 2)
    reads = [source.read(original) for original in source.people()[0].originals]
    assert [one.content for one in reads] == [images.content_hash(one.frame) for one in reads]
    assert reads[0].content != reads[1].content


def test_one_name_in_two_parts_is_two_people(dfdc: Path) -> None:
    metadata(dfdc / "dfdc_train_part_1", aa="REAL")
    clip(dfdc / "dfdc_train_part_1/aa.mp4")
    assert set(people(DfdcSource(dfdc))) == {"dfdc_train_part_0-aa", "dfdc_train_part_1-aa", "cc"}


def test_an_entry_without_its_video_is_told(dfdc: Path, caplog: pytest.LogCaptureFixture) -> None:
    (dfdc / "dfdc_train_part_0/cc.mp4").unlink()
    source = DfdcSource(dfdc)
    assert people(source) == {"aa": 10, "cc": 1, "ee": 10}
    assert "1 videos are named and not there" in caplog.text
    [original] = source.people()[1].originals
    with pytest.raises(ImageError, match=r"There is no video .*cc\.mp4, though the set names it"):
        source.read(original)


def test_a_video_without_an_entry_is_left_out_and_told(dfdc: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip(dfdc / "dfdc_train_part_0/zz.mp4")
    assert "zz" not in people(DfdcSource(dfdc, labels="all"))
    assert "without a label REAL or FAKE are left out: zz.mp4" in caplog.text


def test_truncated_and_empty_videos_drop_their_frames(dfdc: Path) -> None:
    path = dfdc / "dfdc_train_part_0/aa.mp4"
    path.write_bytes(path.read_bytes()[:-2000])
    (dfdc / "dfdc_train_part_0/cc.mp4").write_bytes(b"")
    source = DfdcSource(dfdc, 2)
    broken, empty, whole = source.people()
    for person, words in ((broken, r"aa\.mp4 (is truncated|cannot be read)"), (empty, r"cc\.mp4")):
        for original in person.originals:
            with pytest.raises(ImageError, match=words):
                source.read(original)
    assert [read(source.read(original).frame) for original in whole.originals] == [5, 17]


def test_a_short_video_gives_each_frame_once(dfdc: Path) -> None:
    clip(dfdc / "dfdc_train_part_0/aa.mp4", count=3)
    source = DfdcSource(dfdc, 5)
    originals = source.people()[0].originals
    assert [read(source.read(original).frame) for original in originals[:3]] == [0, 1, 2]
    for original in originals[3:]:
        with pytest.raises(ImageError, match="has 3 frames, fewer than 5: each was taken once"):
            source.read(original)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"aa.mp4": {"label": "REAL"}', "cannot be read"),
        ('{"aa.mp4": {"label": "REAL"}, "bb.mp4": {}}', "KeyError"),
        ('["label"]', "cannot be read"),
        ('{"../aa.mp4": {"label": "REAL"}}', "names '../aa.mp4', which is no file in its folder"),
        ("{}", "holds no metadata.json with labels"),
    ],
)
def test_a_broken_file_of_labels_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "metadata.json").write_text(text)
    with pytest.raises(UsageError, match=words):
        DfdcSource(tmp_path).people()


def test_a_set_without_videos_of_the_label_is_refused(tmp_path: Path) -> None:
    metadata(tmp_path, aa="FAKE", bb="REAL")
    clip(tmp_path / "aa.mp4")
    with pytest.raises(UsageError, match="no video with the label real, though 1 are named"):
        DfdcSource(tmp_path).people()


def test_actors_are_people_and_every_fake_is_one(deeper: Path) -> None:
    assert people(DeeperForensicsSource(deeper, 3)) == {"M004": 6, "W101": 3}
    both = DeeperForensicsSource(deeper, 2, "all")
    assert people(both) == {"M004": 4, "W101": 2, "end_to_end-000_M004": 2, "end_to_end_level_1-000_M004": 2}
    labels = {person.identity: {original.label for original in person.originals} for person in both.people()}
    assert labels["M004"] == {"real"}
    assert labels["end_to_end-000_M004"] == {"fake"}
    [first, *_] = both.people()[0].originals
    assert first.source == "source_videos/M004/BlendShape/camera_up/M004_b.mp4#0/2"
    assert read(both.read(first).frame) == 5


def test_what_the_lists_name_and_an_actor_lacks_is_told(deeper: Path, caplog: pytest.LogCaptureFixture) -> None:
    lists = deeper / "lists/source_videos_lists"
    lists.mkdir(parents=True)
    rows = ["M004/BlendShape/camera_up/M004_b", "M004/q/r/s/M004_gone", "W999/a/b/c/W999_not_copied", "../../x"]
    (lists / "source_videos_list.txt").write_text("".join(f"source_videos/{row}.mp4\n" for row in rows))
    (lists / "source_videos_missing_list.txt").write_text("source_videos/M004/never/a/b/there.mp4\n")
    source = DeeperForensicsSource(deeper, 3)
    assert people(source) == {"M004": 7, "W101": 3}
    assert "1 videos are named and not there" in caplog.text
    [gone] = [original for original in source.people()[0].originals if "gone" in original.name]
    with pytest.raises(ImageError, match=r"no video .*M004_gone\.mp4"):
        source.read(gone)


def test_other_folders_are_no_deeperforensics(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds neither source_videos nor manipulated_videos"):
        DeeperForensicsSource(tmp_path).people()


@pytest.mark.parametrize(
    ("frames", "labels", "words"),
    [(0, "real", "At least one frame"), (5, "fakes", "no videos of the label 'fakes'.*Did you mean 'fake'")],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, frames: int, labels: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        DfdcSource(tmp_path, frames, labels)


def test_they_can_be_handed_to_another_process_with_a_video_open(dfdc: Path) -> None:
    source = DfdcSource(dfdc, 2)
    [first, *_] = source.people()
    frame = source.read(first.originals[0]).frame
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert (copy.read(first.originals[0]).frame == frame).all()
    # Processes are as many as cores: each decodes with one thread.
    assert (source._open.video._threads, copy._open.video._threads) == (None, 1)
    assert source.settings == {"kind": "dfdc", "folder": str(dfdc), "frames": "2", "labels": "real"}
