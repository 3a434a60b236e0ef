import json
from pathlib import Path

import pytest

from hifibench.data.deeperforensics import DeeperForensicsSource
from hifibench.data.dfdc import DfdcSource
from hifibench.data.layouts import choose
from hifibench.data.originals import FolderSource
from hifibench.data.record_source import RecordSource
from hifibench.errors import UsageError

LABELS = json.dumps({"aa.mp4": {"label": "REAL"}})


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(LABELS if path.name == "metadata.json" else "x")
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("ann/1.jpg", "bea/2020/1.png"), ("folders", FolderSource, ".")),
        (("train/1.jpg", "ann/1.jpg"), ("folders", FolderSource, ".")),
        (("n000001/0001_01.jpg",), ("folders", FolderSource, ".")),
        (("train/n000002/1.jpg", "test/n000001/1.jpg", "meta/list.csv"), ("vggface2", FolderSource, "train")),
        (("vggface2_train/train/n2/1.jpg", "vggface2_test/test/n1/1.jpg"), ("vggface2", FolderSource, "vgg")),
        (("train.rec", "train.idx", "train.lst", "property", "lfw.bin"), ("recordio", RecordSource, ".")),
        (("dfdc_train_part_0/metadata.json",), ("dfdc", DfdcSource, ".")),
        (("train/dfdc_train_part_0/metadata.json", "train/dfdc_train_part_0/aa.mp4"), ("dfdc", DfdcSource, ".")),
        (("metadata.json", "aa.mp4"), ("dfdc", DfdcSource, ".")),
        (("source_videos/M004/x.mp4",), ("deeperforensics", DeeperForensicsSource, ".")),
        (("manipulated_videos/end_to_end/000_M004.mp4",), ("deeperforensics", DeeperForensicsSource, ".")),
        (("notes.txt",), ("folders", FolderSource, ".")),
    ],
)
def test_what_lies_there_says_what_it_is(
    tmp_path: Path, files: tuple[str, ...], expected: tuple[str, type, str]
) -> None:
    name, kind, place = expected
    found, source = choose(tree(tmp_path, *files), "auto", None, None)
    assert (found, type(source)) == (name, kind)
    where = {"vgg": "vggface2_train/train"}.get(place, place)
    assert source.root == tmp_path / where


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("train.rec", "imgs/0/1.jpg"), "folders or recordio; say by --layout"),
        (("train/n1/1.jpg", "ann/1.jpg"), "folders or vggface2"),
        (("source_videos/a/b.mp4", "metadata.json"), "dfdc or deeperforensics"),
    ],
)
def test_what_may_be_two_things_asks(tmp_path: Path, files: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choose(tree(tmp_path, *files), "auto", None, None)
    assert choose(tmp_path, "folders", None, None)[1] == FolderSource(tmp_path)


def test_a_split_is_no_identity(tmp_path: Path) -> None:
    tree(tmp_path, "train/n000002/1.jpg", "train/n000003/1.jpg", "test/n000001/1.jpg")
    _, source = choose(tmp_path, "auto", None, None)
    assert [person.identity for person in source.people()] == ["n000002", "n000003"]
    assert choose(tmp_path / "test", "vggface2", None, None)[1] == FolderSource(tmp_path / "test")
    assert source.settings == FolderSource(tmp_path / "train").settings


def test_the_test_split_is_never_taken_for_training(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="test split and not the other"):
        choose(tree(tmp_path, "test/n000001/1.jpg"), "auto", None, None)


def test_a_record_file_may_be_named_itself(tmp_path: Path) -> None:
    tree(tmp_path, "a.rec", "b.rec")
    with pytest.raises(UsageError, match=r"holds 2 record files: a\.rec, b\.rec; expected train\.rec"):
        choose(tmp_path, "auto", None, None)
    assert choose(tmp_path / "b.rec", "auto", None, None) == ("recordio", RecordSource(tmp_path / "b.rec"))
    tree(tmp_path, "train.rec")
    assert choose(tmp_path, "auto", None, None)[1] == RecordSource(tmp_path / "train.rec")


def test_frames_and_labels_are_for_videos(tmp_path: Path) -> None:
    tree(tmp_path, "metadata.json")
    assert choose(tmp_path, "dfdc", 3, "all")[1] == DfdcSource(tmp_path, 3, "all")
    assert choose(tmp_path, "dfdc", None, None)[1] == DfdcSource(tmp_path, 10, "real")
    for given in ((3, None), (None, "all")):
        with pytest.raises(UsageError, match="is read as folders, which holds images; --frames and --labels"):
            choose(tmp_path, "folders", *given)


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no layout 'vgface2'; expected auto, folders, .*Did you mean 'vggface2'"):
        choose(tmp_path, "vgface2", None, None)
    with pytest.raises(UsageError, match=r"There is no folder .*nowhere"):
        choose(tmp_path / "nowhere", "auto", None, None)
    with pytest.raises(UsageError, match="holds 0 record files"):
        choose(tmp_path, "recordio", None, None)
