"""Plans of FaceForensics++ on miniature trees of real videos."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clips import FaceTree, clip, face_tree, nobody, two_people
from mini_release import COLOURS, MiniRelease, encode, mini_ffpp, numbered

from hifibench import data
from hifibench.data import faceforensics, ffpp_sources
from hifibench.data.ffpp_layout import VideoPair
from hifibench.data.ffpp_pairs import Planner, Taken
from hifibench.data.ffpp_record import Record
from hifibench.data.video import NoFrameError, Video, evenly
from hifibench.errors import MissingError, UsageError
from hifibench.faces.detect import Detector
from hifibench.records import Frame, Manifest
from hifibench.suite import FfppData
from hifibench.tables import read


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, portrait: Callable[..., Frame]) -> FaceTree:
    """Faces; not to be written to."""
    people = {video: portrait(seed) for seed, video in enumerate(("000", "001", "002", "003"))}
    return face_tree(tmp_path_factory.mktemp("whole"), people, compressions=("c23",))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> MiniRelease:
    """Videos whose frames tell their number: 000 of 24 and 003 of 30 frames, swaps of 24 and 20; no split files."""
    return mini_ffpp(tmp_path_factory.mktemp("numbers"), compressions=("c23",))


@pytest.fixture(autouse=True)
def cache(whole: FaceTree, empty_cache: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for each test, after portraits were had from the shared one."""
    monkeypatch.setenv("HIFIBENCH_CACHE", empty_cache["HIFIBENCH_CACHE"])
    monkeypatch.delenv("HIFIBENCH_FFPP", raising=False)
    yield Path(empty_cache["HIFIBENCH_CACHE"])


@pytest.fixture
def tree(whole: FaceTree, tmp_path: Path) -> FaceTree:
    """The same, to be written to."""
    root = shutil.copytree(whole.root, tmp_path / "copy")
    return FaceTree(root, whole.pairs, whole.frames)


def described(root: Path, **fields: Any) -> FfppData:
    return read(FfppData, {"kind": "ffpp", "root": root, "frames": 5, **fields}, "The test")


def plan(root: Path, limit: int | None = None, **fields: Any) -> Manifest:
    return data.plan(described(root, **fields), 0, limit)


def video(root: Path, name: str) -> Path:
    return root / f"original_sequences/youtube/c23/videos/{name}.mp4"


def swap(root: Path, method: str, name: str) -> Path:
    return root / f"manipulated_sequences/{method}/c23/videos/{name}.mp4"


@pytest.mark.parametrize(
    ("n", "k", "expected"),
    [
        (300, 10, [15, 45, 75, 105, 135, 165, 195, 225, 255, 285]),
        (20, 5, [2, 6, 10, 14, 18]),
        (7, 3, [1, 3, 5]),
        (10, 10, list(range(10))),
        (4, 10, [0, 1, 2, 3]),
        (1, 1, [0]),
    ],
)
def test_frames_are_the_middles_of_equal_parts(n: int, k: int, expected: list[int]) -> None:
    assert evenly(n, k) == expected


def test_target_and_source_are_as_the_names_say(whole: FaceTree) -> None:
    """000_003: frames of 000, the face of 003; exchanged, everything here is another."""
    made = plan(whole.root, source_rule="first-face")
    assert list(dict.fromkeys(pair.pair.split("-")[0] for pair in made.pairs)) == [
        "_".join(pair) for pair in whole.pairs
    ]
    first = made.pairs[0]
    assert (first.pair, first.target, first.source) == ("000_003-0002", "000/0002", "003/0000")
    target, source = made.image(first.target), made.image(first.source)
    assert (target.video, target.frame, target.identity) == ("000", 2, "000")
    assert (source.video, source.frame, source.identity) == ("003", 0, "003")
    assert target.uri == "video:original_sequences/youtube/c23/videos/000.mp4"
    for pair in made.pairs:
        names = pair.pair.split("-")[0].split("_")
        assert [made.image(side).video for side in (pair.target, pair.source)] == names


