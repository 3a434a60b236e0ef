import hashlib
from pathlib import Path

import numpy as np
import pytest

from hifibench.data import files, images
from hifibench.errors import ImageError, UsageError
from hifibench.pipeline.plan import pairs_table
from hifibench.records import Manifest


def picture(path: Path, seed: int) -> Path:
    images.save_png(path, np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five different pictures, one of them in a folder of its own."""
    root = tmp_path / "photos"
    for number, name in enumerate(("a", "b", "c", "d", "inner/e")):
        picture(root / f"{name}.png", number)
    return root


def plan(folder: Path, text: str | bytes, limit: int | None = None) -> Manifest:
    path = folder / "pairs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return files.plan(path, limit)


def refused(folder: Path, text: str | bytes) -> str:
    with pytest.raises(UsageError) as caught:
        plan(folder, text)
    return str(caught.value)


def test_pairs_become_a_manifest(folder):
    made = plan(folder, "source,target\na.png,b.png\na.png,inner/e.png\nc.png,b.png\n")
    assert [(pair.pair, pair.source, pair.target) for pair in made.pairs] == [
        ("00000", "a.png", "b.png"),
        ("00001", "a.png", "inner/e.png"),
        ("00002", "c.png", "b.png"),
    ]
    assert [ref.image for ref in made.images] == ["a.png", "b.png", "inner/e.png", "c.png"]
    assert made.galleries == {"frames": ("b.png", "inner/e.png"), "sources": ("a.png", "c.png")}
    ref = made.image("inner/e.png")
    assert ref.uri == "file:inner/e.png"
    assert ref.content == hashlib.sha256((folder / "inner/e.png").read_bytes()).hexdigest()
    assert Manifest.from_json(made.to_json()) == made


def test_every_picture_is_a_person_and_a_clip_of_its_own(folder):
    made = plan(folder, "source,target\na.png,b.png\nc.png,d.png\n")
    assert [ref.identity for ref in made.images] == [ref.image for ref in made.images]
    assert [ref.video for ref in made.images] == [ref.image for ref in made.images]


def test_copies_of_a_picture_are_one_person_and_one_clip(folder):
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    made = plan(folder, "source,target\na.png,b.png\ncopy.png,c.png\n")
    assert made.image("copy.png").identity == made.image("copy.png").video == "a.png"


def test_ids_name_people(folder):
    made = plan(folder, "target_id,source,target,source_id\nben,a.png,b.png,ann\nann,c.png,d.png,ben\n")
    assert {ref.image: ref.identity for ref in made.images} == {
        "a.png": "ann",
        "b.png": "ben",
        "c.png": "ben",
        "d.png": "ann",
    }


def test_one_id_column_is_enough_and_holds_wherever_the_picture_is_used(folder):
    made = plan(folder, "source,target,source_id\na.png,b.png,ann\nb.png,c.png,ben\n")
    assert [ref.identity for ref in made.images] == ["ann", "ben", "c.png"]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfsource,target\r\na.png,b.png\r\n",
        b"source;target\r\na.png;b.png\r\n",
        b"source\ttarget\na.png\tb.png",
        b" Source , TARGET\n\n a.png , b.png \n,\n\n",
        b'"source","target"\n"a.png","b.png"\n',
        b"source,target\n./a.png,inner/../b.png\n",
    ],
)
def test_the_ways_of_spreadsheets_are_understood(folder, text):
    assert plan(folder, text) == plan(folder, "source,target\na.png,b.png\n")


def test_backslashes_separate_folders(folder):
    assert plan(folder, "source,target\na.png,inner\\e.png\n").pairs[0].target == "inner/e.png"


def test_names_may_hold_commas_quotes_and_other_letters(folder):
    picture(folder / 'Zoë, "8".png', 9)
    assert plan(folder, 'source,target\n"Zoë, ""8"".png",b.png\n').pairs[0].source == 'Zoë, "8".png'


def test_a_limit_keeps_the_first_pairs_and_leaves_the_others_alone(folder):
    text = "source,target\na.png,b.png\nc.png,d.png\nmissing.png,a.png\n"
    made = plan(folder, text, limit=2)
    assert [pair.pair for pair in made.pairs] == ["00000", "00001"]
    assert len(made.images) == 4
    assert plan(folder, text, limit=1).galleries == {"frames": ("b.png",), "sources": ("a.png",)}


def test_the_folder_may_be_reached_by_a_link(folder, tmp_path):
    expected = plan(folder, "source,target\na.png,b.png\n")
    (tmp_path / "link").symlink_to(folder)
    assert files.plan(tmp_path / "link" / "pairs.csv", None) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("source,target\n", "holds no pairs"),
        ("source,target\n\n,\n", "holds no pairs"),
        ("source,tagret\na.png,b.png\n", "unknown column 'tagret'. Did you mean 'target'?"),
        ("source\na.png\n", "the column 'target' is missing; given source"),
        ("target,source_id\nb.png,x\n", "the column 'source' is missing"),
        ("source,target,note\na.png,b.png,x\n", "line 1: unknown column 'note'"),
        ("source,target,source\na.png,b.png,c.png\n", "'source' stands there twice"),
        ("a.png,b.png\n", "unknown column 'a.png'"),
        ("source,target\na.png,\n", "line 2: nothing under target"),
        ("source,target,source_id,target_id\na.png,b.png,x,\n", "line 2: nothing under target_id"),
        ("source,target\na.png\n", "line 2: 1 cells, expected 2"),
        ("source,target\na.png,b.png,c.png\n", "line 2: 3 cells, expected 2"),
        ('source,target\n"a.png,b.png\n', "no valid CSV"),
        ("source,target\na.png,b.png\nc.png,d.png\na.png,b.png\n", "line 4: the pair a.png, b.png stands in line 2"),
        ("source,target\na.png,b.png\n./a.png,b.png\n", "line 3: the pair a.png, b.png stands in line 2"),
        ("source,target\nnone.png,b.png\n", "line 2: source: There is no file"),
        ("source,target\na.png,inner\n", "line 2: target: .*is a folder"),
        ("source,target\n../x.png,b.png\n", "line 2: source '../x.png' lies outside the file's folder"),
        ("source,target\na.png,/etc/hostname\n", "line 2: target '/etc/hostname' lies outside"),
        ("source,target\na.png,..\\x.png\n", "line 2: target .* lies outside"),
        (
            "source,target,source_id\na.png,b.png,ann\na.png,c.png,ben\n",
            "line 3: the picture a.png is given the id 'ben', but 'ann' in line 2",
        ),
        (
            "source,target,source_id,target_id\na.png,b.png,ann,ben\nb.png,c.png,carl,dora\n",
            "line 3: the picture b.png is given the id 'carl', but 'ben' in line 2",
        ),
    ],
)
def test_bad_files_are_refused(folder, text, said):
    with pytest.raises(UsageError, match=said.replace("?", r"\?").replace("\\x", "..x")):
        plan(folder, text)


def test_all_that_is_wrong_is_listed_up_to_a_screenful(folder):
    rows = [f"gone{number}.png,b.png" for number in range(30)]
    message = refused(folder, "\n".join(["source,target", *rows]))
    assert [f"line {number}: " in message for number in range(2, 32)] == [True] * 20 + [False] * 10
    assert message.endswith("… and 10 more")


def test_a_broken_picture_is_named_once(folder):
    (folder / "broken.png").write_bytes(b"no image")
    message = refused(folder, "source,target\nbroken.png,a.png\nbroken.png,b.png\n")
    assert message.count("broken.png") == 1


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    (folder / "way-out.png").symlink_to(picture(tmp_path / "elsewhere.png", 7))
    assert "lies outside" in refused(folder, "source,target\nway-out.png,a.png\n")


def test_copies_with_two_ids_are_refused(folder):
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    message = refused(folder, "source,target,source_id\na.png,b.png,ann\ncopy.png,c.png,ben\n")
    assert "line 3: the picture copy.png is given the id 'ben', but 'ann' in line 2" in message


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_are_refused(folder, encoding):
    assert "no UTF-8 text" in refused(folder, "source,target\nZoë.png,b.png\n".encode(encoding))


def test_a_missing_file_and_a_folder_are_refused(folder):
    with pytest.raises(UsageError, match="There is no file of pairs"):
        files.plan(folder / "none.csv", None)
    with pytest.raises(UsageError, match="is a folder"):
        files.plan(folder, None)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(folder, limit):
    with pytest.raises(UsageError, match="at least one pair"):
        plan(folder, "source,target\na.png,b.png\n", limit)


def test_planned_images_load(folder):
    made = plan(folder, "source,target\na.png,inner/e.png\n")
    for ref in made.images:
        np.testing.assert_array_equal(files.load(ref, folder), images.load(folder / ref.image))


def test_a_picture_that_has_changed_is_refused(folder):
    ref = plan(folder, "source,target\na.png,b.png\n").image("a.png")
    picture(folder / "a.png", 99)
    with pytest.raises(UsageError, match=r"a\.png has changed since this run was planned"):
        files.load(ref, folder)
    (folder / "a.png").unlink()
    with pytest.raises(ImageError, match="There is no file"):
        files.load(ref, folder)


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000028000000280800000000a995e7b10000000249444154789c62a4912b0000000049454e44ae426082"
)
"""The header of a picture of 40x40 pixels, the same bytes whichever library writes images."""

FRAMES = "source,target,source_video,source_frame,target_video,target_frame\n"


def test_pictures_may_be_frames_of_videos(folder):
    made = plan(folder, FRAMES + "a.png,b.png,003,0,000,12\na.png,c.png,003,0,000,024\n")
    assert [(ref.image, ref.video, ref.frame) for ref in made.images] == [
        ("a.png", "003", 0),
        ("b.png", "000", 12),
        ("c.png", "000", 24),
    ]
    assert Manifest.from_json(made.to_json()) == made


def test_a_manifest_without_videos_is_the_same_to_the_byte(folder):
    """The hash as it was before pairs could name videos: results of earlier runs stay comparable."""
    for name in ("a", "b", "c"):
        (folder / f"{name}.png").write_bytes(PNG + name.encode())
    made = plan(folder, "source,target\na.png,b.png\na.png,c.png\n")
    assert made.hash == "d2ec9be095f7ae04cac2c7b838a6a10293b271557db69f5351167406a5390d36"
    made = plan(folder, "source,target,source_id,target_id\na.png,b.png,ann,ben\n")
    assert made.hash == "3eab92234aea0f3274bae32472845cd7d057a625347d57942f6bde79c6ce078d"


def test_empty_cells_leave_a_still_what_it_was(folder):
    text = "source,target\na.png,b.png\nc.png,d.png\n"
    assert plan(folder, FRAMES + "a.png,b.png,,,,\nc.png,d.png,,,,\n").to_json() == plan(folder, text).to_json()
    mixed = plan(folder, FRAMES + "a.png,b.png,,,000,3\n")
    assert [(ref.video, ref.frame) for ref in mixed.images] == [("a.png", 0), ("000", 3)]


def test_pictures_of_a_video_show_one_person(folder):
    made = plan(folder, FRAMES + "a.png,b.png,003,0,000,1\nc.png,d.png,000,9,003,7\n")
    assert {ref.image: ref.identity for ref in made.images} == {
        "a.png": "003",
        "b.png": "000",
        "c.png": "000",
        "d.png": "003",
    }


def test_an_id_counts_for_the_other_pictures_of_its_video(folder):
    text = "source,target,source_id,source_video,source_frame,target_video,target_frame\n"
    made = plan(folder, text + "a.png,b.png,ann,003,0,000,1\nc.png,d.png,ben,000,9,003,7\n")
    assert [ref.identity for ref in made.images] == ["ann", "ben", "ben", "ann"]
    # Two people in one video: its other pictures can be taken for neither.
    made = plan(folder, text + "a.png,b.png,ann,003,0,000,1\nc.png,d.png,ben,003,9,003,7\n")
    assert made.image("d.png").identity == "003"


def test_a_copy_without_a_video_is_what_its_twin_is(folder):
    (folder / "copy.png").write_bytes((folder / "b.png").read_bytes())
    made = plan(folder, FRAMES + "copy.png,c.png,,,,\na.png,b.png,003,0,000,12\n")
    twin, named = made.image("copy.png"), made.image("b.png")
    assert (twin.video, twin.frame, twin.identity) == (named.video, named.frame, named.identity) == ("000", 12, "000")


def test_equal_frames_of_one_video_are_no_contradiction(folder):
    (folder / "copy.png").write_bytes((folder / "b.png").read_bytes())
    made = plan(folder, FRAMES + "a.png,b.png,003,0,000,12\na.png,copy.png,003,0,000,13\n")
    assert [made.image(name).frame for name in ("b.png", "copy.png")] == [12, 13]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.png,b.png,003,0,000,-1\n", "line 2: target_frame '-1' is no index of a frame; expected 0, 1, 2"),
        ("a.png,b.png,003,1.0,000,1\n", "line 2: source_frame '1.0' is no index"),
        ("a.png,b.png,003,first,000,1\n", "line 2: source_frame 'first' is no index"),
        ("a.png,b.png,003,²,000,1\n", "line 2: source_frame '²' is no index"),
        ("a.png,b.png,003,0,000,9999999999\n", "line 2: target_frame '9999999999' is no index"),
        ("a.png,b.png,,4,000,1\n", "line 2: source_frame '4' without source_video; fill in both"),
        ("a.png,b.png,003,0,000,\n", "line 2: target_video '000' without target_frame"),
        (
            "a.png,b.png,003,0,000,1\na.png,c.png,003,5,000,2\n",
            "line 3: the picture a.png is said to be frame 5 of video '003', but frame 0 of video '003' in line 2",
        ),
        (
            "a.png,b.png,003,0,000,1\nb.png,c.png,001,1,000,2\n",
            "line 3: the picture b.png is said to be frame 1 of video '001', but frame 1 of video '000' in line 2",
        ),
        ("a.png,b.png,003,x,000,1\na.png,c.png,003,0,000,y\n", "line 2: .*\n.*line 3: target_frame 'y'"),
    ],
)
def test_bad_frames_are_refused(folder, rows, said):
    with pytest.raises(UsageError, match=said):
        plan(folder, FRAMES + rows)


def test_a_frame_column_alone_and_a_misspelt_one_are_refused(folder):
    assert "source_frame '3' without source_video" in refused(folder, "source,target,source_frame\na.png,b.png,3\n")
    message = refused(folder, "source,target,target_vidoe\na.png,b.png,000\n")
    assert "Did you mean 'target_video'?" in message


def test_labels_of_targets_are_kept_and_reach_the_table_of_pairs(folder):
    made = plan(folder, "source,target,label:occluder,label:light\na.png,b.png,glasses,\nb.png,c.png,,dark\n")
    assert dict(made.image("b.png").labels) == {"occluder": "glasses"}
    table = pairs_table(made)
    assert table["label:occluder"].tolist() == ["glasses", ""]
    assert table["label:light"].tolist() == ["", "dark"]


def test_two_words_for_one_label_are_refused(folder):
    said = refused(folder, "source,target,label:light\na.png,b.png,dark\nc.png,b.png,bright\n")
    assert "line 3: the picture b.png is labelled light: 'bright', but 'dark' before; choose one." in said
