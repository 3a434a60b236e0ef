import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_cropper import CROPPING, PEOPLE, FakeCropper, content, folders

from hifibench.data import prepare, prepared_store
from hifibench.data.face_crops import Reason
from hifibench.data.originals import FolderSource
from hifibench.data.prepared import PreparedFaces
from hifibench.errors import MissingError, UsageError


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "Cropper", FakeCropper)
    monkeypatch.setattr(FakeCropper, "left", 10**9)
    monkeypatch.setattr(FakeCropper, "done", [])


@pytest.fixture
def source(tmp_path: Path) -> FolderSource:
    return folders(tmp_path / "photos", PEOPLE)


def test_a_set_holds_what_was_kept_and_names_what_was_dropped(source: FolderSource, tmp_path: Path) -> None:
    report = prepare.prepare(source, CROPPING, tmp_path / "out")
    faces = PreparedFaces(tmp_path / "out")
    assert faces.identities == ("ann", "bea", "eva")
    assert [len(rows) for rows in faces.rows] == [3, 2, 2]
    assert (faces.load(1).frame == 1).all()
    index = pd.read_parquet(tmp_path / "out/index.parquet")
    assert list(index.columns) == ["identity", "image", "file", "source", "side", "landmarks", "content"]
    assert list(index["source"][:3]) == ["ann/a.jpg", "ann/b.jpg", "ann/c.jpg"]
    assert index["side"][0] == 256 / 3
    assert np.array_equal(index["landmarks"][0], np.array([0.1, *range(9)], np.float32))
    dropped = pd.read_parquet(tmp_path / "out/dropped.parquet")
    assert dropped.to_dict("records") == [{"source": "cid/x.jpg", "identity": "cid", "reason": "no face", "detail": ""}]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "crops",
        "dropped.parquet",
        "index.parquet",
        "prepared.json",
    ]
    assert report.kept == 7
    assert report.dropped["no face"] == 1
    assert (report.people, report.single, report.lost, report.empty) == (3, (), ("cid",), ("dan",))


def test_the_description_says_how_the_set_was_made(source: FolderSource, tmp_path: Path) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "out")
    description = json.loads((tmp_path / "out/prepared.json").read_text())
    assert description["settings"]["crop"] == {"template": "ffhq", "size": 32}
    assert description["settings"]["source"] == {"kind": "folders", "folder": str(source.root)}
    assert "the user's own" in description["licence"]
    assert description["counts"]["kept"] == 7
    assert description["counts"]["dropped"]["no face"] == 1
    assert description["counts"]["identities_without_image"] == 2


@pytest.mark.parametrize("after", range(5))
def test_a_run_stopped_anywhere_ends_with_the_same_bytes(
    source: FolderSource, tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "straight")
    monkeypatch.setattr(FakeCropper, "left", after)
    monkeypatch.setattr(FakeCropper, "done", [])
    out = tmp_path / "stopped"
    for _ in range(4):
        try:
            prepare.prepare(source, CROPPING, out)
            break
        except KeyboardInterrupt:
            with pytest.raises(MissingError, match="begun and not finished"):
                PreparedFaces(out)
            FakeCropper.left = 10**9
    assert content(out) == content(tmp_path / "straight")
    assert sorted(FakeCropper.done) == ["ann", "bea", "cid", "eva"], "nobody is done twice"


def test_a_run_killed_while_it_wrote_leaves_no_rubbish(source: FolderSource, tmp_path: Path) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "straight")
    out = tmp_path / "out"
    FakeCropper.left = 2
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(source, CROPPING, out)
    (out / "crops/ann/.hifibench-abc.png").write_bytes(b"half")
    (out / "parts/.hifibench-abc.json").write_bytes(b"half")
    (out / "parts/bea.json").write_bytes(b"\0\0\0\0")
    FakeCropper.left = 10**9
    prepare.prepare(source, CROPPING, out)
    assert content(out) == content(tmp_path / "straight")


