import hashlib
import io
import logging
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from record_files import RecordFile, insightface, packed, picture

from hifibench.data.originals import Original
from hifibench.data.record_source import UNKNOWN, RecordSource
from hifibench.errors import ImageError, UsageError

PEOPLE = [[picture(0), picture(1)], [picture(2)], [picture(3), picture(4), picture(5)]]


def listed(source: RecordSource) -> dict[str, list[str]]:
    return {person.identity: [original.name for original in person.originals] for person in source.people()}


EXPECTED = {"00000000": ["00000001", "00000002"], "00000001": ["00000003"]}
EXPECTED |= {"00000002": ["00000004", "00000005", "00000006"]}


def pixels(image: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(image)))


@pytest.mark.parametrize("index", [True, False], ids=["index", "scan"])
@pytest.mark.parametrize("aligned", [False, True])
def test_a_set_of_insightface_is_read_person_by_person(tmp_path: Path, index: bool, aligned: bool) -> None:
    source = RecordSource(insightface(PEOPLE, aligned).write(tmp_path / "train.rec", index=index))
    assert listed(source) == EXPECTED
    for person, images in zip(source.people(), PEOPLE, strict=True):
        for original, image in zip(person.originals, images, strict=True):
            read = source.read(original)
            assert np.array_equal(read.frame, pixels(image))
            assert read.content == hashlib.sha256(image).hexdigest()


def test_sources_name_the_byte_at_which_a_record_begins(tmp_path: Path) -> None:
    file = insightface(PEOPLE)
    [first, *_] = RecordSource(file.write(tmp_path / "train.rec")).people()
    assert first.originals[1] == Original("00000002", f"train.rec@{file.offsets[2]}")
    assert list(first.originals[:1]) == [Original("00000001", "train.rec@0")]


def test_people_are_found_without_looking_at_most_images(tmp_path: Path) -> None:
    file = insightface(PEOPLE)
    for key in (2, 5, 6):
        file.spoil(key, 8, b"\xff" * 24)  # the header: whom the image shows, if it were read
    assert listed(RecordSource(file.write(tmp_path / "train.rec"))) == EXPECTED


def plain(labels: list[float]) -> RecordFile:
    """As MXNet's own tools pack images: keys from 0, no records of identities."""
    file = RecordFile()
    for key, label in enumerate(labels):
        file.add(key, packed(label, picture(key), key))
    return file


@pytest.mark.parametrize("index", [True, False], ids=["index", "scan"])
def test_without_records_of_identities_each_image_says_whom_it_shows(tmp_path: Path, index: bool) -> None:
    source = RecordSource(plain([3, 0, 3]).write(tmp_path / "train.rec", index=index))
    assert listed(source) == {"00000000": ["00000001"], "00000003": ["00000000", "00000002"]}


def test_ids_that_are_not_unique_are_no_keys(tmp_path: Path) -> None:
    file = RecordFile()
    for key, label in enumerate((5, 5, 6)):
        file.add(key, packed(label, picture(key), 9))
    source = RecordSource(file.write(tmp_path / "train.rec", index=False))
    assert listed(source) == {"00000005": ["00000000", "00000001"], "00000006": ["00000002"]}


def test_a_list_names_other_people_than_the_records(tmp_path: Path) -> None:
    file = plain([0, 0, 0]).write(tmp_path / "train.rec")
    file.with_suffix(".lst").write_text("1\t8.000000\tb.jpg\n0\t7.0\ta.jpg\n2\t8\t\tc.jpg\n")
    assert listed(RecordSource(file)) == {"00000007": ["00000000"], "00000008": ["00000001", "00000002"]}


def test_a_list_of_insightface_names_images_by_its_lines(tmp_path: Path) -> None:
    file = insightface(PEOPLE).write(tmp_path / "train.rec")
    labels = (10, 10, 11, 12, 12, 13)
    file.with_suffix(".lst").write_text("".join(f"1\tp/{label}.jpg\t{label}\n" for label in labels))
    assert listed(RecordSource(file)) == {
        "00000010": ["00000001", "00000002"],
        "00000011": ["00000003"],
        "00000012": ["00000004", "00000005"],
        "00000013": ["00000006"],
    }