def test_the_shortest_of_target_and_counterparts_bounds_the_index(whole: FaceTree) -> None:
    made = plan(whole.root)
    for target, source in whole.pairs:
        frames = [made.image(pair.target).frame for pair in made.pairs if pair.pair.startswith(f"{target}_{source}-")]
        assert frames == evenly(whole.frames[target, source], 5)
    alone = plan(whole.root, counterparts=["FaceSwap"])
    frames = [alone.image(pair.target).frame for pair in alone.pairs if pair.pair.startswith("000_003-")]
    assert frames == evenly(24 - 2, 5)


def test_galleries_and_the_order_of_images(whole: FaceTree) -> None:
    made = plan(whole.root)
    assert made.galleries["frames"] == tuple(pair.target for pair in made.pairs)
    assert set(made.galleries["sources"]) == {"000/0000", "001/0000", "002/0000", "003/0000"}
    order = [(ref.video, ref.frame) for ref in made.images]
    assert order == sorted(order) and len(order) == 4 * (5 + 1)
    assert Manifest.from_json(made.to_json()) == made


def test_the_origin_says_how_and_nothing_of_the_place(whole: FaceTree) -> None:
    made = plan(whole.root)
    assert made.origin == (
        "FaceForensics++: compression c23; split: all, 4 pairs of videos; frames: 5 evenly spaced of the shortest of "
        "the target and FaceSwap, FaceShifter; source frames: the first with one confident face; "
        "identity map: one person a video"
    )
    assert str(whole.root) not in made.to_json()
    said = data.notes(described(whole.root), made)
    assert said["identity map"] == "one person a video"
    assert said["images"].endswith("compression c23, split all, 4 pairs of videos; 4 of them used")


def test_a_copy_of_the_tree_elsewhere_gives_the_same_hash(whole: FaceTree, tree: FaceTree) -> None:
    assert plan(whole.root).hash == plan(tree.root).hash == plan(tree.root).hash
    (tree.root.parent / "link").symlink_to(tree.root)
    assert plan(tree.root.parent / "link").hash == plan(tree.root).hash


def test_a_split_takes_its_pairs_only(whole: FaceTree) -> None:
    made = plan(whole.root, split="test")
    assert {pair.pair.split("-")[0] for pair in made.pairs} == {"001_002", "002_001"}
    with pytest.raises(UsageError, match=r"The split val of .* lists no pairs; choose another"):
        plan(whole.root, split="val")


def test_without_split_files_the_manifest_says_so(numbers: MiniRelease) -> None:
    made = plan(numbers.root, source_rule="same-frame")
    assert "split: all (by the names of released swaps: no split files), 2 pairs of videos" in made.origin


def test_a_limit_keeps_the_first_pairs_and_their_images(whole: FaceTree) -> None:
    every, few = plan(whole.root), plan(whole.root, limit=7)
    assert few.pairs == every.pairs[:7]
    assert {ref.image for ref in few.images} == {name for pair in few.pairs for name in (pair.source, pair.target)}
    assert few.origin == every.origin
    assert few.galleries["sources"] == ("003/0000", "002/0000")
    with pytest.raises(UsageError, match="at least one pair; given a limit of 0"):
        plan(whole.root, limit=0)


def test_same_frame_takes_the_targets_index_and_ends_with_the_source(numbers: MiniRelease, tmp_path: Path) -> None:
    made = plan(numbers.root, source_rule="same-frame")
    for pair in made.pairs:
        assert made.image(pair.source).frame == made.image(pair.target).frame == int(pair.pair.split("-")[1])
    root = shutil.copytree(numbers.root, tmp_path / "short")
    encode(video(root, "003"), [numbered(number, COLOURS["original"]) for number in range(10)])
    made = plan(root, source_rule="same-frame")
    assert [made.image(pair.source).frame for pair in made.pairs] == 2 * evenly(10, 5)


