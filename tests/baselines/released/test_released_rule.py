from __future__ import annotations

from pathlib import Path

import pytest

from baselines.released import make
from baselines.released.rule import Rule, is_still
from hifibench.errors import UsageError
from hifibench.records import ImageRef, Pair

SOURCE = ImageRef("faces/b 1.png", "file:faces/b 1.png", identity="M004", video="003", frame=57)
TARGET = ImageRef("faces/a.v2.png", "file:faces/a.v2.png", identity="ann", video="000", frame=8)
PAIR = Pair("00012", SOURCE.image, TARGET.image)


def path(template: str, frame: str = "target", **more: object) -> str:
    rule = Rule(path=template, frame=frame, **more)  # type: ignore[arg-type]
    return rule.file(Path("/root-of-it"), rule.values(PAIR, SOURCE, TARGET)).relative_to("/root-of-it").as_posix()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{target_video}_{source_video}.mp4", "000_003.mp4"),
        ("m/{source_video}/{target_video}.mp4", "m/003/000.mp4"),
        ("{target_video}_{source_id}.mp4", "000_M004.mp4"),
        ("{pair}-{target_id}.mp4", "00012-ann.mp4"),
        ("{source_stem}+{target_stem}.mp4", "b 1+a.v2.mp4"),
        ("{{x}}{pair}.mp4", "{x}00012.mp4"),
    ],
)
def test_templates_become_paths(template: str, expected: str) -> None:
    assert path(template) == expected


def test_images_may_be_named_by_their_frame_or_as_the_target() -> None:
    assert path("{target_video}_{source_video}/{target_frame:04d}.png", "image") == "000_003/0008.png"
    assert path("{source_frame}-{target_frame}.png", "image") == "57-8.png"
    assert path("swaps/{target}", "image") == "swaps/faces/a.v2.png"
    assert path("{compression}/{source}", "image", compression="c40") == "c40/faces/b 1.png"


def test_the_fixed_part_of_a_path_ends_at_the_first_placeholder() -> None:
    def folder(template: str, **more: str) -> str:
        return str(Rule(path=template, frame="target", **more).folder)  # type: ignore[arg-type]

    assert folder("a/{compression}/videos/{pair}.mp4", compression="c23") == "a/c23/videos"
    assert folder("a/{target_video}/b/x.mp4") == "a"
    assert folder("{pair}.mp4") == "."


@pytest.mark.parametrize(
    ("fields", "sides"),
    [
        ({"path": "{target_video}_{source_video}.mp4", "frame": "target"}, {"source", "target"}),
        ({"path": "{pair}.mp4", "frame": "target"}, {"target"}),
        ({"path": "{pair}.png", "frame": "image"}, set()),
        ({"path": "{pair}.mp4", "frame": "table", "table": "t.csv"}, set()),
        ({"path": "{pair}.mp4", "frame": "table", "table": "t.csv", "table_key": "{source_video}"}, {"source"}),
        ({"path": "{pair}.png", "frame": "image", "source_frames": "s.json"}, {"source", "target"}),
        (
            {"path": "{pair}.png", "frame": "image", "source_frames": "s.json", "source_frames_key": "{pair}"},
            {"source"},
        ),
    ],
)
def test_a_rule_says_whose_videos_it_needs(fields: dict[str, str], sides: set[str]) -> None:
    assert Rule(**fields).videos == sides  # type: ignore[arg-type]


def test_stills_are_told_from_frames() -> None:
    assert not is_still(TARGET)
    assert is_still(ImageRef("a.png", "file:a.png", "a.png", video="a.png"))
    assert is_still(ImageRef("copy", "file:copy", "a.png", video="a.PNG"))
    assert not is_still(ImageRef("0001", "portrait:seed=1;view=0", "1", video="0001"))


GOOD = {"root": ".", "path": "{target_video}_{source_video}.mp4", "frame": "target"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"path": "{target_vidoe}.mp4"},
            r"path: .*no such placeholder as \{target_vidoe\}\. Did you mean 'target_video'",
        ),
        ({"path": "{}.mp4"}, r"no such placeholder as \{\}"),
        ({"path": "{source_video.x}.mp4"}, r"no such placeholder as \{source_video\.x\}"),
        ({"path": "{source_video:04d}.mp4"}, r"only frames have a width"),
        ({"path": "{target_frame:x}.mp4"}, r"only frames have a width"),
        ({"path": "{target_frame!r}.mp4"}, r"only frames have a width"),
        ({"path": "{target_video.mp4"}, r"path: "),
        ({"path": "../{pair}.mp4"}, r"leads out of the root"),
        ({"path": "/data/{pair}.mp4"}, r"leads out of the root"),
        ({"path": ""}, r"leads out of the root"),
        ({"path": "{compression}/{pair}.mp4"}, r"there is no compression; give one, such as 'c23'"),
        ({"compression": "c23"}, r"compression = 'c23' is given, but path has no \{compression\}"),
        ({"path": "{compression}/{pair}.mp4", "compression": "a/b"}, r"compression: "),
        ({"frame": "first"}, r"frame: Input should be 'target', 'image' or 'table'"),
        ({"frame": "image"}, r"frame = 'image' does not fit files called \.mp4"),
        ({"path": "{pair}.PNG"}, r"frame = 'target' does not fit files called \.png; expected 'image'"),
        ({"frame": "table"}, r"frame = 'table' and table = 'FILE' go together"),
        ({"table": "frames.csv"}, r"frame = 'table' and table = 'FILE' go together"),
        ({"frame": "table", "table": "t.csv", "table_key": "{pairs}"}, r"table_key: .*Did you mean 'pair'"),
        ({"source_frames": "s.csv", "source_frames_key": "{video}"}, r"source_frames_key: .*no such placeholder"),
        ({"source_frames": True}, r"source_frames"),
        ({"path": "{pair}.png", "frame": "image", "frames": 3}, r"means images, so there is no number of frames"),
        ({"frames": 0}, r"frames: Input should be greater than 0"),
        ({"frmae": "target"}, r"frmae: no such key\. Did you mean 'frame'"),
        ({"trained_with": ["arcface"]}, r"trained_with names the unknown expert 'arcface'\. "),
        ({"rule": "ffpp-faceswp"}, r"rule = 'ffpp-faceswp' is no published rule\. Did you mean 'ffpp-faceswap'"),
        ({"rule": 3}, r"rule = 3 is no published rule"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=f"The released method mine(?s:.*){said}"):
        make("mine", {**GOOD, **changes}, tmp_path)


@pytest.mark.parametrize("missing", ["root", "path", "frame"])
def test_what_a_table_must_say_is_asked_for(tmp_path: Path, missing: str) -> None:
    with pytest.raises(UsageError, match=f"{missing}: Field required"):
        make("mine", {key: value for key, value in GOOD.items() if key != missing}, tmp_path)


def test_a_value_cannot_lead_out_of_the_root() -> None:
    out = ImageRef("x.png", "file:x.png", identity="../../etc/passwd", video="000")
    rule = Rule(path="{source_id}.mp4", frame="target")
    with pytest.raises(UsageError, match=r"leads out of /r"):
        rule.file(Path("/r"), rule.values(PAIR, out, TARGET))
    rule = Rule(path="{source_id}.mp4", frame="target")
    absolute = ImageRef("x.png", "file:x.png", identity="/etc/passwd", video="000")
    with pytest.raises(UsageError, match=r"leads out of /r"):
        rule.file(Path("/r"), rule.values(PAIR, absolute, TARGET))