@pytest.mark.parametrize("step", ["dropped.parquet", "index.parquet", "prepared.json", "parts"])
def test_a_run_killed_at_the_very_end_ends_with_the_same_bytes(
    source: FolderSource, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "straight")
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        stop_at(patch, prepared_store, step)
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(source, CROPPING, out)
    FakeCropper.done.clear()
    prepare.prepare(source, CROPPING, out)
    assert FakeCropper.done == []
    assert content(out) == content(tmp_path / "straight")


def stop_at(patch: pytest.MonkeyPatch, store: object, step: str) -> None:
    """Let the store die just before it writes, or removes, one thing at its end."""

    def stopping(what: Callable[..., object]) -> Callable[..., object]:
        def act(path: Path, *rest: object, **options: object) -> object:
            last = path.name == step and (step != "prepared.json" or path.exists())
            if last:
                raise KeyboardInterrupt
            return what(path, *rest, **options)

        return act

    for name in ("_write", "atomic_write"):
        patch.setattr(store, name, stopping(getattr(store, name)))
    if step == "parts":
        patch.setattr(store.shutil, "rmtree", stopping(store.shutil.rmtree))  # type: ignore[attr-defined]


def test_nothing_is_done_twice(source: FolderSource, tmp_path: Path) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "out")
    before = content(tmp_path / "out")
    FakeCropper.done.clear()
    report = prepare.prepare(source, CROPPING, tmp_path / "out")
    assert FakeCropper.done == []
    assert report.prepared == 0
    assert report.kept == 7
    assert content(tmp_path / "out") == before


def test_a_set_grows_by_people_and_images(source: FolderSource, tmp_path: Path) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "out")
    fingerprint = PreparedFaces(tmp_path / "out").fingerprint
    folders(source.root, {"bea": "c", "dan": "a", "fay": "ab"})
    FakeCropper.done.clear()
    report = prepare.prepare(source, CROPPING, tmp_path / "out")
    assert sorted(FakeCropper.done) == ["bea", "dan", "fay"]
    assert report.prepared == 6
    assert PreparedFaces(tmp_path / "out").fingerprint != fingerprint
    prepare.prepare(source, CROPPING, tmp_path / "anew")
    assert content(tmp_path / "out") == content(tmp_path / "anew")


def test_an_image_that_is_gone_goes_from_the_set(source: FolderSource, tmp_path: Path) -> None:
    prepare.prepare(source, CROPPING, tmp_path / "out")
    (source.root / "ann/b.jpg").unlink()
    prepare.prepare(source, CROPPING, tmp_path / "out")
    prepare.prepare(source, CROPPING, tmp_path / "anew")
    assert content(tmp_path / "out") == content(tmp_path / "anew")


def test_a_set_of_which_nothing_is_left_is_reported_and_not_opened(tmp_path: Path) -> None:
    report = prepare.prepare(folders(tmp_path / "photos", {"ann": "x"}), CROPPING, tmp_path / "out")
    assert report.lost == ("ann",)
    assert any("Nobody has two images" in note for note in report.notes())
    with pytest.raises(UsageError, match="every image was dropped"):
        PreparedFaces(tmp_path / "out")


def test_the_report_names_people_who_give_no_pair(tmp_path: Path) -> None:
    source = folders(tmp_path / "photos", {"ann": "ab", "bea": "ax", "cid": "x", "dan": ""})
    notes = "\n".join(prepare.prepare(source, CROPPING, tmp_path / "out").notes())
    assert "2 people; 5 images prepared now" in notes
    assert "1 people with a single image, who give no pair of one identity: bea." in notes
    assert "1 people without any image kept: cid." in notes
    assert "1 people whose folder holds no image: dan." in notes
    assert "Nobody has two images" not in notes


def test_every_image_is_counted_as_it_is_done(source: FolderSource, tmp_path: Path) -> None:
    counted: list[int] = []

    @contextmanager
    def stage(name: str, total: int) -> Iterator[Callable[[int], None]]:
        counted.append(-total)
        yield counted.append

    prepare.prepare(source, CROPPING, tmp_path / "out", stage=stage)
    assert counted == [-8, 3, 2, 1, 2]


def test_every_reason_is_reported(source: FolderSource, tmp_path: Path) -> None:
    assert list(prepare.prepare(source, CROPPING, tmp_path / "out").dropped) == [*Reason]
