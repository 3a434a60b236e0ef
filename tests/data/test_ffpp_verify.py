"""What `verify` says of whole and of broken trees, and the commands on FaceForensics++."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mini_release import COLOURS, MiniRelease, encode, mini_ffpp, numbered
from typer.testing import CliRunner

from hifibench.cli_ffpp import manifest_app, verify_app
from hifibench.data.ffpp_verify import Verified, verify
from hifibench.errors import MissingError, UsageError
from hifibench.records import Manifest


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> MiniRelease:
    """With a split file; not to be written to."""
    made = mini_ffpp(tmp_path_factory.mktemp("release"))
    (made.root / "splits").mkdir()
    for name, pairs in (("train", [["000", "003"]]), ("val", []), ("test", [])):
        (made.root / f"splits/{name}.json").write_text(json.dumps(pairs))
    return made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"


@pytest.fixture
def root(release: MiniRelease, tmp_path: Path) -> Path:
    return shutil.copytree(release.root, tmp_path / "ffpp")


def swap(root: Path, method: str, name: str, compression: str = "c23") -> Path:
    return root / f"manipulated_sequences/{method}/{compression}/videos/{name}.mp4"


def video(root: Path, name: str, compression: str = "c23") -> Path:
    return root / f"original_sequences/youtube/{compression}/videos/{name}.mp4"


def texts(found: Verified) -> str:
    return "\n".join(problem.text for problem in found.problems)


def test_a_whole_tree_has_no_problems(release: MiniRelease) -> None:
    found = verify(release.root)
    assert found.problems == ()
    assert [folder for folder in found.folders if "c23" in folder.path] == [
        ("original_sequences/youtube/c23/videos", 2, 2, 54),
        ("manipulated_sequences/FaceSwap/c23/videos", 2, 2, 44),
        ("manipulated_sequences/FaceShifter/c23/videos", 2, 2, 44),
    ]
    assert len(found.folders) == 6
    assert "No videos of Deepfakes, Face2Face, NeuralTextures at c23." in found.notes
    only = verify(release.root, "c40")
    assert {folder.path.split("/")[2] for folder in only.folders} == {"c40"}
    with pytest.raises(MissingError, match="has no videos of raw; expected"):
        verify(release.root, "raw")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: video(root, "000").write_bytes(b""), r"c23/videos/000\.mp4 has zero bytes"),
        (lambda root: cut(swap(root, "FaceSwap", "000_003")), r"000_003\.mp4 is truncated: \d+ of its 24 frames"),
        (lambda root: video(root, "003").unlink(), r"no video .*/c23/videos/003\.mp4: a split file names it"),
        (lambda root: swap(root, "FaceShifter", "003_000", "c40").unlink(), r"no video .*/c40/videos/003_000\.mp4"),
        (lambda root: video(root, "000").rename(video(root, "0")), r"'0\.mp4' is no name of a video of youtube"),
        (lambda root: swap(root, "FaceSwap", "x").write_text("<html>"), r"'x\.mp4' is no name of a video of FaceSwap"),
        (lambda root: video(root, "000").write_text("<html>"), r"000\.mp4 cannot be read as a video"),
        (lambda root: shutil.rmtree(root / "original_sequences/youtube/c40"), r"no folder .*youtube/c40/videos: swaps"),
        (
            lambda root: empty(root / "manipulated_sequences/FaceSwap/c40/videos"),
            r"FaceSwap/c40/videos holds none of 2",
        ),
    ],
)
def test_what_is_missing_broken_or_misnamed_is_told(root: Path, spoil: Callable[[Path], Any], said: str) -> None:
    spoil(root)
    assert re.search(said, texts(verify(root)))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def test_without_split_files_the_other_methods_say_what_is_missing(root: Path) -> None:
    shutil.rmtree(root / "splits")
    swap(root, "FaceShifter", "000_003").unlink()
    found = verify(root, "c23")
    assert texts(found).count("\n") == 0 and "its pair has other videos" in texts(found)
    assert any("No split files train.json, val.json, test.json" in note for note in found.notes)
    (root / "splits").mkdir()
    (root / "splits/test.json").write_text("{}")
    with pytest.raises(UsageError, match="holds no list"):
        verify(root)


def test_paces_sizes_and_loose_videos_are_notes(root: Path) -> None:
    pictures = [numbered(number, COLOURS["original"], 5) for number in range(9)]
    encode(video(root, "005"), pictures, times=[0, 1, 2, 3, 9, 10, 11, 30, 31])
    small = [numbered(number, COLOURS["FaceSwap"], 3, (160, 96)) for number in range(24)]
    encode(swap(root, "FaceSwap", "000_003"), small)
    found = verify(root, "c23")
    assert found.problems == ()
    said = "\n".join(found.notes)
    assert "c23/videos/005.mp4 has a variable frame rate" in said
    assert said.count("variable frame rate") == 1
    assert "1 original videos at c23 belong to no pair: 005." in said
    assert "FaceSwap/c23/videos/000_003.mp4 is 160x96, its target 128x96" in said


def test_videos_of_actors_are_read_and_their_originals_noted(root: Path) -> None:
    clip = [numbered(number, COLOURS["original"]) for number in range(5)]
    swap_of = root / "manipulated_sequences/DeepFakeDetection/c23/videos"
    encode(swap_of / "01_02__exit_phone_room__YVGY8LOK.mp4", clip)
    encode(swap_of / "03_02__exit_phone_room__YVGY8LOK.mp4", clip)
    encode(root / "original_sequences/actors/c23/videos/01__exit_phone_room.mp4", clip)
    found = verify(root, "c23")
    assert found.problems == ()
    assert "1 originals of DeepFakeDetection at c23 are not there: 03__exit_phone_room.mp4." in found.notes
    assert ("original_sequences/actors/c23/videos", 1, 1, 5) in found.folders


def test_a_second_look_reads_only_what_has_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hifibench.data import ffpp_record

    cut(video(root, "000"))
    first = verify(root)
    seen: list[str] = []
    true = ffpp_record._examined

    def examined(file: Path, status: Any) -> Any:
        seen.append(file.name)
        return true(file, status)

    monkeypatch.setattr(ffpp_record, "_examined", examined)
    assert verify(root) == first and seen == []
    encode(video(root, "000"), [numbered(number, COLOURS["original"]) for number in range(24)])
    assert verify(root).problems == () and seen == ["000.mp4"]


def told(app: Any, *words: str | Path) -> tuple[str, BaseException | None]:
    done = CliRunner().invoke(app, ["ffpp", *map(str, words)])
    return " ".join(done.output.split()), done.exception


def test_verify_prints_counts_and_every_problem(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    output, error = told(verify_app, root)
    assert error is None and "is whole: all videos can be read, and none is missing." in output
    assert "manipulated_sequences/FaceSwap/c40/videos" in output and "videos: 12 in" in output
    cut(video(root, "000"))
    swap(root, "FaceSwap", "000_003").unlink()
    output, error = told(verify_app, root, "--compression", "c23")
    assert isinstance(error, MissingError) and error.exit_code == 3
    assert "is not whole: 1 missing, 1 broken or misnamed" in str(error)
    assert "000.mp4 is truncated" in output and "There is no video" in output
    assert isinstance(told(verify_app, root / "nowhere")[1], MissingError)


def test_manifest_writes_a_file_that_is_used_again(root: Path, tmp_path: Path) -> None:
    words = (root, "--source-rule", "same-frame", "--frames", "3", "--out", tmp_path / "m.json")
    output, error = told(manifest_app, *words, "--quiet")
    assert error is None
    made = Manifest.from_json((tmp_path / "m.json").read_text(encoding="utf-8"))
    assert made.hash in output and "pairs: 6; images: 12, 6 in the gallery frames" in output
    assert "identity map: one person a video" in output
    assert told(manifest_app, *words)[1] is None
    _, error = told(manifest_app, *words, "--frames", "4")
    assert isinstance(error, UsageError) and "holds something else" in str(error)
    assert Manifest.from_json((tmp_path / "m.json").read_text(encoding="utf-8")) == made


def test_manifest_tells_what_it_leaves_out_and_refuses_what_does_not_fit(root: Path, tmp_path: Path) -> None:
    swap(root, "FaceSwap", "000_003").unlink()
    words = (root, "--out", tmp_path / "m.json")
    output, error = told(manifest_app, *words, "--source-rule", "same-frame")
    assert error is None and "FaceSwap does not bound the length of the pair 000_003." in output
    _, error = told(manifest_app, *words, "--source-rule", "release")
    assert isinstance(error, UsageError) and "--release-config FILE go together" in str(error)
    _, error = told(manifest_app, root, "--out", tmp_path)
    assert isinstance(error, UsageError) and "is a folder" in str(error)


def test_links_are_followed_and_one_that_leads_nowhere_is_a_missing_video(root: Path, tmp_path: Path) -> None:
    moved = video(root, "000").rename(tmp_path / "elsewhere.mp4")
    video(root, "000").symlink_to(moved)
    assert not verify(root).problems
    moved.unlink()
    (problem,) = verify(root).problems
    assert problem.missing and re.search(r"no video .*000\.mp4", problem.text)