def test_the_release_says_which_frames_gave_the_faces(
    numbers: MiniRelease, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"000_003": 29, "003_000": 24}))
    with caplog.at_level(logging.WARNING, "hifibench"):
        made = plan(numbers.root, source_rule="release", release_config=config)
    assert {made.image(pair.source).frame for pair in made.pairs} == {29}
    assert {pair.pair[:7] for pair in made.pairs} == {"000_003"}
    assert "003_000 is left out" in caplog.text and "names frame 24 of 000.mp4, which has 24" in caplog.text
    config.write_text('{"003_000": 0}')
    assert {pair.pair[:7] for pair in plan(numbers.root, source_rule="release", release_config=config).pairs} == {
        "003_000"
    }
    assert "has no entry '000_003'" in caplog.text
    with pytest.raises(UsageError, match="source_rule: release and release_config: FILE go together"):
        described(numbers.root, source_rule="release")


def test_people_come_from_the_users_map(whole: FaceTree, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    people = tmp_path / "people.csv"
    people.write_text("video,person\n003,001\n002,001\n777,000\n")
    with caplog.at_level(logging.WARNING, "hifibench"):
        made = plan(whole.root, identities=people)
    assert {ref.video: ref.identity for ref in made.images} == {"000": "000", "001": "001", "002": "001", "003": "001"}
    assert "identity map: 3 videos named, map " in made.origin
    assert "names '777', which is no video of this folder" in caplog.text
    assert "The pair 001_002 shows one person twice, 001" in caplog.text


def test_the_first_confident_face_gives_the_source(tree: FaceTree, portrait: Callable[..., Frame]) -> None:
    faceless = list(nobody(6))
    encode(video(tree.root, "003"), [*faceless, *clip(portrait(3), 12, 3)], crf=23)
    made = plan(tree.root)
    assert {ref.frame for ref in made.images if ref.image in made.galleries["sources"] and ref.video == "003"} == {6}


def test_a_source_without_a_face_leaves_its_pair_out(
    tree: FaceTree, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, portrait: Callable[..., Frame]
) -> None:
    monkeypatch.setattr(ffpp_sources, "FRAMES", 8)
    # What is shown after the first frames that are looked at does not count.
    encode(video(tree.root, "003"), [*nobody(8), *clip(portrait(3), 8, 3)])
    with caplog.at_level(logging.WARNING, "hifibench"):
        made = plan(tree.root)
    assert {pair.pair[:7] for pair in made.pairs} == {"001_002", "002_001", "003_000"}
    assert (
        "The pair 000_003 is left out: none of the first 8 frames of 003.mp4 shows a face for certain." in caplog.text
    )


def test_a_frame_with_one_face_is_preferred_and_two_are_told(
    tree: FaceTree, caplog: pytest.LogCaptureFixture, portrait: Callable[..., Frame]
) -> None:
    both = list(two_people(portrait(3), portrait(4), 10, 128))
    alone = list(two_people(portrait(3), portrait(3) * 0 + 90, 6, 128))
    encode(video(tree.root, "003"), [*both[:5], *alone])
    encode(video(tree.root, "002"), both)
    with caplog.at_level(logging.WARNING, "hifibench"):
        made = plan(tree.root)
    frames = {made.image(name).video: made.image(name).frame for name in made.galleries["sources"]}
    assert (frames["003"], frames["002"]) == (5, 0)
    assert caplog.text.count("another of about its size") == 1
    assert "Every frame of video 002" in caplog.text and "face of frame 0." in caplog.text


def test_what_was_found_in_a_video_is_not_searched_again(whole: FaceTree, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(whole.root)

    def forbidden(*_: object) -> None:
        raise AssertionError("looked at again")

    monkeypatch.setattr(ffpp_sources.FirstFace, "_search", forbidden)
    monkeypatch.setattr("hifibench.data.ffpp_record._examined", forbidden)
    assert plan(whole.root) == made


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (truncated, r"000_003 is left out: .*000\.mp4 is truncated"),
        (lambda path: path.write_bytes(b""), r"000_003 is left out: .*000\.mp4 has zero bytes"),
        (lambda path: path.unlink(), r"003_000 is left out: There is no video .*000\.mp4"),
        (
            lambda path: path.write_bytes(b"not found" * 99),
            r"000_003 is left out: .*000\.mp4 cannot be read as a video",
        ),
    ],
)
def test_a_broken_video_loses_its_pairs_and_no_other(
    tree: FaceTree, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], Any], said: str
) -> None:
    spoil(video(tree.root, "000"))
    with caplog.at_level(logging.WARNING, "hifibench"):
        made = plan(tree.root)
    assert {pair.pair[:7] for pair in made.pairs} == {"001_002", "002_001"}
    assert re.search(said, caplog.text)