@pytest.mark.parametrize(
    "text", ["1\ta.jpg\t5\n" * 5, "1\ta.jpg\t5\n" * 7, "1\t5\ta.jpg\n2\t5\tb.jpg\n", "nonsense\n", ""]
)
def test_a_list_that_does_not_name_every_image_is_not_used(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = insightface(PEOPLE).write(tmp_path / "train.rec")
    file.with_suffix(".lst").write_text(text)
    assert listed(RecordSource(file)) == EXPECTED
    assert "train.lst does not name every image" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.spoil(5, 0, b"\0\0\0\0"), "has no magic number"),
        (lambda file: file.spoil(5, 4, struct.pack("<I", (1 << 29) - 1)), "runs beyond the end of the file"),
        (lambda file: file.spoil(5, 32, b"\0" * 40), "The image of the record .* is no image"),
        (lambda file: file.spoil(5, 4, struct.pack("<I", 28)), "The image of the record .* is no image"),
    ],
)
def test_a_bad_record_says_why_and_the_rest_goes_on(tmp_path: Path, spoil: object, words: str) -> None:
    file = insightface(PEOPLE)
    spoil(file)  # type: ignore[operator]
    source = RecordSource(file.write(tmp_path / "train.rec"))
    assert listed(source) == EXPECTED
    wrong = []
    for person in source.people():
        for original in person.originals:
            try:
                source.read(original)
            except ImageError as error:
                wrong.append((original.name, str(error)))
    [(name, said)] = wrong
    assert name == "00000005"
    with pytest.raises(ImageError, match=words):
        raise ImageError(said)
    assert f"train.rec@{file.offsets[5]}" in said


def test_a_scan_names_damaged_records(tmp_path: Path) -> None:
    file = insightface(PEOPLE)
    file.spoil(5, 0, b"\0\0\0\0")
    source = RecordSource(file.write(tmp_path / "train.rec", index=False))
    gone = {**EXPECTED, "00000002": ["00000004", "00000006"]}
    assert listed(source) == {**gone, UNKNOWN: [f"byte-{file.offsets[5]:08d}"]}
    [original] = source.people()[-1].originals
    with pytest.raises(ImageError, match=rf"The record train\.rec@{file.offsets[5]} has no magic number"):
        source.read(original)


@pytest.mark.parametrize("label", [-1, 0.5, float("nan"), 1e20])
def test_images_that_name_nobody_are_no_person(tmp_path: Path, label: float) -> None:
    source = RecordSource(plain([4, label, 4]).write(tmp_path / "train.rec"))
    assert listed(source) == {"00000004": ["00000000", "00000002"], UNKNOWN: ["key-00000001"]}
    with pytest.raises(ImageError, match="which names nobody"):
        source.read(source.people()[-1].originals[0])


@pytest.mark.parametrize(
    "label", [(5, 900), (4, 8), (2, 5), (6, 4)], ids=["behind the images", "into identities", "of another", "reversed"]
)
def test_an_identity_with_ids_out_of_range_costs_no_image(
    tmp_path: Path, label: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    file = insightface(PEOPLE)
    file.spoil(max(file.offsets), 8 + 24, np.array(label, "<f4").tobytes())
    with caplog.at_level(logging.WARNING, "hifibench"):
        assert listed(RecordSource(file.write(tmp_path / "train.rec"))) == EXPECTED
    assert "1 identities of the record file" in caplog.text


def test_images_that_the_index_lacks_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = insightface(PEOPLE)
    del file.offsets[5]
    rows = listed(RecordSource(file.write(tmp_path / "train.rec")))
    assert rows["00000002"] == ["00000004", "00000006"]
    assert "1 images that the identities of the record file name have no record" in caplog.text


@pytest.mark.parametrize(
    ("rec", "idx", "words"),
    [
        (b"", None, "is empty"),
        (b"PK\3\4" * 40, None, "is no RecordIO of MXNet"),
        (b"PK\3\4" * 40, "0\t0\n1\t40\n", "is not the index of"),
        (None, "0\t1\n1\t41\n", "is not the index of"),
        (None, "a\tb\n", "is no index of a RecordIO file"),
        (None, "0\t0\n1\n", "is no index of a RecordIO file"),
        (None, "0\t-5\n", "names no record, or one before the first"),
        (None, "", "names no record"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, rec: bytes | None, idx: str | None, words: str) -> None:
    file = insightface(PEOPLE).write(tmp_path / "train.rec", index=False)
    if rec is not None:
        file.write_bytes(rec)
    if idx is not None:
        file.with_suffix(".idx").write_text(idx)
    with pytest.raises(UsageError, match=words):
        RecordSource(file).people()


def test_a_file_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no image of anybody"):
        RecordSource(plain([-1, -1]).write(tmp_path / "train.rec")).people()
    with pytest.raises(UsageError, match="cannot be read"):
        RecordSource(tmp_path / "none.rec").people()


def test_it_can_be_handed_to_another_process(tmp_path: Path) -> None:
    source = RecordSource(insightface(PEOPLE).write(tmp_path / "train.rec"))
    assert pickle.loads(pickle.dumps(source)) == source
    person = source.people()[2]
    copy = pickle.loads(pickle.dumps(person))
    assert list(copy.originals) == list(person.originals)


def test_a_set_of_another_file_is_another_set(tmp_path: Path) -> None:
    one = RecordSource(insightface(PEOPLE).write(tmp_path / "a/train.rec"))
    other = RecordSource(insightface(PEOPLE[:2]).write(tmp_path / "b/train.rec"))
    assert one.settings == RecordSource(tmp_path / "a/train.rec").settings
    assert one.settings["bytes"] != other.settings["bytes"]
