from pathlib import Path

import pytest
from fake_cropper import CROPPING, PEOPLE, FakeCropper, content, folders
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from hifibench.contracts import Crop
from hifibench.data import prepare
from hifibench.data.face_crops import Cropping
from hifibench.data.originals import FolderSource
from hifibench.data.prepared_store import differences
from hifibench.errors import MissingError, UsageError


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "Cropper", FakeCropper)
    monkeypatch.setattr(FakeCropper, "left", 10**9)
    monkeypatch.setattr(FakeCropper, "done", [])


@pytest.fixture
def source(tmp_path: Path) -> FolderSource:
    return folders(tmp_path / "photos", PEOPLE)


def test_people_are_never_lost(source: FolderSource, tmp_path: Path) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "out")
    before = content(tmp_path / "out")
    (source.root / "bea").rename(tmp_path / "bea")
    with pytest.raises(UsageError, match=r"holds 1 people whom this command does not ask for .first: bea."):
        prepare.prepare(source, CROPPING, tmp_path / "out")
    assert content(tmp_path / "out") == before


def test_other_settings_are_refused(source: FolderSource, tmp_path: Path) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "out")
    before = content(tmp_path / "out")
    with pytest.raises(UsageError, match=r"other settings: crop\.size 32 there, 64 here; min_side 0\.0 there, 64 here"):
        prepare.prepare(source, Cropping(Crop("ffhq", 64), 64), tmp_path / "out")
    other = folders(tmp_path / "others", PEOPLE)
    with pytest.raises(UsageError, match=r"source\.folder .*photos there, .*others here"):
        prepare.prepare(other, CROPPING, tmp_path / "out")
    assert content(tmp_path / "out") == before


def test_settings_may_be_written_otherwise(source: FolderSource, tmp_path: Path) -> None:
    prepare.prepare(source, Cropping(Crop("ffhq", 32), 32.0), tmp_path / "out")
    assert prepare.prepare(source, Cropping(Crop("ffhq", 32), 32), tmp_path / "out").prepared == 0


def test_two_processes_do_not_meet(source: FolderSource, tmp_path: Path) -> None:
    (tmp_path / "out/parts").mkdir(parents=True)
    with FileLock(tmp_path / "out/parts/.lock"), pytest.raises(UsageError, match="Another process prepares"):
        prepare.prepare(source, CROPPING, tmp_path / "out")
    assert prepare.prepare(source, CROPPING, tmp_path / "out").kept == 7


@pytest.mark.parametrize("place", ["photos", "photos/out", "photos/../photos/ann/out"])
def test_a_set_inside_what_is_read_is_refused(source: FolderSource, tmp_path: Path, place: str) -> None:
    before = content(source.root)
    with pytest.raises(UsageError, match="name a folder outside it"):
        prepare.prepare(source, CROPPING, tmp_path / place)
    assert content(source.root) == before


def test_a_place_that_is_taken_is_refused(source: FolderSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        prepare.prepare(source, CROPPING, tmp_path / "file")
    with pytest.raises(UsageError, match=r"holds other things .*photos.*; name a new or empty folder"):
        prepare.prepare(source, CROPPING, tmp_path)


def test_a_place_that_cannot_be_made_is_missing(source: FolderSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingError, match=r"Cannot write .*Free some space"):
        prepare.prepare(source, CROPPING, tmp_path / "file" / "out")


def test_a_full_disk_keeps_what_was_done(source: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace
    written: list[Path] = []

    def full(self: Path, target: Path) -> Path:
        written.append(target)
        if len(written) == 6:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(MissingError, match="No space left on device"):
            prepare.prepare(source, CROPPING, tmp_path / "out")
    prepare.prepare(source, CROPPING, tmp_path / "out")
    prepare.prepare(source, CROPPING, tmp_path / "anew")
    assert content(tmp_path / "out") == content(tmp_path / "anew")


def test_at_least_one_process_works(source: FolderSource, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one process; given 0"):
        prepare.prepare(source, CROPPING, tmp_path / "out", workers=0)


_leaves = st.integers(0, 2) | st.text("ab", max_size=1)
_settings = st.dictionaries(st.sampled_from("xyz"), _leaves | st.dictionaries(st.sampled_from("uv"), _leaves))


@given(_settings, _settings)
def test_settings_differ_in_words_where_they_differ(before: dict[str, object], now: dict[str, object]) -> None:
    assert differences(before, before) == ""
    assert bool(differences(before, now)) == (before != now)