def test_a_missing_or_broken_counterpart_is_told_and_bounds_nothing(
    tree: FaceTree, caplog: pytest.LogCaptureFixture
) -> None:
    swap(tree.root, "FaceShifter", "000_003").unlink()
    truncated(swap(tree.root, "FaceShifter", "003_000"))
    with caplog.at_level(logging.WARNING, "hifibench"):
        made = plan(tree.root)
    for pair, count in (("000_003-", 24 - 2), ("003_000-", 22 - 2), ("001_002-", 20 - 4)):
        frames = [made.image(one.target).frame for one in made.pairs if one.pair.startswith(pair)]
        assert frames == evenly(count, 5)
    assert "000_003.mp4. FaceShifter does not bound the length of the pair 000_003." in caplog.text
    assert "003_000.mp4 is truncated" in caplog.text
    shutil.rmtree(swap(tree.root, "FaceShifter", "").parents[1])
    caplog.clear()
    with caplog.at_level(logging.WARNING, "hifibench"):
        plan(tree.root)
    assert caplog.text.count("FaceShifter bounds no video's length") == 1


def test_fewer_frames_than_asked_for_are_all_taken_and_told(tree: FaceTree, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "hifibench"):
        made = plan(tree.root, frames=15)
    frames = [made.image(pair.target).frame for pair in made.pairs if pair.pair.startswith("002_001-")]
    assert frames == list(range(14))
    assert "The pair 002_001 has 14 frames, fewer than 15: all are taken." in caplog.text


