import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from hifibench.data import images
from hifibench.data.originals import FolderSource, Original, Person, PortraitSource
from hifibench.data.seeds import split_of, uri
from hifibench.errors import ImageError, UsageError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def listed(root: Path) -> dict[str, list[str]]:
    return {person.identity: [original.name for original in person.originals] for person in FolderSource(root).people()}


def test_a_folder_is_a_person_and_its_images_are_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "n2/b.jpg", "n2/a.JPG", "n1/x.jpeg", "n1/y.Png", "n1/z.webp")
    assert listed(tmp_path) == {"n1": ["x.jpeg", "y.Png", "z.webp"], "n2": ["a.JPG", "b.jpg"]}
    assert FolderSource(tmp_path).people()[1] == Person(
        "n2", (Original("a.JPG", "n2/a.JPG"), Original("b.jpg", "n2/b.jpg"))
    )


def test_what_lies_deeper_belongs_to_the_first_folder(tmp_path: Path) -> None:
    touch(tmp_path, "ann/2019/1.jpg", "ann/2020/1.jpg", "ann/1.jpg", "ann/1.png")
    assert listed(tmp_path) == {"ann": ["1.jpg", "1.png", "2019/1.jpg", "2020/1.jpg"]}


def test_hidden_and_other_files_are_passed_over(tmp_path: Path) -> None:
    touch(
        tmp_path, "ann/1.jpg", "ann/._1.jpg", "ann/.thumbs/1.jpg", "ann/notes.txt", ".cache/1.jpg", "list.csv", "me.jpg"
    )
    assert listed(tmp_path) == {"ann": ["1.jpg"]}


def test_an_empty_folder_is_a_person_without_images(tmp_path: Path) -> None:
    touch(tmp_path, "ann/1.jpg")
    (tmp_path / "bea").mkdir()
    assert listed(tmp_path) == {"ann": ["1.jpg"], "bea": []}


def test_an_identity_may_be_a_link(tmp_path: Path) -> None:
    touch(tmp_path, "all/ann/1.jpg", "some/bea/1.jpg")
    (tmp_path / "some" / "ann").symlink_to(tmp_path / "all" / "ann")
    assert listed(tmp_path / "some") == {"ann": ["1.jpg"], "bea": ["1.jpg"]}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((), "holds no images in 0 folders"),
        (("ann/notes.txt",), "holds no images in 1 folders; expected .*<identity>/<image>, the images being jpg"),
        (("1.jpg", "2.jpg"), "holds 2 images itself, and none in a folder of its own person"),
    ],
)
def test_a_folder_without_people_is_refused(tmp_path: Path, files: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FolderSource(touch(tmp_path, *files)).people()


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no folder .*nowhere"):
        FolderSource(tmp_path / "nowhere").people()


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "ann/1.jpg", "bea/1.jpg")
    listing = os.scandir

    def denied(path: str | os.PathLike[str]) -> object:
        if os.fspath(path).endswith("bea"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(UsageError, match=r"bea cannot be read .Permission denied.; check its permissions"):
        FolderSource(tmp_path).people()


@pytest.mark.parametrize("name", [b"\xff/1.jpg", b"ann/\xff.jpg"])
def test_names_that_no_table_can_hold_are_refused(tmp_path: Path, name: bytes) -> None:
    try:
        touch(tmp_path, os.fsdecode(name))
    except OSError:
        pytest.skip("this file system holds UTF-8 alone")
    with pytest.raises(UsageError, match=r"no UTF-8, b'.*\\xff.*'; rename it"):
        FolderSource(tmp_path).people()


def test_an_image_is_read_with_the_hash_of_its_file(tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    images.save_png(tmp_path / "ann/1.png", frame)
    read = FolderSource(tmp_path).read(Original("1.png", "ann/1.png"))
    assert np.array_equal(read.frame, frame)
    assert read.content == hashlib.sha256((tmp_path / "ann/1.png").read_bytes()).hexdigest()


def test_a_broken_image_is_an_image_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"1\.jpg"):
        FolderSource(touch(tmp_path, "ann/1.jpg")).read(Original("1.jpg", "ann/1.jpg"))


def test_portraits_are_people_of_the_training_seeds() -> None:
    people = PortraitSource(identities=3, views=2, first_seed=7).people()
    assert [person.identity for person in people] == ["0000000007", "0000000008", "0000000009"]
    assert people[1].originals == (Original("0000", uri(8, 0)), Original("0001", uri(8, 1)))


def test_another_split_is_taken_where_it_is_named() -> None:
    [person] = PortraitSource(identities=1, views=1, first_seed=5, split="test").people()
    assert split_of(int(person.identity)) == "test"
    assert int(person.identity) == 2_000_000_005


@pytest.mark.parametrize(("first", "identities"), [(2_000_000_000, 1), (10**9 - 1, 2)])
def test_seeds_of_another_split_are_refused(first: int, identities: int) -> None:
    PortraitSource(identities=1, views=1, first_seed=10**9 - 1)
    with pytest.raises(UsageError, match=r"would reach into another split.*--split"):
        PortraitSource(identities=identities, views=1, first_seed=first)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"identities": 0, "views": 1}, "at least one identity"),
        ({"identities": 1, "views": 0}, "at least one identity and one view"),
        ({"identities": 1, "views": 1, "first_seed": -1}, "first seed from 0"),
        ({"identities": 1, "views": 1, "split": "tset"}, "no split 'tset'; expected train, validation, test"),
    ],
)
def test_portraits_that_make_no_sense_are_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PortraitSource(**words)  # type: ignore[arg-type]


def test_a_set_of_portraits_may_grow_in_people_and_views() -> None:
    assert PortraitSource(1, 1).settings == PortraitSource(9, 3, first_seed=4).settings
    assert PortraitSource(1, 1).settings != PortraitSource(1, 1, split="validation").settings


def test_sources_can_be_handed_to_another_process(tmp_path: Path) -> None:
    for source in (FolderSource(tmp_path), PortraitSource(2, 1)):
        assert pickle.loads(pickle.dumps(source)) == source