def test_a_variable_frame_rate_is_counted_in_the_order_of_display(numbers: MiniRelease, tmp_path: Path) -> None:
    from mini_release import read as number_of

    root = shutil.copytree(numbers.root, tmp_path / "variable")
    pictures = [numbered(number, COLOURS["original"], 0) for number in range(24)]
    encode(video(root, "000"), pictures, times=[number + number // 3 * 5 for number in range(24)])
    made = plan(root, source_rule="same-frame")
    load = data.loader(described(root))
    frames = [ref for ref in made.images if ref.video == "000"]
    assert [ref.frame for ref in frames] == sorted({*evenly(24, 5), *evenly(20, 5)})
    assert [number_of(load(ref)) for ref in frames] == [ref.frame for ref in frames]


def test_nothing_left_lists_why(tree: FaceTree) -> None:
    for name in ("000", "001", "002", "003"):
        truncated(video(tree.root, name))
    with pytest.raises(UsageError, match=r"No pair of videos .* is left .*\n  The pair 000_003 is left out"):
        plan(tree.root)
    for name in ("000", "001", "002", "003"):
        video(tree.root, name).unlink()
    with pytest.raises(MissingError, match=r"No pair of videos .* is left"):
        plan(tree.root)


def test_what_is_not_there_or_not_known_is_told(whole: FaceTree, numbers: MiniRelease, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no folder .*youtube/c40/videos; there is c23\..*form on"):
        plan(whole.root, compression="c40")
    with pytest.raises(MissingError, match=r"test of FaceForensics\+\+ needs test\.json"):
        plan(numbers.root, split="test")
    with pytest.raises(UsageError, match="no method 'Faceswap'"):
        plan(whole.root, counterparts=["Faceswap"])
    with pytest.raises(MissingError, match=r"no file of people .*none\.csv"):
        plan(whole.root, identities=tmp_path / "none.csv")
    with pytest.raises(UsageError, match="compression: Input should be 'raw', 'c23' or 'c40'"):
        described(whole.root, compression="c24")


def test_only_the_first_problems_of_a_kind_are_logged(
    tree: FaceTree, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hifibench.data.ffpp_problems.TOLD", 1)
    with caplog.at_level(logging.WARNING, "hifibench"):
        plan(tree.root, frames=18)
    assert "few frames: 1 more of 2." in caplog.messages
    assert len(faceforensics.make(described(tree.root, frames=18)).problems) == 2


def test_a_source_that_ends_before_its_list_loses_its_pair_and_no_other(
    whole: FaceTree, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage within a file: the decoder gives fewer frames than the packets promise."""
    frame = Video.frame

    def ends(self: Video, index: int) -> Frame:
        if self._path.name == "003.mp4":
            raise NoFrameError("003.mp4 has 0 frames")
        return frame(self, index)

    monkeypatch.setattr(Video, "frame", ends)
    with caplog.at_level(logging.WARNING, "hifibench"):
        made = plan(whole.root)
    assert {pair.pair[:7] for pair in made.pairs} == {"001_002", "002_001", "003_000"}
    assert "The pair 000_003 is left out: 003.mp4 has 0 frames" in caplog.text


@pytest.mark.parametrize("limit", [1, 6, 10, 11, 20, 99])
def test_a_limit_looks_at_no_more_blocks_than_it_needs_and_at_no_fewer(
    whole: FaceTree, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    every = plan(whole.root, source_rule="same-frame")
    taken: list[str] = []
    take = Planner.take

    def noted(self: Planner, pair: VideoPair) -> Taken:
        taken.append(str(pair))
        return take(self, pair)

    monkeypatch.setattr(Planner, "take", noted)
    monkeypatch.setattr(faceforensics, "_BLOCK", 1)
    made = plan(whole.root, limit, source_rule="same-frame")
    assert made.pairs == every.pairs[:limit]
    assert taken == ["000_003", "001_002", "002_001", "003_000"][: -(-limit // 5)]


def test_originals_and_swaps_are_of_the_compression_asked_for(tmp_path: Path) -> None:
    root = mini_ffpp(tmp_path, compressions=("c23", "c40")).root
    path = root / "original_sequences/youtube/c40/videos/000.mp4"
    encode(path, [numbered(number, COLOURS["original"]) for number in range(7)])
    made = plan(root, compression="c40", source_rule="same-frame")
    assert {ref.uri.split("/")[2] for ref in made.images} == {"c40"}
    assert {ref.frame for ref in made.images} == set(evenly(7, 5))
    contents = {ref.video: ref.content for ref in made.images}
    assert contents["000"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {ref.frame for ref in plan(root, source_rule="same-frame").images} > set(range(7, 20)) & set(evenly(20, 5))


def test_a_face_that_is_not_certain_gives_no_source(
    whole: FaceTree, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    detect = Detector.detect
    scores = iter([0.5, 0.69, 0.69, 0.7, *[0.9] * 99])
    monkeypatch.setattr(
        Detector, "detect", lambda self, frame: [replace(face, score=next(scores)) for face in detect(self, frame)[:1]]
    )
    found = ffpp_sources.FirstFace(Record(whole.root)).find("original_sequences/youtube/c23/videos/003.mp4")
    assert found.frame == 3
